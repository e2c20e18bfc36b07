"""The panel of scores: how well sparse autoencoders recover and reconstruct, over a swept axis."""

from typing import TYPE_CHECKING, Any

import numpy as np

from toy_superposition.experiments import dictionaries
from toy_superposition.records import schema
from toy_superposition.report.packing import BYTES_EACH, evenly, pack, thinned
from toy_superposition.report.selection import OVERHEAD, axis_of, is_trained

if TYPE_CHECKING:
  import xarray as xr

# Variable → its name on the page; it is shown if the results have it. Each stands for the mean over
# repetitions and the range; `active`, `chance` and `bound` are lines to compare with.
SHOWN = {
  "mcc": "MCC with the true features",
  "fvu": "fraction of variance unexplained",
  "precision": "precision",
  "recall": "recall",
  "dead": "dead latents, share",
  "l0": "active latents L0",
}
COMPARED = ("mcc_chance", "mcc_chance_std", "active", "bound")
# Fields that change random numbers alone: other values are repetitions.
RANDOM = ("", "seed", "data.dictionary")


def applies(dataset: "xr.Dataset") -> bool:
  """Returns whether there are scores of trained sparse autoencoders over an axis."""
  return is_trained(dataset) and "mcc" in dataset and bool(_swept(dataset))


def _swept(dataset: "xr.Dataset") -> list[str]:
  """Returns the axes along which models differ in more than their random numbers."""
  values = schema.config(dataset)
  swept = [
    str(dim)
    for dim in dataset["mcc"].dims
    if values.get(f"axis.{dim}.scale") == "together"
    or not np.issubdtype(dataset[dim].dtype, np.number)
    or dataset[dim].attrs.get("config_field", "") not in RANDOM
  ]
  return [dim for dim in swept if dataset.sizes[dim] > 1]


def size(dataset: "xr.Dataset") -> float:
  """Returns the bytes of all points of the swept axes."""
  return float(np.prod([dataset.sizes[dim] for dim in _swept(dataset)])) * _bytes_each()


def _bytes_each() -> float:
  return OVERHEAD + BYTES_EACH * (3 * len(SHOWN) + len(COMPARED))


def data(dataset: "xr.Dataset", room: float) -> dict[str, Any]:
  """Returns the mean, minimum and maximum of every score over repetitions, at every point of the
  swept axes, in about `room` bytes. A diverged model does not count."""
  swept = _swept(dataset)
  sizes = {dim: dataset.sizes[dim] for dim in swept}
  kept = thinned(sizes, int(room / _bytes_each()))
  if "n_represented" in dataset:
    dataset = dataset.assign(bound=(dataset["n_represented"].dims, dictionaries.bound(dataset)))
  small = dataset.isel({dim: evenly(sizes[dim], kept[dim]) for dim in swept})
  if "density" in swept:
    small = small.sortby("density", ascending=False)
  repeated = [dim for dim in small["mcc"].dims if dim not in swept]
  content: dict[str, Any] = {
    "axes": [axis_of(small, dim, sizes[dim]) for dim in swept],
    "notes": [
      f"{kept[dim]} of {sizes[dim]} values of {dim}" for dim in swept if kept[dim] < sizes[dim]
    ],
    "repeated": {str(dim): small.sizes[dim] for dim in repeated},
    "names": {name: text for name, text in SHOWN.items() if name in small},
  }
  for name in SHOWN:
    if name in small:
      parts = [getattr(small[name], how)(repeated) for how in ("mean", "min", "max")]
      content[name] = pack(np.stack([_flat(part, swept) for part in parts], axis=1))
  for name in COMPARED:
    if name in small:
      content[name] = pack(_flat(small[name].mean(repeated), swept)[:, None])
  return content


def _flat(array: "xr.DataArray", swept: list[str]) -> np.ndarray:
  return array.transpose(*swept).values.ravel()
