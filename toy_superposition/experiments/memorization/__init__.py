"""Examples as features: what a model of two dimensions stores of a finite set of examples.

Follow-up: Henighan et al. (2023), "Superposition, Memorization, and Double Descent".
"""

from collections.abc import Mapping, Sequence
from typing import Any

from toy_superposition.experiments.experiment import Experiment, figure_in
from toy_superposition.experiments.memorization.analysis import run, working_bytes
from toy_superposition.experiments.memorization.claims import claims
from toy_superposition.experiments.requirements import refusal
from toy_superposition.types import Group


def refuses(values: Mapping[str, Any], groups: Sequence[Group]) -> None:
  """Raises UserError for features that are always silent."""
  del groups
  if values["density.base"] <= 0:
    raise refusal("memorization", "density.base", values["density.base"], "densities > 0")


EXPERIMENT = Experiment(
  section="Discussion",
  requires={
    "model.n_hidden": 2,
    "data.distribution": "unit_sparse_uniform",
    "data.examples": "fixed",
    "data.whole": True,
  },
  may_vary=("model.n_features", "density.base", "data.n_examples", "train.weight_decay"),
  axes={"case": "", "restart": ""},
  optional_axes={},
  measures=("feature_dimensionality",),
  run=run,
  claims=claims,
  figure=figure_in(__name__),
  working_bytes=working_bytes,
  refuses=refuses,
)
