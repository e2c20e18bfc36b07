"""Loss and singular values during training, and where its stages are."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jax.sharding import Mesh

from toy_superposition.experiments.learning_dynamics_geometry import theory
from toy_superposition.experiments.learning_dynamics_geometry.theory import N_FEATURES, SET_SIZE
from toy_superposition.geometry.components import singular_values
from toy_superposition.models import AutoencoderParams
from toy_superposition.theory.sets_loss import expected_losses

if TYPE_CHECKING:
  import xarray as xr

PLATEAU_TOLERANCE = 0.2  # relative, of the loss on the plateau


class Stages(NamedTuple):
  """Positions of the stages of one training along its stored steps."""

  onset: int  # of the plateau; −1 without a plateau
  plateau: int  # its middle in the logarithm of the step
  leaves: int  # its last position
  splitting: int  # the third singular value exceeds half of its final size
  rearranging: int  # the loss is half way from there to its end, in the logarithm


def run(dataset: "xr.Dataset", mesh: Mesh, memory_budget: int) -> "xr.Dataset":
  """Returns the dataset with the expected loss per feature at every stored step, and the singular
  values of W there."""
  del mesh, memory_budget
  history = dataset["history_W"].transpose(..., "step", "hidden", "feature")
  dims = history.dims[:-2]
  W, b = history.values, dataset["history_b"].transpose(*dims, "feature").values
  density = np.full(W.shape[:-2], density_of(dataset))
  losses = expected_losses(AutoencoderParams(W=W, b=b), density, SET_SIZE) / N_FEATURES
  return dataset.assign(
    history_expected_loss=(dims, losses, {"long_name": "expected loss, mean over features"}),
    history_singular_values=((*dims, "component"), singular_values(W)),
  )


def density_of(dataset: "xr.Dataset") -> float:
  """Returns the density that all features of all models have."""
  return float(dataset["feature_density"].values.flat[0])


def half_way(model: "xr.Dataset") -> int:
  """Returns the first position at which the loss is half way from the plateau's p/18 to its end, in
  the logarithm.

  Unlike `Stages.rearranging` it does not depend on the singular values: it may come before they
  split.
  """
  loss = model["history_expected_loss"].values
  return int(np.argmax(loss <= np.sqrt(theory.plateau_loss(density_of(model)) * loss[-1])))


def stages(model: "xr.Dataset") -> Stages:
  """Returns where the stages of one training are."""
  loss, third = (
    model["history_expected_loss"].values,
    model["history_singular_values"].isel(component=-1).values,
  )
  step, p = model["step"].values, density_of(model)
  splitting = int(np.argmax(third > third[-1] / 2))
  lower = np.sqrt(loss[splitting] * loss[-1])
  late = (splitting, splitting + int(np.argmax(loss[splitting:] <= lower)))
  inside = np.abs(loss / theory.plateau_loss(p) - 1) < PLATEAU_TOLERANCE
  if not inside.any():
    return Stages(-1, -1, -1, *late)
  onset = int(np.argmax(inside))
  leaves = onset + int(np.argmin([*inside[onset:], False])) - 1
  middle = np.sqrt(max(step[onset], 1) * max(step[leaves], 1))
  return Stages(onset, int(np.argmin(np.abs(step - middle))), leaves, *late)
