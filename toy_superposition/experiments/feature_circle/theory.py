"""The ring of tuned features, and the best linear codes that it is compared with."""

import numpy as np
from jaxtyping import Float
from scipy.optimize import minimize_scalar

from toy_superposition.models import AutoencoderParams

Examples = Float[np.ndarray, "feature example"]
Weights = Float[np.ndarray, "example"]

# Starts near a ring: norms as multiples of the one that is exact at ℓ = 1, and biases. A narrower
# feature needs longer columns and a lower bias; what is best is found by the descents.
STARTS = ((1.0, 0.0), (1.5, -0.3), (2.5, -1.0))
NOISE = 1e-3  # of a start's weights: outside the ring's plane their gradient would be 0
ANGLES = 4001  # of the ideal ring's integral


def ring(n: int, m: int) -> Float[np.ndarray, "hidden feature"]:
  """Returns the columns of squared norm 4/n on a circle at even angles, in the first two of m
  dimensions. With bias 0 they lose nothing at ℓ = 1 and every amplitude if n is even: W x is a unit
  vector at θ times the amplitude. An odd n aliases with the harmonic n − 1 of a rectified cosine.
  """
  W = np.zeros((m, n))
  angle = 2 * np.pi * np.arange(n) / n
  W[:2] = (4 / n) ** 0.5 * np.stack([np.cos(angle), np.sin(angle)])
  return W


def starts(n: int, m: int) -> AutoencoderParams:
  """Returns the starts of descents near the ring, with a leading axis."""
  noise = NOISE * np.random.default_rng([n, m]).standard_normal((len(STARTS), m, n))
  scales, biases = np.array(STARTS).T
  W = scales[:, None, None] * ring(n, m) + noise
  b = np.repeat(biases[:, None], n, axis=1)
  return AutoencoderParams(W=W.astype(np.float32), b=b.astype(np.float32))


def reconstruction_loss(W: Float[np.ndarray, "hidden feature"], x: Examples, w: Weights) -> float:
  """Returns the expected ‖x − ReLU(WᵀW x)‖² of examples with weights, in double precision."""
  return float(((x - np.maximum(W.T @ (W @ x), 0)) ** 2).sum(axis=0) @ w)


def total_variance(x: Examples, w: Weights) -> float:
  """Returns Σ Var x_i."""
  return float(((x - (x @ w)[:, None]) ** 2).sum(axis=0) @ w)


def linear_share(x: Examples, w: Weights, n_hidden: int, *, bias: bool) -> float:
  """Returns the share of the variance, or without a bias of the mean square, that the best linear
  code of m dimensions leaves."""
  centred = x - (x @ w)[:, None] if bias else x
  eigenvalues = np.linalg.eigvalsh((centred * w) @ centred.T)[::-1]
  return float(eigenvalues[n_hidden:].sum() / eigenvalues.sum())


def ideal_ring_share(resolution: float) -> float:
  """Returns the share of the mean square that a ring of infinitely many features leaves at one
  amplitude: a point's outputs are A ReLU(cos t − c) at the angles t from it, with the best A and c.
  """
  t = np.linspace(0, np.pi, ANGLES)
  edge = resolution * np.pi / 2
  x = np.where(t <= edge, np.cos(t / resolution), 0)

  def left(width: float) -> float:
    shape = np.maximum(np.cos(t) - np.cos(width * edge), 0)
    return 1 - float((x @ shape) ** 2 / (shape @ shape) / (x @ x))

  return float(minimize_scalar(left, bounds=(0.8, 1.2), method="bounded").fun)


def irregularity(W: Float[np.ndarray, "*model hidden feature"]) -> Float[np.ndarray, "*model"]:
  """Returns the coefficient of variation of the angles between neighbouring columns: 0 for a ring,
  larger where some neighbours share a direction and others are apart; nan beside a column of 0."""
  norm = np.linalg.norm(W, axis=-2, keepdims=True)
  unit = W / np.where(norm > 0, norm, np.nan)
  cosine = (unit * np.roll(unit, -1, axis=-1)).sum(axis=-2)
  angle = np.arccos(np.clip(cosine, -1, 1))
  return np.asarray(angle.std(axis=-1) / angle.mean(axis=-1))


def flattened(W: Float[np.ndarray, "hidden feature"]) -> Float[np.ndarray, "2 feature"]:
  """Returns the columns in the plane that holds most of them."""
  vectors = np.linalg.svd(W, full_matrices=False)[0]
  return vectors[:, :2].T @ W
