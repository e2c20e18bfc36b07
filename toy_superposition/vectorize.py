"""A function of one example, applied to a batch whose last axis is the example's.

jax.vmap moves the examples' axis to the front wherever an operand without one enters. In a step of
matrix products half of the arrays are then transposed, which costs up to as much as the products.
Here the axis stays the last one.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.extend import core
from jaxtyping import Array

from toy_superposition import interpret
from toy_superposition.interpret import ELEMENTWISE, Unsupported

# Functions that are entered. Those with derivatives of their own are not: these would be lost.
CALLS = {"jit": "jaxpr", "pjit": "jaxpr"}


class Batch(NamedTuple):
  """What an operation works on if examples differ in it."""

  array: Array  # the examples' axis behind those of one example


def by_vmap(function: Callable[..., Any], shared: Sequence[Any], *columns: Array) -> Any:
  """Returns the same as `over_examples`: the reference."""
  axes = (*(None for _ in shared), *(-1 for _ in columns))
  return jax.vmap(function, axes, -1)(*shared, *columns)


def over_examples(function: Callable[..., Any], shared: Sequence[Any], *columns: Array) -> Any:
  """Returns function(*shared, *column) of every example, along the last axis of each result.

  What has no rule here is left to jax.vmap: the same numbers but for round-off, and slower.

  Args:
    function: of `shared` and the arrays of one example, to a pytree of arrays.
    shared: pytrees of arrays that are the same for all examples.
    columns: arrays whose last axis is the examples'.
  """
  n_examples = columns[0].shape[-1]
  one = [jax.ShapeDtypeStruct(x.shape[:-1], x.dtype) for x in columns]
  closed, out = jax.make_jaxpr(function, return_shape=True)(*shared, *one)
  values = [*map(jnp.asarray, jax.tree.leaves(shared)), *map(Batch, columns)]
  apply = functools.partial(_apply, n_examples)
  try:
    results = interpret.evaluate(closed, values, jnp.asarray, apply, CALLS)
  except Unsupported:
    return by_vmap(function, shared, *columns)
  return jax.tree.unflatten(jax.tree.structure(out), [_wide(x, n_examples) for x in results])


def _wide(x: Any, n_examples: int) -> Array:
  """Returns an array with the examples' axis, along which it may be the same everywhere."""
  if isinstance(x, Batch):
    return x.array
  return lax.broadcast_in_dim(x, (*x.shape, n_examples), range(x.ndim))


def _apply(n_examples: int, equation: core.JaxprEqn, operands: list[Any]) -> list[Any]:
  """Returns the results of an operation of which some operands may be batches."""
  primitive, parameters = equation.primitive, equation.params
  if not any(isinstance(x, Batch) for x in operands):
    found = primitive.bind(*operands, **parameters)
    return list(found) if primitive.multiple_results else [found]
  if primitive.name in ELEMENTWISE:
    shape = equation.outvars[0].aval.shape  # type: ignore[attr-defined]
    return [Batch(primitive.bind(*_alike(operands, shape, n_examples), **parameters))]
  if primitive.name not in RULES:
    raise Unsupported(primitive.name)
  arrays, changed = RULES[primitive.name](n_examples, parameters, *operands)
  found = primitive.bind(*arrays, **{**parameters, **changed})
  return [*map(Batch, found)] if primitive.multiple_results else [Batch(found)]


def _alike(operands: Sequence[Any], shape: tuple[int, ...], n_examples: int) -> list[Array]:
  """Returns operands of an elementwise operation, whose result for one example has this shape.

  The operation itself spreads a scalar over what is no scalar, but not one scalar per example.
  """
  found = []
  for x in operands:
    if isinstance(x, Batch) and x.array.ndim == 1 and shape:
      found.append(lax.broadcast_in_dim(x.array, (*shape, n_examples), (len(shape),)))
    elif not isinstance(x, Batch) and x.ndim == 0 and shape:
      found.append(x)
    else:
      found.append(_wide(x, n_examples))
  return found


# Operands and changed parameters with which an operation works on batches.
Rule = tuple[Sequence[Array], Mapping[str, Any]]


def _same(n_examples: int, parameters: Mapping[str, Any], x: Batch) -> Rule:
  """Of operations along axes that are numbered from the front."""
  del n_examples, parameters
  return [x.array], {}


def _broadcast_in_dim(n_examples: int, parameters: Mapping[str, Any], x: Batch) -> Rule:
  shape, where = parameters["shape"], parameters["broadcast_dimensions"]
  return [x.array], {
    "shape": (*shape, n_examples),
    "broadcast_dimensions": (*where, len(shape)),
  }


def _joined(n_examples: int, parameters: Mapping[str, Any], *operands: Any) -> Rule:
  """Of operations that join arrays along an axis that is numbered from the front."""
  del parameters
  return [_wide(x, n_examples) for x in operands], {}


def _dot_general(n_examples: int, parameters: Mapping[str, Any], a: Any, b: Any) -> Rule:
  """Of a matrix and each example's vector, in either order; the examples are the last factor's."""
  del n_examples
  (over_a, over_b), batch_axes = parameters["dimension_numbers"]
  if any(batch_axes):
    raise Unsupported("a batched product")
  if isinstance(a, Batch) and isinstance(b, Batch):
    raise Unsupported("a product of two arrays of an example")
  if isinstance(b, Batch):
    return [a, b.array], {}
  if a.array.ndim - 1 > len(over_a):
    raise Unsupported("a product of each example's matrix")
  return [b, a.array], {"dimension_numbers": ((over_b, over_a), batch_axes)}


def _reshape(n_examples: int, parameters: Mapping[str, Any], x: Batch) -> Rule:
  return [x.array], {"new_sizes": (*parameters["new_sizes"], n_examples)}


def _slice(n_examples: int, parameters: Mapping[str, Any], x: Batch) -> Rule:
  strides = parameters["strides"]
  return [x.array], {
    "start_indices": (*parameters["start_indices"], 0),
    "limit_indices": (*parameters["limit_indices"], n_examples),
    "strides": None if strides is None else (*strides, 1),
  }


def _transpose(n_examples: int, parameters: Mapping[str, Any], x: Batch) -> Rule:
  del n_examples
  return [x.array], {"permutation": (*parameters["permutation"], x.array.ndim - 1)}


RULES: dict[str, Callable[..., Rule]] = {
  "broadcast_in_dim": _broadcast_in_dim,
  "concatenate": _joined,
  "cumprod": _same,
  "cumsum": _same,
  "dot_general": _dot_general,
  "reduce_max": _same,
  "reduce_min": _same,
  "reduce_prod": _same,
  "reduce_sum": _same,
  "reshape": _reshape,
  "slice": _slice,
  "squeeze": _same,
  "stack": _joined,
  "transpose": _transpose,
  "unstack": _same,
}
