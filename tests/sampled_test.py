"""The estimator `sampled`: the gradient of a loss in which an inactive output counts in one group
of examples, as many times as there are groups."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import base
from tests import small
from toy_superposition import problem, scalarize, sizes
from toy_superposition.config import resolve
from toy_superposition.errors import UserError
from toy_superposition.estimators import ESTIMATORS, sampled, sparse
from toy_superposition.objective import LOSSES, TARGETS
from toy_superposition.problem import Problem
from toy_superposition.types import Instance, Spec

# float32 against float32: of sums over BATCH examples and N features, relative to the largest
# number of an array. Weights are up to the number of classes.
ROUND_OFF = 2e-5
N_ERRORS = 4.5
N, M, BATCH = 37, 5, 50  # neither features nor examples fill classes and groups of 4 or 7
KEY = jnp.asarray([3, 4], jnp.uint32)


def case(**changes) -> tuple[Problem, Instance, Any]:
  """Returns a problem, two instances with silent features among others, and parameters."""
  fields: dict[str, Any] = {"n_features": N, "n_hidden": M, "batch_size": BATCH}
  spec = small.spec(estimator="sampled", **fields | changes)
  i = np.arange(N)
  density = np.stack([np.full(N, 0.08), np.resize([0, 0.1, 0.01, 0.05], N)])
  importance = np.stack([1 + 0.5 * (i % 3), np.where(i % 5 == 0, 0, 2.0)])
  instances = Instance(
    index=jnp.arange(2, dtype=jnp.int32),
    density=jnp.float32(density),
    importance=jnp.float32(importance),
    learning_rate=jnp.ones(2),
    numbers=dict.fromkeys(spec.active, jnp.full(2, 0.3)),
  )
  rng = np.random.default_rng(0)
  params = jax.tree.map(
    lambda leaf: jnp.float32(0.5 * rng.normal(size=leaf.shape)), sizes.abstract_params(spec)
  )
  assert not ESTIMATORS["sampled"].refuses(spec, instances)
  return problem.make(spec), instances, params


def counts(candidate, spec: Spec, every: int, met):
  """Returns how often the output of every feature counts in every example: a candidate's once,
  another's `every` times in the group that meets its class and not in the others."""
  group = jnp.arange(spec.batch_size) // -(-spec.batch_size // every)
  meets = jnp.arange(spec.n_features)[:, None] % every == ((group + met) % every)[None]
  return jnp.where(candidate != 0, 1, every * meets)


def reference(one: Problem, params, instance: Instance, x, counted):
  """Returns jax's gradient of the dense loss in which outputs count so often."""

  def loss(params):
    h = jax.vmap(one.model.encode, (None, 1), 1)(params, x)
    target = jax.vmap(one.target, (None, 1, 1), 1)(instance, x, x)
    each = jax.vmap(one.decoded_loss, (None, None, 1, 1), 1)(params, instance, target, h)
    total = one.reduction(jnp.mean(counted * each, axis=1))
    if one.penalty:
      total += jnp.mean(jax.vmap(one.penalty, (None, None, 1))(params, instance, h))
    return total

  return jax.grad(loss)(params)


def assert_close(found, expected):
  for x, y in zip(*map(jax.tree.leaves, (found, expected)), strict=True):
    assert (x.shape, x.dtype) == (y.shape, jnp.float32)
    size = np.abs(y).max(axis=tuple(range(1, y.ndim)), keepdims=True)
    assert np.all(np.abs(x - y) <= ROUND_OFF * size)
    assert np.any(np.asarray(x) != 0) or not np.any(np.asarray(y))


CASES = [
  {"inactive_every": 4},
  {"inactive_every": 1},
  {"inactive_every": 64, "reduction": "mean"},  # more classes than features or examples
  {
    "inactive_every": 7,
    "model": "absolute_value",
    "distribution": "sparse_signed_uniform",
    "target": "absolute",
    "active": ("loss.hidden_l1", "loss.direction_norm"),
  },
  {"inactive_every": 4, "model": "relu_mlp", "output_bias": False, "loss": "absolute"},
  {"inactive_every": 4, "model": "unbiased_relu_output", "generator": "hash"},
  {"inactive_every": 3, "model": "gelu_output", "target": "residual_relu"},
]


@pytest.mark.quick("changes3")
@pytest.mark.parametrize("changes", CASES)
def test_at_every_meeting_an_inactive_output_counts_in_one_group_and_on_average_once(changes):
  changes = dict(changes)
  active, own = changes.pop("active", ()), changes.pop("output_bias", None)
  own = {} if own is None else {"output_bias": own}
  one, instances, params = case(**changes, **own)
  if active:
    one = problem.make(dataclasses.replace(one.spec, active=active))
    instances = dataclasses.replace(instances, numbers=dict.fromkeys(active, jnp.full(2, 0.3)))
  if changes.get("target") == "residual_relu":
    numbers = instances.numbers | {"data.residual": jnp.full(2, 0.5)}
    instances = dataclasses.replace(instances, numbers=numbers)
  every = changes["inactive_every"]
  at, meetings = sampled.gradient_at(one, instances), jnp.arange(every)
  slots = sparse.n_slots(N, float(np.max(instances.density)))

  @jax.jit
  def both(instance):
    positions, values = sparse.active(one, instance, KEY, slots)
    x = sparse.dense(N, positions, values)
    # Where features have different densities, some candidates turn out not to be active.
    candidate = sparse.dense(N, positions, jnp.ones_like(values))

    def expected(met):
      return reference(one, params, instance, x, counts(candidate, one.spec, every, met))

    found = jax.lax.map(lambda met: at(params, instance, KEY, met), meetings)
    full = reference(one, params, instance, x, jnp.ones_like(x))
    return x, found, jax.lax.map(expected, meetings), full

  for k in range(2):
    x, found, expected, full = both(jax.tree.map(lambda leaf, k=k: leaf[k], instances))
    assert np.any(x != 0)
    assert_close(found, expected)
    mean = jax.tree.map(lambda leaf: jnp.mean(leaf, axis=0, keepdims=True), found)
    assert_close(mean, jax.tree.map(lambda leaf: leaf[None], full))


@pytest.mark.slow
def test_inputs_and_loss_are_those_of_sparse_bitwise_and_a_step_is_one_of_the_meetings():
  one, instances, params = case(inactive_every=4)
  instance = jax.tree.map(lambda leaf: leaf[0], instances)
  own, others = (ESTIMATORS[name].make(one, instances) for name in ("sampled", "sparse"))
  assert own.inputs is not None and others.inputs is not None
  inputs = (jax.jit(own.inputs)(instance, KEY), jax.jit(others.inputs)(instance, KEY))
  np.testing.assert_array_equal(*inputs)
  losses = [jax.jit(method.loss)(params, instance, KEY) for method in (own, others)]
  assert losses[0] == losses[1]
  gradient = jax.jit(own.gradient)(params, instance, KEY)[1]
  met = sampled.meeting(one.spec, KEY, 4)
  at = jax.jit(sampled.gradient_at(one, instances))
  assert_close(gradient, at(params, instance, KEY, met))


@pytest.mark.quick("7")
@pytest.mark.parametrize("every", [1, 4, 7])
def test_every_meeting_is_drawn_as_often(every):
  keys = jnp.stack([jnp.arange(7000, dtype=jnp.uint32), jnp.full(7000, 9, jnp.uint32)], axis=1)
  drawn = jax.jit(jax.vmap(lambda key: sampled.meeting(small.SPEC, key, every)))(keys)
  found, p = np.bincount(drawn, minlength=every), 1 / every
  assert len(found) == every
  assert np.all(np.abs(found - 7000 * p) <= N_ERRORS * np.sqrt(7000 * p * (1 - p)))


@pytest.mark.quick("8")
@pytest.mark.parametrize("every", [1, 8])
def test_the_variance_of_the_gradient_of_a_bias_is_that_of_its_counted_examples(every):
  # Without weights every output is b: an example contributes 2 (b − x) where the feature is active,
  # and elsewhere 2 b, counted `every` times in one group of examples.
  n, batch, n_keys, p, b = 32, 64, 600, 0.1, 0.25
  one, instances, params = case(inactive_every=every, n_features=n, batch_size=batch)
  one_density = dataclasses.replace(
    jax.tree.map(lambda leaf: leaf[0], instances), density=jnp.full(n, p), importance=jnp.ones(n)
  )
  params = dataclasses.replace(params, W=jnp.zeros((M, n)), b=jnp.full(n, b))
  method = ESTIMATORS["sampled"].make(one, jax.tree.map(lambda leaf: leaf[None], one_density))

  @jax.jit
  def gradients(keys):
    return jax.lax.map(lambda key: method.gradient(params, one_density, key)[1].b, keys)

  keys = jnp.stack([jnp.arange(n_keys), jnp.full(n_keys, 5)], axis=1).astype(jnp.uint32)
  found = np.asarray(gradients(keys), float)

  def variance(inactive):  # of one example's contribution, 2 (b − x) or this
    mean = p * 2 * (b - 0.5) + (1 - p) * inactive
    return p * 4 * (b**2 - b + 1 / 3) + (1 - p) * inactive**2 - mean**2

  share = 1 / every
  expected = (share * variance(2 * b * every) + (1 - share) * variance(0)) / batch
  mean = 2 * (b - p / 2)
  squares = (found - mean) ** 2
  error = squares.std() / np.sqrt(squares.size)
  assert abs(squares.mean() - expected) <= N_ERRORS * error
  assert abs(found.mean() - mean) <= N_ERRORS * np.sqrt(expected / found.size)


ELEMENTWISE = {
  "data.target": ("identity", "absolute", "input", "residual_relu"),
  "loss.name": ("squared", "absolute", "power"),
}


def test_targets_and_losses_of_each_output_by_itself_are_told_from_others():
  for field, table in (("data.target", TARGETS), ("loss.name", LOSSES)):
    each = {
      name
      for name in table
      if scalarize.is_elementwise(problem.function_at_one(small.SPEC, field, name), 2)
    }
    assert each == set(ELEMENTWISE[field])
  for function in (
    lambda x, y: x[::-1] + y,
    lambda x, y: x * jnp.arange(3.0),
    lambda x, y: x * jnp.sum(y),
    lambda x, y: jnp.float32(1),
  ):
    assert not scalarize.is_elementwise(function, 2)


@pytest.mark.parametrize(
  ("field", "value", "fragment"),
  [
    ("loss.name", "cross_entropy", "config.loss.name='cross_entropy'"),
    ("data.target", "block_circuit", "config.data.target='block_circuit'"),
    ("data.target", "pairs", "outputs that are features"),
    ("model.name", "sum_of_squares", "sum_of_squares has not"),
    ("data.distribution", "correlated_sets", "active independently"),
    ("density.base", 0.2, "densities up to 0.1, not 0.2"),
    ("train.inactive_every", 0, "config.train.inactive_every"),
  ],
)
def test_what_has_no_outputs_of_its_own_is_refused_in_one_line(field, value, fragment):
  config = base.get_config()
  config.name, config.train.estimator, config.density.base = "sampled", "sampled", 0.05
  fields = {"data.set_size": 1} | {field: value}
  if value == "sum_of_squares":
    fields["data.target"] = "weighted_squares"
  if value == "pairs":
    fields["model.n_features"] = 3  # which have three pairs
  config.update_from_flattened_dict(fields)
  with pytest.raises(UserError) as caught:
    resolve.resolve(config)
  message = str(caught.value)
  assert "\n" not in message
  assert fragment in message


def test_it_is_a_choice_with_a_field_of_its_own():
  config = base.get_config()
  config.name, config.train.estimator, config.density.base = "sampled", "sampled", 0.05
  config.train.inactive_every = 3
  (group,) = resolve.resolve(config).groups
  assert group.spec.row("train.estimator").inactive_every == 3
  config.train.estimator = "sparse"
  (other,) = resolve.resolve(config).groups
  assert "train.inactive_every" not in dict(other.spec.hyperparameters)
