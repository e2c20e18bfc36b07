"""Incidental polysemanticity: neurons that two features share although there is one for each.

Follow-up: Lecomte et al. (2023), "What Causes Polysemanticity?".
"""

from collections.abc import Mapping, Sequence
from typing import Any

from toy_superposition.experiments.experiment import Experiment, figure_in
from toy_superposition.experiments.incidental_polysemanticity.analysis import run
from toy_superposition.experiments.incidental_polysemanticity.claims import claims
from toy_superposition.experiments.requirements import refusal
from toy_superposition.types import Group

NAME = "incidental_polysemanticity"


def refuses(values: Mapping[str, Any], groups: Sequence[Group]) -> None:
  """Raises UserError for fewer hidden units than features, which have to be shared, and without
  the weights before training."""
  n = values["model.n_features"]
  if any(group.spec.n_hidden < n for group in groups):
    fewest = min(group.spec.n_hidden for group in groups)
    raise refusal(NAME, "model.n_hidden", fewest, f"a hidden unit for each of {n} features")
  if values["history.num"] < 2:
    raise refusal(NAME, "history.num", values["history.num"], "at least 2: step 0 and the last one")


EXPERIMENT = Experiment(
  section="Superposition in a Privileged Basis",
  requires={
    "model.name": "unbiased_relu_output",
    "data.distribution": "one_hot",
    "data.value_law": "one",
    "loss.hidden_l1": 1e-3,
    "evaluation.method": "exact",
  },
  # One feature is active at a time, whatever the density.
  may_vary=("model.n_features", "density.base"),
  axes={"m": "model.n_hidden", "restart": ""},
  optional_axes={},
  run=run,
  claims=claims,
  figure=figure_in(__name__),
  refuses=refuses,
  compares_sizes=True,
)
