"""The experiments in configs/: what each is about, its variants and what it costs, read from its
file without executing it."""

import ast
import re
from pathlib import Path
from typing import NamedTuple

from toy_superposition.errors import UserError

CONFIGS = Path(__file__).parent.parent.parent / "configs"
# In the paper's order.
EXPERIMENTS = (
  "introduction",
  "demonstration",
  "demonstration_large",
  "feature_benefit",
  "phase_change",
  "phase_change_three",
  "activation_functions",
  "uniform_geometry",
  "thomson",
  "nonuniform_density",
  "correlated_pairs",
  "anticorrelated_pairs",
  "correlated_hexagon",
  "independent_hexagon",
  "local_bases",
  "correlated_collapse",
  "learning_dynamics_jumps",
  "learning_dynamics_geometry",
  "adversarial",
  "adversarial_training",
  "privileged_basis",
  "rotation_invariance",
  "optimizer_basis",
  "absolute_value_small",
  "absolute_value",
  "asymmetric_superposition",
  "l1_superposition",
  "nonlinear_compression",
  "compressed_sensing",
  "cross_entropy_neuron",
)


class Entry(NamedTuple):
  """One experiment of the catalogue."""

  name: str
  about: str  # one line
  variants: tuple[str, ...]  # what may stand after the colon of --config, without ""
  cost: str  # measured, in words; "" where the file states none


def names() -> list[str]:
  """Returns the experiments that there are: the paper's in its order, then all others.

  Raises:
    UserError: the folder of configs is not there: the package was installed without it.
  """
  if not CONFIGS.is_dir():
    raise UserError(f"{CONFIGS}: no such folder; install with `pip install -e .` to have configs")
  there = {path.stem for path in CONFIGS.glob("*.py")} - {"base", "__init__"}
  return [n for n in EXPERIMENTS if n in there] + sorted(there - set(EXPERIMENTS))


def about(name: str) -> str:
  """Returns the first line of a config's docstring."""
  return _docstring(name).splitlines()[0]


def entry(name: str) -> Entry:
  """Returns what a config's file says of itself: the first line of its docstring, the keys of its
  table SIZES, and the sentence that begins with Measured."""
  found = re.search(
    r"^Measured[^:]*:\s*(.*?)\.(?:\s|$)", _docstring(name), re.DOTALL | re.MULTILINE
  )
  cost = " ".join(found[1].split()) if found else ""
  return Entry(name, about(name), _variants(name), cost)


def _tree(name: str) -> ast.Module:
  return ast.parse((CONFIGS / f"{name}.py").read_text())


def _docstring(name: str) -> str:
  return ast.get_docstring(_tree(name)) or name


def _variants(name: str) -> tuple[str, ...]:
  for node in _tree(name).body:
    if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Dict):
      continue
    if ast.unparse(node.targets[0]) == "SIZES":
      keys = [key.value for key in node.value.keys if isinstance(key, ast.Constant)]
      return tuple(str(key) for key in keys if key)
  return ()
