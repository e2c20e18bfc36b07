"""Measures of one trained instance: pure functions of its feature directions W.

A measure is a function (hidden, feature) → array and a row in the table, which says how to label
the result. It is vmapped over instances here and nowhere else.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
from jaxtyping import Array, Float

from toy_superposition.measures import geometry
from toy_superposition.types import Params


class Measure(NamedTuple):
  """A function of one instance's directions, and the names of its result's axes."""

  function: Callable[[Float[Array, "hidden feature"]], Array]
  dims: tuple[str, ...]
  long_name: str
  pairwise: int = 0  # arrays of (feature, feature) that it keeps at once, for planning memory


MEASURES: dict[str, Measure] = {
  "feature_norm": Measure(geometry.feature_norm, ("feature",), "‖W_i‖"),
  "superposition": Measure(
    geometry.superposition, ("feature",), "Σ_{j≠i} (Ŵ_i · W_j)²", pairwise=1
  ),
  "feature_dimensionality": Measure(
    geometry.feature_dimensionality, ("feature",), "D_i = ‖W_i‖² / Σ_j (Ŵ_i · W_j)²", pairwise=1
  ),
  "dimensions_per_feature": Measure(
    geometry.dimensions_per_feature, (), "D* = m / ‖W‖²_F (hidden dimensions per feature)"
  ),
}


def measure(params: Params, names: Sequence[str]) -> dict[str, Array]:
  """Returns the named measures of parameters with a leading instance axis."""

  def one(W: Float[Array, "hidden feature"]) -> dict[str, Array]:
    return {name: MEASURES[name].function(W) for name in names}

  return jax.vmap(one)(params.directions)


def working_bytes(n_features: int, names: Sequence[str]) -> int:
  """Returns the bytes that the named measures of one instance are planned to take."""
  return 4 * n_features**2 * sum(MEASURES[name].pairwise for name in names)
