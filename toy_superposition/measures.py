"""Measures of one trained instance: pure functions of its feature directions W.

A measure is a function (hidden, feature) → array and a row in the table, which says how to label
the result. It is vmapped over instances here and nowhere else.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from toy_superposition.errors import UserError
from toy_superposition.geometry import features
from toy_superposition.types import Params


class Measure(NamedTuple):
  """A function of one instance's directions, and the names of its result's axes."""

  function: Callable[[Float[Array, "hidden feature"]], Array]
  dims: tuple[str, ...]
  long_name: str
  pairwise: int = 0  # arrays of (feature, feature) that it keeps at once, for planning memory


MEASURES: dict[str, Measure] = {
  "feature_norm": Measure(features.feature_norm, ("feature",), "‖W_i‖"),
  "superposition": Measure(
    features.superposition, ("feature",), "Σ_{j≠i} (Ŵ_i · W_j)²", pairwise=1
  ),
  "feature_dimensionality": Measure(
    features.feature_dimensionality, ("feature",), "D_i = ‖W_i‖² / Σ_j (Ŵ_i · W_j)²", pairwise=1
  ),
  "dimensions_per_feature": Measure(
    features.dimensions_per_feature, (), "D* = m / ‖W‖²_F (hidden dimensions per feature)"
  ),
}


def measure(params: Params, names: Sequence[str]) -> dict[str, Array]:
  """Returns the named measures of parameters with a leading instance axis."""

  def one(W: Float[Array, "hidden feature"]) -> dict[str, Array]:
    return {name: MEASURES[name].function(W) for name in names}

  return jax.vmap(one)(params.directions)


def check(rows: Mapping[str, Measure], n_hidden: int, n_features: int) -> None:
  """Checks that measures return arrays with the axes that their rows declare.

  Raises:
    UserError: names the measure, and what its row and its function say.
  """
  W = jax.ShapeDtypeStruct((n_hidden, n_features), jnp.float32)
  sizes = {"hidden": n_hidden, "feature": n_features}
  for name, row in rows.items():
    shape = jax.eval_shape(row.function, W).shape
    expected = tuple(sizes.get(dim, "any") for dim in row.dims)
    fits = len(shape) == len(expected) and all(
      want in ("any", got) for want, got in zip(expected, shape, strict=True)
    )
    if not fits or len(set(row.dims)) < len(row.dims):
      raise UserError(
        f"measure {name!r}: for {n_features} features in {n_hidden} dimensions its function gives "
        f"an array of shape {shape}, and its row names the axes {row.dims}; allowed: one name for "
        "each axis, none twice, 'feature' and 'hidden' for those"
      )


def working_bytes(n_features: int, rows: Collection[Measure]) -> int:
  """Returns the bytes that measures of one instance are planned to take."""
  return 4 * n_features**2 * sum(row.pairwise for row in rows)
