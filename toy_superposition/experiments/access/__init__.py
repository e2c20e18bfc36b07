"""Linear against nonlinear access: dimensions that reading k of n active features needs.

Follow-up: Garg, Kleinberg and Peng (2026). Nothing is trained.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from toy_superposition.experiments.access.analysis import ACTIVE, run
from toy_superposition.experiments.access.claims import claims
from toy_superposition.experiments.experiment import Experiment, figure_in
from toy_superposition.experiments.requirements import refusal
from toy_superposition.types import Group

SPARSE = 10  # times as many features as active ones, at least


def refuses(values: Mapping[str, Any], groups: Sequence[Group]) -> None:
  """Raises UserError for so few features that many of them are active."""
  del groups
  if (n := values["model.n_features"]) < (least := SPARSE * max(ACTIVE)):
    raise refusal("access", "model.n_features", n, f"at least {least} features")


EXPERIMENT = Experiment(
  section="Appendix: Connection to Compressed Sensing",
  requires={"train.steps": 0, "model.n_hidden": 1},
  # No step is made: the decay is of the package's own models.
  may_vary=("model.n_features", "train.weight_decay"),
  axes={"restart": ""},
  optional_axes={},
  run=run,
  claims=claims,
  figure=figure_in(__name__),
  refuses=refuses,
  trained=False,
)
