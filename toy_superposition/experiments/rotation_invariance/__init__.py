"""A linear hidden layer beside one with a ReLU: only the second one's basis means anything."""

from collections.abc import Mapping, Sequence
from typing import Any

from toy_superposition.experiments.experiment import Experiment, figure_in
from toy_superposition.experiments.requirements import refusal
from toy_superposition.experiments.rotation_invariance.analysis import DENSITIES, MODELS, run
from toy_superposition.experiments.rotation_invariance.claims import claims
from toy_superposition.types import Group


def refuses(values: Mapping[str, Any], groups: Sequence[Group]) -> None:
  """Raises UserError unless the two models are compared, at both densities."""
  name = "rotation_invariance"
  if {group.spec.model for group in groups} != set(MODELS):
    points = tuple(values["axis.model.points"])
    raise refusal(name, "axis.model.points", points, repr(tuple(MODELS)))
  points = tuple(values.get("axis.density.points", ()))
  if set(points) != set(DENSITIES):
    raise refusal(name, "axis.density.points", points, repr(DENSITIES))


EXPERIMENT = Experiment(
  section="Superposition in a Privileged Basis",
  requires={
    "model.n_features": 10,
    "model.n_hidden": 5,
    "importance.profile": "geometric",
    "importance.ratio": 0.75,
  },
  axes={"model": "model.name", "density": "density.base"},
  run=run,
  claims=claims,
  figure=figure_in(__name__),
  refuses=refuses,
)
