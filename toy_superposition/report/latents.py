"""The panel of latents and features: the cosines of the directions that a sparse autoencoder
learned with the true ones."""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from toy_superposition.experiments import dictionaries
from toy_superposition.recovery import chance, metrics
from toy_superposition.report.packing import BYTES_EACH, evenly, pack, rounded
from toy_superposition.report.selection import OVERHEAD, choose, count, is_trained

if TYPE_CHECKING:
  import xarray as xr

MOST_FEATURES, MOST_LATENTS = 128, 256  # columns and rows of a matrix that a screen can show
MOST_PAIRS = 2**16  # latents × features up to which chance is computed here: a second per model


class Matched(NamedTuple):
  """The cosines of one autoencoder as the panel shows them."""

  cosine: Float[np.ndarray, "row column"]
  latent: Int[np.ndarray, "row"]  # number of each row's latent
  row: Int[np.ndarray, "column"]  # of the latent assigned to each feature; −1 without
  mcc: float
  chance: float  # MCC of random decoders; nan if it takes long
  n_directions: int  # features with a direction


def applies(dataset: "xr.Dataset") -> bool:
  """Returns whether the models are trained sparse autoencoders whose true directions are stored."""
  known = {"W_dec", "loss"} <= set(dataset.variables) and {"latent", "feature"} <= set(
    dataset.sizes
  )
  return known and is_trained(dataset) and bool(dictionaries.given(dataset))


def size(dataset: "xr.Dataset") -> float:
  """Returns the bytes of all models."""
  return count(dataset, "loss") * _bytes_each(dataset)


def _bytes_each(dataset: "xr.Dataset") -> float:
  n, d = _shown(dataset)
  return OVERHEAD + BYTES_EACH * (n * d + n + d)


def _shown(dataset: "xr.Dataset") -> tuple[int, int]:
  """Returns the numbers of features and latents that a matrix shows."""
  sizes = dataset.sizes
  return min(sizes["feature"], MOST_FEATURES), min(sizes["latent"], MOST_LATENTS)


def data(dataset: "xr.Dataset", room: float) -> dict[str, Any]:
  """Returns the panel's data, in about `room` bytes.

  The rows of a matrix are latents: first those assigned to the shown features, in their order, then
  the others by their nearest feature.
  """
  given = dictionaries.given(dataset)
  known = ["mcc_chance"] if "mcc_chance" in dataset else []
  selection = choose(dataset, ["loss", "W_dec", *given, *known], int(room / _bytes_each(dataset)))
  frozen = {name: selection.rows(name, *dims) for name, dims in given.items()}
  n, d = _shown(dataset)
  features = np.array(evenly(dataset.sizes["feature"], n))
  models = []
  for i, decoder in enumerate(selection.rows("W_dec", "input", "latent")):
    truth = dictionaries.true_directions({k: array[i] for k, array in frozen.items()}, dataset)
    models.append(_matched(decoder, truth, features, d))
  by_chance = selection.rows("mcc_chance") if known else np.array([one.chance for one in models])
  # MCC counts features for which no latent is left as 0; the dots are of the others.
  n_directions = np.array([one.n_directions for one in models])
  each = by_chance * np.maximum(n_directions / dataset.sizes["latent"], 1)
  sizes = ((n, "feature"), (d, "latent"))
  left_out = [f"{k} of {dataset.sizes[dim]} {dim}s" for k, dim in sizes if k < dataset.sizes[dim]]
  content = {
    "axes": selection.axes,
    "notes": [*selection.notes, *left_out],
    "features": features.tolist(),
    "cosine": pack(np.stack([one.cosine for one in models])),
    "latent": pack(np.stack([one.latent for one in models])),
    "row": pack(np.stack([one.row for one in models])),
    "loss": rounded(selection.rows("loss")),
    "mcc": rounded(np.array([one.mcc for one in models])),
    "chance": rounded(by_chance),
    "chance_each": rounded(each),
  }
  if "restart_number" in selection.dataset.coords:
    content["restart"] = selection.rows("restart_number").tolist()
  return content


def _matched(
  decoder: metrics.Decoder, truth: metrics.Dictionary, features: Int[np.ndarray, "column"], d: int
) -> Matched:
  """Returns what the panel shows of one model: `features`, and `d` latents. Features without a
  direction have the cosine 0 and no latent."""
  row = np.full(len(features), -1)
  if not (np.isfinite(decoder).all() and np.isfinite(truth).all()):
    return Matched(np.full((d, len(features)), np.nan), np.arange(d), row, np.nan, np.nan, 0)
  cosine = metrics.cosines(decoder, truth)
  there = np.flatnonzero((truth != 0).any(axis=0))
  latents, of = metrics.assignment(cosine[:, there])
  own = dict(zip(there[of].tolist(), latents.tolist(), strict=True))
  assigned = [own[i] for i in features.tolist() if i in own]
  nearest = np.abs(cosine).argmax(axis=1)
  others = [k for k in np.argsort(nearest, kind="stable").tolist() if k not in set(assigned)]
  order = np.array([*assigned, *others][:d])
  for column, feature in enumerate(features.tolist()):
    if feature in own:
      row[column] = order.tolist().index(own[feature])
  return Matched(
    cosine[np.ix_(order, features)],
    order,
    row,
    metrics.mcc(cosine[:, there]) if len(there) else np.nan,
    _chance(truth[:, there], decoder.shape[1]),
    len(there),
  )


def _chance(truth: metrics.Dictionary, n_latents: int) -> float:
  """Returns the MCC of random decoders, nan where it would take long or no feature has a
  direction."""
  if not 0 < truth.shape[1] * n_latents <= MOST_PAIRS:
    return np.nan
  return chance.chance(metrics.mcc, truth, n_latents).mean
