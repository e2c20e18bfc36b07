"""A function written out in scalars and summed in one loop is the function under vmap, summed."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.extend
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from toy_superposition import scalarize
from toy_superposition.interpret import CALLS

M, N = 2, 3  # the arguments are a matrix W (M, N) and a vector b (N); a column has N elements
N_COLUMNS = 200
ROUND_OFF = 1e-5  # of a float32 sum of N_COLUMNS terms, relative to the sum of their sizes
LEVELS = np.array([[0.5, -1, 2]], np.float32)


def case(seed=0):
  """Returns W, b and the rows: negative ones too, and none near a kink or a pole."""
  rng = np.random.default_rng(seed)
  W, b = (jnp.float32(rng.normal(size=shape)) for shape in ((M, N), (N,)))
  rows = np.float32(rng.uniform(0.05, 0.9, size=(N, N_COLUMNS)) * rng.choice([-1, 1], size=(N, 1)))
  return W, b, jnp.asarray(rows)


def total(function, *operands):
  """Returns the total for arguments and rows, as a jitted function would."""
  return scalarize.total(function, operands[:-1], list(operands[-1]))


def assert_is_the_sum(found, terms):
  """Checks results against terms with a leading axis, summed in float64."""
  (found, tree), (terms, expected_tree) = map(jax.tree.flatten, (found, terms))
  assert str(tree) == str(expected_tree)
  for x, y in zip(found, terms, strict=True):
    y = np.asarray(y, np.float64)
    assert (x.shape, x.dtype) == (y.shape[1:], jnp.float32)
    assert np.all(np.abs(x - y.sum(axis=0)) <= ROUND_OFF * np.abs(y).sum(axis=0)), (x, y)


def assert_total_is_that_of_vmap(function, *operands):
  in_axes = (*(None for _ in operands[:-1]), 1)
  both = jax.jit(lambda *x: (total(function, *x), jax.vmap(function, in_axes)(*x)))  # one program
  assert_is_the_sum(*both(*operands))


def primitives(function, *arguments) -> set[str]:
  """Returns the names of the operations of a function, those of functions that it calls too."""
  names: set[str] = set()

  def walk(jaxpr):
    for equation in jaxpr.eqns:
      inner = CALLS.get(equation.primitive.name)
      if inner:
        walk(equation.params[inner].jaxpr)
      else:
        names.add(equation.primitive.name)

  walk(jax.make_jaxpr(function)(*arguments).jaxpr)
  return names


def kinks(x):
  return jax.nn.relu(x) + jnp.abs(x - 0.3)


def loss(W, b, x):
  return jnp.sum((x - jax.nn.relu(W.T @ jax.nn.relu(W @ x) + b)) ** 2, axis=0)


def outer(W, b, x):
  return jnp.tensordot(W, x, axes=0)


unstack = getattr(lax, "unstack", jnp.unstack)  # older versions of jax have no operation for it


@jax.jit
def inner_call(x, scale):
  return jnp.tanh(x) * scale


# Functions of (W, b, column), and between them every operation of scalarize.STRUCTURAL.
STRUCTURAL: dict[str, Callable[..., Any]] = {
  "vector by vector": lambda W, b, x: b @ x,
  "matrix by vector": lambda W, b, x: W @ x,
  "vector by matrix": lambda W, b, x: x @ W.T,
  "matrix by matrix": lambda W, b, x: W @ jnp.outer(x, b),
  "no axis in common": outer,
  "two axes in common": lambda W, b, x: jnp.tensordot(W, outer(W, b, x), axes=((0, 1), (0, 1))),
  "first axes in common": lambda W, b, x: lax.dot_general(W, W * x[None], (((0,), (0,)), ((), ()))),
  "axes crossed": lambda W, b, x: lax.dot_general(
    outer(W, b, x), outer(W, x, b), (((0, 2), (0, 1)), ((), ()))
  ),
  "transposes": lambda W, b, x: jnp.transpose(outer(W, b, x), (2, 0, 1)),
  "broadcasting": lambda W, b, x: jnp.broadcast_to(x[:, None], (N, M)) * jnp.full((N, M), 2.0),
  "a scalar with an array": lambda W, b, x: (b @ x) * W - 1,
  "sums": lambda W, b, x: [
    jnp.sum(outer(W, b, x), axis=0),
    jnp.sum(outer(W, b, x), axis=(0, 2)),
    jnp.sum(W * x[None]),
  ],
  "products": lambda W, b, x: jnp.prod(W * x[None], axis=1),
  "cumulative sums": lambda W, b, x: (
    jnp.cumsum(x),
    jnp.cumsum(W * x[None], axis=0),
    jnp.cumsum(W * x[None], axis=1),
  ),
  "slices": lambda W, b, x: (x[1:], x[:-1], x[::2], (W * x[None])[1:, ::2]),
  "one element": lambda W, b, x: lax.index_in_dim(x, 1, keepdims=False) * W[1],
  "concatenation": lambda W, b, x: jnp.concatenate([W * x[None], W[:, :1]], axis=1),
  "rows on rows": lambda W, b, x: jnp.concatenate([W * x[None], x[None]], axis=0),
  "rows of rows": lambda W, b, x: jnp.stack([W * x[None], W], axis=1),
  "each row": lambda W, b, x: [k * row for k, row in enumerate([*unstack(W * x[None]), *x])],
  "each column": lambda W, b, x: [k * row for k, row in enumerate(unstack(W * x[None], axis=1))],
  "padding": lambda W, b, x: jnp.pad(W * x[None], ((1, 0), (2, 1)), constant_values=0.25),
  "reshaping": lambda W, b, x: (W * x[None]).reshape(N, M),
  "axes of length one": lambda W, b, x: (
    lax.squeeze(x[None, :, None], (0, 2)),
    lax.expand_dims(x, (0,)),
  ),
  "a choice": lambda W, b, x: (
    jnp.where(x > 0.4, x, b),
    jnp.where((W > 0) & (x[None] < 0), W, 0),
  ),
  "kinks": lambda W, b, x: kinks(W * x[None]),
  "nested calls": lambda W, b, x: inner_call(inner_call(x, b), b),
  "places": lambda W, b, x: (
    x * lax.iota(jnp.float32, N) + lax.broadcasted_iota(jnp.float32, (M, N), 1)[0]
  ),
  "a constant array": lambda W, b, x: LEVELS * x[None] + jnp.asarray(LEVELS),
  "a constant result": lambda W, b, x: (jnp.ones(2), jnp.float32(3), b),
  "the column": lambda W, b, x: x,
  "an empty array": lambda W, b, x: (x[:0], x),
  "a tree": lambda W, b, x: {"second": (x, [b * x]), "first": None, "third": W @ x},
  "a loss": loss,
  "a gradient": jax.grad(loss, argnums=(0, 1)),
  "value and gradient": lambda W, b, x: jax.value_and_grad(lambda W: loss(W, b, x))(W),
  "gradients of kinks": jax.grad(lambda W, b, x: jnp.sum(kinks(W * x[None]) ** 2)),
  "gradients of slices": jax.grad(lambda W, b, x: (W[:, 1:] @ x[:-1])[0] ** 2),
  "gradients of products": jax.grad(lambda W, b, x: jnp.sum(W @ jnp.outer(x, b) @ W.T)),
  "gradients of calls": jax.grad(lambda W, b, x: jnp.sum(inner_call(W, b[:M, None] * x[None]))),
}


@pytest.mark.parametrize("name", STRUCTURAL)
def test_the_total_is_that_of_vmap(name):
  assert_total_is_that_of_vmap(STRUCTURAL[name], *case())


A = jnp.float32(0.7)
# Functions of a column with elements in (0.05, 0.9) or minus that, each by its operation.
ELEMENTWISE: dict[str, Callable[..., jax.Array]] = {
  "add": lambda x: x + A,
  "add_any": jax.grad(lambda x: jnp.sum(x * jnp.sin(x) + x**3)),
  "sub": lambda x: A - x,
  "mul": lambda x: x * x,
  "div": lambda x: A / x,
  "neg": lambda x: -x,
  "abs": jnp.abs,
  "sign": jnp.sign,
  "max": lambda x: jnp.maximum(x, 0.1),
  "min": lambda x: jnp.minimum(x, A),
  "pow": lambda x: jnp.abs(x) ** A,
  "integer_pow": lambda x: lax.integer_pow(x, 3),
  "square": lax.square,
  "sqrt": lambda x: jnp.sqrt(jnp.abs(x)),
  "rsqrt": lambda x: lax.rsqrt(jnp.abs(x)),
  "exp": jnp.exp,
  "exp2": lax.exp2,
  "log": lambda x: jnp.log(jnp.abs(x)),
  "log2": lambda x: jnp.log2(jnp.abs(x)),
  "log1p": jnp.log1p,
  "expm1": jnp.expm1,
  "one_minus_square": jax.grad(lambda x: jnp.sum(jnp.tanh(x))),
  "tanh": jnp.tanh,
  "logistic": lax.logistic,
  "sin": jnp.sin,
  "cos": jnp.cos,
  "erf": lax.erf,
  "erf_inv": lax.erf_inv,
  "floor": lambda x: jnp.floor(4 * x),
  "ceil": lambda x: jnp.ceil(4 * x),
  "round": lambda x: lax.round(4 * x, lax.RoundingMethod.TO_NEAREST_EVEN),
  "clamp": lambda x: lax.clamp(0.2, x, 0.5),
  "lt": lambda x: x < A,
  "le": lambda x: x <= A,
  "gt": lambda x: x > A,
  "ge": lambda x: x >= A,
  "eq": lambda x: jnp.round(2 * x) == 1,
  "ne": lambda x: jnp.round(2 * x) != 1,
  "and": lambda x: (x > 0) & (x < A),
  "or": lambda x: (x < 0) | (x > A),
  "xor": lambda x: (x < 0.2) ^ (x > A),
  "not": lambda x: ~(x > A),
  "select_n": lambda x: jnp.where(x > A, x, -2 * x),
  "convert_element_type": lambda x: (8 * x).astype(jnp.int32),
  "is_finite": lambda x: jnp.isfinite(1 / jnp.maximum(x, 0)),
  "copy": jnp.copy,
  "stop_gradient": lax.stop_gradient,
}


# Operations that this version of jax may lack.
RECENT = {"log2", "one_minus_square"}


@pytest.mark.parametrize(
  "name", sorted(x for x in scalarize.ELEMENTWISE if x not in RECENT or hasattr(lax, x))
)
def test_the_total_of_each_operation_on_elements_is_that_of_vmap(name):
  def function(column):
    return jnp.asarray(ELEMENTWISE[name](column)).astype(jnp.float32)

  _, _, rows = case()
  assert name in primitives(function, jax.ShapeDtypeStruct((N,), rows.dtype))
  assert_total_is_that_of_vmap(function, rows)


# Operations of other versions of jax, or of meshes with explicit axes.
ONLY_ELSEWHERE = {"expand_dims", "reshard", "stack", "unstack"}


def test_every_structural_operation_is_tried():
  W, b, rows = case()
  used = set().union(*(primitives(f, W, b, rows[:, 0]) for f in STRUCTURAL.values()))
  assert used | ONLY_ELSEWHERE >= scalarize.STRUCTURAL.keys()


def test_instances_have_their_own_totals():
  cases = [case(seed) for seed in range(3)]
  together = [jnp.stack(leaves) for leaves in zip(*cases, strict=True)]
  gradient = jax.grad(loss, argnums=(0, 1))
  found = jax.jit(jax.vmap(functools.partial(total, gradient)))(*together)
  by_column = jax.jit(jax.vmap(gradient, (None, None, 1)))
  for i, operands in enumerate(cases):
    assert_is_the_sum(jax.tree.map(lambda leaf, i=i: leaf[i], found), by_column(*operands))


def test_instances_may_share_their_columns():
  W, b, rows = case()
  scaled = jnp.stack([W, 2 * W, -W])
  found = jax.jit(jax.vmap(functools.partial(total, loss), (0, None, None)))(scaled, b, rows)
  by_column = jax.jit(jax.vmap(loss, (None, None, 1)))
  for W, x in zip(scaled, found, strict=True):
    assert_is_the_sum(x, by_column(W, b, rows))


def test_rows_with_two_axes_hold_a_column_at_each_place():
  W, b, rows = case()
  found = jax.jit(functools.partial(total, loss))(W, b, rows.reshape(N, 8, -1))
  assert_is_the_sum(found, jax.jit(jax.vmap(loss, (None, None, 1)))(W, b, rows))


def test_long_sums_lose_no_digits_in_blocks():
  n = 2**20
  rows = jnp.full((1, 1024, n // 1024), 0.1)
  found = jax.jit(functools.partial(total, lambda x: x))(rows)
  np.testing.assert_allclose(found, [n * np.float32(0.1)], rtol=ROUND_OFF)


@pytest.mark.parametrize("argnum", [0, 1])
def test_the_gradient_of_a_total_is_the_total_of_gradients(argnum):
  W, b, rows = case()

  def squared(W, b, rows):  # so that the cotangent is not 1
    return total(loss, W, b, rows) ** 2 / 2

  found = jax.jit(jax.grad(squared, argnum))(W, b, rows)
  by_column = jax.jit(jax.vmap(jax.value_and_grad(loss, argnum), (None, None, 1)))
  values, gradients = map(np.asarray, by_column(W, b, rows))
  assert_is_the_sum(found, values.sum() * gradients)


def test_the_gradient_of_a_total_is_that_of_each_instance():
  cases = [case(seed) for seed in range(3)]
  together = [jnp.stack(leaves) for leaves in zip(*cases, strict=True)]
  found = jax.jit(jax.vmap(jax.grad(functools.partial(total, loss))))(*together)
  by_column = jax.jit(jax.vmap(jax.grad(loss), (None, None, 1)))
  for (W, b, rows), x in zip(cases, found, strict=True):
    assert_is_the_sum(x, by_column(W, b, rows))


def test_all_sums_are_taken_in_one_reduction():
  gradient = jax.grad(loss, argnums=(0, 1))
  jaxpr = jax.make_jaxpr(functools.partial(total, gradient))(*case())
  names: list[str] = []

  def walk(jaxpr):
    for equation in jaxpr.eqns:
      names.append(equation.primitive.name)
      for value in equation.params.values():
        inner = getattr(value, "jaxpr", None)
        if inner is not None and equation.primitive.name != "reduce":
          walk(inner)

  walk(jaxpr.jaxpr)
  assert names.count("reduce") == 1
  assert "dot_general" not in names


# Functions of (W, b, column) by what the refusal names.
UNSUPPORTED: dict[str, Callable[..., Any]] = {
  "sort": lambda W, b, x: lax.sort(x),
  "batched product": lambda W, b, x: jnp.einsum("ij,ij->i", W, W * x[None]),
  "reversed cumulative sum": lambda W, b, x: lax.cumsum(x, reverse=True),
  "padding within": lambda W, b, x: lax.pad(x, jnp.float32(0), ((0, 0, 1),)),
  "by less than 0": lambda W, b, x: lax.pad(x, jnp.float32(0), ((-1, 0, 0),)),
}


def shapes():
  return [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in ((M, N), (N,), (N,))]


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_what_cannot_be_written_out_is_refused_by_name(name):
  with pytest.raises(NotImplementedError, match=name):
    total(UNSUPPORTED[name], *case())


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_what_cannot_be_written_out_is_found_from_shapes_alone(name):
  function = UNSUPPORTED[name]
  assert name in scalarize.unsupported(function, *shapes())
  called = jax.jit(function)  # and in a function that is called
  assert name in scalarize.unsupported(lambda W, b, x: jnp.sum(called(W, b, x)), *shapes())


@pytest.mark.parametrize("name", STRUCTURAL)
def test_what_can_be_written_out_is_not_refused(name):
  assert scalarize.unsupported(STRUCTURAL[name], *shapes()) == ""


def test_in_one_loop_a_function_of_scalars_is_the_function_also_where_it_is_not_finite():
  def several(a, b):
    return {"product": a @ b, "flags": b > 0, "quotient": a[0] / b, "root": jnp.sqrt(b[0])}

  def written_out(a, b):
    found = scalarize.in_one_loop(several, scalarize.split(a), scalarize.split(b))
    return jax.tree.map(scalarize.join, found)

  a = jnp.float32([[[1, 2], [3, 4], [0, 1]]] * 3)
  b = jnp.float32([[0.5, -2], [0, 1], [-1, jnp.nan]])
  for options in ({}, scalarize.CPU_OPTIONS):
    found = jax.jit(jax.vmap(written_out), compiler_options=dict(options))(a, b)
    expected = jax.vmap(several)(a, b)
    assert found["flags"].dtype == bool
    for name, x in expected.items():
      np.testing.assert_allclose(found[name], x, rtol=1e-6, err_msg=name)
