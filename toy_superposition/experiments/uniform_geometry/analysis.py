"""The geometric components of every model, what it saves, and what the best division would.

Paper, section "The Geometry of Superposition".
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import Mesh
from jaxtyping import Bool, Float

from toy_superposition import draws, streams
from toy_superposition.evaluation import GENERATOR
from toy_superposition.experiments import restarts, trained
from toy_superposition.experiments.uniform_geometry import trainings
from toy_superposition.geometry.components import IDEALS, components, connected, rank_of
from toy_superposition.geometry.definitions import is_represented
from toy_superposition.theory import blocks, division

if TYPE_CHECKING:
  import xarray as xr

KINDS = (*IDEALS, "unknown")
ABSENT = -1  # component and kind of a feature that is not represented
SAVING_BATCH, SAVING_BATCHES = 1024, 64  # examples on which savings are measured
EDGE = 0.1  # |W_i · W_j| (no unit) above which the graph has an edge
# Variables that are not of the sweep's models, and have no restarts.
OF_THEORY = ("frame_", "division_", "change_")
OTHERS = (*OF_THEORY, "shorter_", "law_")
# Hidden dimensions (the notebook's) from which on claims are decided; in fewer, a single component
# moves D* by as much as a plateau.
MIN_HIDDEN = 20
NEAR = 0.06  # relative distance up to which a density of the sweep stands for another


def ordered(dataset: "xr.Dataset") -> "xr.Dataset":
  """Returns the dataset with axes density (dense first) and restart, even if it had none."""
  others = [str(name) for name in dataset if str(name).startswith(OTHERS)]
  models = restarts.with_restarts(dataset.drop_vars(others))
  dataset = models.assign({name: dataset[name] for name in others})
  return dataset.transpose("density", "restart", ...).sortby("density", ascending=False)


def run(dataset: "xr.Dataset", mesh: Mesh, memory_budget: int) -> "xr.Dataset":
  """Returns the dataset with the components of every model, with what it saves per hidden
  dimension, with the best division of the dimensions among polytopes (division.py), and with
  further trainings (trainings.py)."""
  del memory_budget
  dataset = with_division(_with_savings(_with_components(dataset), mesh))
  return trainings.with_trainings(dataset, mesh, MIN_HIDDEN)


def _with_components(dataset: "xr.Dataset") -> "xr.Dataset":
  """Returns the dataset with the component of every feature, the component's kind, and the number
  of components of each kind."""
  W = dataset["W"].transpose(..., "hidden", "feature")
  dims, shape = W.dims[:-2], W.shape[:-2]
  number = np.full((*shape, W.shape[-1]), ABSENT, np.int32)
  kind = number.copy()
  count = np.zeros((*shape, len(KINDS)), np.int32)
  for at in np.ndindex(shape):
    if not np.isfinite(W.values[at]).all():
      continue
    for k, component in enumerate(components(W.values[at])):
      which = KINDS.index(component.name)
      number[at][component.features], kind[at][component.features] = k, which
      count[at][which] += 1
  return dataset.assign_coords(kind=list(KINDS)).assign(
    component=((*dims, "feature"), number, {"long_name": "component, largest first; −1 without"}),
    component_kind=((*dims, "feature"), kind, {"long_name": "index along `kind`; −1 without"}),
    kind_count=((*dims, "kind"), count, {"long_name": "components of this kind"}),
  )


def _with_savings(dataset: "xr.Dataset", mesh: Mesh) -> "xr.Dataset":
  """Returns the dataset with `saving`: by how much a model's loss is below that of absent features,
  per hidden dimension, in variances of a feature; and with its standard error.

  Both losses are of the same examples. Most features are absent, and what they cost drops out.
  """
  models = trained.trained(dataset)
  problem, n_hidden = models.problem, dataset.sizes["hidden"]
  stream = streams.words(streams.root(problem.spec.seed), streams.Stream.EVALUATE, 0)

  def of_one(params, instance):
    mean = instance.density[:, None] / 2

    def add(number, total):
      key = draws.fold_in(stream, number)
      x = problem.sample(key, instance, SAVING_BATCH, generator=GENERATOR)
      output = jax.vmap(problem.model.apply, (None, 1), 1)(params, x)
      each = jnp.sum((x - mean) ** 2 - (x - output) ** 2, axis=0)
      return total[0] + jnp.mean(each), total[1] + jnp.mean(each**2)

    zero = jnp.float32(0)
    sums = lax.fori_loop(0, SAVING_BATCHES, add, (zero, zero))
    return tuple(total / SAVING_BATCHES for total in sums)

  mean, square = trained.each(of_one, models, mesh)
  p = np.asarray(models.instances.density)[:, 0].astype(float)
  unit = n_hidden * np.array([blocks.variance(density) for density in p.tolist()])
  error = np.sqrt(np.maximum(square - mean**2, 0) / (SAVING_BATCHES * SAVING_BATCH))
  about = "loss below that of absent features, per hidden dimension, in variances of a feature"
  return dataset.assign(
    saving=(models.dims, np.reshape(mean / unit, models.shape), {"long_name": about}),
    saving_error=(
      models.dims,
      np.reshape(error / unit, models.shape),
      {"long_name": "standard error of saving"},
    ),
  )


def with_division(dataset: "xr.Dataset") -> "xr.Dataset":
  """Returns the dataset with the best division of the hidden dimensions at every density, and the
  densities at which one polytope gives way to another."""
  sizes = {"n_features": dataset.sizes["feature"], "n_hidden": dataset.sizes["hidden"]}
  found = division.divide(dataset["density"].values.astype(float).tolist(), **sizes)
  changes = division.transitions()
  by_frame = ("density", "frame")
  return dataset.assign_coords(
    frame=list(blocks.FRAMES),
    change=[f"{one.before} → {one.after}" for one in changes],
    searched=list(division.SEARCHED),
  ).assign(
    frame_saving=(by_frame, found.saving, {"long_name": "of a division into one frame alone"}),
    frame_curve=(
      ("searched", "frame"),
      division.curves(),
      {"long_name": "the same by 1/(1 − S), at more densities"},
    ),
    frame_count=(by_frame, found.blocks, {"long_name": "blocks in the best division"}),
    frame_share=(
      by_frame,
      found.blocks * [blocks.size(frame)[1] for frame in blocks.FRAMES] / sizes["n_hidden"],
      {"long_name": "share of the hidden dimensions in the best division"},
    ),
    division_margin=(
      "density",
      found.margin,
      {"long_name": "by which the best frame saves more than the second"},
    ),
    division_runner_up=("density", found.runner_up, {"long_name": "second frame, along `frame`"}),
    division_loss=("density", found.loss, {"long_name": "of the best division, all features"}),
    division_saving=("density", found.total_saving, {"long_name": "of the best division"}),
    division_dimensions_per_feature=(
      "density",
      found.dimensions_per_feature,
      {"long_name": "D* of the best division"},
    ),
    change_inverse_density=(
      "change",
      [one.inverse for one in changes],
      {"long_name": "1/(1 − S) at which one frame gives way to the next"},
    ),
    change_error=(
      "change",
      [one.error for one in changes],
      {"long_name": "uncertainty of change_inverse_density"},
    ),
  )


def component_shapes(dataset: "xr.Dataset") -> list[tuple[int, int]]:
  """Returns (number of features, dimensions that they span) of the components of all models."""
  W = dataset["W"].transpose("density", "restart", "hidden", "feature").values
  number = dataset["component"].transpose("density", "restart", "feature").values
  shapes = []
  for at in np.ndindex(W.shape[:2]):
    for k in np.unique(number[at][number[at] != ABSENT]):
      members = number[at] == k
      shapes.append((int(members.sum()), rank_of(W[at][:, members].astype(float))))
  return shapes


def component_sizes(W: Float[np.ndarray, "hidden feature"]) -> list[int]:
  """Returns the sizes of the components of the graph of represented features whose edges are inner
  products above EDGE."""
  chosen = W[:, is_represented(W)]
  return [len(members) for members in connected(np.abs(chosen.T @ chosen) > EDGE)]


def curve_at(
  dataset: "xr.Dataset", x: Sequence[float]
) -> tuple[Float[np.ndarray, "restart point"], Bool[np.ndarray, "point"]]:
  """Returns D* at the densities 1/x, and whether a density of the sweep is near each of them.

  Args:
    dataset: as `ordered` returns it.
    x: inverse densities 1/(1 − S), between which D* is interpolated in the logarithm.
  """
  inverse = 1 / dataset["density"].values
  near = np.array([np.min(np.abs(inverse / point - 1)) <= NEAR for point in x])
  lines = dataset["dimensions_per_feature"].transpose("restart", "density").values
  return np.array([np.interp(np.log(x), np.log(inverse), line) for line in lines]), near
