"""What one virtual weight does: the loss without it, attributions, and rankings by them.

A model that maps x to y = ReLU(U x + b) through fewer dimensions has the virtual weights U. Olah,
Turner and Conerly, "Interference Weights" (July 2025).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float

BATCH = 2048  # samples that are worked on at once: their arrays stay in the cache
RANKINGS = (
  *("size |U|", "weight U", "expected attribution", "target-weighted", "frequency"),
  "loss gain",
)
Matrix = Float[np.ndarray, "output feature"]
Outputs = Float[np.ndarray, "output"]
Levels = Float[np.ndarray, "level"]
Real = Bool[np.ndarray, "output feature"]


class Moments(NamedTuple):
  """Means over samples; i is an output, j a feature."""

  gain: Matrix  # ΔL_ij: how much higher the loss is if U_ij = 0
  gain_error: Matrix  # standard error of ΔL_ij
  fires_times_feature: Matrix  # 1(y_i > 0) x_j
  output_times_feature: Matrix  # y_i x_j
  together: Matrix  # 1(y_i > 0) 1(x_j > 0)
  output: Outputs  # y_i
  loss: float  # Σ_i (t_i − y_i)²


Features = Float[np.ndarray, "example feature"]
Targets = Float[np.ndarray, "example output"]


def moments(U: Matrix, b: Outputs, x: Features, target: Targets) -> Moments:
  """Returns means over examples of a model ReLU(U x + b); what is left of full batches is unused.

  Raises:
    ValueError: there are fewer examples than a batch has.
  """
  n_batches = len(x) // BATCH
  if not n_batches:
    raise ValueError(f"{len(x)} examples; needed: at least {BATCH}")
  totals = [np.zeros(0)] * 7
  for k in range(n_batches):
    part = slice(k * BATCH, (k + 1) * BATCH)
    means = [np.asarray(mean, float) for mean in _of_batch(U, b, x[part], target[part])]
    totals = [total + mean if k else mean for total, mean in zip(totals, means, strict=True)]
  gain, square, fires, products, together, output, loss = (a / n_batches for a in totals)
  error = (np.maximum(square - gain**2, 0) / (n_batches * BATCH)) ** 0.5
  return Moments(gain, error, fires, products, together, output, float(loss))


@jax.jit
def _of_batch(U: Array, b: Array, x: Array, target: Array) -> tuple[Array, ...]:
  """Returns the means over a batch from which `moments` is made.

  A weight touches one output alone, so that ΔL of all n² weights is one pass. The loss with a
  weight and the loss without it see the same x: their difference is known better than either.
  """
  z = x @ U.T + b[None, :]
  y = jax.nn.relu(z)
  error = (target - y) ** 2

  def of_feature(operands: tuple[Array, Array]) -> tuple[Array, Array]:
    weights, own = operands
    gain = (target - jax.nn.relu(z - weights[None, :] * own[:, None])) ** 2 - error
    return jnp.mean(gain, axis=0), jnp.mean(gain**2, axis=0)

  gain, square = lax.map(of_feature, (U.T, x.T))
  fires, on = (y > 0).astype(x.dtype), (x > 0).astype(x.dtype)
  products = (fires.T @ x / len(x), y.T @ x / len(x), fires.T @ on / len(x))
  loss = jnp.sum(jnp.mean(error, axis=0), axis=0)
  return gain.T, square.T, *products, jnp.mean(y, axis=0), loss


def scores(U: Matrix, found: Moments) -> dict[str, Matrix]:
  """Returns the score of every weight by ranking; high scores are ranked first.

  Target-weighted attribution divides by E y_i. Outputs that never fire have no attribution, so
  their weights score 0 and come last; outputs that hardly ever fire keep their large scores.
  """
  mean = found.output[:, None]
  dead = mean <= 0
  weighted = found.output_times_feature / np.where(dead, 1, mean)
  return {
    "size |U|": np.abs(U),
    "weight U": U,
    "expected attribution": np.abs(found.fires_times_feature * U),
    "target-weighted": np.where(dead, 0, np.abs(weighted * U)),
    "frequency": found.together,
    "loss gain": found.gain,
  }


def precision_at(score: Matrix, real: Real, recall: Levels) -> Levels:
  """Returns the precision of a ranking where it has found these shares of the real weights.

  Nothing is interpolated: level r stands for the first ⌈r · number⌉ real weights. NaN if no weight
  is real.
  """
  hits = np.flatnonzero(real.ravel()[np.argsort(-score.ravel(), kind="stable")])
  if not len(hits):
    return np.full(len(recall), np.nan)
  number = np.maximum(np.ceil(recall * len(hits) - 1e-9).astype(int), 1)
  return number / (hits[number - 1] + 1)


def average_precision(score: Matrix, real: Real) -> float:
  """Returns the mean precision over all real weights; the share of real weights is chance."""
  n_real = int(real.sum())
  if not n_real:
    return float("nan")
  return float(precision_at(score, real, np.arange(1, n_real + 1) / n_real).mean())


def ever_fires(optimum: Matrix, threshold: float) -> Bool[np.ndarray, "output"]:
  """Returns which outputs of ReLU(U* x − t), U* ≥ 0, are above 0 for any x on [0, 1).

  Only their rows of U* are known: elsewhere every row that stays silent has no loss.
  """
  return optimum.sum(axis=1) > threshold


def compare(
  U: Matrix, real: Real, optimum: Matrix, rows: Bool[np.ndarray, "output"]
) -> dict[str, float]:
  """Returns how far two definitions of an interference weight agree.

  By the first, a weight is interference if it is not real: U_ij as a whole. By the second, U − U*
  is the interference in every weight, and U_ij is nothing else where U*_ij = 0.

  Args:
    U: virtual weights.
    real: those without which the loss is higher.
    optimum: U*, weights of all n dimensions without loss.
    rows: outputs whose row of U* is known; the others are left out.

  Returns:
    Shares of all weights in these rows that are interference by `both` definitions, by the `first`
    or the `second` alone; `kappa`, Cohen's: agreement beyond chance, over the most there can be
    (NaN if both call all weights the same); and `correlation` of U where it is not real, and 0
    elsewhere, with U − U* (NaN if one of them is constant).
  """
  U, real, optimum = U[rows], real[rows], optimum[rows]
  first, second = ~real, optimum == 0
  p, q = first.mean(), second.mean()
  chance = p * q + (1 - p) * (1 - q)
  agree = float((first == second).mean())
  values = np.where(first, U, 0).ravel(), (U - optimum).ravel()
  vary = all(np.ptp(v) > 0 for v in values)
  return {
    "both": float((first & second).mean()),
    "first": float((first & ~second).mean()),
    "second": float((second & ~first).mean()),
    "kappa": float((agree - chance) / (1 - chance)) if chance < 1 else float("nan"),
    "correlation": float(np.corrcoef(*values)[0, 1]) if vary else float("nan"),
  }


def gain_of_kept(score: Matrix, gain: Matrix, kept: Levels) -> Levels:
  """Returns Σ ΔL of the first shares of a ranking, relative to the sum of all positive ΔL."""
  ordered = np.cumsum(gain.ravel()[np.argsort(-score.ravel(), kind="stable")], dtype=float)
  number = np.maximum(np.round(kept * gain.size).astype(int), 1)
  return ordered[number - 1] / np.maximum(gain, 0).sum(dtype=float)
