"""Capacity: how a model of squares divides its dimensions among features of unequal importance.

Follow-up: Scherlis, Sachan, Jermyn, Benton, Shlegeris (2022), "Polysemanticity and Capacity in
Neural Networks".
"""

from collections.abc import Mapping, Sequence
from typing import Any

from toy_superposition.experiments import uniform
from toy_superposition.experiments.capacity.analysis import run
from toy_superposition.experiments.capacity.claims import claims
from toy_superposition.experiments.experiment import Experiment, figure_in
from toy_superposition.experiments.requirements import refusal
from toy_superposition.types import Group


def refuses(values: Mapping[str, Any], groups: Sequence[Group]) -> None:
  """Raises UserError unless there are more features than dimensions, and all can be active."""
  n, m = values["model.n_features"], values["model.n_hidden"]
  if n <= m:
    raise refusal("capacity", "model.n_features", n, f"more than {m} features in {m} dimensions")
  uniform.refuse_densities("capacity", "density.base", groups, 1.0)


EXPERIMENT = Experiment(
  section="Polysemanticity and capacity (a follow-up)",
  requires={
    "model.name": "sum_of_squares",
    "data.distribution": "sparse_signed_uniform",
    "data.target": "weighted_squares",
  },
  may_vary=("model.n_features", "model.n_hidden"),
  axes={"density": "density.base", "ratio": "data.weight_ratio"},
  run=run,
  claims=claims,
  figure=figure_in(__name__),
  refuses=refuses,
)
