"""Matrix products on blocks of the batch that stay in the cache, one instance after another.

For models whose batch fills a core's cache. The products may be done in bfloat16, summed in
float32: for processors and accelerators with units for it.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

from toy_superposition import declare, interpret, models, sizes, vectorize
from toy_superposition.draws import KeyWords
from toy_superposition.estimators import autodiff
from toy_superposition.estimators.estimator import Estimator, Method, Scalar
from toy_superposition.problem import Problem
from toy_superposition.types import Instance, Params, Spec

BLOCK = 256  # examples; 128 and 256 measured alike, 512 and 1024 up to 1.6 times slower


def make(problem: Problem, instances: Instance) -> Method:
  """Returns the gradient of the mean loss over the step's batch, as autodiff defines it."""
  spec = problem.spec
  problem = problem._replace(over_examples=vectorize.over_examples)
  rounded = PRECISIONS[spec.precision]

  def over_blocks(function, params: Params, instance: Instance, key: KeyWords):
    def of_block(first: Array, size: int):
      of_columns = functools.partial(function, n_columns=size)
      return rounded(of_columns)(params, instance, key, first)

    return mean_over_blocks(of_block, spec.batch_size, block_size(spec))

  def loss(params: Params, instance: Instance, key: KeyWords) -> Scalar:
    return over_blocks(problem.step_loss, params, instance, key)

  def gradient(params: Params, instance: Instance, key: KeyWords):
    return None, over_blocks(jax.grad(problem.step_loss), params, instance, key)

  return Method(gradient, loss, autodiff.make(problem, instances).inputs)


def block_size(spec: Spec) -> int:
  """Returns how many examples are worked on at once: all of them if the model couples them."""
  coupled = models.of(spec).encode_batch is not None
  return spec.batch_size if coupled else min(BLOCK, spec.batch_size)


def mean_over_blocks(
  function: Callable[[Array, int], Any], batch_size: int, block: int = BLOCK
) -> Any:
  """Returns the mean over the batch of a pytree-valued function of a block.

  `function` takes the block's first example and its size, and returns the mean over the block. What
  is left over of the batch is a smaller block of its own.
  """
  block = min(block, batch_size)
  n_blocks, rest = divmod(batch_size, block)

  def weighted(first: Array, size: int):
    return jax.tree.map(lambda leaf: leaf * (size / batch_size), function(first, size))

  def add(number, total):
    return jax.tree.map(jnp.add, total, weighted(number * block, block))

  shapes = jax.eval_shape(lambda first: function(first, block), jnp.int32(0))
  total = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)
  total = lax.fori_loop(0, n_blocks, add, total)
  if rest:
    last = weighted(jnp.int32(n_blocks * block), rest)
    total = jax.tree.map(jnp.add, total, last)
  return total


def working_bytes(spec: Spec, instances: Instance) -> int:
  """Returns the bytes of the arrays of one block."""
  del instances
  return sizes.batch_bytes(spec, block_size(spec))


def in_bfloat16(function):
  """Returns the function with every matrix product's operands rounded to bfloat16.

  Products are summed in float32. To be applied to a gradient, not before it is taken: its
  products are then rounded as well.
  """

  def rounded(*arguments):
    closed, out = jax.make_jaxpr(function, return_shape=True)(*arguments)
    results = interpret.evaluate(
      closed, jax.tree.leaves(arguments), lambda x: x, _apply_in_bfloat16
    )
    return jax.tree.unflatten(jax.tree.structure(out), results)

  return rounded


def _apply_in_bfloat16(equation, operands: list) -> list:
  primitive, parameters = equation.primitive, dict(equation.params)
  if primitive is lax.dot_general_p:
    operands = [operand.astype(jnp.bfloat16) for operand in operands]
    parameters |= {"preferred_element_type": jnp.dtype("float32"), "precision": None}
  results = primitive.bind(*operands, **parameters)
  return results if primitive.multiple_results else [results]


PRECISIONS = declare.table(
  "train.precision", {"float32": lambda function: function, "bfloat16": in_bfloat16}
)

BLOCKED = Estimator(autodiff.refuses, make, working_bytes, one_by_one=True)
