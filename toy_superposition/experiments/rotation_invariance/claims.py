"""What rotations of the hidden layer do to the loss of each of the two models."""

from typing import TYPE_CHECKING

from toy_superposition.experiments import rotations
from toy_superposition.experiments.experiment import Claim
from toy_superposition.experiments.rotation_invariance.analysis import MODELS

if TYPE_CHECKING:
  import xarray as xr


def claims(dataset: "xr.Dataset") -> list[Claim]:
  """Returns the verdicts: relu_output is invariant under rotations, and relu_hidden is not."""
  return [
    rotations.claim(dataset.sel(model=name), f"model {name}", matters)
    for name, matters in MODELS.items()
  ]
