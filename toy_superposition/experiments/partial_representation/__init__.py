"""A wide enough model represents all its features, a narrow one a share of them; what decides?

Follow-up: Guo, Liu and Gore (2026), on the change from partial to full representation.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from toy_superposition.experiments.experiment import Experiment, figure_in
from toy_superposition.experiments.partial_representation.analysis import run
from toy_superposition.experiments.partial_representation.claims import claims
from toy_superposition.experiments.requirements import refusal
from toy_superposition.types import Group


def refuses(values: Mapping[str, Any], groups: Sequence[Group]) -> None:
  """Raises UserError for models that are not narrower than their features are many."""
  widest = max(group.spec.n_hidden for group in groups)
  if widest >= (n := values["model.n_features"]):
    allowed = f"fewer dimensions than the {n} features"
    raise refusal("partial_representation", "model.n_hidden", widest, allowed)


EXPERIMENT = Experiment(
  section="The Geometry of Superposition",
  requires={"density.profile": "geometric"},
  may_vary=("model.n_features", "model.n_hidden", "density.base", "density.ratio"),
  axes={"features": "", "m": "model.n_hidden", "restart": ""},
  optional_axes={},
  run=run,
  claims=claims,
  figure=figure_in(__name__),
  refuses=refuses,
  compares_sizes=True,
)
