"""The loss of trained instances: on data that no training step saw, or in expectation."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from toy_superposition import draws, streams
from toy_superposition.problem import Problem
from toy_superposition.theory import expected_loss
from toy_superposition.types import Instance, Key, Params

PerFeature = Float[Array, "feature"]
GENERATOR = "threefry"  # whatever training used: the same samples, of the better numbers
BATCH_SIZE = 1024  # samples at once; does not enter the result beyond round-off


def sampled(
  problem: Problem, params: Params, instance: Instance, root: Key, n_samples: int
) -> PerFeature:
  """Returns each feature's importance-weighted squared error, averaged over fresh samples.

  All instances are judged on the same uniform draws, which come from a stream of their own: the
  difference of two instances is known better than either loss. Samples come in batches of
  BATCH_SIZE, the last one whole.
  """
  n_batches = -(-n_samples // BATCH_SIZE)
  stream = streams.words(root, streams.Stream.EVALUATE, 0)

  def body(batch, total):
    x = problem.sample(
      draws.fold_in(stream, batch), instance, min(n_samples, BATCH_SIZE), generator=GENERATOR
    )
    return total + problem.feature_loss(params, instance, x)

  return lax.fori_loop(0, n_batches, body, jnp.zeros_like(instance.importance)) / n_batches


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


EVALUATIONS: dict[str, Callable[[Problem, Params, Instance, Key, int], PerFeature]] = {
  "sampled": sampled,
  "exact": exact,
}


def evaluate(
  problem: Problem, params: Params, instances: Instance, method: str, n_samples: int
) -> Float[Array, "instance feature"]:
  """Returns the feature losses of instances with a leading axis by a row of EVALUATIONS."""
  root = streams.root(problem.spec.seed)

  def one(params: Params, instance: Instance) -> PerFeature:
    return EVALUATIONS[method](problem, params, instance, root, n_samples)

  return jax.vmap(one)(params, instances)
