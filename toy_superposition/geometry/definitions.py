"""Definitions of "represented", "monosemantic" and "features per dimension".

Claims, figures and the report all use them, so a count means the same wherever it is printed.
Arrays may have any leading axes, one element per model.
"""

import numpy as np
from jaxtyping import Bool, Float

REPRESENTED = 0.3  # ‖W_i‖² (no unit; a norm of 0.548) above which a feature is represented
MONOSEMANTIC = 0.9  # purity (a share, 0 to 1) above which a neuron is monosemantic
SILENT = 1e-6  # largest |w| up to which a neuron is silent: it represents no feature


def is_represented(W: Float[np.ndarray, "*model hidden feature"]) -> Bool[np.ndarray, "..."]:
  """Returns which features are represented: ‖W_i‖² > REPRESENTED.

  The paper calls a feature represented if its norm is near 1, without a threshold (§2).

  Args:
    W: feature directions, the columns W_i.
  """
  return (W**2).sum(axis=-2) > REPRESENTED


def is_represented_norm(norm: Float[np.ndarray, "..."]) -> Bool[np.ndarray, "..."]:
  """Returns which features are represented, from their norms ‖W_i‖ instead of their directions.

  The norm is squared and compared in its own precision.
  """
  return norm**2 > REPRESENTED


def purity(W: Float[np.ndarray, "*model neuron feature"]) -> Float[np.ndarray, "*model neuron"]:
  """Returns the share of the largest w² in each neuron's sum of squares, in [0, 1]; 0 for a silent
  neuron.

  Args:
    W: weights into the neurons, one row per neuron.
  """
  squared = np.asarray(W, float) ** 2
  active = np.abs(W).max(axis=-1) > SILENT
  return np.where(active, squared.max(axis=-1) / np.where(active, squared.sum(axis=-1), 1), 0)


def is_monosemantic(
  W: Float[np.ndarray, "*model neuron feature"], nonnegative: bool = False
) -> Bool[np.ndarray, "*model neuron"]:
  """Returns which neurons are monosemantic, that is, represent one feature: purity > MONOSEMANTIC
  (paper, section "Superposition in a Privileged Basis").

  Args:
    W: weights into the neurons, one row per neuron.
    nonnegative: whether inputs are never negative. If so, a neuron's largest weight must also be
      positive: a neuron does not represent a feature that can only silence it.
  """
  pure = purity(W) > MONOSEMANTIC
  largest = np.abs(W).argmax(axis=-1, keepdims=True)
  excites = np.take_along_axis(W, largest, axis=-1)[..., 0] > 0
  return pure & (excites | (not nonnegative))


def features_per_dimension(
  W: Float[np.ndarray, "*model hidden feature"],
) -> Float[np.ndarray, "*model"] | np.floating:
  """Returns ‖W‖²_F / m: features per hidden dimension, each counted with its squared norm.

  It is 1 / D*, the inverse of the measure dimensions_per_feature (section "Uniform
  Superposition").
  """
  return (W**2).sum(axis=(-2, -1)) / W.shape[-2]
