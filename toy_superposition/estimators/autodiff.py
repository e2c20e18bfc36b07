"""The reference: the model's own `apply`, vmap over the batch, jax's gradient.

Works for every model, distribution and loss, and defines what the others must return.
"""

import jax
import jax.numpy as jnp

from toy_superposition import models, perturbations, sizes
from toy_superposition.draws import KeyWords
from toy_superposition.estimators.estimator import Batch, Estimator, Method
from toy_superposition.problem import Columns, Problem
from toy_superposition.types import Instance, Spec


def make(problem: Problem, instances: Instance) -> Method:
  """Returns the gradient of the mean loss over the step's batch."""
  if problem.spec.examples == "common":
    # Not an operand of the step: what depends on it alone is computed once for all instances.
    problem = problem._replace(common=jax.tree.map(lambda leaf: jnp.asarray(leaf[0]), instances))

  def inputs(instance: Instance, key: KeyWords) -> Batch:
    spec = problem.spec
    return problem.training_sample(
      instance, Columns(key, spec.batch_size, generator=spec.generator)
    )

  return Method(jax.value_and_grad(problem.step_loss), problem.step_loss, inputs)


def refuses(spec: Spec, instances: Instance) -> str:
  """Returns "": nothing is refused."""
  del spec, instances
  return ""


def sees_other_than_features(spec: Spec) -> str:
  """Returns what is needed by estimators that write out a step on fresh features, one example
  after another, and the Spec has not; "" if it has all."""
  model = models.of(spec)
  if model.encode_batch or model.auxiliary:
    return f"a model whose examples are independent, not {spec.model}"
  if spec.inputs != "identity":
    return f"config.data.input='identity', not {spec.inputs!r}"
  if spec.examples != "fresh":
    return f"config.data.examples='fresh', not {spec.examples!r}"
  perturbed = [field for field in perturbations.FIELDS if field in spec.active]
  return f"config.{perturbed[0]} 0" if perturbed else ""


def working_bytes(spec: Spec, instances: Instance) -> int:
  """Returns the bytes of the arrays of the full batch."""
  del instances
  return sizes.batch_bytes(spec, spec.batch_size)


AUTODIFF = Estimator(refuses, make, working_bytes)
