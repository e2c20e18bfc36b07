"""Measures of one trained instance: pure functions of its parameters and its numbers.

A measure is a function (params, instance) → array and a row in the table with the names of the
result's axes. It is vmapped over instances here and nowhere else.
"""

import functools
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

import jax
from jaxtyping import Array, Float

from toy_superposition.errors import UserError
from toy_superposition.geometry import features
from toy_superposition.types import Instance, Params


class Measure(NamedTuple):
  """A function of one instance, and the names of its result's axes."""

  function: Callable[[Params, Instance], Array]
  dims: tuple[str, ...]
  long_name: str
  pairwise: int = 0  # (feature, feature) arrays held at once, for planning memory


def of_directions(
  function: Callable[[Float[Array, "hidden feature"]], Array],
) -> Callable[[Params, Instance], Array]:
  """Returns the measure of (params, instance) that is `function` of the feature directions."""

  @functools.wraps(function)
  def measured(params: Params, instance: Instance) -> Array:
    del instance
    return function(params.directions)

  return measured


MEASURES: dict[str, Measure] = {
  "feature_norm": Measure(of_directions(features.feature_norm), ("feature",), "‖W_i‖"),
  "superposition": Measure(
    of_directions(features.superposition), ("feature",), "Σ_{j≠i} (Ŵ_i · W_j)²", pairwise=1
  ),
  "feature_dimensionality": Measure(
    of_directions(features.feature_dimensionality),
    ("feature",),
    "D_i = ‖W_i‖² / Σ_j (Ŵ_i · W_j)²",
    pairwise=1,
  ),
  "dimensions_per_feature": Measure(
    of_directions(features.dimensions_per_feature),
    (),
    "D* = m / ‖W‖²_F (hidden dimensions per feature)",
  ),
}

_OWN = dict(MEASURES)  # without the rows that are added later


def is_own(name: str) -> bool:
  """Returns whether the measure of that name is one that the package defines."""
  return MEASURES[name] is _OWN.get(name)


def measure(params: Params, instances: Instance, names: Sequence[str]) -> dict[str, Array]:
  """Returns the named measures of instances; all leaves have a leading instance axis."""

  def of_instance(params: Params, instance: Instance) -> dict[str, Array]:
    return {name: MEASURES[name].function(params, instance) for name in names}

  return jax.vmap(of_instance)(params, instances)


def check(rows: Mapping[str, Measure], params: Params, instance: Instance) -> None:
  """Checks that measures return arrays with the axes that their rows declare.

  Args:
    rows: measures by name.
    params: of one instance, as arrays or as jax.ShapeDtypeStruct.
    instance: that instance, likewise.

  Raises:
    UserError: the array that a measure returns does not have its row's axes.
  """
  sizes = {"feature": instance.density.shape[0]}
  for name, dims in type(params).DIMS.items():
    sizes |= dict(zip(dims, getattr(params, name).shape, strict=True))
  n_features, n_hidden = sizes["feature"], sizes.get("hidden", sizes.get("latent", 0))
  for name, row in rows.items():
    try:
      shape = jax.eval_shape(row.function, params, instance).shape
    except AttributeError as error:
      raise UserError(
        f"config.measures: {name!r} is not allowed for this model ({error}); leave it out, for "
        "example config.measures=()"
      ) from error
    sized = len(shape) == len(row.dims) and all(
      size == sizes.get(dim, size) for dim, size in zip(row.dims, shape, strict=True)
    )
    if not sized or len(set(row.dims)) < len(row.dims):
      raise UserError(
        f"measure {name!r}: for {n_features} features in {n_hidden} dimensions its function "
        f"returns an array of shape {shape}, and its row names the axes {row.dims}; allowed: one "
        "name per axis, no name twice, 'feature' and 'hidden' for those"
      )


def working_bytes(n_features: int, rows: Collection[Measure]) -> int:
  """Returns the bytes planned for the measures of one instance."""
  return 4 * n_features**2 * sum(row.pairwise for row in rows)
