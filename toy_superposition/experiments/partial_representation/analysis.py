"""The share of features that trained models represent, and their loss, beside the mean field."""

from typing import TYPE_CHECKING

import numpy as np
from jax.sharding import Mesh

from toy_superposition.geometry.definitions import is_represented
from toy_superposition.theory import mean_field

if TYPE_CHECKING:
  import xarray as xr

FULL = 0.95  # share of represented features from which a model counts as representing all


def run(dataset: "xr.Dataset", mesh: Mesh, memory_budget: int) -> "xr.Dataset":
  """Returns the dataset of one number of dimensions with, of every model,

  `share`: of its features that are represented; `relative_loss`: its loss divided by that of a
  model that replaces all features by their means; `saved`: the loss that it saves per dimension,
  in units of a feature's mean variance; `mean_density` of its features; and `ratio`, m / n.

  And of the mean field at the same mean density, if all features are equally dense and nan
  otherwise: `theory_share`, `theory_loss` and `theory_critical`, the critical m / n.
  """
  del mesh, memory_budget
  n, m = dataset.sizes["feature"], dataset.sizes["hidden"]
  dims = dataset["loss"].dims
  density = dataset["feature_density"].transpose(*dims, "feature").values.astype(float)
  share = is_represented(dataset["W"].transpose(*dims, "hidden", "feature").values).mean(axis=-1)
  ignored = mean_field.variance(density).sum(axis=-1)
  relative = dataset["loss"].values / ignored
  theory = np.full((*share.shape, 3), np.nan)
  for place in np.ndindex(share.shape):
    p = density[place]
    if p.min() == p.max():
      theory[place] = of_mean_field(m / n, round(float(p[0]), 6))  # float32 has seven digits
  named = {
    "share": (share, "share of features represented"),
    "relative_loss": (relative, "loss over that of a model without any feature"),
    "saved": ((1 - relative) * n / m, "saved loss per dimension over a feature's variance"),
    "mean_density": (density.mean(axis=-1), "mean of the features' densities"),
    "ratio": (np.full(share.shape, m / n), "m / n"),
    "theory_share": (theory[..., 0], "share represented, mean field"),
    "theory_loss": (theory[..., 1], "relative loss, mean field"),
    "theory_critical": (theory[..., 2], "critical m / n, mean field"),
  }
  return dataset.assign({k: (dims, v, {"long_name": name}) for k, (v, name) in named.items()})


def of_mean_field(ratio: float, p: float) -> tuple[float, float, float]:
  """Returns share represented, relative loss and the critical m / n of the mean field.

  Args:
    ratio: m / n.
    p: density of all features.
  """
  loss = mean_field.loss_per_feature(ratio, p) / float(mean_field.variance(p))
  return mean_field.share_represented(ratio, p), loss, 1 / mean_field.best_load(p)


def pairs_loss(ratio: np.ndarray, p: float) -> np.ndarray:
  """Returns the relative loss of antipodal pairs, m of them at most, all other features ignored.

  A pair costs p²/3, with gain 1 and bias 0: so this is the exact loss of a model that exists, and
  the best one is not worse.

  Args:
    ratio: m / n, up to ½.
    p: density of all features.
  """
  return 1 - 2 * ratio * (1 - p**2 / 6 / float(mean_field.variance(p)))


def first_full(ratio: np.ndarray, share: np.ndarray) -> np.ndarray:
  """Returns the m / n at which models represent FULL of their features, nan where none does.

  Interpolated between the last width below and the first one that reaches it, linearly in m / n.

  Args:
    ratio: m / n, ascending, of shape (width,).
    share: of shape (restart, width).
  """
  result = np.full(len(share), np.nan)
  for k, row in enumerate(share):
    reached = np.flatnonzero(row >= FULL)
    if len(reached) and (at := reached[0]) > 0:
      low, high = row[at - 1], row[at]
      result[k] = ratio[at - 1] + (FULL - low) / (high - low) * (ratio[at] - ratio[at - 1])
  return result


def by_width(dataset: "xr.Dataset", name: str, features: object) -> np.ndarray:
  """Returns a variable of the models of one point of `features`, of shape (restart, width)."""
  part = dataset[name].sel(features=features).sortby("m")
  return part.transpose("restart", "m").values.astype(float)


def ratios(dataset: "xr.Dataset") -> np.ndarray:
  """Returns m / n of all widths, ascending."""
  return np.sort(dataset["ratio"].isel(features=0, restart=0).values)


def n_features(dataset: "xr.Dataset") -> int:
  """Returns n."""
  return round(dataset["m"].values.max() / ratios(dataset).max())


def equal(dataset: "xr.Dataset") -> dict[float, object]:
  """Returns density → point of `features`, of those whose features are equally dense."""
  known = dataset["theory_critical"].notnull()
  mean = dataset["mean_density"].isel(restart=0, m=0)
  chosen = [f for f in dataset["features"].values if bool(known.sel(features=f).all())]
  return dict(sorted((round(float(mean.sel(features=f)), 6), f) for f in chosen))


def unequal(dataset: "xr.Dataset") -> dict[float, object]:
  """Returns mean density → point of `features`, of those whose features are not equally dense."""
  others = set(equal(dataset).values())
  mean = dataset["mean_density"].isel(restart=0, m=0)
  chosen = [f for f in dataset["features"].values if f not in others]
  return {round(float(mean.sel(features=f)), 3): f for f in chosen}
