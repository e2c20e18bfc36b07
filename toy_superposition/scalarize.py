"""Functions of small arrays, written out in scalars and summed over many examples in one loop.

XLA runs a step of a tiny model as dozens of kernels that each touch memory. The same arithmetic,
with one variable per matrix element and one variadic reduction at the end, is a single loop over
the examples that keeps everything in registers. Nothing is written twice for it: a function is
traced as usual, its gradient included, and the jaxpr is evaluated with object arrays of scalars
in the place of arrays. jax has no public transformation that does this, so the interpreter is kept
by hand.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend import core
from jaxtyping import Array

from toy_superposition import interpret
from toy_superposition.interpret import ELEMENTWISE, Unsupported

Scalars = np.ndarray  # dtype object: each element is a scalar, or an array over examples

# Lets XLA's CPU compiler reorder a sum, without which it runs one example at a time. NaN and
# infinities keep their meaning: its fast mathematics honours them unless told otherwise.
CPU_OPTIONS = {"xla_cpu_enable_fast_math": True}


def total(function: Callable[..., Any], arguments: Sequence[Any], rows: Sequence[Array]) -> Any:
  """Returns function(*arguments, column) summed over the columns of `rows`.

  Its gradient with respect to the arguments, if they are floating point, is a sum of the same kind.

  Args:
    function: from pytrees of small arrays and a vector, with one element per row, to a pytree of
      small arrays; traced once.
    arguments: the same for all columns.
    rows: arrays of one shape, a column at each of its positions. With two axes every sum is taken
      over the last one first: long sums lose fewer digits in blocks.
  """
  return _total(function, tuple(arguments), tuple(rows))


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _total(function: Callable[..., Any], arguments: tuple, rows: tuple) -> Any:
  flat = jax.tree.leaves(arguments)
  column = jax.ShapeDtypeStruct((len(rows),), rows[0].dtype)
  shapes = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), arguments)
  closed, out = jax.make_jaxpr(function, return_shape=True)(*shapes, column)
  values = interpret.evaluate(
    closed, [*map(split, flat), pack(rows, (len(rows),))], lambda x: split(np.asarray(x)), _apply
  )
  length = rows[0].shape
  terms = [_fill(x, length).astype(jnp.float32) for value in values for x in value.ravel()]
  zeros = [jnp.float32(0)] * len(terms)
  sums = lax.reduce(tuple(terms), tuple(zeros), _add_all, (len(length) - 1,))
  sums = [jnp.sum(x, axis=tuple(range(x.ndim))) for x in sums]
  leaves, used = [], 0
  for value in values:
    leaves.append(join(pack(sums[used : used + value.size], value.shape)))
    used += value.size
  return jax.tree.unflatten(jax.tree.structure(out), leaves)


def _total_forward(function: Callable[..., Any], arguments: tuple, rows: tuple) -> tuple:
  return _total(function, arguments, rows), (arguments, rows)


def _total_backward(function: Callable[..., Any], saved: tuple, cotangent: Any) -> tuple:
  arguments, rows = saved

  def pulled_back(cotangent, *operands):
    *arguments, column = operands
    return jax.vjp(lambda *arguments: function(*arguments, column), *arguments)[1](cotangent)

  return total(pulled_back, (cotangent, *arguments), rows), tuple(map(jnp.zeros_like, rows))


_total.defvjp(_total_forward, _total_backward)


def in_one_loop(function: Callable[..., Any], *arguments: Any) -> Any:
  """Returns function(*arguments) of pytrees of Scalars, as a pytree of Scalars.

  XLA's CPU compiler writes a loop over examples for every result, and repeats in each what they
  have in common. A sum can have many results in one loop. So the results are sums of two terms, the
  second of which is 0: LLVM unrolls them, drops the second and vectorises the loop.
  """
  shapes = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.flat[0].dtype), arguments)
  closed, out = jax.make_jaxpr(function, return_shape=True)(*shapes)
  operands = jax.tree.leaves(arguments)
  values = interpret.evaluate(closed, operands, lambda x: split(np.asarray(x)), _apply)
  first = lax.iota(jnp.int32, 2) == 0
  results = [jnp.asarray(e).astype(jnp.float32) for value in values for e in value.flat]
  terms = [jnp.where(first, _fill(e, (2,)), 0) for e in results]
  sums = iter(lax.reduce(tuple(terms), (jnp.float32(0),) * len(terms), _add_all, (0,)))

  def returned(shape: jax.ShapeDtypeStruct) -> Scalars:
    elements = [next(sums) for _ in range(int(np.prod(shape.shape)))]
    return pack([e.astype(shape.dtype) for e in elements], shape.shape)

  return jax.tree.map(returned, out)


def unsupported(function: Callable[..., Any], *shapes: Any) -> str:
  """Returns what in `function` cannot be written out in scalars; "" if everything can.

  `shapes` are those of its arguments, the column last.
  """
  *arguments, column = shapes
  rows = [jax.ShapeDtypeStruct((2,), column.dtype)] * column.shape[0]
  try:
    jax.eval_shape(lambda *operands: total(function, operands[:-1], operands[-1]), *arguments, rows)
  except Unsupported as error:
    return error.what
  return ""


def is_elementwise(function: Callable[..., Array], n_operands: int) -> bool:
  """Returns whether a function of vectors makes each number of its result of those at the same
  place alone, in the same way everywhere: only then can it be applied to some of the places."""

  def constant(x: Any) -> int:
    if np.ndim(x):
      raise Unsupported("an array of constants")
    return 0

  def apply(equation: core.JaxprEqn, operands: list[int]) -> list[int]:
    name = equation.primitive.name
    if name not in ELEMENTWISE and not (name == "broadcast_in_dim" and operands == [0]):
      raise Unsupported(name)
    return [len(x.aval.shape) for x in equation.outvars]  # type: ignore[attr-defined]

  vectors = [jax.ShapeDtypeStruct((3,), jnp.float32)] * n_operands
  closed = jax.make_jaxpr(function)(*vectors)
  try:
    return interpret.evaluate(closed, [1] * n_operands, constant, apply) == [1]
  except Unsupported:
    return False


def split(x: Any) -> Scalars:
  """Returns the elements of an array as scalars."""
  return pack([x[i] for i in np.ndindex(x.shape)], x.shape)


def join(x: Scalars) -> Array:
  """Returns scalars as one array."""
  return jnp.stack([*x.ravel()]).reshape(x.shape) if x.size else jnp.zeros(x.shape)


def pack(elements: Sequence[Any], shape: tuple[int, ...]) -> Scalars:
  """Returns elements in row-major order as an object array; numpy must not look into them."""
  packed = np.empty(len(elements), object)
  for i, element in enumerate(elements):
    packed[i] = element
  return packed.reshape(shape)


def _add_all(a: tuple, b: tuple) -> tuple:
  return tuple(x + y for x, y in zip(a, b, strict=True))


def _fill(x: Any, shape: tuple[int, ...]) -> Array:
  """Returns a scalar as an array of that shape; an array as it is."""
  x = jnp.asarray(x)
  return x if x.shape == shape else lax.broadcast(x, shape)


def _apply(equation: core.JaxprEqn, operands: list[Scalars]) -> list[Scalars]:
  name = equation.primitive.name
  if name in STRUCTURAL:
    found = STRUCTURAL[name](equation.params, *operands)
    return found if equation.primitive.multiple_results else [found]
  if name in ELEMENTWISE:
    shape = equation.outvars[0].aval.shape  # type: ignore[attr-defined]
    return [_elementwise(equation.primitive, equation.params, operands, shape)]
  raise Unsupported(name)


def _elementwise(primitive, parameters: dict, operands: list[Scalars], shape) -> Scalars:
  wide = [np.broadcast_to(x, shape) for x in operands]
  return pack(
    [_bind(primitive, parameters, [x[i] for x in wide]) for i in np.ndindex(shape)], shape
  )


def _bind(primitive, parameters: dict, elements: list[Any]) -> Array:
  arrays = [jnp.asarray(x) for x in elements]
  shape = max((x.shape for x in arrays), key=len)
  return primitive.bind(*(_fill(x, shape) for x in arrays), **parameters)


def _multiply(a: Any, b: Any) -> Array:
  return _bind(lax.mul_p, {}, [a, b])


def _add(a: Any, b: Any) -> Array:
  return _bind(lax.add_p, {}, [a, b])


def _dot_general(parameters: dict, a: Scalars, b: Scalars) -> Scalars:
  (over_a, over_b), (batch_a, batch_b) = parameters["dimension_numbers"]
  if batch_a or batch_b:
    raise Unsupported("a batched product")
  a, b = np.moveaxis(a, over_a, range(-len(over_a), 0)), np.moveaxis(b, over_b, range(len(over_b)))
  inner = a.shape[a.ndim - len(over_a) :]
  left, right = a.shape[: a.ndim - len(over_a)], b.shape[len(over_b) :]
  a, b = a.reshape(-1, *inner), b.reshape(*inner, -1)
  a, b = a.reshape(a.shape[0], -1), b.reshape(-1, b.shape[-1])
  products = [functools.reduce(_add, map(_multiply, r, c)) for r in a for c in b.T]
  return pack(products, (*left, *right))


def _reduce(combine: Callable[[Any, Any], Array], parameters: dict, x: Scalars) -> Scalars:
  axes = tuple(parameters["axes"])
  kept = [size for axis, size in enumerate(x.shape) if axis not in axes]
  moved = np.moveaxis(x, axes, range(-len(axes), 0)).reshape(int(np.prod(kept)), -1)
  return pack([functools.reduce(combine, row) for row in moved], tuple(kept))


def _broadcast_in_dim(parameters: dict, x: Scalars) -> Scalars:
  shape, where = parameters["shape"], parameters["broadcast_dimensions"]
  sizes = [1] * len(shape)
  for size, axis in zip(x.shape, where, strict=True):
    sizes[axis] = size
  return np.broadcast_to(x.reshape(sizes), shape)


def _cumsum(parameters: dict, x: Scalars) -> Scalars:
  if parameters["reverse"]:
    raise Unsupported("a reversed cumulative sum")
  moved = np.moveaxis(x, parameters["axis"], 0)
  sums = moved.reshape(len(moved), -1).copy()
  for i in range(1, len(sums)):
    for j in range(sums.shape[1]):
      sums[i, j] = _add(sums[i - 1, j], sums[i, j])
  return np.moveaxis(sums.reshape(moved.shape), 0, parameters["axis"])


def _iota(parameters: dict) -> Scalars:
  shape, axis = parameters["shape"], parameters["dimension"]
  return split(np.indices(shape, parameters["dtype"])[axis])


def _slice(parameters: dict, x: Scalars) -> Scalars:
  strides = parameters["strides"] or (1,) * x.ndim
  bounds = zip(parameters["start_indices"], parameters["limit_indices"], strides, strict=True)
  return x[tuple(slice(*bound) for bound in bounds)]


def _pad(parameters: dict, x: Scalars, value: Scalars) -> Scalars:
  shape = []
  for size, (low, high, interior) in zip(x.shape, parameters["padding_config"], strict=True):
    if low < 0 or high < 0 or interior:
      raise Unsupported("padding within or by less than 0")
    shape.append(int(size + low + high))
  padded = pack([value[()]] * int(np.prod(shape)), tuple(shape))
  starts = (low for low, _, _ in parameters["padding_config"])
  padded[tuple(slice(low, low + size) for low, size in zip(starts, x.shape, strict=True))] = x
  return padded


def _concatenate(parameters: dict, *operands: Scalars) -> Scalars:
  return np.concatenate(operands, axis=parameters["dimension"])


def _stack(parameters: dict, *operands: Scalars) -> Scalars:
  return np.stack(operands, axis=parameters["axis"])


def _unstack(parameters: dict, x: Scalars) -> list[Scalars]:
  rows = np.moveaxis(x, parameters["axis"], 0)
  return [rows[i, ...] for i in range(len(rows))]


# Movement of elements, and sums over them.
STRUCTURAL: dict[str, Callable[..., Any]] = {
  "dot_general": _dot_general,
  "reduce_sum": functools.partial(_reduce, _add),
  "reduce_prod": functools.partial(_reduce, _multiply),
  "pad": _pad,
  "cumsum": _cumsum,
  "broadcast_in_dim": _broadcast_in_dim,
  "concatenate": _concatenate,
  "stack": _stack,
  "slice": _slice,
  "iota": _iota,
  "reshard": lambda parameters, x: x,  # where a scalar lies is no part of the arithmetic
  "reshape": lambda parameters, x: x.reshape(parameters["new_sizes"]),
  "squeeze": lambda parameters, x: np.squeeze(x, axis=tuple(parameters["dimensions"])),
  "expand_dims": lambda parameters, x: np.expand_dims(x, tuple(parameters["dimensions"])),
  "transpose": lambda parameters, x: x.transpose(parameters["permutation"]),
  "unstack": _unstack,
}
