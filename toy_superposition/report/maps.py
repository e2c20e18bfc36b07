"""Panels that show a whole sweep at once: the phase diagram, dimensionality over density."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from toy_superposition.drawing.phase_map import colour, phase_colour
from toy_superposition.drawing.plots import FRACTIONS
from toy_superposition.experiments import restarts
from toy_superposition.report.packing import BYTES_EACH, evenly, pack, rounded, thinned

if TYPE_CHECKING:
  import xarray as xr

PLANE = ("relative_importance", "density")
WHITE, DIFFERENT, SAME = (255, 255, 255), (200, 60, 160), (215, 215, 215)
# Of theory.phase_change.Phase; the last one is that of a cell in which nothing is finite.
PHASES = ("not represented", "dedicated", "superposition", "nothing finite")
USUAL = "relu_output"
POINTS = 100  # dimensionalities drawn at a density
FEWEST = 6  # densities of a line


def is_phase_diagram(dataset: "xr.Dataset") -> bool:
  """Returns whether the best restart's phase is known on the plane."""
  return "best_phase" in dataset and set(PLANE) <= set(dataset["best_phase"].dims)


def phases_bytes(dataset: "xr.Dataset") -> float:
  """Returns the size of all maps of the phase diagram."""
  cells = dataset.sizes[PLANE[0]] * dataset.sizes[PLANE[1]]
  return cells * _cell_bytes(dataset)


def _cell_bytes(dataset: "xr.Dataset") -> float:
  n, m = dataset.sizes["feature"], dataset.sizes["hidden"]
  n_maps = 4 if "optimum_phase" in dataset else dataset.sizes.get("model", 1)
  return n_maps * BYTES_EACH * (6 + n * (m + 1)) + n_maps * 10


def phases(dataset: "xr.Dataset", room: float) -> dict[str, Any]:
  """Returns the data of the phase diagram: maps over (relative importance, density), the second
  fastest."""
  sizes = {name: dataset.sizes[name] for name in PLANE}
  kept = thinned(sizes, int(room / _cell_bytes(dataset)))
  small = dataset.isel({name: evenly(sizes[name], kept[name]) for name in PLANE})
  notes = [f"{kept[name]} of {sizes[name]} values of {name}" for name in PLANE]
  data: dict[str, Any] = {
    "r": rounded(small[PLANE[0]].values),
    "p": rounded(small[PLANE[1]].values),
    "phases": PHASES,
    "notes": [note for note, name in zip(notes, PLANE, strict=True) if kept[name] < sizes[name]],
  }
  if "optimum_phase" not in dataset:
    if "model" not in small.dims:
      return data | {"maps": [_trained(small, "trained")], "start": 0}
    models = [str(name) for name in small["model"].values]
    maps = [_trained(small.sel(model=name), f"trained: {name}") for name in models]
    return data | {"maps": maps, "start": usual(models)}
  optimum = _map("true optimum", small, "optimum", small["optimum_loss"])
  turned = small["optimum_W"].copy(data=_turned(small["optimum_W"], restarts.best(small)["W"]))
  optimum |= {"W": _weights(turned), "b": _biases(small["optimum_b"])}
  maps = [_closed_forms(small), optimum, _trained(small, "trained: best restart")]
  maps.append(_map("trained: mean of restarts", small, "mean", None))
  maps.append(_disagreement(small))
  return data | {"maps": maps, "start": 2, "boundary": _boundary(small)}


def usual(names: Sequence[str]) -> int:
  """Returns the place of the paper's model among names, of the last one without it."""
  return list(names).index(USUAL) if USUAL in names else len(names) - 1


def _flat(array: "xr.DataArray") -> np.ndarray:
  return array.transpose(*PLANE).values.ravel()


def _map(
  name: str, dataset: "xr.Dataset", kind: str, loss: "xr.DataArray | None"
) -> dict[str, Any]:
  """Returns a map coloured by norm and superposition of the extra feature."""
  norm, shared = _flat(dataset[f"{kind}_norm"]), _flat(dataset[f"{kind}_superposition"])
  return {
    "name": name,
    "colours": pack(np.round(255 * colour(norm, shared)).astype(int)),
    "phase": pack(_flat(dataset[f"{kind}_phase"]).astype(int)),
    "norm": rounded(norm, 4),
    "superposition": rounded(shared, 4),
    **({} if loss is None else {"loss": rounded(_flat(loss))}),
  }


def _trained(dataset: "xr.Dataset", name: str) -> dict[str, Any]:
  best = restarts.best(dataset)
  data = _map(name, dataset, "best", best["loss"])
  return data | {"W": _weights(best["W"]), "b": _biases(best["b"])}


def _turned(W: "xr.DataArray", onto: "xr.DataArray") -> np.ndarray:
  """Returns weights turned or mirrored to lie as near as they can to others, which changes nothing
  of what the model does."""
  onto = np.nan_to_num(onto.transpose(*W.dims).values.astype(float), posinf=0, neginf=0)
  left, _, right = np.linalg.svd(onto @ np.swapaxes(W.values, -1, -2))
  return left @ right @ W.values


def _weights(W: "xr.DataArray") -> dict[str, Any]:
  values = W.transpose(*PLANE, "hidden", "feature").values
  return pack(values.reshape(-1, *values.shape[2:]))


def _biases(b: "xr.DataArray") -> dict[str, Any]:
  return pack(b.transpose(*PLANE, "feature").values.reshape(-1, b.sizes["feature"]))


def _closed_forms(dataset: "xr.Dataset") -> dict[str, Any]:
  phase = _flat(dataset["closed_form_phase"]).astype(int)
  losses = dataset["closed_form_loss"]
  least = losses.argmin("solution")
  return {
    "name": "theory: closed forms",
    "colours": pack(np.round(255 * phase_colour(phase)).astype(int)),
    "phase": pack(phase),
    "loss": rounded(_flat(losses.min("solution"))),
    "solution": pack(_flat(least).astype(int)),
    "solutions": [str(name) for name in dataset["solution"].values],
  }


def _disagreement(dataset: "xr.Dataset") -> dict[str, Any]:
  """Returns the map of where the best restart shows another phase than the true optimum."""
  best, optimum = _flat(dataset["best_phase"]), _flat(dataset["optimum_phase"])
  colours = np.where((best != optimum)[:, None], DIFFERENT, SAME)
  return {
    "name": "disagreement: trained and optimum",
    "colours": pack(colours),
    "phase": pack(best.astype(int)),
    "differs": int((best != optimum).sum()),
  }


def _boundary(dataset: "xr.Dataset") -> list[float | None]:
  """Returns for each relative importance the place of the closed forms' boundary among the
  densities, counted from 0; None without one."""
  p = dataset[PLANE[1]].values
  order = np.argsort(p)
  at = np.log(dataset["closed_form_boundary"].values)
  places = np.interp(at, np.log(p[order]), order.astype(float), left=np.nan, right=np.nan)
  return rounded(np.where(np.isfinite(at), places, np.nan))


def is_uniform(dataset: "xr.Dataset") -> bool:
  """Returns whether D* over density is the result: equal features, no other axis but restarts."""
  if "dimensions_per_feature" not in dataset or "feature_dimensionality" not in dataset:
    return False
  dims = set(dataset["dimensions_per_feature"].dims)
  importance = dataset["feature_importance"].values
  return (
    {"density"} <= dims <= {"density", "restart"}
    and dataset.sizes["density"] >= FEWEST
    and bool((importance == importance.flat[0]).all())
    and bool((dataset["density"] > 0).all())
  )


def dimensionality_bytes(dataset: "xr.Dataset") -> float:
  """Returns the size of the dimensionality panel."""
  return dataset.sizes["density"] * (
    POINTS * BYTES_EACH + 10 * (4 + dataset.sizes.get("restart", 1))
  )


def dimensionality(dataset: "xr.Dataset", room: float) -> dict[str, Any]:
  """Returns D* of every restart at every density, D_i of evenly ranked features, and fractions."""
  size = dataset.sizes["density"]
  kept = evenly(size, int(size * min(1, room / dimensionality_bytes(dataset))))
  small = dataset.isel(density=kept)
  whole = small["dimensions_per_feature"]
  D = small["feature_dimensionality"]
  ranked = np.sort(D.transpose("density", ...).values.reshape(len(kept), -1), axis=1)
  notes = [f"{len(kept)} of {size} densities"] if len(kept) < size else []
  if ranked.shape[1] > POINTS:
    notes.append(f"{POINTS} of {ranked.shape[1]} features at each density, evenly ranked by D")
  return {
    "notes": notes,
    "density": rounded(small["density"].values),
    "whole": rounded(whole.transpose("density", ...).values.reshape(len(kept), -1)),
    "D": pack(ranked[:, evenly(ranked.shape[1], POINTS)]),
    "guides": FRACTIONS,
  }
