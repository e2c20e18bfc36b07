"""Matrix products on blocks of the batch that stay in the cache, one instance after another.

For models whose batch fills a core's cache. The products may be done in bfloat16, summed in
float32: for processors and accelerators with units for it.
"""

import jax
import jax.numpy as jnp
from jax import lax

from toy_superposition import jaxprs
from toy_superposition.draws import KeyWords
from toy_superposition.estimators import autodiff
from toy_superposition.estimators.estimator import Estimator, Method, Scalar
from toy_superposition.problem import Problem
from toy_superposition.types import Instance, Params, Spec

BLOCK = 256  # examples; 128 and 256 measured alike, 512 and 1024 up to 1.6 times slower


def make(problem: Problem, instances: Instance) -> Method:
  """Returns the gradient of the mean loss over the step's batch, as autodiff defines it."""
  spec = problem.spec
  block = block_size(spec)
  of_block = PRECISIONS[spec.precision](problem.loss)
  gradient_of_block = PRECISIONS[spec.precision](jax.grad(problem.loss))

  def over_blocks(function, zero, instance: Instance, key: KeyWords):
    def body(number, total):
      x = problem.sample(key, instance, spec.batch_size, number * block, block)
      return jax.tree.map(jnp.add, total, function(x))

    n_blocks = spec.batch_size // block
    total = lax.fori_loop(0, n_blocks, body, zero)
    return jax.tree.map(lambda leaf: leaf / n_blocks, total)

  def loss(params: Params, instance: Instance, key: KeyWords) -> Scalar:
    zero = jnp.float32(0)
    return over_blocks(lambda x: of_block(params, instance, x), zero, instance, key)

  def gradient(params: Params, instance: Instance, key: KeyWords):
    zero = jax.tree.map(jnp.zeros_like, params)
    return None, over_blocks(lambda x: gradient_of_block(params, instance, x), zero, instance, key)

  return Method(gradient, loss, autodiff.make(problem, instances).inputs)


def block_size(spec: Spec) -> int:
  """Returns the largest divisor of the batch size that is at most BLOCK."""
  sizes = range(min(BLOCK, spec.batch_size), 0, -1)
  return next(size for size in sizes if spec.batch_size % size == 0)


def in_bfloat16(function):
  """Returns the function with every matrix product's operands rounded to bfloat16.

  Products are summed in float32. To be applied to a gradient, not before it is taken: its
  products are then rounded as well.
  """

  def rounded(*arguments):
    closed, out = jax.make_jaxpr(function, return_shape=True)(*arguments)
    results = jaxprs.evaluate(closed, jax.tree.leaves(arguments), lambda x: x, _apply_in_bfloat16)
    return jax.tree.unflatten(jax.tree.structure(out), results)

  return rounded


def _apply_in_bfloat16(equation, operands: list) -> list:
  primitive, parameters = equation.primitive, dict(equation.params)
  if primitive is lax.dot_general_p:
    operands = [operand.astype(jnp.bfloat16) for operand in operands]
    parameters |= {"preferred_element_type": jnp.dtype("float32"), "precision": None}
  results = primitive.bind(*operands, **parameters)
  return results if primitive.multiple_results else [results]


PRECISIONS = {"float32": lambda function: function, "bfloat16": in_bfloat16}

BLOCKED = Estimator(autodiff.refuses, make, lambda spec: 0, one_by_one=True)
