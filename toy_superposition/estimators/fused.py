"""The full step as one loop over the batch: for tiny models.

Draw, forward and backward pass of one example are written out in scalars (scalarize.py) and summed
over the batch by one variadic reduction. The program grows with the number of parameters, and its
compile time with it.
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from toy_superposition import draws, problem, scalarize, sizes
from toy_superposition.draws import KeyWords
from toy_superposition.estimators import autodiff
from toy_superposition.estimators.estimator import Estimator, Method, Scalar
from toy_superposition.problem import Problem
from toy_superposition.types import Instance, Params, Spec

Draws = Float[Array, "draw"]

BLOCK = 4096  # examples that are summed by one float32
# Gradient components above which compilation takes minutes.
MAX_OUTPUTS = 400


def parts(batch_size: int) -> list[tuple[tuple[int, ...], int]]:
  """Returns (shape, first example) of the parts of a batch that are summed up by themselves: blocks
  side by side, and what is left over. One float32 that adds up a large batch is systematically too
  small."""
  if batch_size <= BLOCK:
    return [((batch_size,), 0)]
  n_blocks, rest = divmod(batch_size, BLOCK)
  found: list[tuple[tuple[int, ...], int]] = [((n_blocks, BLOCK), 0)]
  return [*found, ((rest,), n_blocks * BLOCK)] if rest else found


def example_loss(problem: Problem) -> Callable[[Params, Instance, Draws], Scalar]:
  """Returns the loss of one example as a function of its uniform numbers."""

  def example(params: Params, instance: Instance, u: Draws) -> Scalar:
    return problem.example_objective(params, instance, problem.features(u, instance))

  return example


def make(problem: Problem, instances: Instance) -> Method:
  """Returns the gradient of the mean loss over the step's batch, as autodiff defines it."""
  spec, example = problem.spec, example_loss(problem)

  def mean(function, params: Params, instance: Instance, key: KeyWords):
    rows = functools.partial(
      draws.uniform_rows,
      spec.generator,
      key,
      problem.n_draws,
      spec.batch_size,
      problem.rare(instance),
    )
    totals = [
      scalarize.total(function, (params, instance), rows(shape, first))
      for shape, first in parts(spec.batch_size)
    ]
    return jax.tree.map(lambda *leaves: sum(leaves) / spec.batch_size, *totals)

  def loss(params: Params, instance: Instance, key: KeyWords) -> Scalar:
    return mean(example, params, instance, key)

  def gradient(params: Params, instance: Instance, key: KeyWords):
    return None, mean(jax.grad(example), params, instance, key)

  return Method(gradient, loss, autodiff.make(problem, instances).inputs)


def refuses(spec: Spec, instances: Instance) -> str:
  """Returns why the step cannot be written out: too large, or an operation without a rule."""
  if (size := sizes.n_params(spec)) > MAX_OUTPUTS:
    return f"at most {MAX_OUTPUTS} parameters per model, not {size}"
  if reason := autodiff.sees_other_than_features(spec):
    return reason
  if spec.attack:
    return f"config.loss.attack 0, not {spec.attack:g}"
  spec_problem = problem.make(spec)
  instance = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape[1:], x.dtype), instances)
  u = jax.ShapeDtypeStruct((spec_problem.n_draws,), jnp.float32)
  unknown = scalarize.unsupported(
    jax.grad(example_loss(spec_problem)), sizes.abstract_params(spec), instance, u
  )
  return f"operations that can be written out in scalars, not {unknown}" if unknown else ""


def working_bytes(spec: Spec, instances: Instance) -> int:
  """Returns 0: nothing leaves the registers."""
  del spec, instances
  return 0


FUSED = Estimator(refuses, make, working_bytes, cpu_options=scalarize.CPU_OPTIONS)
