"""The expected loss itself: no sampling, so no noise, for few features.

The gradient of theory/expected_loss.py, with the usual optimizers or with BFGS.
"""

import jax.numpy as jnp

from toy_superposition import scalarize
from toy_superposition.draws import KeyWords
from toy_superposition.estimators.estimator import Estimator, Method, Scalar
from toy_superposition.problem import Problem
from toy_superposition.theory import expected_loss
from toy_superposition.types import Instance, Params, Spec


def make(problem: Problem, instances: Instance) -> Method:
  """Returns the gradient of the expected loss; the key is not used."""
  del instances
  spec = problem.spec
  relu = expected_loss.MODELS[spec.model]

  def loss(params: Params, instance: Instance, key: KeyWords) -> Scalar:
    del key
    return problem.reduction(
      expected_loss.expected_feature_loss(params, instance.density, instance.importance, relu=relu)
    )

  def gradient(params: Params, instance: Instance, key: KeyWords):
    del key
    # A reduction weighs all features alike.
    share = problem.reduction(jnp.ones(spec.n_features)) / spec.n_features
    return expected_loss.value_and_gradient(
      params, instance.density, share * instance.importance, relu=relu
    )

  return Method(gradient, loss, None)


def refuses(spec: Spec, instances: Instance) -> str:
  """Returns why the expectation is not known or not affordable."""
  del instances
  if spec.model not in expected_loss.MODELS:
    return f"model {' or '.join(expected_loss.MODELS)}, not {spec.model}"
  if spec.distribution != "sparse_uniform" or spec.target != "identity":
    return "data sparse_uniform with target identity"
  if spec.hidden_l1:
    return f"config.loss.hidden_l1 0, not {spec.hidden_l1:g}"
  if spec.attack:
    return f"config.loss.attack 0, not {spec.attack:g}"
  if spec.n_features > expected_loss.MAX_FEATURES:
    return f"at most {expected_loss.MAX_FEATURES} features, not {spec.n_features}"
  return ""


def working_bytes(spec: Spec, instances: Instance) -> int:
  """Returns the bytes of the quadrature's arrays."""
  del instances
  return expected_loss.working_bytes(spec.n_features)


EXACT = Estimator(refuses, make, working_bytes, cpu_options=scalarize.CPU_OPTIONS)
