"""Several trainings of the same problem in a few numbers: mean, interval and best."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from toy_superposition import models, repetitions
from toy_superposition.errors import UserError
from toy_superposition.experiments import restarts
from toy_superposition.records import schema

if TYPE_CHECKING:
  import xarray as xr

STATISTICS = ("mean", "low", "high", "best")


def summary(
  dataset: "xr.Dataset", over: str | Sequence[str] | None = None, level: float = 0.95
) -> "xr.Dataset":
  """Returns mean, interval and best of every number of a dataset over its restarts.

  Losses and measures keep their names, with an axis `statistic` in place of the restarts: the mean;
  the ends `low` and `high` of the interval that holds the mean of all possible restarts with
  probability `level` (Student's t; nan of a single restart); and the value of the restart of
  minimum loss. `n_finite` is how many restarts are counted; one that diverged is not. Parameters
  are left out: models that differ in a rotation have no common mean.

    ts.summary(results, over="restart")["loss"].sel(statistic="mean")

  Args:
    dataset: of a run, or a selection from it.
    over: axis or axes of repetitions; by default those of restarts and seeds, whatever their names.
    level: of the interval, between 0 and 1.

  Raises:
    UserError: it is not a dataset of models with losses, lacks the axis, or has no repetitions.
  """
  import xarray as xr

  if not (isinstance(level, float) and 0 < level < 1):
    raise UserError(f"level: {level!r} is not allowed; allowed: a number between 0 and 1")
  best = restarts.best(dataset, over)  # checks the dataset
  axes = repetitions.axes_of(dataset["loss"], dataset, over)
  if not axes:
    dims = ", ".join(map(str, dataset["loss"].dims)) or "none"
    raise UserError(f"over: the dataset has no restarts or seeds; its axes are: {dims}")
  finite = dataset["finite"] == 1
  left_out = {name for kind in models.PARAM_DIMS for name in (kind, f"{schema.HISTORY}{kind}")}
  left_out |= {"finite", *schema.given_dims(), *schema.NUMBERS}
  found = {}
  for name, array in dataset.data_vars.items():
    if name in left_out or not set(axes) <= set(array.dims) or array.dtype.kind not in "biuf":
      continue
    values = array.where(finite).astype(float)
    n = values.count(axes)
    mean = values.mean(axes)
    half = stats.t.ppf((1 + level) / 2, np.maximum(n - 1, 1)) * values.std(axes) / (n - 1) ** 0.5
    half = half.where(n > 1)
    parts = [mean, mean - half, mean + half, best[name].drop_vars(axes, errors="ignore")]
    stacked = xr.concat([part.astype(float) for part in parts], "statistic", join="override")
    found[name] = stacked.transpose("statistic", ...).assign_attrs(array.attrs)
  counts = finite.sum(axes).assign_attrs(long_name=f"restarts that are finite, over {axes}")
  return xr.Dataset({**found, "n_finite": counts}, {"statistic": list(STATISTICS)}).assign_attrs(
    title=str(dataset.attrs.get("title", "")),
    over=", ".join(axes),
    interval=f"{100 * level:g} % confidence interval of the mean over {', '.join(axes)}, "
    "Student's t",
  )
