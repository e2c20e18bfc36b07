"""Correlated, anticorrelated and independent features in a plane: which are orthogonal, opposite or
neighbours."""

from collections.abc import Mapping, Sequence
from typing import Any

from toy_superposition.experiments.correlated.analysis import SET_SIZE, run
from toy_superposition.experiments.correlated.claims import claims
from toy_superposition.experiments.experiment import Experiment, figure_in
from toy_superposition.experiments.requirements import refusal
from toy_superposition.types import Group


def refuses(values: Mapping[str, Any], groups: Sequence[Group]) -> None:
  """Raises UserError for sets without claims, and for features that are never active."""
  case = (values["data.distribution"], values["model.n_features"])
  if SET_SIZE.get(case) != values["data.set_size"]:
    raise refusal(
      "correlated",
      "data.distribution, model.n_features, data.set_size",
      (*case, values["data.set_size"]),
      ", ".join(str((*known, size)) for known, size in SET_SIZE.items()),
    )
  if any((group.instances.density <= 0).any() for group in groups):
    raise refusal("correlated", "density.base", values["density.base"], "numbers > 0")


EXPERIMENT = Experiment(
  section="Correlated and Anticorrelated Features",
  requires={
    "model.n_hidden": 2,
    "model.n_features": frozenset(n_features for _, n_features in SET_SIZE),
    "data.distribution": frozenset(distribution for distribution, _ in SET_SIZE),
    "data.set_size": 2,  # of the distributions that have sets
  },
  may_vary=("density.base",),  # above DENSE and SPARSE, claims are not decided
  run=run,
  claims=claims,
  figure=figure_in(__name__),
  refuses=refuses,
)
