"""The expected loss itself: no sampling, so no noise.

For distributions with finitely many examples it is the sum over all of them, for any model; for
sparse uniform features and few of them, the quadrature of theory/expected_loss.py. With the usual
optimizers or with BFGS.
"""

import jax
import jax.numpy as jnp

from toy_superposition import models, objective, perturbations, scalarize, sizes
from toy_superposition.draws import KeyWords
from toy_superposition.estimators.estimator import Estimator, Method, Scalar
from toy_superposition.problem import Problem
from toy_superposition.theory import expected_loss
from toy_superposition.types import Instance, Params, Spec


def make(problem: Problem, instances: Instance) -> Method:
  """Returns the gradient of the expected loss; the key is not used."""
  del instances
  if n_patterns(problem.spec) is not None:
    return _enumerated(problem)
  return _integrated(problem)


def n_patterns(spec: Spec) -> int | None:
  """Returns the number of different examples that a distribution has; None if it is not finite."""
  return spec.row("data.distribution").n_patterns(spec.n_features)


def _enumerated(problem: Problem) -> Method:
  """Returns the sum over all examples of a distribution."""

  def loss(params: Params, instance: Instance, key: KeyWords) -> Scalar:
    del key
    x, weights = problem.spec.row("data.distribution", instance).patterns(instance)
    return problem.loss(params, instance, jnp.asarray(x), weights=weights)

  return Method(jax.value_and_grad(loss), loss, None)


def _integrated(problem: Problem) -> Method:
  """Returns the quadrature over sparse uniform features."""
  spec = problem.spec
  relu = expected_loss.MODELS[spec.model]

  def loss(params: Params, instance: Instance, key: KeyWords) -> Scalar:
    del key
    return problem.reduction(
      expected_loss.expected_feature_loss(params, instance.density, instance.importance, relu=relu)
    )

  def gradient(params: Params, instance: Instance, key: KeyWords):
    del key
    share = objective.share(problem.reduction, spec.n_features)
    return expected_loss.value_and_gradient(
      params, instance.density, share * instance.importance, relu=relu
    )

  return Method(gradient, loss, None)


def refuses(spec: Spec, instances: Instance) -> str:
  """Returns why the expectation is not known or not affordable."""
  del instances
  if spec.attack:
    return f"config.loss.attack 0, not {spec.attack:g}"
  if spec.examples != "fresh":
    return f"config.data.examples='fresh', not {spec.examples!r}"
  for field in perturbations.FIELDS:
    if field in spec.active:
      return f"config.{field} 0"
  if n_patterns(spec) is not None:
    if (model := models.of(spec)).encode_batch or model.auxiliary:
      return f"a model whose examples are independent, not {spec.model}"
    return ""
  if spec.model not in expected_loss.MODELS:
    return f"model {' or '.join(expected_loss.MODELS)}, not {spec.model}"
  if (spec.distribution, spec.target, spec.inputs) != ("sparse_uniform", "identity", "identity"):
    return "data sparse_uniform with target identity, or a distribution of finitely many examples"
  if spec.loss != "squared":
    return f"config.loss.name='squared', not {spec.loss!r}"
  if spec.active:
    return f"config.{spec.active[0]} 0"
  if spec.n_features > expected_loss.MAX_FEATURES:
    return f"at most {expected_loss.MAX_FEATURES} features, not {spec.n_features}"
  return ""


def working_bytes(spec: Spec, instances: Instance) -> int:
  """Returns the bytes of the arrays of all examples, or of the quadrature."""
  del instances
  if (n := n_patterns(spec)) is not None:
    return sizes.batch_bytes(spec, n)
  return expected_loss.working_bytes(spec.n_features)


EXACT = Estimator(refuses, make, working_bytes, cpu_options=scalarize.CPU_OPTIONS)
