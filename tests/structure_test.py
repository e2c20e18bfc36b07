"""Imports go downward, third-party packages stay where they belong, experiments are rooms."""

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import LONGEST
from toy_superposition import experiments

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "toy_superposition"
FILES = sorted(PACKAGE.rglob("*.py"))
ROOMS = sorted(path.name for path in (PACKAGE / "experiments").iterdir() if path.is_dir())
ROOMS = [name for name in ROOMS if (PACKAGE / "experiments" / name / "__init__.py").exists()]
# Third-party package → the only modules that import it.
ALLOWED = {
  "ml_collections": {"config", "cli", "api", "exchange", "bare_weights", "main"},
  "orbax": {"records"},
  "absl": {"main", "report", "reproduce", "gallery", "collect", "terminal", "cli"},
  "jinja2": {"report"},
  "plotly": {"report"},
  "tabulate": {"text"},
  "tqdm": {"progress"},
  "tensorboardX": {"records"},
}


def unit(path: Path) -> str:
  """Returns the module or package directly below toy_superposition that a file belongs to."""
  return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> set[str]:
  """Returns the modules that a file imports when it runs, those for type checkers left out."""
  tree = ast.parse(path.read_text())
  for_types = {
    id(node)
    for branch in ast.walk(tree)
    if isinstance(branch, ast.If) and "TYPE_CHECKING" in ast.unparse(branch.test)
    for node in ast.walk(branch)
  }
  modules: set[str] = set()
  for node in ast.walk(tree):
    if id(node) in for_types:
      continue
    if isinstance(node, ast.Import):
      modules |= {name.name for name in node.names}
    elif isinstance(node, ast.ImportFrom) and node.module:
      modules |= {f"{node.module}.{name.name}" for name in node.names}
  return modules


def test_imports_go_downward_and_never_in_a_circle():
  # The layers stand in pyproject.toml.
  program = shutil.which("lint-imports", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
  assert program, "pip install -e '.[test]' brings it"
  done = subprocess.run(
    [program, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
  )
  assert done.returncode == 0, done.stdout
  assert "Contracts: 2 kept, 0 broken." in done.stdout


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_third_party_packages_stay_where_they_belong(path):
  tops = {name.partition(".")[0] for name in imports(path)}
  for package, units in ALLOWED.items():
    assert package not in tops or unit(path) in units, f"{unit(path)} imports {package}"
  draws = path.name == "figure.py" or unit(path) in ("drawing", "runner")
  assert draws or "matplotlib" not in tops


def test_a_run_starts_without_scipy_and_matplotlib_is_imported_when_a_figure_is_drawn():
  code = """
import sys
from toy_superposition import experiments, report, runner, api
from toy_superposition.cli import run, collect, reproduce
from toy_superposition.report import finish, watching
assert "scipy" not in sys.modules
for name in experiments.NAMES:
  experiments.get(name)
print([name for name in ("matplotlib", "plotly", "jinja2") if name in sys.modules])
"""
  done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
  assert done.stdout.strip() == "[]"


def test_no_name_is_undefined():
  # Linter and type checker leave this out, since shapes such as "feature" look like names to them.
  ruff = shutil.which("ruff", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
  assert ruff, "pip install -e '.[test]' brings it"
  command = [ruff, "check", "--isolated", "--select=F821", "--output-format=json", str(ROOT)]
  done = subprocess.run(command, capture_output=True, text=True, check=False)
  undefined = []
  for finding in json.loads(done.stdout):
    row, column = finding["location"]["row"], finding["location"]["column"]
    line = Path(finding["filename"]).read_text().splitlines()[row - 1]
    if line[column - 2] not in "\"'":
      undefined.append(f"{finding['filename']}:{row}: {finding['message']}")
  assert undefined == []


def test_configs_import_nothing_but_the_base():
  for path in sorted((ROOT / "configs").glob("*.py")):
    for module in imports(path):
      assert f"{module}.".startswith("toy_superposition.config.base."), path


def test_every_experiment_is_a_room_with_a_test_and_a_config_and_every_room_an_experiment():
  assert sorted(experiments.NAMES) == ROOMS
  tested = {
    path.stem.removesuffix("_test") for path in (ROOT / "tests/experiments").glob("*_test.py")
  }
  assert set(ROOMS) <= tested
  assert tested - set(ROOMS) <= {"requirements", "restarts", "trained", "uniform"}
  named = {
    line.split('"')[1]
    for path in (ROOT / "configs").glob("*.py")
    for line in path.read_text().splitlines()
    if line.strip().startswith("config.experiment = ")
  }
  assert named == set(ROOMS)


@pytest.mark.parametrize("name", ROOMS)
def test_a_room_has_its_claims_and_its_figure_and_imports_no_other_room(name):
  folder = PACKAGE / "experiments" / name
  assert {"__init__.py", "claims.py", "figure.py"} <= {path.name for path in folder.iterdir()}
  others = {f"toy_superposition.experiments.{other}" for other in ROOMS if other != name}
  for path in folder.glob("*.py"):
    for module in imports(path):
      assert not any(module == other or module.startswith(f"{other}.") for other in others), path


def test_the_modules_of_tests_that_run_first_are_there():
  there = [path.stem.removesuffix("_test") for path in (ROOT / "tests").rglob("*_test.py")]
  assert set(LONGEST) <= set(there) and len(set(there)) == len(there)
