"""Neurons' responses to single features, how monosemantic chance makes them, and known losses."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from toy_superposition.geometry.definitions import SILENT, is_monosemantic

Embedding = Float[np.ndarray, "input feature"]
ReadIn = Float[np.ndarray, "neuron input"]
Biases = Float[np.ndarray, "neuron"]
STRICT = 0.999  # share of a neuron's total response above which the source calls it monosemantic


def responses(W: ReadIn, b: Biases, P: Embedding) -> Float[np.ndarray, "neuron feature"]:
  """Returns ReLU(W P + b): each neuron's response to each feature alone, at x = 1."""
  return np.maximum(W @ P + b[:, None], 0)


def counts(A: Float[np.ndarray, "neuron feature"]) -> Float[np.ndarray, "count"]:
  """Returns the numbers of neurons that respond to any feature alone, that are monosemantic by
  their responses, that are so by the source's rule, and of features with a monosemantic neuron."""
  alone = is_monosemantic(A, nonnegative=True)
  active = A.max(axis=1) > SILENT
  strict = active & (A.max(axis=1) > STRICT * A.sum(axis=1))
  n_own = len(set(A.argmax(axis=1)[alone].tolist()))
  return np.array([active.sum(), alone.sum(), strict.sum(), n_own], float)


def by_chance(rng: np.random.Generator, W: ReadIn) -> ReadIn:
  """Returns random directions with the norms of W's rows."""
  drawn = rng.normal(size=W.shape)
  return drawn * (np.linalg.norm(W, axis=1) / np.linalg.norm(drawn, axis=1))[:, None]


def variance(p: float) -> float:
  """Returns p/3 − p²/4, the variance of a feature."""
  return p / 3 - p**2 / 4


def affine_loss(n: int, m: int, p: float) -> float:
  """Returns the loss of the best affine decoder: a projection to m dimensions leaves (n − m) V, for
  every embedding of rank m."""
  return (n - m) * variance(p)


def detectors_loss(
  rng: np.random.Generator,
  P: Embedding,
  p: float,
  thresholds: Sequence[float],
  n_samples: int,
) -> float:
  """Returns the lowest loss, over thresholds θ, of a neuron for every feature: ReLU(P_i·s − θ),
  with the best linear read-out.

  The read-out and the threshold are fitted to half of the samples, and judged on the others.
  """
  n = P.shape[1]
  x = np.where(rng.random((n, n_samples)) < p, rng.random((n, n_samples)), 0)
  seen, half = P.T @ (P @ x), n_samples // 2
  fits = []
  for threshold in thresholds:
    h = np.maximum(seen - threshold, 0)
    W = np.linalg.lstsq(h[:, :half] @ h[:, :half].T, h[:, :half] @ x[:, :half].T, rcond=None)[0]
    error = ((x - W.T @ h) ** 2).sum(axis=0)
    fits.append((error[:half].mean(), error[half:].mean()))
  return float(min(fits)[1])
