"""The reference: the model's own `apply`, vmap over the batch, jax's gradient.

Works for every model, distribution and loss, and defines what the others must return.
"""

import jax

from toy_superposition import sizes
from toy_superposition.draws import KeyWords
from toy_superposition.estimators.estimator import Batch, Estimator, Method
from toy_superposition.problem import Problem
from toy_superposition.types import Instance, Spec


def make(problem: Problem, instances: Instance) -> Method:
  """Returns the gradient of the mean loss over the step's batch."""
  del instances

  def inputs(instance: Instance, key: KeyWords) -> Batch:
    return problem.sample(key, instance, problem.spec.batch_size)

  return Method(jax.value_and_grad(problem.step_loss), problem.step_loss, inputs)


def refuses(spec: Spec, instances: Instance) -> str:
  """Returns "": nothing is refused."""
  del spec, instances
  return ""


def working_bytes(spec: Spec, instances: Instance) -> int:
  """Returns the bytes of the arrays of the full batch."""
  del instances
  return sizes.batch_bytes(spec, spec.batch_size)


AUTODIFF = Estimator(refuses, make, working_bytes)
