"""Several trainings of the same problem: the best of them, and how many have a property."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import jax
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Bool

from toy_superposition import evaluation, objective, repetitions, streams
from toy_superposition.errors import UserError
from toy_superposition.experiments import trained
from toy_superposition.records import schema
from toy_superposition.types import Instance, Params

if TYPE_CHECKING:
  import xarray as xr

TIE = 2  # standard errors of the difference of two losses up to which neither is the lower one


def ranked_loss(dataset: "xr.Dataset") -> "xr.DataArray":
  """Returns the losses by which restarts are ranked, infinite for a model that is not finite.

  If the dataset has a shortlist (`shortlisted`), they are its losses, infinite for all others.

  Raises:
    UserError: it is not a dataset of models with losses.
  """
  there = getattr(dataset, "data_vars", ())
  if missing := [name for name in ("loss", "finite") if name not in there]:
    raise UserError(f"not a run's dataset: the variable {missing[0]!r} is missing")
  loss = dataset["shortlist_loss"] if "shortlist_loss" in dataset else dataset["loss"]
  return loss.where((dataset["finite"] == 1) & np.isfinite(loss), np.inf)


def shortlisted(
  dataset: "xr.Dataset", rounds: Sequence[tuple[int, int]], mesh: Mesh
) -> "xr.Dataset":
  """Returns the dataset with the best restarts of every cell, found by successive halving.

  Each round has examples of its own, the same for all its restarts, and the next round has those of
  the lowest losses in it. The last round chooses the best restart, and other examples, as many,
  judge it and the others of that round.

  Args:
    dataset: with an axis `restart`.
    rounds: number of restarts, and of examples, of each round.
    mesh: the devices.

  Returns:
    The dataset with, of every restart, `shortlist_loss` in the last round (nan outside it),
    `shortlist_round`, the last one that it took part in, and `judged_difference`: its loss minus
    that of the best restart on the examples of that round, or on those that judge the last one,
    with the standard error `difference_error` of the paired difference. And, of the best restart,
    `judged_loss` with its standard error `judged_error`.
  """
  import xarray as xr

  ranking = ranked_loss(dataset).transpose(..., "restart")
  dims, shape, cells = ranking.dims, ranking.shape, ranking.dims[:-1]
  played: list[tuple[np.ndarray, xr.DataArray]] = []  # members of each round, and their losses

  def play(chosen: np.ndarray, n_samples: int, stream: int) -> None:
    index = xr.DataArray(chosen, dims=(*cells, "candidate"))
    members = dataset.drop_vars("restart", errors="ignore").isel(restart=index)
    losses = batch_losses(members, n_samples, stream, mesh)
    played.append((chosen, losses.transpose(*cells, "candidate", "batch")))

  order = np.argsort(ranking.values, axis=-1)
  for number, (n_restarts, n_samples) in enumerate(rounds):
    play(order[..., :n_restarts], n_samples, evaluation.FIRST_ROUND + number)
    chosen, losses = played[-1]
    mean = losses.mean("batch").values
    mean = np.where(np.isfinite(mean), mean, np.inf)
    order = np.take_along_axis(chosen, np.argsort(mean, axis=-1), axis=-1)
  shortlist = np.full(shape, np.nan)
  np.put_along_axis(shortlist, chosen, mean, axis=-1)
  play(order, n_samples, evaluation.JUDGING)
  best = order[..., :1]
  last, difference, error = (np.full(shape, value) for value in (0, np.inf, np.nan))
  for number, (chosen, losses) in enumerate(played, start=1):
    its = xr.DataArray((chosen == best).argmax(axis=-1), dims=cells)
    against = losses - losses.isel(candidate=its)
    for array, values in (
      (last, np.full(chosen.shape, min(number, len(rounds)))),
      (difference, against.mean("batch").values),
      (error, standard_error(against).values),
    ):
      np.put_along_axis(array, chosen, values, axis=-1)
  judging = played[-1][1].isel(candidate=0)
  return dataset.assign(
    shortlist_loss=(dims, shortlist, {"long_name": "loss in the last round; nan outside it"}),
    shortlist_round=(dims, last.astype(np.int8), {"long_name": "last round of a restart"}),
    judged_difference=(dims, difference, {"long_name": "loss minus that of the best restart"}),
    difference_error=(dims, error, {"long_name": "standard error of judged_difference"}),
    judged_loss=judging.mean("batch"),
    judged_error=standard_error(judging),
  )


def nearest(cell: "xr.Dataset", rivals: Bool[np.ndarray, "restart"]) -> int | None:
  """Returns the rival that came nearest to the best restart in the last round that one reached.

  None if there is none that is finite.

  Args:
    cell: of a dataset that `shortlisted` returned.
    rivals: which restarts.
  """
  difference, last = cell["judged_difference"].values, cell["shortlist_round"].values
  rivals = rivals & np.isfinite(difference)
  if not rivals.any():
    return None
  rivals = rivals & (last == last[rivals].max())
  return int(np.where(rivals, difference, np.inf).argmin())


def ahead(cell: "xr.Dataset", rivals: Bool[np.ndarray, "restart"]) -> bool:
  """Returns whether the best restart is better than all rivals, beyond chance.

  In every round that was the last of some of them, the nearest must be more than TIE standard
  errors of the paired difference behind. Without `shortlisted`, it is not known to be.

  Args:
    cell: of a dataset that `shortlisted` returned.
    rivals: which restarts.
  """
  if "shortlist_round" not in cell:
    return False
  last = cell["shortlist_round"].values
  there = (nearest(cell, rivals & (last == number)) for number in np.unique(last))
  return all(
    float(cell["judged_difference"][k]) > TIE * float(cell["difference_error"][k])
    for k in there
    if k is not None
  )


def with_restarts(dataset: "xr.Dataset") -> "xr.Dataset":
  """Returns the dataset with a dimension `restart`, of length 1 if it had none."""
  return dataset if "restart" in dataset.dims else dataset.expand_dims("restart")


def best(dataset: "xr.Dataset", over: str | Sequence[str] | None = None) -> "xr.Dataset":
  """Returns the dataset at the restart of minimum loss, in every cell of the other axes.

  The axis remains as a coordinate. A dataset without restarts is returned unchanged.

  Args:
    dataset: of a run, or a selection from it.
    over: axis or axes to choose along; by default those of repetitions, whatever they are called:
      of restarts, and over the seed.

  Raises:
    UserError: it is not a dataset of models with losses, lacks the axis, or has no restarts there.
  """
  loss = ranked_loss(dataset)
  axes = repetitions.axes_of(loss, dataset, over)
  if any(loss.sizes[axis] == 0 for axis in axes):
    raise UserError(f"the dataset has no models: its axes are {dict(loss.sizes)}")
  if not loss.size:  # a selection without cells, of which xarray knows no minimum
    return dataset.isel(dict.fromkeys(axes, 0))
  return dataset.isel(loss.argmin(axes)) if axes else dataset


def judged(dataset: "xr.Dataset", mesh: Mesh, n_samples: int = 0) -> "xr.Dataset":
  """Returns the dataset with the loss of the best restart on examples that did not rank it.

  The minimum of several sampled losses is lower than the loss of the model that has it.

  Args:
    dataset: with losses on samples.
    mesh: the devices.
    n_samples: fresh examples; 0 stands for as many as ranked the restarts.

  Returns:
    The dataset with `judged_loss` and its standard error `judged_error`, without `restart`.
  """
  chosen = best(dataset).drop_vars("restart", errors="ignore")
  n_samples = n_samples or schema.config(dataset)["evaluation.n_samples"]
  losses = batch_losses(chosen, n_samples, evaluation.JUDGING, mesh)
  attributes = {"long_name": f"loss of the best restart on {n_samples} other examples"}
  return dataset.assign(
    judged_loss=losses.mean("batch").assign_attrs(attributes), judged_error=standard_error(losses)
  )


def batch_losses(
  dataset: "xr.Dataset", n_samples: int, stream: int, mesh: Mesh, by_feature: bool = False
) -> "xr.DataArray":
  """Returns the losses of all models, with a last axis `batch`, of batches of the same examples.

  Args:
    dataset: the models.
    n_samples: examples in all.
    stream: number of a stream of evaluation samples.
    mesh: the devices.
    by_feature: whether there is an axis `feature` after `batch`, rather than the reduced loss.
  """
  import xarray as xr

  models = trained.trained(dataset)
  problem, root = models.problem, streams.root(models.problem.spec.seed)

  def losses(params: Params, instance: Instance):
    means = evaluation.sampled_batches(problem, params, instance, root, n_samples, stream)
    means = means if by_feature else jax.vmap(problem.reduction)(means)
    return objective.nan_if_diverged(means, params)

  dims, values = models.unflatten(trained.each(losses, models, mesh))
  own = ("batch", "feature") if by_feature else ("batch",)
  return xr.DataArray(values.astype(float), dims=(*dims, *own))


def standard_error(batches: "xr.DataArray") -> "xr.DataArray":
  """Returns the standard error of the mean over `batch`; nan of a single one."""
  mean, n = batches.mean("batch"), batches.sizes["batch"]
  if n == 1:
    return mean * np.nan
  return (((batches - mean) ** 2).sum("batch", skipna=False) / (n - 1) / n) ** 0.5


def count(holds: "xr.DataArray") -> str:
  """Returns how many restarts have a property, in words: "7 of 8 restarts"."""
  return f"{int(holds.sum())} of {holds.size} restarts"
