"""The least loss under dropout or under normal noise that direct descents reach, without sampling.

The expectation over masks is exact, and so is that over normal noise, of which every output is a
function of one normal number. Examples with up to MAX_ACTIVE active features are points of a
quadrature. Descents are BFGS in float64 (scipy) from many starts, which no proof says find the
optimum: their lowest loss is one that some model has.
"""

import itertools
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy import optimize, special

from toy_superposition.experiments.dropout_basis import theory

MAX_ACTIVE = 4
NODES = {1: 8, 2: 3}  # of Gauss–Legendre for each of so many active features
DRAWS = {3: 3, 4: 1}  # points drawn for each set of so many
N_STARTS, N_FIRST, N_KEPT, N_MORE = 24, 60, 4, 300  # starts, their steps, those that go on, steps
START_SCALES = (0.5, 0.1)  # standard deviations of first weights and biases
Loss = Callable[[np.ndarray, np.ndarray], tuple[float, np.ndarray, np.ndarray]]


class Examples(NamedTuple):
  """Points of a quadrature; weights add up to the probability of at most MAX_ACTIVE active ones."""

  x: Float[np.ndarray, "feature example"]
  weight: Float[np.ndarray, "example"]


class Minimum(NamedTuple):
  """The best model that descents found."""

  W: Float[np.ndarray, "hidden feature"]
  b: Float[np.ndarray, "feature"]
  loss: float  # of the quadrature
  moments: Float[np.ndarray, "start"]  # Σ ŵ⁴ of all descents from random starts, at N_FIRST steps


def examples(n_features: int, density: float) -> Examples:
  """Returns points for sparse uniform features: all sets of active ones, with values in each."""
  generator = np.random.default_rng(0)
  points, weights = [np.zeros((n_features, 1))], [np.full(1, (1 - density) ** n_features)]
  for k in range(1, min(MAX_ACTIVE, n_features) + 1):
    if k in NODES:
      node, share = (a / 2 for a in np.polynomial.legendre.leggauss(NODES[k]))
      inside = np.array([*itertools.product(node + 0.5, repeat=k)]).T
      part = np.prod([*itertools.product(share, repeat=k)], axis=1)
    else:
      part = np.full(DRAWS[k], 1 / DRAWS[k])
    for active in itertools.combinations(range(n_features), k):
      x = np.zeros((n_features, len(part)))
      x[list(active)] = inside if k in NODES else generator.uniform(size=(k, len(part)))
      points.append(x)
      weights.append(part * density**k * (1 - density) ** (n_features - k))
  return Examples(np.concatenate(points, axis=1), np.concatenate(weights))


def dropout_loss(which: Examples, n_hidden: int, dropout: float) -> Loss:
  """Returns (W, b) → loss under dropout, exact over masks, and its two gradients."""
  masks, probability = theory.masks(n_hidden, dropout)
  masks, probability = masks[probability > 0], probability[probability > 0]
  x = which.x

  def loss(W: np.ndarray, b: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    h, value, dW, own, db = W @ x, 0.0, np.zeros_like(W), np.zeros((n_hidden, x.shape[1])), 0 * b
    # One mask after another: their arrays stay in the cache.
    for mask, share in zip(masks[:, :, None], probability, strict=True):
      kept = mask * h
      y = np.maximum(W.T @ kept + b[:, None], 0)
      error = y - x
      slope = share * which.weight * error
      value += float((slope * error).sum())  # without BLAS, whose threads wait for each other
      slope *= 2 * (y > 0)
      dW += kept @ slope.T
      own += mask * (W @ slope)
      db += slope.sum(axis=1)
    return value, dW + own @ x.T, db

  return loss


def noise_loss(which: Examples, n_hidden: int, dropout: float) -> Loss:
  """Returns (W, b) → loss under normal noise of dropout's variance, equal in all directions, and
  its two gradients.

  An output is the ReLU of a normal number z of mean μ and deviation s: E ReLU(z) = μ Φ + s φ and
  E ReLU(z)² = (μ² + s²) Φ + μ s φ, at μ/s. The loss is that of any rotation of the W_i.
  """
  share = math.sqrt(dropout / (1 - dropout) / n_hidden)
  x, weight = which

  def loss(W: np.ndarray, b: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    h = W @ x
    size, norm = np.linalg.norm(h, axis=0), np.linalg.norm(W, axis=0)
    mean, s = W.T @ h + b[:, None], np.maximum(share * np.outer(norm, size), 1e-12)
    below, at = special.ndtr(mean / s), np.exp(-((mean / s) ** 2) / 2) / math.sqrt(2 * math.pi)
    first = mean * below + s * at
    square = (mean**2 + s**2) * below + mean * s * at
    value = float((weight * (x**2 - 2 * x * first + square)).sum())
    by_mean = weight * 2 * (first - x * below)
    by_s = weight * 2 * (s * below - x * at)
    along = share * (by_s * size).sum(axis=1) / np.where(norm > 0, norm, 1)
    own = W @ by_mean + h * share * (norm @ by_s) / np.where(size > 0, size, 1)
    return value, h @ by_mean.T + W * along + own @ x.T, by_mean.sum(axis=1)

  return loss


def minimum(
  loss: Loss, n_hidden: int, n_features: int, others: Sequence[tuple[np.ndarray, np.ndarray]] = ()
) -> Minimum:
  """Returns the lowest of descents from random starts, of which the best go on, and from others.

  Args:
    loss: (W, b) → value and gradients.
    n_hidden: m.
    n_features: n.
    others: further starts, W and b of each, that are followed to the end.
  """
  shape = (n_hidden, n_features)
  n = n_hidden * n_features

  def flat(v: np.ndarray) -> tuple[float, np.ndarray]:
    value, dW, db = loss(v[:n].reshape(shape), v[n:])
    return value, np.concatenate([dW.ravel(), db])

  def descend(start: np.ndarray, n_steps: int) -> optimize.OptimizeResult:
    options = {"maxiter": n_steps, "gtol": 1e-8}
    return optimize.minimize(flat, start, jac=True, method="BFGS", options=options)

  generator = np.random.default_rng([n_hidden, n_features])
  scale = np.repeat(START_SCALES, (n, n_features))
  found = [descend(v, N_FIRST) for v in scale * generator.normal(size=(N_STARTS, len(scale)))]
  starts = [result.x for result in sorted(found, key=lambda result: float(result.fun))[:N_KEPT]]
  starts += [np.concatenate([W.ravel(), b]).astype(float) for W, b in others]
  ends = [descend(v, N_MORE) for v in starts]
  best = min(ends, key=lambda result: float(result.fun))
  moments = theory.fourth_moment(np.stack([result.x[:n].reshape(shape) for result in found]))
  return Minimum(best.x[:n].reshape(shape), best.x[n:], float(best.fun), moments)
