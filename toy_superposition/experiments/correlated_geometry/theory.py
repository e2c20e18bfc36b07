"""Covariance of words about a latent point, and what the best linear code makes of it."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from toy_superposition.distributions.latent import positions, probabilities

Square = Float[np.ndarray, "feature feature"]


class Moments(NamedTuple):
  """Exact moments of words, and the part of the space of features that the manifold fills."""

  mean: Float[np.ndarray, "feature"]
  covariance: Square
  coordinates: Square  # projection onto the manifold's own coordinates, such as cos φ and sin φ
  n_coordinates: int


def moments(manifold: str, n: int, concentration: float = 10.0) -> Moments:
  """Returns the moments of n words.

  Given the latent, words are independent: the covariance is that of their probabilities p, plus
  E p (1 − p) on the diagonal. Independent words have no coordinates of their own; the circle's
  stand in for them, as a control.
  """
  p = probabilities(manifold, concentration, n)
  mean = p.mean(axis=0)
  covariance = (p - mean).T @ (p - mean) / n + np.diag((p * (1 - p)).mean(axis=0))
  at = positions("circle" if manifold == "independent" else manifold, n)
  basis, _ = np.linalg.qr(at - at.mean(axis=0))
  return Moments(mean, covariance, basis @ basis.T, basis.shape[1])


def spectrum(covariance: Square) -> Float[np.ndarray, "feature"]:
  """Returns the eigenvalues, largest first."""
  return np.linalg.eigvalsh(covariance)[::-1]


def linear_optimum(covariance: Square, n_hidden: int) -> float:
  """Returns the least expected loss of x′ = WᵀW x + b: the sum of the eigenvalues that m
  dimensions leave out, as principal component analysis does."""
  return float(spectrum(covariance)[n_hidden:].sum())


def share(W: Float[np.ndarray, "*model hidden feature"], projection: Square) -> np.ndarray:
  """Returns which share of the trace of WᵀW lies in a subspace; nan of weights that are 0."""
  inside = np.einsum("...hi,ij,...hj->...", W, projection, W)
  total = (W**2).sum(axis=(-2, -1))
  return np.where(total > 0, inside / np.where(total > 0, total, 1), np.nan)


def n_modes(W: Float[np.ndarray, "*model hidden feature"]) -> np.ndarray:
  """Returns (tr G)² / tr G² of G = W Wᵀ: of how many equal eigenvalues WᵀW would consist."""
  G = W @ np.swapaxes(W, -1, -2)
  trace, square = np.trace(G, axis1=-2, axis2=-1), (G**2).sum(axis=(-2, -1))
  return np.where(square > 0, trace**2 / np.where(square > 0, square, 1), np.nan)
