"""The four cases of this experiment, and the arrangements in the plane that they should end in.

Paper, section "Correlated and Anticorrelated Features", organisation of two and three pairs.
"""

import json
import math
from typing import TYPE_CHECKING

import numpy as np
from jax.sharding import Mesh
from jaxtyping import Float

from toy_superposition.experiments import restarts
from toy_superposition.geometry import sets
from toy_superposition.geometry.orientation import gaps

if TYPE_CHECKING:
  import xarray as xr

Plane = Float[np.ndarray, "2 feature"]
# Cases: (distribution, number of features).
PAIRS = ("correlated_sets", 4)
OPPOSITES = ("anticorrelated_sets", 4)
HEXAGON = ("correlated_sets", 6)
INDEPENDENT = ("sparse_uniform", 6)
SET_SIZE = {PAIRS: 2, OPPOSITES: 2, HEXAGON: 2, INDEPENDENT: 1}
ORTHOGONAL = 0.1  # |cos| below which two directions are orthogonal
OPPOSITE_PAIRS, OPPOSITE_MEMBERS = -0.97, -0.98  # cosines below which they are opposite
VERTEX_NORM = 0.9  # minimum norm of a hexagon's vertex; in a collapsed pair norms are 1/√2
MEMBERS_ANGLE, REGULAR_ANGLE = 64, 60  # degrees between a pair's members; in a regular hexagon
ANGLE_TOLERANCE = 6  # degrees
TAIL = 0.025  # probability beyond either end of an interval of 95 %


def run(dataset: "xr.Dataset", mesh: Mesh, memory_budget: int) -> "xr.Dataset":
  """Returns the dataset with the best restart's loss on examples that did not rank it.

  Unchanged with independent features, whose losses are exact.
  """
  del memory_budget
  return dataset if case_of(dataset) == INDEPENDENT else restarts.judged(dataset, mesh)


def case_of(dataset: "xr.Dataset") -> tuple[str, int]:
  """Returns the distribution and the number of features."""
  return json.loads(dataset.attrs["config"])["data.distribution"], dataset.sizes["feature"]


def members_angle(W: Plane) -> Float[np.ndarray, "pair"]:
  """Returns the angles between the members of pairs, in degrees."""
  return np.degrees(np.arccos(np.clip(sets.within(W, 2), -1, 1)))


def orthogonal_pairs(W: Plane) -> bool:
  """Returns whether the members of every pair are orthogonal, and every feature is opposite to a
  member of the other pair."""
  return bool(np.abs(sets.within(W, 2)).max() < ORTHOGONAL) and opposites_across(W)


def opposite_pairs(W: Plane) -> bool:
  """Returns whether the members of every pair are opposite to each other."""
  return bool(sets.within(W, 2).max() < OPPOSITE_MEMBERS)


def opposites_across(W: Plane) -> bool:
  """Returns whether every feature is opposite to a member of the other pair."""
  return bool(sets.across(W, 2).min(axis=1).max() < OPPOSITE_PAIRS)


def paired_hexagon(W: Plane) -> bool:
  """Returns whether six features of norm near 1 make a hexagon with pairs side by side."""
  norm = np.linalg.norm(W, axis=0)
  deviation = np.abs(members_angle(W) - MEMBERS_ANGLE)
  return bool(
    norm.min() > VERTEX_NORM and np.all(deviation <= ANGLE_TOLERANCE) and sets.adjacent(W, 2)
  )


def regular_hexagon(W: Plane) -> bool:
  """Returns whether six features of norm near 1 lie around the circle at equal angles."""
  norm = np.linalg.norm(W, axis=0)
  return bool(
    norm.min() > VERTEX_NORM and np.all(np.abs(gaps(W) - REGULAR_ANGLE) <= ANGLE_TOLERANCE)
  )


def fits(found: int, of: int, share: float) -> bool:
  """Returns whether a share lies in the exact 95 % interval (Clopper–Pearson) of found / of."""

  def at_least(number: int, probability: float) -> float:
    terms = (
      math.comb(of, k) * probability**k * (1 - probability) ** (of - k)
      for k in range(number, of + 1)
    )
    return sum(terms)

  return min(at_least(found, share), at_least(of - found, 1 - share)) >= TAIL
