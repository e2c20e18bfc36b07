"""Losses of trained models beside those of models without superposition, and their exponents."""

from typing import TYPE_CHECKING, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import Mesh
from jaxtyping import Array, Float
from scipy import stats

from toy_superposition import draws, streams
from toy_superposition.experiments import trained
from toy_superposition.experiments.superposition_scaling import theory
from toy_superposition.geometry.definitions import REPRESENTED, is_represented
from toy_superposition.types import Instance, Params, Spec

if TYPE_CHECKING:
  import xarray as xr

CONFIDENCE = 0.95  # of the interval of an exponent over restarts
DIMS = ("frequencies", "regime", "restart")
BATCH, N_BATCHES = 1024, 16  # examples on which `excess` is measured, the same for all models


class Exponent(NamedTuple):
  """−d log loss / d log m."""

  mean: float  # over restarts, of the least-squares slopes over all m
  half: float  # half of the t interval over restarts; nan of a single one
  low: float  # smallest slope between two neighbouring m, of the mean loss
  high: float  # largest


def run(dataset: "xr.Dataset", mesh: Mesh, memory_budget: int) -> "xr.Dataset":
  """Returns the dataset of one number of dimensions with, of every model,

  `n` features, `n_represented` of them; `ignored`, (4/3) Σ p_i of those that are not; `norm`, the
  mean norm of all directions; `zero`, the loss (4/3) Σ p_i of a model without dimensions;
  `orthogonal`, the least loss of m orthogonal features; `random_code`, that of random unit
  directions with the best biases; `alone`, (4/3) Σ p_i (1 − ‖W_i‖²)², the loss of features that do
  not meet; and `excess`, the loss beyond `ignored`, with its standard error `excess_error`.
  """
  del memory_budget
  density = dataset["feature_density"].transpose(*DIMS, "feature").values.astype(float)
  W = dataset["W"].transpose(*DIMS, "hidden", "feature").values
  on, m = is_represented(W), dataset.sizes["hidden"]
  shape = density.shape[:-1]
  orthogonal, random = np.empty(shape), np.empty(shape)
  for k in range(shape[0]):  # densities differ along the first axis alone
    orthogonal[k] = theory.orthogonal_loss(density[k, 0, 0], m)
    random[k] = theory.random_code_loss(density[k, 0, 0], m)
  named = {
    "n": (np.full(shape, float(density.shape[-1])), "features"),
    "n_represented": (on.sum(axis=-1).astype(float), "features represented"),
    "ignored": (theory.ignored_loss(np.where(on, 0, density)), "(4/3) Σ p of those that are not"),
    "norm": (np.linalg.norm(W, axis=-2).mean(axis=-1), "mean norm of the features' directions"),
    "zero": (theory.ignored_loss(density), "(4/3) Σ p of all features"),
    "orthogonal": (orthogonal, "least loss without superposition"),
    "random_code": (random, "loss of random unit directions with the best biases"),
    "alone": (theory.alone_loss(W, density), "(4/3) Σ p (1 − ‖W_i‖²)² of all features"),
    **_excess(dataset, mesh),
  }
  return dataset.assign({k: (DIMS, v, {"long_name": name}) for k, (v, name) in named.items()})


def working_bytes(spec: Spec) -> int:
  """Returns the bytes of one model with one batch of `_excess`."""
  return max(trained.working_bytes(spec), 16 * BATCH * (spec.n_features + spec.n_hidden))


def _excess(dataset: "xr.Dataset", mesh: Mesh) -> dict[str, tuple[np.ndarray, str]]:
  """Returns E [Σ_i (x_i − y_i)² − Σ x_i² over features that are not represented], and its error.

  The expectation of the second sum, `ignored`, is known, so that only this difference is sampled:
  rare large features that no model answers, most of the loss's noise, drop out of it.
  """
  models = trained.trained(dataset, **{"init.bias": 0.0})  # first biases no longer matter
  spec = models.problem.spec
  root = streams.words(streams.root(spec.seed), streams.Stream.EVALUATE, 1)

  def of_one(params: Params, instance: Instance) -> tuple[Array, Array]:
    ignored = jnp.sum(params.W**2, axis=0) <= REPRESENTED

    def of_batch(number: Array) -> tuple[Array, Array]:
      x = models.problem.sample(draws.fold_in(root, number), instance, BATCH)
      y = jax.nn.relu(params.W.T @ (params.W @ x) + params.b[:, None])
      each = jnp.sum((x - y) ** 2 - jnp.where(ignored[:, None], x**2, 0), axis=0)
      return jnp.mean(each, axis=0), jnp.mean(each**2, axis=0)

    mean, square = lax.map(of_batch, jnp.arange(N_BATCHES))
    return jnp.mean(mean, axis=0), jnp.mean(square, axis=0)

  found = trained.each(of_one, models, mesh, working_bytes(spec))
  mean, square = (np.asarray(a, float).reshape(models.shape) for a in found)
  error = np.sqrt(np.maximum(square - mean**2, 0) / (BATCH * N_BATCHES))
  order = [models.dims.index(name) for name in DIMS]
  return {
    "excess": (mean.transpose(order), "loss − (4/3) Σ p of features that are not represented"),
    "excess_error": (error.transpose(order), "standard error of the excess"),
  }


def by_width(
  dataset: "xr.Dataset", name: str, frequencies: object, regime: object
) -> Float[np.ndarray, "restart width"]:
  """Returns a variable of the models of one law of frequencies in one regime, m ascending."""
  part = dataset[name].sel(frequencies=frequencies, regime=regime).sortby("m")
  return part.transpose("restart", "m").values.astype(float)


def n_features(dataset: "xr.Dataset") -> int:
  """Returns n."""
  return int(dataset["n"].values.flat[0])


def widths(dataset: "xr.Dataset") -> np.ndarray:
  """Returns all m, ascending."""
  return np.sort(dataset["m"].values)


def exponent(m: np.ndarray, loss: Float[np.ndarray, "restart width"]) -> Exponent:
  """Returns how fast losses fall with m, with two intervals: over restarts, and over m.

  Args:
    m: dimensions, ascending.
    loss: of every restart at every m.
  """
  slopes = -np.polyfit(np.log(m), np.log(loss.T), 1)[0]
  n = len(slopes)
  half = np.nan
  if n > 1:
    half = stats.t.ppf(0.5 + CONFIDENCE / 2, n - 1) * slopes.std(ddof=1) / n**0.5
  local = -np.diff(np.log(loss.mean(axis=0))) / np.diff(np.log(m))
  return Exponent(float(slopes.mean()), float(half), float(local.min()), float(local.max()))


def strong(dataset: "xr.Dataset") -> list[object]:
  """Returns the regimes whose decay is negative: all norms are drawn to 1."""
  return [r for r, decay in decays(dataset).items() if decay < 0]


def weak(dataset: "xr.Dataset") -> list[object]:
  """Returns the regimes whose decay is positive."""
  return [r for r, decay in decays(dataset).items() if decay > 0]


def from_zero(dataset: "xr.Dataset", regime: object) -> bool:
  """Returns whether the biases of a regime start at 0, and not at normal numbers."""
  return float(dataset["regime_init_bias"].sel(regime=regime)) == 0


def decays(dataset: "xr.Dataset") -> dict[object, float]:
  """Returns regime → γ."""
  decay = dataset["regime_train_norm_decay"]
  return {r: float(decay.sel(regime=r)) for r in dataset["regime"].values}


def power(dataset: "xr.Dataset") -> dict[object, float]:
  """Returns law of frequencies → α of those that are a power law p_i ∝ i^−(1+α), α ascending."""
  tails = {
    f: float(dataset["frequencies_density_tail"].sel(frequencies=f))
    for f in dataset["frequencies"].values
  }
  alpha = {f: 1 / tail - 1 for f, tail in tails.items() if tail > 0}
  return dict(sorted(alpha.items(), key=lambda item: item[1]))
