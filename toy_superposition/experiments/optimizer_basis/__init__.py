"""Adam privileges the axes of the hidden layer, which the model's function does not have.

A question raised by "Privileged Bases in the Transformer Residual Stream", which suspects Adam. The
paper itself has no such experiment.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from toy_superposition.experiments.experiment import Experiment, figure_in
from toy_superposition.experiments.optimizer_basis.analysis import OPTIMIZERS, run
from toy_superposition.experiments.optimizer_basis.claims import claims
from toy_superposition.experiments.requirements import refusal
from toy_superposition.types import Group


def refuses(values: Mapping[str, Any], groups: Sequence[Group]) -> None:
  """Raises UserError unless Adam is compared with SGD."""
  if {group.spec.optimizer for group in groups} != set(OPTIMIZERS):
    points = tuple(values["axis.optimizer.points"])
    raise refusal("optimizer_basis", "axis.optimizer.points", points, repr(OPTIMIZERS))


EXPERIMENT = Experiment(
  section="Privileged basis made by the optimizer (a follow-up)",
  requires={
    "model.n_features": 64,
    "model.n_hidden": 16,
    "density.base": 0.05,
    # A factor on the loss, which Adam ignores, multiplies SGD's steps.
    "importance.base": 20.0,
  },
  axes={"optimizer": "train.optimizer"},
  run=run,
  claims=claims,
  figure=figure_in(__name__),
  refuses=refuses,
)
