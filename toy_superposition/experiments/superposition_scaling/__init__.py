"""How the loss falls with the number of dimensions, with weak and with strong superposition.

Follow-up: Liu, Liu and Gore (2025), "Superposition Yields Robust Neural Scaling".
"""

from collections.abc import Mapping, Sequence
from typing import Any

from toy_superposition.experiments.experiment import Experiment, figure_in
from toy_superposition.experiments.requirements import refusal
from toy_superposition.experiments.superposition_scaling.analysis import run, working_bytes
from toy_superposition.experiments.superposition_scaling.claims import claims
from toy_superposition.types import Group

FEATURES_PER_DIMENSION = 8  # at least: with fewer, the finite number of features steepens the slope


def refuses(values: Mapping[str, Any], groups: Sequence[Group]) -> None:
  """Raises UserError for models too wide for the number of features, or of one width only."""
  widths = {group.spec.n_hidden for group in groups}
  n = values["model.n_features"]
  if max(widths) * FEATURES_PER_DIMENSION > n:
    allowed = f"at most an eighth of the {n} features"
    raise refusal("superposition_scaling", "model.n_hidden", max(widths), allowed)
  if len(widths) < 2:
    allowed = "a loss at several numbers of dimensions"
    raise refusal("superposition_scaling", "model.n_hidden", max(widths), allowed)


EXPERIMENT = Experiment(
  section="The Geometry of Superposition",
  requires={
    "data.distribution": "independent",
    "data.value_law": "uniform_to_two",
    "density.profile": "pareto",
    "density.base": 1.0,
    "init.scheme": "unit_columns",
    "train.optimizer": "norm_adamw",
  },
  may_vary=(
    *("model.n_features", "model.n_hidden", "density.tail", "density.scale"),
    *("train.norm_decay", "init.bias"),
  ),
  axes={"frequencies": "", "regime": "", "m": "model.n_hidden", "restart": ""},
  optional_axes={},
  run=run,
  claims=claims,
  figure=figure_in(__name__),
  working_bytes=working_bytes,
  refuses=refuses,
  compares_sizes=True,
)
