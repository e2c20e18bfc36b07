"""Adam knows the axes of the hidden layer, which the model's function does not have.

After "Privileged Bases in the Transformer Residual Stream", which suspects Adam; the paper itself
has no such experiment.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from jax.sharding import Mesh

from toy_superposition.experiments.experiment import (
  REPORTED,
  Analysis,
  Claim,
  require,
  require_axes,
  verdict,
)
from toy_superposition.geometry.rotations import fourth_moment, random_rotations
from toy_superposition.types import Group

if TYPE_CHECKING:
  import xarray as xr

ROTATIONS = 400
REPRESENTED = 0.3  # least norm of a feature that counts
PRIVILEGED, INDIFFERENT = 1.5, 1.0  # |z|, averaged over seeds: above for Adam, below for SGD
SEEDS = 8
SAME_LOSS = 0.02  # relative
OPTIMIZERS = ("adam", "sgd")


def check(values: Mapping[str, Any], axes: Sequence[str], groups: Sequence[Group]) -> None:
  """Raises UserError where the experiment does not compare Adam with SGD on a linear layer."""
  del axes, groups
  require(values, "optimizer_basis", {"model.name": frozenset({"relu_output", "linear"})})
  require_axes(values, "optimizer_basis", {"optimizer": "train.optimizer"})
  require(values, "optimizer_basis", {"axis.optimizer.points": OPTIMIZERS})


def run(dataset: "xr.Dataset", mesh: Mesh, memory_budget: int) -> "xr.Dataset":
  """Returns the dataset with the fourth moment of every model's unit columns, and its mean and
  standard deviation over random rotations of the same columns."""
  del mesh, memory_budget
  W = dataset["W"].transpose(*dataset["loss"].dims, "hidden", "feature").values
  flat = W.reshape(-1, *W.shape[-2:])
  rotations = random_rotations(np.random.default_rng(0), ROTATIONS, W.shape[-2])
  moment = jax.jit(jax.vmap(lambda one: fourth_moment(one, REPRESENTED)))
  own = np.asarray(moment(flat))
  turned = np.stack([np.asarray(moment(rotations @ one)) for one in flat])
  dims, shape = dataset["loss"].dims, dataset["loss"].shape
  return dataset.assign(
    fourth_moment=(dims, own.reshape(shape)),
    rotated_fourth_moment=((*dims, "rotation"), turned.reshape(*shape, -1)),
  )


def z_score(dataset: "xr.Dataset") -> "xr.DataArray":
  """Returns how many standard deviations the axes stand out from random ones."""
  random = dataset["rotated_fourth_moment"]
  return (dataset["fourth_moment"] - random.mean("rotation")) / random.std("rotation")


def claims(dataset: "xr.Dataset") -> list[Claim]:
  """Returns what the two optimizers did to the axes."""
  z = z_score(dataset)
  seeds = dataset.sizes.get("restart", 1)
  loss = dataset["loss"].mean([name for name in dataset["loss"].dims if name != "optimizer"])
  adam, sgd = (float(loss.sel(optimizer=name)) for name in OPTIMIZERS)
  same = abs(sgd / adam - 1) <= SAME_LOSS
  rows = []
  for name, privileged in zip(OPTIMIZERS, (True, False), strict=True):
    scores = np.atleast_1d(z.sel(optimizer=name).values)
    mean = np.abs(scores).mean()
    holds = mean > PRIVILEGED if privileged else mean < INDIFFERENT
    rows.append(
      Claim(
        f"{name}: |z| of the fourth moment of unit columns among random rotations",
        f"{mean:.2f} mean of {seeds} seeds (z {scores.mean():+.2f} ± {scores.std():.2f})",
        f"> {PRIVILEGED} (verified: z −1.8 to −3.7)" if privileged else f"< {INDIFFERENT}",
        verdict(holds, decided=seeds >= SEEDS and same),
      )
    )
  moments = dataset["fourth_moment"].mean([d for d in dataset["loss"].dims if d != "optimizer"])
  random = float(dataset["rotated_fourth_moment"].mean())
  rows.append(
    Claim(
      "fourth moment of unit columns: Adam, SGD, random rotation",
      f"{float(moments.sel(optimizer='adam')):.3f}, {float(moments.sel(optimizer='sgd')):.3f}, "
      f"{random:.3f}",
      "verified: Adam .145–.154, random .167: below, so coordinates of equal size",
      REPORTED,
    )
  )
  rows.append(
    Claim(
      "both optimizers reach the same loss: relative difference of the means",
      f"{sgd / adam - 1:+.2%}",
      f"within ± {SAME_LOSS:.0%}",
      verdict(same, decided=seeds >= SEEDS),
    )
  )
  return rows


ANALYSIS = Analysis("Privileged basis made by the optimizer (a follow-up)", (), check, claims, run)
