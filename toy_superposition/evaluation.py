"""The loss of trained instances: on samples that no training step used, or its expectation."""

import types
from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from toy_superposition import declare, draws, objective, scalarize, sizes, streams
from toy_superposition.problem import Columns, Problem
from toy_superposition.theory import expected_loss
from toy_superposition.types import Instance, Key, Params, Spec

PerFeature = Float[Array, "feature"]
GENERATOR = "threefry"  # of the evaluation samples, also where training used a cheaper one
BATCH_SIZE = 1024  # samples of a batch that is drawn from one key and computed at once
BATCH_NUMBERS = 2**27  # of a batch, features × samples: wider models have fewer samples in one
# Numbers of streams of evaluation samples. On the samples that chose it, the lowest of many losses
# looks lower than it is: what is reported of the chosen model comes from another stream.
RANKING, JUDGING, FIRST_ROUND = 0, 1, 2  # FIRST_ROUND and on: of a shortlist
# Arrays of the size of a batch that are held at once; XLA's own count is in tests/plan_test.py.
FEATURE_ARRAYS, HIDDEN_ARRAYS = 4, 1


class Evaluation(NamedTuple):
  """A way to the loss of each feature of one instance."""

  # problem, parameters, instance, root key, number of samples → the features' losses
  feature_loss: Callable[[Problem, Params, Instance, Key, int], PerFeature]
  working_bytes: Callable[[Spec], int]  # of one instance, beside its parameters
  # XLA options for CPU without which the evaluation is slow, not wrong.
  cpu_options: Mapping[str, bool | str] = types.MappingProxyType({})


def sampled(
  problem: Problem,
  params: Params,
  instance: Instance,
  root: Key,
  n_samples: int,
  stream: int = RANKING,
) -> PerFeature:
  """Returns each feature's importance-weighted squared error, averaged over fresh samples.

  All instances share the same evaluation samples (common random numbers), so differences between
  losses are more precise than the losses. Samples come in batches of `batch_size`, the last one
  full. Streams of other numbers have other samples.
  """
  n_batches, of_batch = _batches(problem, params, instance, root, n_samples, stream)
  zero = jnp.zeros(problem.n_outputs, jnp.float32)
  return lax.fori_loop(0, n_batches, lambda k, total: total + of_batch(k), zero) / n_batches


def sampled_batches(
  problem: Problem,
  params: Params,
  instance: Instance,
  root: Key,
  n_samples: int,
  stream: int = RANKING,
) -> Float[Array, "batch feature"]:
  """Returns what `sampled` averages: the means of its batches, for standard errors."""
  n_batches, of_batch = _batches(problem, params, instance, root, n_samples, stream)
  return lax.map(of_batch, jnp.arange(n_batches))


def _batches(
  problem: Problem, params: Params, instance: Instance, root: Key, n_samples: int, stream: int
) -> tuple[int, Callable[[Array], PerFeature]]:
  """Returns the number of batches, and the mean losses of the features in one of them."""
  size = min(n_samples, batch_size(problem.spec))
  key = streams.words(root, streams.Stream.EVALUATE, stream)

  def of_batch(batch: Array) -> PerFeature:
    columns = Columns(draws.fold_in(key, batch), size, generator=GENERATOR)
    x = problem.sample(columns.key, instance, size, generator=GENERATOR)
    return problem.feature_loss(params, instance, x, columns)

  return -(-n_samples // size), of_batch


def batch_size(spec: Spec) -> int:
  """Returns the number of samples in a batch: BATCH_SIZE, or as many as BATCH_NUMBERS allows.

  It depends on the model alone: the same samples are drawn on every machine.
  """
  return max(1, min(BATCH_SIZE, BATCH_NUMBERS // spec.n_features))


def sampled_bytes(spec: Spec) -> int:
  """Returns the bytes of the arrays of one batch of samples."""
  numbers = FEATURE_ARRAYS * spec.n_features + HIDDEN_ARRAYS * spec.n_hidden
  if spec.inputs != "identity":
    numbers += FEATURE_ARRAYS * sizes.n_inputs(spec)
  return 4 * batch_size(spec) * numbers


def exact(
  problem: Problem, params: Params, instance: Instance, root: Key, n_samples: int
) -> PerFeature:
  """Returns each output's expected importance-weighted loss, without sampling.

  For what the estimator `exact` accepts.
  """
  del root, n_samples
  row = problem.spec.row("data.distribution", instance)
  if row.n_patterns(problem.spec.n_features) is not None:
    x, weights = row.patterns(instance)
    return problem.feature_loss(params, instance, jnp.asarray(x), weights=weights)
  return expected_loss.expected_feature_loss(
    params, instance.density, instance.importance, relu=expected_loss.MODELS[problem.spec.model]
  )


def exact_bytes(spec: Spec) -> int:
  """Returns the bytes of the arrays of all examples, or of the quadrature."""
  if (n := spec.row("data.distribution").n_patterns(spec.n_features)) is not None:
    return sizes.batch_bytes(spec, n)
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
  """Returns the feature losses of instances with a leading axis by a row of EVALUATIONS.

  They are NaN for an instance whose parameters are not finite.
  """
  root = streams.root(problem.spec.seed)

  def of_instance(params: Params, instance: Instance) -> PerFeature:
    loss = EVALUATIONS[method].feature_loss(problem, params, instance, root, n_samples)
    return objective.nan_if_diverged(loss, params)

  return jax.vmap(of_instance)(params, instances)
