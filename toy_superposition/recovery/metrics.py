"""Agreement of a learned dictionary with the true directions, on the host.

A latent's direction is its column of the decoder, a feature's the column of the dictionary that the
models see. All functions are of ONE model; directions of norm 0, such as those of features that a
toy model does not represent, agree with nothing.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

Decoder = Float[np.ndarray, "input latent"]
Dictionary = Float[np.ndarray, "input feature"]
Cosines = Float[np.ndarray, "latent feature"]

DEAD = 1e-5  # share of examples below which a latent counts as dead
SAME = 0.9  # cosine from which two directions count as the same


class Detection(NamedTuple):
  """How well "latent is on" detects "feature is on"; means over latents."""

  precision: float
  recall: float
  f1: float


def cosines(decoder: Decoder, dictionary: Dictionary) -> Cosines:
  """Returns the cosine of every latent's direction with every feature's, 0 for a norm of 0."""
  return _unit(decoder).T @ _unit(dictionary)


def _unit(columns: Float[np.ndarray, "input column"]) -> Float[np.ndarray, "input column"]:
  norm = np.linalg.norm(columns.astype(float), axis=0)
  return columns / np.where(norm > 0, norm, 1)


def assignment(cosine: Cosines) -> tuple[Int[np.ndarray, "pair"], Int[np.ndarray, "pair"]]:
  """Returns (latents, features): the one-to-one assignment of maximum total |cosine|."""
  from scipy.optimize import linear_sum_assignment  # half a second of every other run's start

  return linear_sum_assignment(-np.abs(cosine))


def mcc(cosine: Cosines) -> float:
  """Returns the mean |cosine| of the best one-to-one assignment, over all features.

  A feature for which no latent is left counts as 0.
  """
  latents, features = assignment(cosine)
  return float(np.abs(cosine[latents, features]).sum() / cosine.shape[1])


def mmcs(cosine: Cosines) -> float:
  """Returns the mean over features of the largest |cosine| of any latent (Sharkey et al. 2022)."""
  return float(np.abs(cosine).max(axis=0).mean())


def best_features(cosine: Cosines) -> Int[np.ndarray, "latent"]:
  """Returns the feature whose direction is nearest to each latent's."""
  return cosine.argmax(axis=1)


def uniqueness(cosine: Cosines, live: Bool[np.ndarray, "latent"]) -> float:
  """Returns the number of different best features over the number of live latents; 0 without."""
  return float(len(np.unique(best_features(cosine)[live])) / max(live.sum(), 1))


def splitting(cosine: Cosines, live: Bool[np.ndarray, "latent"]) -> float:
  """Returns the mean number of live latents with the same best feature, over features that are the
  best of any; 0 without live latents."""
  counts = np.bincount(best_features(cosine)[live], minlength=cosine.shape[1])
  return float(counts[counts > 0].mean()) if live.any() else 0.0


def detection(
  together: Float[np.ndarray, "latent feature"],
  latent_on: Float[np.ndarray, "latent"],
  feature_on: Float[np.ndarray, "feature"],
  latents: Int[np.ndarray, "pair"],
  features: Int[np.ndarray, "pair"],
) -> Detection:
  """Returns how well each latent's being on detects its feature's.

  Args:
    together: share of examples in which both are on.
    latent_on: share of examples in which the latent is on.
    feature_on: share of examples in which the feature is on.
    latents: which latents are judged.
    features: the feature that each of them stands for.
  """
  both = together[latents, features]
  precision = _ratio(both, latent_on[latents])
  recall = _ratio(both, feature_on[features])
  f1 = _ratio(2 * both, latent_on[latents] + feature_on[features])
  if not len(both):
    return Detection(0.0, 0.0, 0.0)
  return Detection(float(precision.mean()), float(recall.mean()), float(f1.mean()))


def _ratio(a: np.ndarray, b: np.ndarray) -> np.ndarray:
  """Returns a / b, and 0 where b is 0."""
  return np.where(b > 0, a / np.where(b > 0, b, 1), 0)


def absorption(
  cosine: Cosines,
  silent: Float[np.ndarray, "latent pair"],
  both: Float[np.ndarray, "pair"],
  parents: Int[np.ndarray, "pair"],
) -> float:
  """Returns the share of examples with parent and child on in which the parent's latent is silent.

  The parent's latent is the one with the largest cosine to the parent.

  Args:
    cosine: of latents and features.
    silent: share of examples in which parent and child are on and the latent is off.
    both: share of examples in which parent and child are on.
    parents: the parent of every pair.
  """
  nearest = cosine.argmax(axis=0)[parents]
  off = silent[nearest, np.arange(len(parents))]
  return float(off.sum() / both.sum()) if both.sum() > 0 else 0.0


def hedging(
  cosine: Cosines, parents: Int[np.ndarray, "pair"], children: Int[np.ndarray, "pair"]
) -> float:
  """Returns the mean cosine of the latents nearest to the parents with the parents' children."""
  return float(cosine[cosine.argmax(axis=0)[parents], children].mean())
