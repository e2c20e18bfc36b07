"""Many small networks in one: interference of reading in and of reading out, by layer.

Follow-ups: Bushnaq and Mendel (2024); Linsefors and Bushnaq (2025). None of the package's own
models is trained; its features stand for circuits.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from toy_superposition.experiments.circuits_in_superposition import theory
from toy_superposition.experiments.circuits_in_superposition.analysis import SMALLEST, run
from toy_superposition.experiments.circuits_in_superposition.claims import claims
from toy_superposition.experiments.experiment import Experiment, figure_in
from toy_superposition.experiments.requirements import refusal
from toy_superposition.types import Group


def refuses(values: Mapping[str, Any], groups: Sequence[Group]) -> None:
  """Raises UserError for more circuits than lines, and for too few to have a part of them."""
  del groups
  most = theory.n_lines(theory.BLOCKS, theory.OWN)
  if not SMALLEST <= (n := values["model.n_features"]) <= most:
    needed = f"{SMALLEST} to {most} circuits"
    raise refusal("circuits_in_superposition", "model.n_features", n, needed)


EXPERIMENT = Experiment(
  section="Computation in Superposition",
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
