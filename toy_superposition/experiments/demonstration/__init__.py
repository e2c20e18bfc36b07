"""Basic results: which features a linear and a ReLU model represent, and how, by density."""

from collections.abc import Mapping, Sequence
from typing import Any

from toy_superposition.experiments.demonstration.analysis import LINEAR, RELU
from toy_superposition.experiments.demonstration.claims import claims
from toy_superposition.experiments.experiment import Experiment, figure_in
from toy_superposition.experiments.requirements import refusal
from toy_superposition.types import Group

# The paper's two sizes: features, hidden dimensions, ratio of neighbouring importances.
SIZES = ((20, 5, 0.7), (80, 20, 0.9))


def refuses(values: Mapping[str, Any], groups: Sequence[Group]) -> None:
  """Raises UserError unless both models are there, in one of the paper's two sizes."""
  models = sorted({group.spec.model for group in groups})
  if models != [LINEAR, RELU]:
    raise refusal("demonstration", "axis.model.points", models, f"both {LINEAR} and {RELU}")
  fields = ("model.n_features", "model.n_hidden", "importance.ratio")
  size = tuple(values[field] for field in fields)
  if size not in SIZES:
    raise refusal("demonstration", ", ".join(fields), size, " and ".join(map(str, SIZES)))


EXPERIMENT = Experiment(
  section="Demonstrating Superposition: Basic Results",
  requires={"importance.profile": "geometric"},
  may_vary=(
    *("model.n_features", "model.n_hidden", "importance.ratio"),
    "loss.reduction",  # a factor on the loss: the optimum is the same
  ),
  axes={"model": "model.name", "density": "density.base"},
  measures=("feature_norm", "superposition"),
  claims=claims,
  of_best=True,
  figure=figure_in(__name__),
  refuses=refuses,
)
