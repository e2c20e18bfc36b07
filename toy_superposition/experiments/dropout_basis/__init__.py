"""Dropout of hidden units: does it spread features over them, align them, or remove them?

Follow-up: posts of 2023 say that dropout inhibits superposition, and that it privileges the axes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from scipy import stats

from toy_superposition.experiments.dropout_basis.analysis import run
from toy_superposition.experiments.dropout_basis.claims import claims
from toy_superposition.experiments.dropout_basis.descent import MAX_ACTIVE
from toy_superposition.experiments.experiment import Experiment, figure_in
from toy_superposition.experiments.requirements import refusal
from toy_superposition.types import Group

MOST_HIDDEN, MOST_FEATURES = 6, 20  # 2^m masks and all sets of features are enumerated
MISSED = 0.01  # largest probability of an example with more active features than are enumerated


def refuses(values: Mapping[str, Any], groups: Sequence[Group]) -> None:
  """Raises UserError for too many masks or sets of features, and for features that are always
  silent."""
  n = max(group.spec.n_features for group in groups)
  if values["model.n_hidden"] > MOST_HIDDEN:
    allowed = f"at most {MOST_HIDDEN} dimensions"
    raise refusal("dropout_basis", "model.n_hidden", values["model.n_hidden"], allowed)
  if values["density.base"] <= 0:
    raise refusal("dropout_basis", "density.base", values["density.base"], "densities > 0")
  if n > MOST_FEATURES:
    raise refusal("dropout_basis", "model.n_features", n, f"at most {MOST_FEATURES} features")
  if stats.binom.sf(MAX_ACTIVE, n, values["density.base"]) > MISSED:
    allowed = f"at most {MAX_ACTIVE} of {n} features active in {1 - MISSED:.0%} of examples"
    raise refusal("dropout_basis", "density.base", values["density.base"], allowed)


EXPERIMENT = Experiment(
  section="Superposition in a Privileged Basis",
  may_vary=(
    *("model.n_features", "model.n_hidden", "model.dropout", "density.base"),
    "model.isotropic_noise",
  ),
  axes={"noise": "", "n": "model.n_features", "dropout": "model.dropout", "restart": ""},
  optional_axes={},
  run=run,
  claims=claims,
  figure=figure_in(__name__),
  refuses=refuses,
  compares_sizes=True,
)
