"""How far trained models are above what is known of the optimum: in a sentence, and as a claim.

Results have it as `optimum_bound`, by the rows of CERTIFICATES; those of an earlier version, or of
models of which nothing is known, have no such variable, and nothing is said of them.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from toy_superposition import certificates, repetitions
from toy_superposition.certificates import BOUND, CERTIFICATES, DIM, LOWER, MEANING, TOLERANCE
from toy_superposition.errors import UserError, nearest
from toy_superposition.experiments import trained
from toy_superposition.records import schema
from toy_superposition.types import Group

if TYPE_CHECKING:
  import xarray as xr

WITHIN = 0.01  # relative excess up to which models are counted
MANY = 4  # under-trained cells of a sweep that are named


class Excess(NamedTuple):
  """Losses of a dataset's models relative to what is known of their optima."""

  nouns: tuple[str, ...]  # of the certificates that are the lowest ones in some cell
  best: np.ndarray  # of the best run of every cell of which an optimum is known: loss/bound − 1
  n_within: int  # models at most WITHIN above
  n_models: int  # finite ones of which an optimum is known
  under_trained: tuple[str, ...]  # cells whose best run is farther above than is allowed
  largest: float  # excess of the worst of these cells
  repeats: str  # what models of a cell are called: seeds, restarts, or models if there is one each
  is_decayed: bool  # whether training also lowered weights, so that it had another objective


def excess(dataset: "xr.Dataset") -> Excess | None:
  """Returns how far models are above what is known of the optimum; None where nothing is known.

  Of several certificates the lowest counts; one that no model is known to reach, only if there is
  no other, and it marks nothing.
  """
  needed = {"loss", "finite", BOUND, TOLERANCE}
  if not needed <= set(dataset.data_vars) or not {DIM, MEANING} <= set(dataset.coords):
    return None
  bounds = dataset[BOUND].where(dataset[BOUND] > 0)
  reached = bounds.where(dataset[MEANING] != LOWER)
  chosen = reached if bool(reached.notnull().any()) else bounds
  if not bool(chosen.notnull().any()):
    return None
  known = chosen.notnull().any(DIM)
  at = chosen.fillna(np.inf).argmin(DIM)
  above = (dataset["loss"] / chosen.isel({DIM: at}) - 1).where(known & (dataset["finite"] == 1))
  allowed = dataset[TOLERANCE].isel({DIM: at}).where(dataset[MEANING].isel({DIM: at}) != LOWER)
  axes = repetitions.axes_of(dataset["loss"], dataset, None)
  best = above.min(axes) if axes else above
  farther = best > (allowed.max(axes) if axes else allowed)
  names = dataset[DIM].values[np.unique(at.values[known.values])].tolist()
  return Excess(
    nouns=tuple(_noun(str(name)) for name in names),
    best=best.values[np.isfinite(best.values)],
    n_within=int((above <= WITHIN).sum()),
    n_models=int(above.notnull().sum()),
    under_trained=tuple(_cells(farther)),
    largest=float(best.where(farther).max()),
    repeats=_plural(axes),
    is_decayed=_is_decayed(dataset),
  )


def losses(dataset: "xr.Dataset") -> str:
  """Returns number of models and median loss in one line."""
  finite = dataset["finite"].values
  each = dataset["loss"].values[finite == 1]
  median = f"{sorted(each.ravel())[each.size // 2]:.4g}" if each.size else "none finite"
  reduction = dataset["loss"].attrs.get("reduction", "reduced")
  models = f"{finite.size} model{'s' * (finite.size != 1)}, {int((finite == 0).sum())} not finite"
  return f"{models}, median loss {median} ({reduction} over features)"


def sentence(dataset: "xr.Dataset") -> str:
  """Returns one line on how far models are above the known optimum; "" where nothing is known."""
  found = excess(dataset)
  if found is None or not found.best.size:
    return ""
  low, high = found.best.min(), found.best.max()
  run = "best run" if found.best.size == 1 else "best runs"
  line = f"{run} {_between(float(low), float(high))} the {' or '.join(found.nouns)}"
  if found.best.size > 1:
    line += f" (median {100 * np.median(found.best):+.1f} %)"
  line += f"; {found.n_within} of {found.n_models} {found.repeats} within {100 * WITHIN:g} %"
  if found.under_trained:
    line += f"; {_marked(found)}"
  return line


def mark(dataset: "xr.Dataset") -> tuple[str, str, str] | None:
  """Returns statement, measured and expected of a claim that says which cells are under-trained;
  None where no cell is."""
  found = excess(dataset)
  if found is None or not found.under_trained:
    return None
  return (
    f"the best run of every cell is at the {' or '.join(found.nouns)}, so that claims about the "
    "optimum are about models that have reached it",
    f"up to {100 * found.largest:.1f} % above; {_marked(found)}",
    f"at most {100 * certificates.ALLOWANCE:g} % above, more where losses are sampled or the "
    "certificate is approximate (optimum_tolerance)",
  )


def with_bound(dataset: "xr.Dataset", name: str, bound: "xr.DataArray") -> "xr.Dataset":
  """Returns a dataset with what a certificate knows, computed by the caller.

  Args:
    dataset: of a run.
    name: row of CERTIFICATES.
    bound: loss by the row, as `loss` is reduced; axes that it lacks are repeated.
  """
  import xarray as xr

  values, dims = schema.config(dataset), dataset["loss"].dims
  density, importance = (
    dataset[key].transpose(*dims, "feature").values
    for key in ("feature_density", "feature_importance")
  )
  method, n_samples = values["evaluation.method"], int(values["evaluation.n_samples"])
  allowed = CERTIFICATES[name].tolerance(density, importance, method=method, n_samples=n_samples)
  like = xr.zeros_like(dataset["loss"], dtype=float).drop_attrs()
  full = (like + bound).transpose(*like.dims)
  return _joined(dataset, [name], full.values[..., None], allowed[..., None])


def certified(dataset: "xr.Dataset", *names: str) -> "xr.Dataset":
  """Returns the results of a run with what certificates know of the optima of its models.

    ts.certified(results, "exact_optimum")["optimum_bound"]

  Args:
    dataset: of a run, with models of one Spec.
    *names: rows of CERTIFICATES, which are computed whatever they cost; by default those that are
      computed for every run.

  Raises:
    UserError: a name is unknown, or the row does not apply to these models.
  """
  for name in names:
    if name not in CERTIFICATES:
      known = ", ".join(CERTIFICATES)
      raise UserError(f"no certificate {name!r}{nearest(name, CERTIFICATES)}; there are: {known}")
  models, values = trained.trained(dataset), schema.config(dataset)
  group = Group(models.problem.spec, models.instances, np.zeros((len(models.instances.index), 0)))
  found = certificates.names_for([group], names)
  if missing := [name for name in names if name not in found]:
    raise UserError(f"certificate {missing[0]!r} does not apply to these models")
  computed = [name for name in found if name in names] if names else found
  if not computed:
    return dataset
  method, n_samples = values["evaluation.method"], int(values["evaluation.n_samples"])
  of_rows = certificates.known(group, computed, method=method, n_samples=n_samples)
  shape = (*models.shape, len(computed))
  bounds, tolerances = (leaf.reshape(shape) for leaf in of_rows)
  return _joined(dataset, computed, bounds, tolerances)


def _joined(
  dataset: "xr.Dataset", names: Sequence[str], bounds: np.ndarray, tolerances: np.ndarray
) -> "xr.Dataset":
  """Returns a dataset with rows of certificates, beside others that it has."""
  import xarray as xr

  dims = (*dataset["loss"].dims, DIM)
  variables = {
    key: (dims, array, {"long_name": schema.VARIABLES[key][1]})
    for key, array in ((BOUND, bounds), (TOLERANCE, tolerances))
  }
  own = xr.Dataset(variables, certificates.coords(names))
  if BOUND in dataset:
    before = (
      dataset[[BOUND, TOLERANCE]]
      .reset_coords(drop=True)
      .assign_coords({key: dataset[key] for key in (DIM, MEANING)})
    )
    kept = before.isel({DIM: ~np.isin(before[DIM].values, list(names))})
    own = xr.concat([kept.transpose(*dims), own], DIM, combine_attrs="override")
  return dataset.drop_dims(DIM, errors="ignore").assign(own)


def _noun(name: str) -> str:
  """Returns what a certificate is called, also one that is not in the table now."""
  return CERTIFICATES[name].noun if name in CERTIFICATES else name.replace("_", " ")


def _cells(farther: "xr.DataArray") -> list[str]:
  """Returns the cells where it is true, by their points: "density = 0.1"."""
  if not farther.ndim:
    return ["the only cell"] if bool(farther) else []
  cells = []
  for place in np.argwhere(farther.values):
    points = zip(farther.dims, place.tolist(), strict=True)
    cells.append(", ".join(f"{dim} = {_point(farther, str(dim), k)}" for dim, k in points))
  return cells


def _point(array: "xr.DataArray", dim: str, k: int) -> str:
  point = array[dim].values[k] if dim in array.coords else k
  return f"{point:.3g}" if isinstance(point, float | np.floating) else str(point)


def _plural(axes: Sequence[str]) -> str:
  return f"{axes[0]}s" if len(axes) == 1 else "models"


def _between(low: float, high: float) -> str:
  """Returns "0.3 % above" or "0.1 % below to 2.4 % above"."""
  ends = [f"{100 * abs(x):.1f} % {'below' if x < 0 else 'above'}" for x in (low, high)]
  if ends[0] == ends[1]:
    return ends[0]
  one, other = (end.split(" % ") for end in ends)
  if one[1] != other[1]:
    return " to ".join(ends)
  nearer, farther = sorted((one[0], other[0]), key=float)
  return f"{nearer} to {farther} % {one[1]}"


def _marked(found: Excess) -> str:
  """Returns which cells are too far above, and that they are under-trained."""
  word = "above the tolerance, with weight decay on" if found.is_decayed else "under-trained"
  if found.best.size == 1:
    return word
  shown = "; ".join(found.under_trained[:MANY])
  shown += "; …" if len(found.under_trained) > MANY else ""
  return f"{len(found.under_trained)} of {found.best.size} cells {word} ({shown})"


def _is_decayed(dataset: "xr.Dataset") -> bool:
  values = schema.config(dataset)
  swept = any(
    axis.attrs.get("config_field") == "train.weight_decay" for axis in dataset.coords.values()
  )
  used = values.get("train.optimizer") in ("adamw", "sgd")
  return used and (swept or bool(values.get("train.weight_decay")))
