"""The exact loss of six features in a plane, one active at a time; its minima and free energies.

x = a e_i with a ~ U[0, 1] and i uniform, and the tied model ReLU(WᵀW x + b). The expected loss is
H = (1/n) Σ_ij f(W_i · W_j, b_j, δ_ij) with f(g, b, t) = ∫₀¹ (t a − ReLU(g a + b))² da, a polynomial
between kinks (Chen et al. 2023). The posterior of N examples under noise of variance σ² on the
outputs and a prior of variance 1 on every number is, for the exact loss in the place of the mean
over examples, ∝ exp(−β H(w) − ½ ‖w‖²) with β = N / (2σ²).

A model is a vector here: W by rows, then b.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.optimize import brentq

from toy_superposition.theory.optimum import minimize

N_FEATURES, N_HIDDEN = 6, 2
N_WEIGHTS, N_NUMBERS = N_FEATURES * N_HIDDEN, N_FEATURES * (N_HIDDEN + 1)
VARIANCE = 1.0  # σ², of the noise on outputs
DEAD, MEAN = (
  -1.0,
  1 / 12,
)  # bias of a feature that is never on, and of one replaced by its mean E x_i
GAIN = 1 / 144  # what the bias 1/12 gains against none: E x_i² − Var x_i
N_ITERATIONS = 200  # of a descent
CHUNK = 128  # models that are computed at once
# Hessians are averaged over points at this distance: at the square, with outputs on their kinks, it
# differs from side to side, and grows quadratically along a direction or not at all.
SMOOTH, N_SMOOTH, POSITIVE = 1e-3, 256, 1e-3

Model = Float[Array, "number"]
Scalar = Float[Array, ""]


class Level(NamedTuple):
  """A kind of minimum: some features are corners of a polygon, the others have no direction."""

  name: str  # number of corners, and a + for every other feature that its mean replaces
  corners: int
  replaced: int  # features of bias 1/12
  norm: float  # near that of a corner
  bias: float  # near that of a corner


# By rising loss. Those of four corners have the norm 1 and the bias 0 exactly.
POLYGONS = (
  Level("6", 6, 0, 1.32, -0.62),
  Level("5+", 5, 1, 1.17, -0.28),
  Level("5", 5, 0, 1.17, -0.28),
  Level("4++", 4, 2, 1.0, 0.0),
  Level("4+", 4, 1, 1.0, 0.0),
  Level("4", 4, 0, 1.0, 0.0),
)
# Fewer corners at right angles: each feature without direction or bias costs 1/18. Their minima are
# no manifolds, and have no learning coefficient here.
FEWER = ("3", "2", "1", "0")
NAMES = (*(level.name for level in POLYGONS), *FEWER)


def term(g: Array, b: Array, t: Array) -> Array:
  """Returns f(g, b, t) = ∫₀¹ (t a − ReLU(g a + b))² da, element by element."""
  inside = b * (g + b) < 0  # the output changes its sign between a = 0 and 1
  kink = -b / jnp.where(inside, g, 1)
  low = jnp.where(inside & (g > 0), kink, 0)
  high = jnp.where(inside & (g < 0), kink, jnp.where(inside | (b + g / 2 > 0), 1, 0))
  c1, c2, c3 = (high**k - low**k for k in (1, 2, 3))
  cross = t * (2 * g * c3 / 3 + b * c2)
  return t**2 / 3 - cross + g**2 * c3 / 3 + g * b * c2 + b**2 * c1


def loss(model: Model) -> Scalar:
  """Returns H, the expected squared error summed over outputs."""
  W, b = model[:N_WEIGHTS].reshape(N_HIDDEN, N_FEATURES), model[N_WEIGHTS:]
  gram = jnp.sum(W[:, :, None] * W[:, None, :], axis=0)
  bias = jnp.broadcast_to(b[None, :], gram.shape)
  return jnp.sum(term(gram, bias, jnp.eye(N_FEATURES)), axis=(0, 1)) / N_FEATURES


value_and_gradient = jax.value_and_grad(loss)


def drawn(level: Level) -> Float[np.ndarray, "number"]:
  """Returns a model near a kind of minimum: its regular polygon, the first feature at angle 0."""
  W, b = np.zeros((N_HIDDEN, N_FEATURES)), np.full(N_FEATURES, DEAD)
  turn = 2 * np.pi * np.arange(level.corners) / level.corners
  W[:, : level.corners] = level.norm * np.stack([np.cos(turn), np.sin(turn)])
  b[: level.corners] = level.bias
  b[level.corners : level.corners + level.replaced] = MEAN
  return np.concatenate([W.ravel(), b]).astype(np.float32)


def descended(
  starts: Float[np.ndarray, "start number"],
) -> tuple[Float[np.ndarray, "start number"], Float[np.ndarray, "start"]]:
  """Returns the models at which descents of N_ITERATIONS end, and their losses."""
  return in_chunks(_descend, starts)


@jax.jit
def _descend(starts: Float[Array, "start number"]) -> tuple[Array, Array]:
  def descend(start: Model):
    return minimize(value_and_gradient, start, N_ITERATIONS)

  return jax.vmap(descend)(starts)


def in_chunks(function: Callable[..., Any], models: Float[np.ndarray, "model number"]) -> Any:
  """Returns function(models) on the host, of CHUNK models at a time: one program serves any number
  of them, and a chunk fits into a core's cache."""
  found = []
  for first in range(0, len(models), CHUNK):
    part = models[first : first + CHUNK]
    spare = np.repeat(part[-1:], CHUNK - len(part), axis=0)
    padded = jnp.asarray(np.concatenate([part, spare]), jnp.float32)
    found.append(jax.tree.map(np.asarray, function(padded)))
  return jax.tree.map(lambda *leaves: np.concatenate(leaves)[: len(models)], *found)


@functools.cache
def minima() -> tuple[Float[np.ndarray, "level number"], Float[np.ndarray, "name"]]:
  """Returns the minima of POLYGONS, and the losses of all NAMES."""
  models = np.stack([drawn(level) for level in POLYGONS])
  smooth = [k for k, level in enumerate(POLYGONS) if level.corners > 4]
  models[smooth] = descended(models[smooth])[0]
  losses = np.asarray(jax.vmap(loss)(jnp.asarray(models)), float)
  fewer = [(N_FEATURES - int(name)) / 18 for name in FEWER]
  return models, np.concatenate([losses, fewer])


@functools.cache
def hessians() -> Float[np.ndarray, "level number number"]:
  """Returns the Hessians of H at the minima of POLYGONS, averaged over points nearby."""
  models = jnp.asarray(minima()[0])
  noise = SMOOTH * jax.random.normal(jax.random.key(0), (N_SMOOTH, N_NUMBERS))

  def of_one(model: Model) -> Float[Array, "number number"]:
    return jnp.mean(jax.vmap(jax.hessian(loss))(model[None, :] + noise), axis=0)

  return np.asarray(jax.jit(jax.vmap(of_one))(models), float)


def learning_coefficients() -> Float[np.ndarray, "level"]:
  """Returns λ of the minima of POLYGONS: half the number of positive eigenvalues of the Hessian.

  Exact where H grows quadratically along all directions along which it is not constant.
  """
  return (np.linalg.eigvalsh(hessians()) > POSITIVE).sum(axis=1) / 2


def leading_crossing(gap: float, difference: float) -> float:
  """Returns N > e with N / log N = 2σ² Δλ / ΔH, where β H + λ log N of two kinds are equal.

  Args:
    gap: ΔH, how much higher the loss of the second kind is.
    difference: Δλ, how much lower its learning coefficient is.
  """
  ratio = 2 * VARIANCE * difference / gap
  if not ratio > np.e:  # the lower loss wins for every number of examples
    return float("nan")
  return float(brentq(lambda n: n / np.log(n) - ratio, np.e, ratio**2))


GRID, REACH, BIASES = 61, 1.5, (-4.0, 1.0)  # points along each weight, |weight|, biases


@functools.cache
def _sixth() -> tuple[np.ndarray, np.ndarray]:
  """Returns H beside a pentagon for weights and bias of the sixth feature on a grid, and the
  logarithm of their prior times the cell's volume."""
  pentagon = jnp.asarray(minima()[0][NAMES.index("5")])
  side = np.linspace(-REACH, REACH, GRID)
  bias = np.linspace(*BIASES, 2 * GRID)
  grid = np.stack(np.meshgrid(side, side, bias, indexing="ij"), axis=-1).reshape(-1, 3)
  at = np.array([N_FEATURES - 1, N_WEIGHTS - 1, N_NUMBERS - 1])

  def beside(numbers: Float[Array, "3"]) -> Scalar:
    return loss(pentagon.at[at].set(numbers))

  losses = jax.jit(jax.vmap(beside))(jnp.asarray(grid, jnp.float32))
  cell = (side[1] - side[0]) ** 2 * (bias[1] - bias[0])
  prior = -0.5 * (grid**2).sum(axis=1) - 1.5 * np.log(2 * np.pi) + np.log(cell)
  return np.asarray(losses, float), prior


def hexagon_share(beta: Float[np.ndarray, "size"]) -> Float[np.ndarray, "size"]:
  """Returns the posterior weight of hexagons among hexagons and pentagons, almost exactly.

  Laplace's approximation of the numbers of all corners, and of a pentagon's sixth feature, whose
  valley is flat and has soft walls, the integral itself. The copies are 6!/6 hexagons, and 6 · 5!/5
  pentagons; each is a circle, by rotation, of length 2π ‖W‖.
  """
  six, five = NAMES.index("6"), NAMES.index("5")
  of_corners = np.delete(np.arange(N_NUMBERS), [N_FEATURES - 1, N_WEIGHTS - 1, N_NUMBERS - 1])
  hexagon = _laplace(six, np.arange(N_NUMBERS), 120, beta) - beta * minima()[1][six]
  losses, prior = _sixth()
  inner = np.array([np.logaddexp.reduce(prior - b * losses) for b in beta])
  pentagon = _laplace(five, of_corners, 144, beta) + inner
  return 1 / (1 + np.exp(pentagon - hexagon))


def _laplace(
  level: int, numbers: np.ndarray, copies: int, beta: Float[np.ndarray, "size"]
) -> Float[np.ndarray, "size"]:
  """Returns the logarithm of Laplace's factor for some numbers of a minimum; one direction, that of
  rotation, is a circle."""
  model = minima()[0][level].astype(float)
  eigenvalues = np.linalg.eigvalsh(hessians()[level][np.ix_(numbers, numbers)])[1:]
  circle = np.log(copies * 2 * np.pi * np.linalg.norm(model[:N_WEIGHTS]))
  prior = -0.5 * (model[numbers] ** 2).sum() - 0.5 * len(numbers) * np.log(2 * np.pi)
  normal = 0.5 * (np.log(2 * np.pi) - np.log(np.outer(beta, eigenvalues))).sum(axis=1)
  return circle + prior + normal
