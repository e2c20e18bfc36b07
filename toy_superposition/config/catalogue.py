"""The configs: their places and suites, and what each is about, read without executing them."""

import ast
from pathlib import Path
from typing import Any, NamedTuple

from toy_superposition.errors import UserError, nearest, shown

PACKAGE = Path(__file__).parent.parent
# Configs of the paper's experiments, in its order, and of variants that belong beside them.
PAPER = (
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
# Configs of later questions; a new experiment is added at the end.
FOLLOW_UPS = (
  "sae_recovery",
  "sae_absorption",
  "sae_hedging",
  "sae_wrong_l0",
  "sae_composed",
  "sae_benchmark",
  "sae_dictionary",
  "sae_manifold",
  "sae_toys",
  "correlated_geometry",
  "interference_weights",
  "loss_exponent",
  "kgon_phases",
  "capacity",
  "uniform_theory",
  "partial_representation",
  "superposition_scaling",
  "feature_circle",
  "composition",
  "correlation_phases",
  "circuits_in_superposition",
  "compressed_computation",
  "memorization",
  "dropout_basis",
  "decomposition_targets",
  "access",
  "incidental_polysemanticity",
  "pairwise_and",
  "engineering_monosemanticity",
)
SUITES = {"paper": PAPER, "follow_ups": FOLLOW_UPS}
EXPERIMENTS = (*PAPER, *FOLLOW_UPS)
# Suite → heading of its configs; those of no suite are not run with the others.
HEADINGS = {
  "paper": "The paper's experiments",
  "follow_ups": "Follow-ups",
  "": "Beside the suites",
}


class Entry(NamedTuple):
  """One config of the catalogue."""

  name: str
  about: str  # one line
  variants: tuple[str, ...]  # what may stand after the colon of --config, without ""
  cost: str  # measured, in words


def folder() -> Path:
  """Returns the folder of configs: of a wheel inside the package, of a clone beside it.

  Raises:
    UserError: it does not exist.
  """
  places = (PACKAGE / "configs", PACKAGE.parent / "configs")
  for place in places:
    if (place / "base.py").is_file():
      return place
  raise UserError(f"{places[0]}: no such folder; install the package again to have its configs")


def names() -> list[str]:
  """Returns the names of all configs: EXPERIMENTS in their order, then all others.

  Raises:
    UserError: the folder of configs does not exist.
  """
  there = {path.stem for path in folder().glob("*.py")} - {"base", "__init__"}
  return [n for n in EXPERIMENTS if n in there] + sorted(there - set(EXPERIMENTS))


def suite(name: str) -> str:
  """Returns the suite that a config belongs to, a key of SUITES; "" if to none."""
  return next((suite for suite, members in SUITES.items() if name in members), "")


def path(name: str) -> Path:
  """Returns the file of a config; "base" has the defaults.

  Raises:
    UserError: there is no config of this name.
  """
  known = ["base", *names()]
  if name not in known:
    allowed = f"allowed: {', '.join(known)}, or the path of a file, such as ./mine.py"
    raise UserError(f"no config {shown(name)}{nearest(name, known)}; {allowed}")
  return folder() / f"{name}.py"


def about(name: str) -> str:
  """Returns what a config is about, in one line: its constant ABOUT.

  Raises:
    UserError: its file cannot be read as Python, or has no such constant.
  """
  return _text(name, _constants(name), "ABOUT")


def entry(name: str) -> Entry:
  """Returns what a config's file declares: its constants ABOUT and COST, and the keys of SIZES.

  Raises:
    UserError: its file cannot be read as Python, or has no such constants.
  """
  constants = _constants(name)
  if not isinstance(sizes := constants.get("SIZES"), ast.Dict):
    raise _missing(name, "SIZES", "a dict with the variants' names as keys")
  keys = [_literal(key) for key in sizes.keys]
  if not all(isinstance(key, str) for key in keys):
    raise _missing(name, "SIZES", "a dict whose keys are texts")
  variants = tuple(key for key in keys if key)
  return Entry(name, _text(name, constants, "ABOUT"), variants, _text(name, constants, "COST"))


def entries() -> list[Entry]:
  """Returns all configs; of a file that does not declare its constants, what it lacks in words.

  Raises:
    UserError: the folder of configs does not exist.
  """
  found = []
  for name in names():
    try:
      found.append(entry(name))
    except (UserError, OSError) as error:
      found.append(Entry(name, str(error), (), "not measured"))
  return found


def _constants(name: str) -> dict[str, ast.expr]:
  """Returns the expressions that a config's file assigns to names at its top level."""
  file = folder() / f"{name}.py"
  try:
    tree = ast.parse(file.read_text(encoding="utf-8"))
  except (SyntaxError, ValueError) as error:
    raise UserError(f"{file}: {error}; allowed: a file of Python code") from None
  constants = {}
  for node in tree.body:
    if isinstance(node, ast.Assign) and isinstance(target := node.targets[0], ast.Name):
      constants[target.id] = node.value
  return constants


def _literal(node: ast.expr | None) -> Any:
  """Returns an expression's value if it is a literal, and None otherwise."""
  try:
    return ast.literal_eval(node) if node is not None else None
  except (ValueError, TypeError):
    return None


def _text(name: str, constants: dict[str, ast.expr], constant: str) -> str:
  """Returns a constant that is one line of text."""
  value = _literal(constants.get(constant))
  if not isinstance(value, str) or not value or "\n" in value:
    raise _missing(name, constant, f'one line of text, as {constant} = "…"')
  return value


def _missing(name: str, constant: str, needed: str) -> UserError:
  return UserError(f"{folder() / name}.py: no constant {constant}; needed: {needed}")
