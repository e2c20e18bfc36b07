"""Decompositions of trained models, with and without an identity in the middle; their scores."""

import functools
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from toy_superposition import streams
from toy_superposition.experiments import trained
from toy_superposition.experiments.decomposition_targets import decompose, scores
from toy_superposition.experiments.decomposition_targets.decompose import GATE, Settings
from toy_superposition.theory import blocks, expected_loss, optimum
from toy_superposition.types import Instance, Params, Spec

if TYPE_CHECKING:
  import xarray as xr

# Target → decomposition of the smallest, the usual and the published size, and of how many seeds.
# Of the published 4 096 examples 927 have an active feature, or 3 570 of 40.
ALL = 10**6
SETTINGS: dict[str, tuple[tuple[Settings, int], ...]] = {
  "5-2": (
    (Settings(20, 3e-3, 1.0, 500, 29, 5e-3), 2),
    (Settings(20, 3e-3, 1.0, 40_000, 29), ALL),
    (Settings(20, 3e-3, 1.0, 40_000, 927), ALL),
  ),
  "40-10": (
    (Settings(20, 1e-4, 2.0, 50, 56, 5e-3), 1),
    (Settings(60, 1e-4, 2.0, 10_000, 28, 5e-3), 3),
    (Settings(200, 1e-4, 2.0, 40_000, 3570), ALL),
  ),
}
USUAL_FROM, PUBLISHED_FROM = 20, 100  # restarts of a run from which on it has that size
MIDDLE, MATRICES = ("none", "identity"), ("encoder", "middle", "decoder")
SHOWN = (40, 40)  # most components and features of a seed that are stored for the figure
ARRAYS = 2  # of (component, gate, example) that a matrix's gradient holds at once


def settings_of(n_features: int, n_hidden: int, n_restarts: int) -> tuple[Settings, int]:
  """Returns how a target is decomposed in a run of so many restarts, and how many of them are."""
  size = (n_restarts >= USUAL_FROM) + (n_restarts >= PUBLISHED_FROM)
  return SETTINGS[f"{n_features}-{n_hidden}"][size]


def decomposition_bytes(settings: Settings) -> int:
  """Returns the bytes of one decomposition in training."""
  return 4 * ARRAYS * len(MATRICES) * settings.n_components * GATE * settings.n_active


def working_bytes(spec: Spec) -> int:
  """Returns the bytes of one model with its decomposition, of the published size."""
  published = settings_of(spec.n_features, spec.n_hidden, PUBLISHED_FROM)[0]
  return max(trained.working_bytes(spec), decomposition_bytes(published))


def run(dataset: "xr.Dataset", mesh: Mesh, memory_budget: int) -> "xr.Dataset":
  """Returns the dataset of one target with the scores of its decompositions, NaN for models that
  are not decomposed, and what is known of the target itself."""
  del memory_budget
  dataset = dataset.transpose("restart", ...)
  n, m = dataset.sizes["feature"], dataset.sizes["hidden"]
  settings, n_seeds = settings_of(n, m, dataset.sizes["restart"])
  models = trained.trained(dataset.isel(restart=slice(0, n_seeds)))
  shape = (len(MIDDLE), dataset.sizes["restart"])
  found = {name: np.full((*shape, *more), np.nan) for name, (more, _) in VARIABLES.items()}
  for k, name in enumerate(MIDDLE):
    of_one = functools.partial(_decomposed, models.problem, settings, name == "identity")
    parts = trained.each(of_one, models, mesh, decomposition_bytes(settings))
    for seed in range(len(models.instances.index)):
      own = jax.tree.map(lambda leaf, i=seed: np.asarray(leaf[i], float), parts)
      row = _scored(own, np.asarray(models.params.W[seed], float))
      for variable, values in row.items():
        found[variable][k, seed] = values
  dims = ("middle", "restart")
  W = np.asarray(models.params.W[0], float)
  generator = streams.host(models.problem.spec.seed, streams.Stream.DECOMPOSE, 0)
  random = scores.random_mmcs(W, settings.n_components, generator)
  scored = {
    name: ((*dims, *DIMS[more]), found[name], {"long_name": about})
    for name, (more, about) in VARIABLES.items()
  }
  return dataset.assign_coords(middle=list(MIDDLE), matrix=list(MATRICES)).assign(
    scored
    | {f"decomposition_{name}": ((), value) for name, value in settings._asdict().items()}
    | {
      "random_mmcs": ((), random.mean(), {"long_name": "MMCS of random components"}),
      "random_mmcs_std": ((), random.std(ddof=1), {"long_name": "its standard deviation"}),
      "n_features": ((), n),
      "n_dimensions": ((), m),
    }
    | _of_target(dataset, mesh)
  )


# Variable → sizes of its axes after (middle, restart), and what it is.
VARIABLES: dict[str, tuple[tuple[int, ...], str]] = {
  "n_live": ((3,), "components that a feature alone needs"),
  "unfaithful": ((3,), "‖W − Σ u vᵀ‖ / ‖W‖"),
  **{
    name: ((3,), about)
    for name, about in {
      "mmcs": "largest cosine with a column of a component, mean over features",
      "ratio": "norm of that column over the target's",
      "live_mmcs": "the same of live components alone",
      "live_ratio": "norm of that column over the target's",
    }.items()
  },
  "success": ((3,), "1 if a matrix has one component for each expected direction"),
  "shown_importance": ((3, *SHOWN), "importance of a component for a feature alone"),
}
DIMS: dict[tuple[int, ...], tuple[str, ...]] = {
  (3,): ("matrix",),
  (3, *SHOWN): ("matrix", "shown_component", "shown_feature"),
}


def _decomposed(
  problem: Any, settings: Settings, has_middle: bool, params: Params, instance: Instance
) -> list[tuple[Any, ...]]:
  """Returns (U, V, importances for single features, unfaithfulness) of every matrix of a model."""
  parts = decompose.decomposed(problem, params, instance, has_middle, settings)
  targets = decompose.matrices(params, has_middle)
  a = scores.VALUE * jnp.eye(targets[0].shape[1])
  found = []
  for part, target in zip(parts, targets, strict=True):
    rest = jnp.linalg.norm(target - part.sum) / jnp.linalg.norm(target)
    found.append((part.U, part.V, decompose.opening(decompose.gate(part, a)), rest))
    a = target @ a
  return found


def _scored(parts: list[tuple[Any, ...]], W: np.ndarray) -> dict[str, Any]:
  """Returns the variables of one decomposition."""
  row = {name: np.full(more, np.nan) for name, (more, _) in VARIABLES.items()}
  names = MATRICES if len(parts) == len(MATRICES) else (MATRICES[0], MATRICES[-1])
  for name, (U, V, importance, rest) in zip(names, parts, strict=True):
    k = MATRICES.index(name)
    live = (importance > scores.LIVE).any(axis=1)
    n_live = int(live.sum())
    row["n_live"][k], row["unfaithful"][k] = n_live, rest
    _show(row["shown_importance"][k], importance)
    if name == "middle":
      row["success"][k] = n_live == W.shape[0]
      continue
    one = scores.scores(*((U, V) if name == "encoder" else (V, U)), W, live)
    for variable, value in one._asdict().items():
      row[variable][k] = value
    row["success"][k] = scores.succeeded(one, n_live, W.shape[1])
  return row


def _show(place: np.ndarray, importance: np.ndarray) -> None:
  """Writes importances with the components sorted by the first feature that needs them most."""
  largest = importance.max(axis=1)
  first = np.where(largest > scores.LIVE, importance.argmax(axis=1), importance.shape[1])
  order = np.lexsort((-largest, first))[: place.shape[0]]
  shown = importance[order, : place.shape[1]]
  place[: shown.shape[0], : shown.shape[1]] = shown


def _of_target(dataset: "xr.Dataset", mesh: Mesh) -> dict[str, Any]:
  """Returns exact losses of trained models of few features, the exact optimum and its pentagon; and
  by how much an identity in the middle changes outputs."""
  models = trained.trained(dataset)
  n, m = dataset.sizes["feature"], dataset.sizes["hidden"]

  def difference(params: Params, instance: Instance) -> Any:
    key = streams.words(streams.root(0), streams.Stream.DECOMPOSE, 0)
    x = models.problem.sample(key, instance, 1024)
    with_middle, without = (
      decompose.output(decompose.matrices(params, has), params.b, x) for has in (True, False)
    )
    return jnp.max(jnp.abs(with_middle - without), axis=(0, 1))

  found: dict[str, Any] = {
    "middle_difference": (("restart",), np.asarray(trained.each(difference, models, mesh), float)),
    "exact_loss": (("restart",), np.full(dataset.sizes["restart"], np.nan)),
    **dict.fromkeys(("exact_optimum", "pentagon_norm", "pentagon_bias"), ((), np.nan)),
  }
  if n <= expected_loss.MAX_FEATURES:

    def exact(params: Params, instance: Instance) -> Any:
      each = expected_loss.expected_feature_loss(params, instance.density, instance.importance)
      return jnp.sum(each, axis=0)

    one = models.instances.density[:1], models.instances.importance[:1]
    best = jax.jit(functools.partial(optimum.global_minimum, n_hidden=m))(*one)
    found["exact_loss"] = (("restart",), np.asarray(trained.each(exact, models, mesh), float))
    found["exact_optimum"] = ((), float(best.loss[0]))
    pentagon = blocks.best_block("pentagon", round(float(one[0][0, 0]), 6))
    found["pentagon_norm"] = ((), pentagon.square_norm**0.5)
    found["pentagon_bias"] = ((), pentagon.bias)
  return found
