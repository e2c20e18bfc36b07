"""How well the components of a matrix are its columns, and what scores random components have."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from scipy.integrate import quad

LIVE = 0.1  # importance from which on a component counts as needed
VALUE = 0.75  # of a feature that is active alone, when it is asked which components it needs
MIN_MMCS, RATIO_WITHIN = 0.99, 0.05  # of a success
N_RANDOM = 200  # sets of random components


class Scores(NamedTuple):
  """Scores of the components of one matrix, means over its columns, one column per feature."""

  mmcs: float  # largest cosine of a column with that of any component
  ratio: float  # norm of that component's column over the target's
  live_mmcs: float  # the same of components that are needed by any feature; NaN without any
  live_ratio: float


def scores(
  U: Float[np.ndarray, "component hidden"],
  V: Float[np.ndarray, "component feature"],
  W: Float[np.ndarray, "hidden feature"],
  live: Bool[np.ndarray, "component"],
) -> Scores:
  """Returns the scores of components u_c v_cᵀ of W, whose columns are v_cj u_c."""
  cosine, ratio = columns(U, V, W)
  alive = (np.nan, np.nan)
  if live.any():
    alive = _best(cosine[live], ratio[live])
  return Scores(*_best(cosine, ratio), *alive)


def columns(
  U: Float[np.ndarray, "component hidden"],
  V: Float[np.ndarray, "component feature"],
  W: Float[np.ndarray, "hidden feature"],
) -> tuple[Float[np.ndarray, "component feature"], Float[np.ndarray, "component feature"]]:
  """Returns the cosine of every component's columns with those of W, and the ratios of norms."""
  length, norm = np.linalg.norm(U, axis=1, keepdims=True), np.linalg.norm(W, axis=0)
  norm = np.where(norm > 0, norm, 1)
  unit = U / np.where(length > 0, length, 1)
  return np.sign(V) * (unit @ (W / norm)), np.abs(V) * length / norm


def _best(cosine: np.ndarray, ratio: np.ndarray) -> tuple[float, float]:
  nearest = cosine.argmax(axis=0), np.arange(cosine.shape[1])
  return float(cosine[nearest].mean()), float(ratio[nearest].mean())


def succeeded(one: Scores, n_live: int, n_expected: int) -> bool:
  """Returns whether a matrix is decomposed into its columns, one component for each."""
  near = one.live_mmcs >= MIN_MMCS and abs(one.live_ratio - 1) <= RATIO_WITHIN
  return n_live == n_expected and near


def random_mmcs(
  W: Float[np.ndarray, "hidden feature"], n_components: int, generator: np.random.Generator
) -> Float[np.ndarray, "set"]:
  """Returns the MMCS of sets of components with independent normal numbers."""
  found = []
  for _ in range(N_RANDOM):
    U = generator.standard_normal((n_components, W.shape[0]))
    V = generator.standard_normal((n_components, W.shape[1]))
    found.append(_best(*columns(U, V, W))[0])
  return np.array(found)


def random_mmcs_in_plane(n_components: int) -> float:
  """Returns the expected MMCS of C random components in two dimensions: the mean cosine of the
  smallest of C angles that are uniform on [0, π], ∫ cos θ (C/π) (1 − θ/π)^(C − 1) dθ."""

  def density(angle: float) -> float:
    return n_components / np.pi * (1 - angle / np.pi) ** (n_components - 1)

  return float(quad(lambda angle: np.cos(angle) * density(angle), 0, np.pi)[0])
