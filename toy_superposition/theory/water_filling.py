"""Capacity as water: the optimum of a model that squares its hidden layer.

Scherlis, Sachan, Jermyn, Benton, Shlegeris (2022), "Polysemanticity and Capacity in Neural
Networks"; the closed forms here are derived from its set-up. Features x_i are independent, of mean
0, variance σ² and kurtosis κ = E x⁴ / σ⁴. The model answers y′ = Σ_k (W x)_k² + c = xᵀM x + c with
M = WᵀW of rank m, and the target is y = Σ_i v_i x_i², v_i ≥ 0. At the best c the loss is

  L = σ⁴ [(κ − 1) Σ_i (v_i − M_ii)² + 2 Σ_{i≠j} M_ij²].

With the capacities C_i = M_ii² / Σ_j M_ij² the off-diagonal sum of row i is M_ii² (1/C_i − 1), and
at the best M_ii = (κ − 1) v_i C_i / (2 + (κ − 3) C_i) feature i costs

  L_i = σ⁴ 2 (κ − 1) v_i² (1 − C_i) / (2 + (κ − 3) C_i).

For every symmetric M of rank m, ΣC_i ≤ m. If κ > 3, L_i is convex in C_i, and the best capacities
fill m like water, C_i = clip((v_i/μ − 2) / (κ − 3), 0, 1): all features with 0 < C_i < 1 gain the
same by a little more capacity. If κ ≤ 3 it is not convex: the m largest v_i have a dimension each.
Some model reaches it, since the matrix of all features that share has one eigenvalue,
M_ii / C_i = (κ − 1) μ, and a projection has any diagonal between 0 and 1 whose sum is its rank
(Schur and Horn). So it is the optimum.
"""

import numpy as np
from jaxtyping import Float

PerFeature = Float[np.ndarray, "feature"]
NORMAL = 3.0  # kurtosis of a normal law, above which features share


def capacities(v: PerFeature, kurtosis: float, n_hidden: int) -> PerFeature:
  """Returns the capacities C_i of the optimum, in [0, 1], with the sum n_hidden.

  Args:
    v: importance of each feature in the target, ≥ 0; the sum is smaller if fewer are above 0.
    kurtosis: κ of the features, > 1.
    n_hidden: m.
  """
  from scipy.optimize import brentq  # takes a fifth of a second to import

  positive = int(np.sum(v > 0))
  if positive <= n_hidden:
    return (v > 0).astype(float)
  if kurtosis <= NORMAL:
    order = np.argsort(-v, kind="stable")
    return np.isin(np.arange(len(v)), order[:n_hidden]).astype(float)
  least = float(v[v > 0].min())
  # At the lower end every feature is full, at the upper one all are empty.
  level = brentq(
    _overflow, least / (kurtosis - 1) / 2, float(v.max()), (v, kurtosis, n_hidden), xtol=1e-15
  )
  return _filled(v, kurtosis, float(level))


def _filled(v: PerFeature, kurtosis: float, level: float) -> PerFeature:
  return np.clip((v / level - 2) / (kurtosis - NORMAL), 0, 1)


def _overflow(level: float, v: PerFeature, kurtosis: float, n_hidden: int) -> float:
  return float(_filled(v, kurtosis, level).sum()) - n_hidden


def feature_losses(v: PerFeature, kurtosis: float, capacity: PerFeature) -> PerFeature:
  """Returns L_i / σ⁴ of features with given capacities, at their best M_ii."""
  return 2 * (kurtosis - 1) * v**2 * (1 - capacity) / (2 + (kurtosis - NORMAL) * capacity)


def optimum(v: PerFeature, kurtosis: float, n_hidden: int) -> float:
  """Returns the lowest loss of any W and c, in units of σ⁴."""
  found = capacities(v, kurtosis, n_hidden)
  return float(feature_losses(v, kurtosis, found).sum())


def loss(
  W: Float[np.ndarray, "*model hidden feature"],
  v: Float[np.ndarray, "*model feature"],
  kurtosis: float | Float[np.ndarray, "*model"],
) -> Float[np.ndarray, "*model"]:
  """Returns the loss of models in units of σ⁴, at the best c, without sampling.

  Args:
    W: weights.
    v: importance of each feature in the target.
    kurtosis: κ, a number or an array with an element per model.
  """
  M = np.swapaxes(W, -1, -2) @ W
  own = np.diagonal(M, axis1=-2, axis2=-1)
  others = (M**2).sum(axis=(-2, -1)) - (own**2).sum(axis=-1)
  return np.asarray((kurtosis - 1) * ((v - own) ** 2).sum(axis=-1) + 2 * others)
