"""What half of the neurons can do without superposition, and where neurons may look."""

import numpy as np
from jaxtyping import Float

Matrix = Float[np.ndarray, "output feature"]


def naive_loss(n_features: int, n_neurons: int, q: float) -> float:
  """Returns the loss per feature over the density, if d of n features are computed exactly and the
  others answered by 0: (1 − d/n) E ReLU(x)^q = (1 − d/n) / (2 (q + 1)) for x uniform on [−1, 1).
  """
  return (1 - n_neurons / n_features) / (2 * (q + 1))


def eigen_share(W1: Float[np.ndarray, "neuron feature"], M: Matrix) -> float:
  """Returns the share of ‖W₁‖² in the space of M's d largest eigenvalues, d the number of neurons;
  d/n by chance."""
  vectors = np.linalg.eigh(M.astype(float))[1][:, -len(W1) :]
  return float(((W1 @ vectors) ** 2).sum() / (W1**2).sum())


def responses(
  W1: Float[np.ndarray, "neuron feature"],
  W2: Float[np.ndarray, "feature neuron"],
  x: Float[np.ndarray, "point"],
) -> Float[np.ndarray, "point output feature"]:
  """Returns the outputs W₂ ReLU(W₁ x) for every feature alone at every value x."""
  hidden = np.maximum(x[:, None, None] * W1, 0)  # (point, neuron, feature)
  return W2 @ hidden
