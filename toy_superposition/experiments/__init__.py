"""Experiments: one folder each, with its claims, its figure and the theory that it alone needs."""

import importlib

from toy_superposition.errors import UserError, nearest
from toy_superposition.experiments.experiment import Experiment

# In the paper's order, then the follow-ups; config/catalogue.py has the suites of their configs.
NAMES = (
  "introduction",
  "demonstration",
  "feature_benefit",
  "phase_change",
  "activation_functions",
  "uniform_geometry",
  "feature_count",
  "thomson",
  "nonuniform_density",
  "correlated",
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
_ADDED: dict[str, Experiment] = {}


def names() -> tuple[str, ...]:
  """Returns the names of all experiments: the package's, and those that were added."""
  return (*NAMES, *_ADDED)


def get(name: str) -> Experiment:
  """Returns an experiment; of the package's, this one alone is imported.

  Raises:
    UserError: there is none of this name.
  """
  if name in _ADDED:
    return _ADDED[name]
  if name in NAMES:
    return importlib.import_module(f"toy_superposition.experiments.{name}").EXPERIMENT
  raise UserError(
    f"config.experiment: {name!r} is not allowed; allowed: none, or one of the {len(names())} that "
    f"toy_superposition.experiments.names() lists{nearest(name, names())}"
  )


def add(name: str, experiment: Experiment) -> None:
  """Makes an experiment from outside the package known by a name, for config.experiment.

  Raises:
    ValueError: the package has an experiment of this name.
  """
  if name in NAMES:
    raise ValueError(f"{name!r} is an experiment of the package; use another name")
  _ADDED[name] = experiment
