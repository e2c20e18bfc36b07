"""How features of the basic results interfere: pairs at first, then all with all, and the biases.

Paper, section "Demonstrating Superposition".
"""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from toy_superposition.experiments.demonstration.analysis import (
  BIAS,
  DEDICATED,
  PAIRS_AT,
  SAME,
  active_enough,
  at,
  densities,
  inner_products,
  listed,
  n_dedicated,
  n_represented,
)
from toy_superposition.experiments.experiment import Claim, identity, verdict
from toy_superposition.geometry.components import cosines
from toy_superposition.geometry.definitions import is_represented, is_represented_norm

if TYPE_CHECKING:
  import xarray as xr

OUT_OF_PLACE = 1  # features whose place by importance may be another
OPPOSITE = -0.9  # cosine up to which features form a pair
ORTHOGONAL = (
  0.1  # |cos| below which two features are orthogonal; its square is a tenth of DEDICATED
)
BIAS_FROM = 0.01  # density up to which all features are in superposition, with negative biases
# Minimum W_i · W_j that counts as positive interference. In models without superposition inner
# products were below .002 in an independent computation.
POSITIVE = 0.05
RANK = 1e-6  # singular values of WᵀW below this share of the largest are 0: float32's round-off


def of_relu(best: "xr.Dataset", relu: "xr.Dataset") -> list[Claim]:
  """Returns the verdicts on the interference and the biases of the ReLU model.

  Args:
    best: its best restart at every density.
    relu: all its restarts.
  """
  return [
    _pairs_claim(best),
    _least_important_claim(best),
    _only_pairs_claim(best, relu),
    _bias_claim(best),
    *_positive_claims(best),
    _dense_bias_claim(best),
  ]


def definition_claim(linear: "xr.Dataset") -> Claim:
  """Returns the verdict on a definition of superposition that is too weak: WᵀW is not invertible.

  It is invertible in no model with more features than dimensions, in superposition or not. Models
  without superposition are the example; without one nothing is decided.
  """
  m, n = linear.sizes["hidden"], linear.sizes["feature"]
  W = linear["W"].transpose("density", "restart", "hidden", "feature").values.astype(float)
  gram = W.swapaxes(-1, -2) @ W
  singular = np.linalg.svd(np.where(np.isfinite(gram), gram, 0), compute_uv=False)
  rank = (singular > RANK * singular.max(axis=-1, keepdims=True)).sum(axis=-1)
  counts = n_represented(linear)
  alone = (counts > 0) & (n_dedicated(linear) == counts)
  low, high = int(rank.min()), int(rank.max())
  return Claim(
    "superposition is more than WᵀW not being invertible: linear models whose WᵀW is not and that "
    f"have no feature in superposition (p = {densities(linear)})",
    f"{(alone & (rank < n)).sum()} of {alone.size}; rank {low if low == high else f'{low}–{high}'} "
    f"of {n}",
    f"some (the rank is at most {m}, as in any model with fewer dimensions than features)",
    identity(bool(np.all(rank < n)), decided=active_enough(linear) and bool(alone.any())),
  )


def _pairs_claim(best: "xr.Dataset") -> Claim:
  cell, there = at(best, PAIRS_AT)
  minimum = float(inner_products(cell["W"].transpose("hidden", "feature").values).min())
  return Claim(
    "the ReLU model's first features in superposition are antipodal pairs: minimum W_i · W_j at "
    f"p = {PAIRS_AT:g}",
    f"{minimum:.3f}",
    "< −0.9",
    verdict(minimum < -0.9, decided=there and active_enough(best)),
  )


def _least_important_claim(best: "xr.Dataset") -> Claim:
  """Superposition begins with the least important of the represented features."""
  cell, there = at(best, PAIRS_AT)
  W = cell["W"].transpose("hidden", "feature").values
  chosen = np.flatnonzero(is_represented_norm(cell["feature_norm"].values))
  paired = (cosines(W[:, chosen]) <= OPPOSITE).any(axis=1)
  n_paired = int(paired.sum())
  by_importance = chosen[np.argsort(-cell["feature_importance"].values[chosen], kind="stable")]
  least = set(by_importance[len(chosen) - n_paired :].tolist())
  others = len(set(chosen[paired].tolist()) - least)
  return Claim(
    "the ReLU model's first antipodal pairs are of the least important features that it represents "
    f"(p = {PAIRS_AT:g})",
    f"{n_paired - others} of the {n_paired} paired features are the least important of "
    f"{len(chosen)}",
    f"all but at most {OUT_OF_PLACE}",
    verdict(n_paired > 0 and others <= OUT_OF_PLACE, decided=there and active_enough(best)),
  )


def only_pairs(W: Float[np.ndarray, "hidden feature"]) -> tuple[int, int]:
  """Returns how many represented features are in superposition, and how many of these are in an
  antipodal pair: opposite to exactly one represented feature, and orthogonal to all others."""
  cosine = cosines(W[:, is_represented(W)])
  others = ~np.eye(len(cosine), dtype=bool)
  partners = ((cosine <= OPPOSITE) & others).sum(axis=1)
  near = ((np.abs(cosine) >= ORTHOGONAL) & others).sum(axis=1)
  # As in `superposition`, the projections of all other features, the weak ones included.
  unit = W / np.maximum(np.linalg.norm(W, axis=0), np.finfo(W.dtype).tiny)
  overlap = ((unit.T @ W) ** 2 * ~np.eye(W.shape[1], dtype=bool)).sum(axis=1)
  shared = overlap[is_represented(W)] >= DEDICATED
  return int(shared.sum()), int((shared & (partners == 1) & (near == 1)).sum())


def _only_pairs_claim(best: "xr.Dataset", relu: "xr.Dataset") -> Claim:
  """The first features in superposition interfere with their partner and with nothing else."""
  cell, there = at(best, PAIRS_AT)
  shared, paired = only_pairs(cell["W"].transpose("hidden", "feature").values)
  every = at(relu, PAIRS_AT)[0]["W"].transpose("restart", "hidden", "feature").values
  found = [only_pairs(W) for W in every]
  alike = sum(pairs == count > 0 for count, pairs in found)
  return Claim(
    "every feature that the ReLU model has in superposition is opposite to one other feature and "
    f"orthogonal to the rest of those that it represents (p = {PAIRS_AT:g})",
    f"{paired} of {shared} features; all of them in {alike} of {len(found)} restarts",
    f"all: one cosine ≤ −{-OPPOSITE:g}, the others < {ORTHOGONAL:g} in size",
    verdict(shared == paired > 0, decided=there and active_enough(best)),
  )


def _bias_claim(best: "xr.Dataset") -> Claim:
  """Positive interference is compensated by negative biases."""
  sparse = best.isel(density=np.flatnonzero(best["density"].values <= BIAS_FROM * (1 + SAME)))
  norm = sparse["feature_norm"]
  represented = norm.copy(data=is_represented_norm(norm.values))
  mean = sparse["b"].where(represented).mean("feature").values
  return Claim(
    f"mean bias of the features that the ReLU model represents (p = {densities(sparse)})",
    listed(mean, ".3f"),
    "< 0 at every p",
    verdict(bool(np.all(mean < 0)), decided=active_enough(best) and len(mean) > 0),
  )


def _positive_claims(best: "xr.Dataset") -> list[Claim]:
  """Sparse features interfere positively, some of them or even all.

  With only non-positive inner products a feature would have half a dimension or more, and m
  dimensions at most 2m features.
  """
  sparse = best.isel(density=np.flatnonzero(best["density"].values <= BIAS_FROM * (1 + SAME)))
  largest = [
    _largest_products(W) for W in sparse["W"].transpose("density", "hidden", "feature").values
  ]
  most, least = (
    np.array([end(values, initial=-np.inf if end is np.max else np.inf) for values in largest])
    for end in (np.max, np.min)
  )
  decided = active_enough(best) and len(largest) > 0
  alike = (f"{(values > POSITIVE).sum()} of {len(values)}" for values in largest)
  return [
    Claim(
      "some features of the ReLU model interfere positively: largest W_i · W_j of two represented "
      f"features (p = {densities(sparse)})",
      listed(most, ".3f"),
      f"> {POSITIVE:g} at every p",
      verdict(bool(np.all(most > POSITIVE)), decided),
    ),
    Claim(
      "every feature that the ReLU model represents has a positive inner product with another one: "
      f"number of those with W_i · W_j > {POSITIVE:g} (p = {densities(sparse)})",
      f"{', '.join(alike)} (smallest of the largest products: {listed(least, '.3f')})",
      "all at every p",
      verdict(bool(np.all(least > POSITIVE)), decided),
    ),
  ]


def _largest_products(W: Float[np.ndarray, "hidden feature"]) -> Float[np.ndarray, "represented"]:
  """Returns of every represented feature its largest inner product with another of them."""
  chosen = W[:, is_represented(W)]
  gram = chosen.T @ chosen
  np.fill_diagonal(gram, -np.inf)
  return gram.max(axis=1, initial=-np.inf)


def _dense_bias_claim(best: "xr.Dataset") -> Claim:
  """Dense features have no use for a bias, absent ones have their mean."""
  cell, there = at(best, 1.0)
  represented = is_represented_norm(cell["feature_norm"].values)
  b = cell["b"].values
  own, others = (
    np.abs(values).max(initial=0) for values in (b[represented], b[~represented] - 0.5)
  )
  return Claim(
    "at p = 1 the ReLU model's biases are 0 for the features that it represents and p/2 for the "
    "others: largest differences",
    f"{own:.4f} and {others:.4f}",
    f"≤ {BIAS:g}: it costs a thousandth of E x²",
    verdict(max(own, others) <= BIAS, decided=there and active_enough(best)),
  )
