"""Imports go downward, and third-party packages stay where they belong."""

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# From the bottom up: a module may import from its own layer's packages and from layers below.
LAYERS = (
  ("errors", "types"),
  ("streams", "draws", "jaxprs", "bfgs", "models", "profiles", "distributions", "objective"),
  ("unroll",),
  ("optimizers", "measures", "theory"),
  ("sweep", "problem", "placement", "processes"),
  ("estimators",),
  ("planning",),
  ("train", "evaluation"),
  ("analyses", "figures"),
  ("combinations",),
  ("config",),
  ("records", "progress", "interrupts"),
  ("judgement",),
  ("experiment", "shards"),
  ("catalogue",),
  ("terminal", "interactive"),
  ("rehearsal",),
  ("page",),
  ("presentation",),
  ("main",),
  ("report", "reproduce", "collect"),
)
ALLOWED = {
  "ml_collections": {"config", "main", "interactive"},
  "orbax": {"records"},
  "matplotlib": {"figures", "interactive"},
  "absl": {"main", "report", "reproduce", "collect", "terminal"},
  "plotly": {"page"},
  "tqdm": {"progress"},
  "tensorboardX": {"records"},
}
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
FILES = sorted((ROOT / "toy_superposition").rglob("*.py"))


def unit(path: Path) -> str:
  """Returns the module or package directly below toy_superposition that a file belongs to."""
  return path.relative_to(ROOT / "toy_superposition").parts[0].removesuffix(".py")


def imports(path: Path) -> list[tuple[str, str]]:
  """Returns (top-level package, first name below it) of every import in a file."""
  found = []
  for node in ast.walk(ast.parse(path.read_text())):
    if isinstance(node, ast.Import):
      found += [[*name.name.split("."), ""][:2] for name in node.names]
    elif isinstance(node, ast.ImportFrom) and node.module:
      parts = node.module.split(".")
      below = parts[1:2] or [name.name for name in node.names]
      found += [[parts[0], name] for name in below]
  return [(top, name) for top, name in found]


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_go_downward(path):
  if path == ROOT / "toy_superposition" / "__init__.py":
    return
  own = unit(path)
  for top, name in imports(path):
    if top == "toy_superposition" and name != own:
      assert LEVEL[name] <= LEVEL[own], f"{own} imports {name}, which lies above it"
    assert own in ALLOWED.get(top, {own}), f"{own} imports {top}"


def test_no_name_is_undefined():
  # Linter and type checker leave this out, since shapes such as "feature" look like names to them.
  ruff = shutil.which("ruff", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
  assert ruff, "pip install -e '.[test]' brings it"
  command = [ruff, "check", "--isolated", "--select=F821", "--output-format=json", str(ROOT)]
  done = subprocess.run(command, capture_output=True, text=True, check=False)
  undefined = []
  for found in json.loads(done.stdout):
    row, column = found["location"]["row"], found["location"]["column"]
    line = Path(found["filename"]).read_text().splitlines()[row - 1]
    if line[column - 2] not in "\"'":
      undefined.append(f"{found['filename']}:{row}: {found['message']}")
  assert undefined == []


def test_modules_of_one_layer_do_not_import_each_other_in_a_circle():
  graph: dict[str, set[str]] = {}
  for path in FILES:
    below = {name for top, name in imports(path) if top == "toy_superposition"}
    graph.setdefault(unit(path), set()).update(below - {unit(path)})
  order: list[str] = []
  while len(order) < len(graph):
    ready = [name for name in graph if name not in order and graph[name] <= set(order)]
    assert ready, f"circle among {sorted(set(graph) - set(order))}"
    order += ready


def test_configs_and_launch_import_nothing_but_configs_and_ml_collections():
  for path in sorted((ROOT / "configs").glob("*.py")):
    assert {top for top, _ in imports(path)} <= {"configs", "ml_collections"}, path
