"""Losses without superposition and of random directions, of features on [0, 2].

A feature of density p has E x² = 4p/3 and the variance 4p/3 − p².
"""

import numpy as np
from jaxtyping import Float

Densities = Float[np.ndarray, "feature"]

MEAN_SQUARE = 4 / 3  # of an active value
# Biases among which each feature's is chosen, denser near 0; at −7 it is never active.
BIASES = 0.3 - np.geomspace(0.1, 7.3, 20)
N_CODES, N_EXAMPLES = 1, 4000  # random directions, and examples for each of the choice and the loss


def ignored_loss(
  density: Float[np.ndarray, "*model feature"],
) -> Float[np.ndarray, "*model"] | np.floating:
  """Returns (4/3) Σ p_i: the loss of features that are not represented, of output 0."""
  return MEAN_SQUARE * density.sum(axis=-1)


def alone_loss(
  W: Float[np.ndarray, "*model hidden feature"], density: Float[np.ndarray, "*model feature"]
) -> Float[np.ndarray, "*model"]:
  """Returns (4/3) Σ p_i (1 − ‖W_i‖²)²: the loss if no two features meet and all biases are 0.

  What is not represented loses (4/3) p_i here too, and decay, which shortens a direction, costs.
  """
  square = (W.astype(float) ** 2).sum(axis=-2)
  return np.asarray(MEAN_SQUARE * (density * (1 - square) ** 2).sum(axis=-1))


def orthogonal_loss(density: Densities, m: int) -> float:
  """Returns the least loss of m orthogonal features: the others, of the smallest variance, are
  replaced by their means. No model without superposition has a lower one.

  Args:
    density: p_i of all features.
    m: dimensions.
  """
  variance = np.sort(MEAN_SQUARE * density - density**2)
  return float(variance[: max(len(variance) - m, 0)].sum())


def random_code_loss(
  density: Densities, m: int, n_codes: int = N_CODES, n_examples: int = N_EXAMPLES
) -> float:
  """Returns the loss of random unit directions, each with the best bias, by sampling.

  Such a model exists, so the best one is not worse. Biases are chosen on other examples than those
  that the loss is the mean of.

  Args:
    density: p_i of all features.
    m: dimensions.
    n_codes: random directions over which the loss is averaged.
    n_examples: for each of the choice and the loss.
  """
  generator = np.random.default_rng(m)
  losses = []
  for _ in range(n_codes):
    W = generator.standard_normal((m, len(density))).astype(np.float32)
    W /= np.linalg.norm(W, axis=0)
    best = _by_bias(W, density, generator, n_examples).argmin(axis=0)
    fresh = _by_bias(W, density, generator, n_examples)
    losses.append(np.take_along_axis(fresh, best[None], axis=0).sum())
  return float(np.mean(losses))


def _by_bias(
  W: Float[np.ndarray, "hidden feature"],
  density: Densities,
  generator: np.random.Generator,
  n_examples: int,
) -> Float[np.ndarray, "bias feature"]:
  """Returns E (x_i − ReLU((Wᵀ W x)_i + b))² of every feature at all BIASES, on fresh examples."""
  shape = (len(density), n_examples)
  on = generator.random(shape, np.float32) < density[:, None]
  x = 2 * generator.random(shape, np.float32) * on
  z = W.T @ (W @ x)
  return np.stack([np.mean((x - np.maximum(z + np.float32(b), 0)) ** 2, axis=1) for b in BIASES])
