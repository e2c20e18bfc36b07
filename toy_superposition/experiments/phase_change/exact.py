"""What no training is needed for: the exact loss of fixed solutions, on the boundary, where both
importances are equal, and of models without biases.

Paper, section "Superposition as a Phase Change", and the comment of Tom McGrath printed with it.
"""

import functools
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from toy_superposition import streams
from toy_superposition.experiments.phase_plane import PLANE
from toy_superposition.models import AutoencoderParams
from toy_superposition.theory import expected_loss, optimum
from toy_superposition.theory import phase_change as theory

if TYPE_CHECKING:
  import xarray as xr

# Densities at r = 1 around the triple point, where a dimension stops to be shared.
EQUAL = np.geomspace(0.5, 0.85, 28)
UNBIASED = np.linspace(0.5, 0.7, 21)  # densities of models without biases, at r = 1
SLOPE_STEP = 0.01  # relative, of the density, on either side of the one where slopes are taken
N_STARTS = 24  # of the descents without biases
SIDES = ("sparser", "denser")


def add(dataset: "xr.Dataset") -> "xr.Dataset":
  """Returns the dataset with exact losses and optima beside those of the plane.

  Args:
    dataset: with the optimum on the plane.
  """
  n, m = dataset.sizes["feature"], dataset.sizes["hidden"]
  alike = np.repeat(EQUAL[:, None], n, axis=1).astype(np.float32)
  equal = jax.jit(functools.partial(optimum.global_minimum, n_hidden=m))(
    jnp.asarray(alike), jnp.ones_like(alike)
  )
  added = {
    "closed_form_error": (
      (),
      closed_form_error(dataset[PLANE[0]].values, dataset[PLANE[1]].values, n),
      {"long_name": "largest relative difference of closed forms and exact losses"},
    ),
    "equal_W": (
      ("equal", "hidden", "feature"),
      np.asarray(equal.params.W),
      {"long_name": "optimum for equal importances"},
    ),
  }
  if n == 2:
    W = without_biases(jnp.asarray(UNBIASED, jnp.float32))
    added["unbiased_W"] = (
      ("unbiased", "feature"),
      np.asarray(W),
      {"long_name": "optimum without biases, for equal importances"},
    )
    added["boundary_slope"] = (
      (PLANE[0], "side"),
      boundary_slopes(dataset),
      {"long_name": "slope in density of the optimum's loss at the boundary, by solution"},
    )
    dataset = dataset.assign_coords(
      unbiased=("unbiased", UNBIASED, {"long_name": "density"}), side=list(SIDES)
    )
  return dataset.assign_coords(equal=("equal", EQUAL, {"long_name": "density"})).assign(added)


def _loss(params: AutoencoderParams, density: Array, importance: Array) -> Array:
  """Returns the expected loss, summed over features."""
  return expected_loss.value_and_gradient(params, density, importance)[0]


def solutions(n: int, density: float) -> list[AutoencoderParams]:
  """Returns the models of theory.SOLUTIONS: dropped features have the bias p/2."""
  if n == 2:
    rows = [([[1, 0]], (1,)), ([[0, 1]], (0,)), ([[1, -1]], ())]
  else:
    rows = [
      ([[1, 0, 0], [0, 1, 0]], (2,)),
      ([[0, 1, 0], [0, 0, 1]], (0,)),
      ([[1, 0, 0], [0, 1, -1]], ()),
      ([[1, -1, 0], [0, 0, 1]], ()),
    ]
  found = []
  for W, dropped in rows:
    b = np.zeros(n, np.float32)
    b[list(dropped)] = density / 2
    found.append(AutoencoderParams(W=jnp.asarray(W, jnp.float32), b=jnp.asarray(b)))
  return found


def closed_form_error(
  ratio: Float[np.ndarray, "r"], density: Float[np.ndarray, "p"], n: int
) -> float:
  """Returns the largest relative difference of the closed forms and exact losses of the same
  models, at the corners and the middle of the plane."""
  largest, exact = 0.0, jax.jit(_loss)
  for r in (ratio[0], ratio[len(ratio) // 2], ratio[-1]):
    for p in (density[0], density[len(density) // 2], density[-1]):
      importance = jnp.ones(n).at[-1].set(float(r))
      found = [exact(x, jnp.full(n, float(p)), importance) for x in solutions(n, float(p))]
      closed = theory.losses(float(r), float(p), n)
      largest = max(largest, float(np.abs(np.array(found) / closed - 1).max()))
  return largest


def boundary_slopes(dataset: "xr.Dataset") -> Float[np.ndarray, "r side"]:
  """Returns dL/dp of the optima on either side of the boundary, both at the density between them.

  A minimum's slope is that of its loss at fixed weights, so no curvature of the loss enters. It is
  nan where the optimum's boundary is outside of the plane.
  """
  dataset = dataset.transpose(*PLANE, ...).sortby("density")
  density, ratio = dataset["density"].values, dataset[PLANE[0]].values
  superposed = dataset["optimum_phase"].values == theory.Phase.SUPERPOSITION
  n = dataset.sizes["feature"]
  exact = jax.jit(_loss)
  slopes = np.full((len(ratio), len(SIDES)), np.nan)
  for k, r in enumerate(ratio):
    last = int(np.max(np.flatnonzero(superposed[k]), initial=-1))
    if not 0 <= last < len(density) - 1:
      continue
    middle = float(np.sqrt(density[last] * density[last + 1]))
    importance = jnp.ones(n).at[-1].set(float(r))
    for side, at in enumerate((last, last + 1)):
      one = dataset.isel({PLANE[0]: k, "density": at})
      params = AutoencoderParams(
        W=jnp.asarray(one["optimum_W"].transpose("hidden", "feature").values, jnp.float32),
        b=jnp.asarray(one["optimum_b"].values, jnp.float32),
      )
      ends = [middle * (1 - SLOPE_STEP), middle * (1 + SLOPE_STEP)]
      low, high = (float(exact(params, jnp.full(n, p), importance)) for p in ends)
      slopes[k, side] = (high - low) / (ends[1] - ends[0])
  return slopes


@jax.jit
def without_biases(density: Float[Array, "density"]) -> Float[Array, "density feature"]:
  """Returns the best weights of two features of equal importance in one dimension, with b = 0."""
  starts = jax.random.normal(streams.root(0), (N_STARTS, 1, 2))
  zero = jnp.zeros(2)

  def descend(start: Array, p: Array):
    def both(W: Array):
      value, gradient = expected_loss.value_and_gradient(
        AutoencoderParams(W=W, b=zero), jnp.full(2, p), jnp.ones(2)
      )
      return value, gradient.W

    return optimum.minimize(both, start, optimum.N_ITERATIONS)

  def best(p: Array):
    W, value = jax.vmap(descend, in_axes=(0, None))(starts, p)
    return W[jnp.argmin(jnp.where(jnp.isfinite(value), value, jnp.inf)), 0]

  return jax.vmap(best)(density)
