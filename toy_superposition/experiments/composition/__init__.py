"""What one linear unit can select of a code, and which compositions a tied ReLU model keeps.

Follow-up: Olah (May 2023), "Distributed Representations: Composition & Superposition".
"""

from collections.abc import Mapping, Sequence
from typing import Any

from toy_superposition.experiments.composition.analysis import run
from toy_superposition.experiments.composition.claims import claims
from toy_superposition.experiments.composition.theory import CODES
from toy_superposition.experiments.experiment import Experiment, figure_in
from toy_superposition.experiments.requirements import refusal
from toy_superposition.types import Group


def refuses(values: Mapping[str, Any], groups: Sequence[Group]) -> None:
  """Raises UserError for codes other than those that the theory is about."""
  del groups
  for name in values["axis.code.points"]:
    if name not in CODES:
      raise refusal("composition", "axis.code.points", name, f"the codes {', '.join(CODES)}")


EXPERIMENT = Experiment(
  section="Superposition as a Phase Change",
  requires={"data.value_law": "one", "evaluation.method": "exact"},
  axes={"code": "", "n": "model.n_features", "m": "model.n_hidden", "restart": ""},
  optional_axes={},
  run=run,
  claims=claims,
  figure=figure_in(__name__),
  refuses=refuses,
  compares_sizes=True,
  of_best=True,
)
