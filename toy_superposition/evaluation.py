"""The loss of trained instances: on samples that no training step used, or its expectation."""

import types
from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from toy_superposition import declare, draws, scalarize, sizes, streams
from toy_superposition.problem import Problem
from toy_superposition.theory import expected_loss
from toy_superposition.types import Instance, Key, Params, Spec

PerFeature = Float[Array, "feature"]
GENERATOR = "threefry"  # of the evaluation samples, also where training used a cheaper one
BATCH_SIZE = 1024  # samples at once; changes the result by round-off only


class Evaluation(NamedTuple):
  """A way to the loss of each feature of one instance."""

  # problem, parameters, instance, root key, number of samples → the features' losses
  feature_loss: Callable[[Problem, Params, Instance, Key, int], PerFeature]
  working_bytes: Callable[[Spec], int]  # of one instance, beside its parameters
  # XLA options for CPU without which the evaluation is slow, not wrong.
  cpu_options: Mapping[str, bool | str] = types.MappingProxyType({})


def sampled(
  problem: Problem, params: Params, instance: Instance, root: Key, n_samples: int
) -> PerFeature:
  """Returns each feature's importance-weighted squared error, averaged over fresh samples.

  All instances share the same evaluation samples (common random numbers), so differences between
  losses are more precise than the losses. Samples come in batches of BATCH_SIZE, the last one full.
  """
  n_batches = -(-n_samples // BATCH_SIZE)
  stream = streams.words(root, streams.Stream.EVALUATE, 0)

  def body(batch, total):
    x = problem.sample(
      draws.fold_in(stream, batch), instance, min(n_samples, BATCH_SIZE), generator=GENERATOR
    )
    return total + problem.feature_loss(params, instance, x)

  return lax.fori_loop(0, n_batches, body, jnp.zeros_like(instance.importance)) / n_batches


def sampled_bytes(spec: Spec) -> int:
  """Returns the bytes of the arrays of one batch of samples."""
  return sizes.batch_bytes(spec, BATCH_SIZE)


def exact(
  problem: Problem, params: Params, instance: Instance, root: Key, n_samples: int
) -> PerFeature:
  """Returns each feature's expected importance-weighted squared error, without sampling.

  For the models in expected_loss.MODELS on sparse uniform features, target identity.
  """
  del root, n_samples
  return expected_loss.expected_feature_loss(
    params, instance.density, instance.importance, relu=expected_loss.MODELS[problem.spec.model]
  )


def exact_bytes(spec: Spec) -> int:
  """Returns the bytes of the quadrature's arrays."""
  return expected_loss.working_bytes(spec.n_features)


EVALUATIONS: dict[str, Evaluation] = declare.table(
  "evaluation.method",
  {
    "sampled": Evaluation(sampled, sampled_bytes),
    "exact": Evaluation(exact, exact_bytes, scalarize.CPU_OPTIONS),
  },
)


def evaluate(
  problem: Problem, params: Params, instances: Instance, method: str, n_samples: int
) -> Float[Array, "instance feature"]:
  """Returns the feature losses of instances with a leading axis by a row of EVALUATIONS."""
  root = streams.root(problem.spec.seed)

  def of_instance(params: Params, instance: Instance) -> PerFeature:
    return EVALUATIONS[method].feature_loss(problem, params, instance, root, n_samples)

  return jax.vmap(of_instance)(params, instances)
