"""Unexplained shares, numbers of selectable sets, and combinations that training has left out."""

import functools
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from toy_superposition.experiments import restarts, trained
from toy_superposition.experiments.composition import theory
from toy_superposition.records import schema
from toy_superposition.theory.optimum import minimize

if TYPE_CHECKING:
  import xarray as xr

N_ITERATIONS = 300  # of a descent without the combinations that are left out
# Features of the trained codes whose examples are the 16 objects.
OF_OBJECTS = {"objects": theory.OBJECTS, "attributes": 2 * theory.VALUES}
K_ACTIVE = {"objects": 1, "attributes": 2, "any_two": 2, "any_three": 3}


@functools.lru_cache(maxsize=4)
def of_fixed(n_sets: int) -> np.ndarray:
  """Returns, of every fixed code, its dimensions, its number of selectable sets, and how many of
  how many sets linear programmes select."""
  codes = theory.fixed_codes().values()
  rows = [(x.shape[1], theory.n_selectable(x), *theory.sampled(x, n_sets)) for x in codes]
  return np.array(rows)


def objects(code: str, models: trained.Trained) -> np.ndarray:
  """Returns the features of the 16 objects, (feature, object), shape fastest."""
  instance = jax.tree.map(lambda leaf: jnp.asarray(leaf[0]), models.instances)
  x = np.asarray(models.problem.spec.row("data.distribution").patterns(instance)[0])
  return np.eye(theory.OBJECTS, dtype=np.float32) if code == "objects" else x


def held_out(code: str, models: trained.Trained, mesh: Mesh) -> tuple[np.ndarray, np.ndarray]:
  """Returns which share of the left-out objects, and of the others, models decode that were trained
  without four pairs of which each colour and each shape has one.

  Every model's instance has a descent of its own, from fresh random weights.
  """
  x = objects(code, models)
  out = np.arange(theory.OBJECTS) % (theory.VALUES + 1) == 0  # (0, 0), (1, 1) …
  weights = jnp.asarray((~out / (~out).sum()).astype(np.float32))
  problem, n = models.problem, len(x)

  def right(params, instance):
    def loss(at):
      return problem.loss(at, instance, jnp.asarray(x), weights=weights)

    del params
    start = problem.init(jax.random.key(instance.index))
    found, _ = minimize(jax.value_and_grad(loss), start, N_ITERATIONS)
    model = problem.model_of(instance)
    output = jax.vmap(model.apply, (None, 1), 1)(found, jnp.asarray(x))
    parts = jnp.argmax(output.reshape(K_ACTIVE[code], n // K_ACTIVE[code], -1), axis=1)
    wanted = np.argmax(x.reshape(K_ACTIVE[code], n // K_ACTIVE[code], -1), axis=1)
    each = jnp.all(parts == wanted, axis=0) & (jnp.max(output, axis=0) > 0)
    return jnp.mean(each[np.flatnonzero(out)]), jnp.mean(each[np.flatnonzero(~out)])

  left, others = trained.each(right, models, mesh)
  return np.asarray(left), np.asarray(others)


def of_objects(dataset: "xr.Dataset", code: str, n_sets: int, mesh: Mesh) -> dict[str, np.ndarray]:
  """Returns the numbers of one code whose examples are the 16 objects, of every restart."""
  models = trained.trained(dataset.sel(code=code))
  x = objects(code, models).astype(float)
  W = np.asarray(models.params.W, float)
  selectable = np.array([theory.n_selectable((one @ x).T) for one in W], float)
  best = int(np.argmin(restarts.ranked_loss(dataset.sel(code=code)).values))
  points = (W[best] @ x).T
  hits, tried = theory.sampled(points, n_sets)
  colours = np.repeat(np.eye(theory.VALUES), theory.VALUES, axis=1) > 0
  shapes = np.tile(np.eye(theory.VALUES), theory.VALUES) > 0
  singles = np.eye(theory.OBJECTS) > 0
  left, others = held_out(code, models, mesh)
  return {
    "selectable": selectable,
    "selected": np.full(len(W), hits),
    "tried": np.full(len(W), tried),
    "singles": np.full(len(W), np.mean([theory.is_selectable(points, s) for s in singles])),
    "attributes": np.full(
      len(W), np.mean([theory.is_selectable(points, s) for s in (*colours, *shapes)])
    ),
    "held_out_right": left,
    "seen_right": others,
  }


def run(dataset: "xr.Dataset", mesh: Mesh, memory_budget: int) -> "xr.Dataset":
  """Returns the dataset of one n and m with `fvu`, the unexplained share of the variance, and
  `loses_nothing`, whether theory knows a model of zero loss.

  Where the examples are the 16 objects there are, of every restart, `selectable` sets,
  `held_out_right` and `seen_right`; and of the best restart `selected` of `tried` sets, and the
  shares of `singles` and `attributes` that a linear unit selects; elsewhere they are nan. `fixed_*`
  are those of Thorpe's codes.
  """
  import xarray as xr

  del memory_budget
  n, m = dataset.sizes["feature"], dataset.sizes["hidden"]
  dataset = dataset.transpose("code", "restart", ...)
  codes = [str(name) for name in dataset["code"].values]
  n_sets = int(schema.config(dataset)["evaluation.n_samples"])
  names = ("selectable", "selected", "tried", "singles", "attributes")
  shape = (len(codes), dataset.sizes["restart"])
  found = {name: np.full(shape, np.nan) for name in (*names, "held_out_right", "seen_right")}
  for row, code in enumerate(codes):
    if OF_OBJECTS.get(code) == n:
      for name, values in of_objects(dataset, code, n_sets, mesh).items():
        found[name][row] = values
  variance = xr.DataArray([theory.total_variance(n, K_ACTIVE[code]) for code in codes], dims="code")
  fixed = of_fixed(n_sets)
  return dataset.assign(
    {name: (("code", "restart"), values) for name, values in found.items()}
    | {
      "fvu": dataset["loss"] / variance.where(variance > 0),
      "loses_nothing": ("code", [theory.loses_nothing(code, n, m) for code in codes]),
      "fixed_dimensions": ("fixed", fixed[:, 0]),
      "fixed_selectable": ("fixed", fixed[:, 1]),
      "fixed_selected": ("fixed", fixed[:, 2]),
      "fixed_tried": ("fixed", fixed[:, 3]),
    }
  ).assign_coords(fixed=list(theory.fixed_codes()))
