"""The panel of the phase diagram: maps over relative importance and density."""

from typing import TYPE_CHECKING, Any

import numpy as np

from toy_superposition.experiments import restarts
from toy_superposition.report.explanations import phase_legend
from toy_superposition.report.packing import BYTES_EACH, evenly, pack, rounded, thinned
from toy_superposition.report.selection import main_model

if TYPE_CHECKING:
  import xarray as xr

PLANE = ("relative_importance", "density")
DIFFERENT, SAME = (200, 60, 160), (215, 215, 215)
# Indexed by theory.phase_change.Phase; the last is that of a cell without a finite model.
PHASES = ("not represented", "dedicated", "superposition", "nothing finite")


def applies(dataset: "xr.Dataset") -> bool:
  """Returns whether the best restart's phase is known on the plane."""
  return "best_phase" in dataset and set(PLANE) <= set(dataset["best_phase"].dims)


def size(dataset: "xr.Dataset") -> float:
  """Returns the bytes of all maps of the phase diagram."""
  cells = dataset.sizes[PLANE[0]] * dataset.sizes[PLANE[1]]
  return cells * _cell_bytes(dataset)


def _cell_bytes(dataset: "xr.Dataset") -> float:
  n, m = dataset.sizes["feature"], dataset.sizes["hidden"]
  n_maps = 4 if "optimum_phase" in dataset else dataset.sizes.get("model", 1)
  return n_maps * BYTES_EACH * (6 + n * (m + 1)) + n_maps * 10


def data(dataset: "xr.Dataset", room: float) -> dict[str, Any]:
  """Returns maps over (relative importance, density), flat with density fastest, in about `room`
  bytes."""
  sizes = {name: dataset.sizes[name] for name in PLANE}
  kept = thinned(sizes, int(room / _cell_bytes(dataset)))
  small = dataset.isel({name: evenly(sizes[name], kept[name]) for name in PLANE})
  notes = [f"{kept[name]} of {sizes[name]} values of {name}" for name in PLANE]
  content: dict[str, Any] = {
    "r": rounded(small[PLANE[0]].values),
    "p": rounded(small[PLANE[1]].values),
    "phases": PHASES,
    "legend": phase_legend(),
    "notes": [note for note, name in zip(notes, PLANE, strict=True) if kept[name] < sizes[name]],
  }
  if "optimum_phase" not in dataset:
    if "model" not in small.dims:
      return content | {"maps": [_trained(small, "trained")], "start": 0}
    models = [str(name) for name in small["model"].values]
    maps = [_trained(small.sel(model=name), f"trained: {name}") for name in models]
    return content | {"maps": maps, "start": main_model(models)}
  optimum = _map("true optimum", small, "optimum", small["optimum_loss"])
  aligned = small["optimum_W"].copy(data=_aligned(small["optimum_W"], restarts.best(small)["W"]))
  optimum |= {"W": _weights(aligned), "b": _biases(small["optimum_b"])}
  maps = [_closed_forms(small), optimum, _trained(small, "trained: best restart")]
  maps.append(_map("trained: mean of restarts", small, "mean", None))
  maps.append(_disagreement(small))
  return content | {"maps": maps, "start": 2, "boundary": _boundary(small)}


def _flat(array: "xr.DataArray") -> np.ndarray:
  return array.transpose(*PLANE).values.ravel()


def _map(
  name: str, dataset: "xr.Dataset", kind: str, loss: "xr.DataArray | None"
) -> dict[str, Any]:
  """Returns a map coloured by norm and superposition of the extra feature."""
  from toy_superposition.drawing.phase_map import colour  # matplotlib

  norm, superposition = _flat(dataset[f"{kind}_norm"]), _flat(dataset[f"{kind}_superposition"])
  return {
    "name": name,
    "colours": pack(np.round(255 * colour(norm, superposition)).astype(int)),
    "phase": pack(_flat(dataset[f"{kind}_phase"]).astype(int)),
    "norm": rounded(norm, 4),
    "superposition": rounded(superposition, 4),
    **({} if loss is None else {"loss": rounded(_flat(loss))}),
  }


def _trained(dataset: "xr.Dataset", name: str) -> dict[str, Any]:
  best = restarts.best(dataset)
  content = _map(name, dataset, "best", best["loss"])
  return content | {"W": _weights(best["W"]), "b": _biases(best["b"])}


def _aligned(W: "xr.DataArray", target: "xr.DataArray") -> np.ndarray:
  """Returns weights rotated or reflected to lie as near as possible to others; neither changes the
  model's output."""
  target = np.nan_to_num(target.transpose(*W.dims).values.astype(float), posinf=0, neginf=0)
  left, _, right = np.linalg.svd(target @ np.swapaxes(W.values, -1, -2))
  return left @ right @ W.values


def _weights(W: "xr.DataArray") -> dict[str, Any]:
  values = W.transpose(*PLANE, "hidden", "feature").values
  return pack(values.reshape(-1, *values.shape[2:]))


def _biases(b: "xr.DataArray") -> dict[str, Any]:
  return pack(b.transpose(*PLANE, "feature").values.reshape(-1, b.sizes["feature"]))


def _closed_forms(dataset: "xr.Dataset") -> dict[str, Any]:
  from toy_superposition.drawing.phase_map import phase_colour  # matplotlib

  phase = _flat(dataset["closed_form_phase"]).astype(int)
  losses = dataset["closed_form_loss"]
  best = losses.argmin("solution")
  return {
    "name": "theory: closed forms",
    "colours": pack(np.round(255 * phase_colour(phase)).astype(int)),
    "phase": pack(phase),
    "loss": rounded(_flat(losses.min("solution"))),
    "solution": pack(_flat(best).astype(int)),
    "solutions": [str(name) for name in dataset["solution"].values],
  }


def _disagreement(dataset: "xr.Dataset") -> dict[str, Any]:
  """Returns the map of cells in which the best restart's phase is not the true optimum's."""
  best, optimum = _flat(dataset["best_phase"]), _flat(dataset["optimum_phase"])
  colours = np.where((best != optimum)[:, None], DIFFERENT, SAME)
  return {
    "name": "disagreement: trained and optimum",
    "colours": pack(colours),
    "phase": pack(best.astype(int)),
    "differs": int((best != optimum).sum()),
  }


def _boundary(dataset: "xr.Dataset") -> list[float | None]:
  """Returns for each relative importance the fractional index of the closed forms' boundary among
  the densities; None without a boundary."""
  p = dataset[PLANE[1]].values
  order = np.argsort(p)
  at = np.log(dataset["closed_form_boundary"].values)
  index = np.interp(at, np.log(p[order]), order.astype(float), left=np.nan, right=np.nan)
  return rounded(np.where(np.isfinite(at), index, np.nan))
