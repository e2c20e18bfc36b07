"""Every row of every table obeys its table's interface; a new row is tested without a new test."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from tests import small
from toy_superposition import declare, experiments, fields, models, problem, streams
from toy_superposition.distributions import DISTRIBUTIONS
from toy_superposition.draws import GENERATORS
from toy_superposition.evaluation import EVALUATIONS, evaluate
from toy_superposition.measures import MEASURES
from toy_superposition.models import (
  INITIALIZERS,
  MODELS,
  PARAM_DIMS,
  AutoencoderParams,
  abstract_params,
  param_names,
  params_class,
)
from toy_superposition.objective import REDUCTIONS, TARGETS, function_of
from toy_superposition.optimizers import OPTIMIZERS, SCHEDULES, searches
from toy_superposition.profiles import PROFILES
from toy_superposition.streams import Stream
from toy_superposition.theory import expected_loss
from toy_superposition.types import Instance

ROUND_OFF = 1e-5  # float32, a few operations on numbers of order one
N_ERRORS = 4.5  # standard errors, with fixed draws
SIZES = {"feature": 5, "hidden": 3, "input": 5, "latent": 3, "output": 5}
N, M = SIZES["feature"], SIZES["hidden"]
# Distributions in which every density is possible; the others are in hierarchy_test.py and
# latent_test.py.
GIVEN = ("tree", "exactly_k", "one_hot", "circle", "bag_of_words", "tuned_circle", "attributes")
FREE = [name for name in DISTRIBUTIONS if name not in GIVEN]
WITH_ROWS = [
  name
  for name in MODELS
  if models.sees_features(name) and models.built(declare.build("model.name", name, {})).rows
]


def key(instance=0, stream=Stream.TRAIN):
  return streams.key(streams.root(0), stream, instance)


def assert_float32_and_finite(tree):
  for leaf in jax.tree.leaves(tree):
    assert leaf.dtype == jnp.float32
    assert np.all(np.isfinite(leaf))


def instance_of(density) -> Instance:
  """Returns an instance of given densities."""
  return Instance(
    index=jnp.int32(0),
    density=density,
    importance=jnp.ones_like(density),
    learning_rate=jnp.float32(1),
  )


@pytest.mark.parametrize("name", MODELS)
def test_a_model_maps_one_input_to_one_output_of_its_size(name):
  numbers = {"model.k": 2.0, "model.sparsity": 0.1, "model.bandwidth": 0.1}
  model = models.built(declare.build("model.name", name, numbers))
  params = model.init(key(), n_inputs=N, n_hidden=M, n_outputs=N, std=0.5)
  assert_float32_and_finite(params)
  for field in dataclasses.fields(params):
    shape = tuple(SIZES[dim] for dim in PARAM_DIMS[field.name])
    assert getattr(params, field.name).shape == shape
  if models.sees_features(name):
    assert params.directions.shape == (M, N)
  assert isinstance(params, params_class(name))
  assert jax.tree.map(jnp.shape, params) == jax.tree.map(
    jnp.shape, abstract_params(model, n_inputs=N, n_hidden=M, n_outputs=N)
  )

  x = jnp.float32(np.random.default_rng(0).uniform(size=(4, N)))
  outputs = jax.jit(jax.vmap(model.apply, (None, 0)))(params, x)
  assert_float32_and_finite(outputs)
  for one, together in zip(x, outputs, strict=True):
    h = model.encode(params, one)
    assert (h.shape, h.dtype) == ((M,), jnp.float32)
    assert model.apply(params, one).shape == (N,)
    np.testing.assert_array_equal(model.apply(params, one), model.decode(params, h))
    np.testing.assert_allclose(together, model.apply(params, one), atol=ROUND_OFF)


@pytest.mark.parametrize("name", WITH_ROWS)
def test_the_rows_of_a_model_make_its_hidden_activations_and_its_outputs(name):
  model = models.built(declare.build("model.name", name, {}))
  shapes = abstract_params(model, n_inputs=N, n_hidden=M, n_outputs=N)
  rng = np.random.default_rng(0)
  params = jax.tree.map(lambda leaf: jnp.float32(rng.normal(size=leaf.shape)), shapes)
  x = jnp.float32(rng.uniform(size=N))
  assert model.rows and model.hidden and model.output
  rows, h = model.rows(params), model.encode(params, x)
  out = rows.directions.T if rows.out is None else rows.out
  outputs = [
    model.output(out[i : i + 1] @ h + rows.bias[i : i + 1]) for i in range(N)
  ]  # one by one
  pairs = (
    (model.hidden(rows.directions @ x), h),
    (jnp.concatenate(outputs), model.decode(params, h)),
  )
  for found, expected in pairs:
    np.testing.assert_allclose(found, expected, atol=ROUND_OFF * np.abs(expected).max())


@pytest.mark.parametrize("generator", GENERATORS)
def test_a_generator_is_a_function_of_key_and_counter_element_by_element(generator):
  counter = jnp.arange(2**12, dtype=jnp.uint32).reshape(64, 64)

  def words(key0, x0):
    return GENERATORS[generator](jnp.uint32(key0), jnp.uint32(7), x0, x0 + jnp.uint32(2**31))

  first, second = words(0, counter)
  for word in (first, second):
    assert (word.shape, word.dtype) == (counter.shape, jnp.uint32)
  assert len(np.unique(np.stack([first, second]))) > 2 * counter.size - 64  # birthdays: 2¹³ of 2³²
  np.testing.assert_array_equal(words(0, counter.T)[0], first.T)
  np.testing.assert_array_equal(words(0, counter[3, 4])[1], second[3, 4])
  assert np.mean(np.asarray(words(1, counter)[0]) == first) < 0.01


@pytest.mark.parametrize(
  ("name", "set_size"),
  [(name, 2 if DISTRIBUTIONS[name].in_sets else 1) for name in FREE],
)
def test_a_distribution_is_a_function_of_its_draws_and_silent_where_the_density_is_zero(
  name, set_size
):
  numbers = {"data.set_size": set_size, "data.rank": 2, "data.loading": 0.5}
  numbers["data.correlation"] = 0.5
  distribution = declare.build("data.distribution", name, numbers)
  n_draws = distribution.n_draws(6)

  u = np.random.default_rng(0).uniform(size=(2, n_draws, 64)).astype(np.float32)

  @jax.jit
  def sample(u, density):
    instance = instance_of(density)
    return jax.vmap(lambda u: distribution.features(u, instance), 1, 1)(u)

  density = np.array([0, 0.5, 0, 1, 1e-3, 0], np.float32)
  x = np.asarray(sample(u[0], density))
  assert x.shape == (6, 64)
  assert_float32_and_finite(x)
  np.testing.assert_array_equal(x[np.array([0, 2, 5])], 0)
  assert np.all(x[3] != 0)
  assert 0 < np.mean(x[1] != 0) < 1
  np.testing.assert_array_equal(sample(u[0], density), x)
  assert np.any(np.asarray(sample(u[1], density)) != x)
  np.testing.assert_array_equal(sample(u[0], np.zeros(6, np.float32)), 0)
  together = jax.jit(jax.vmap(sample, (0, None)))(u, density)
  np.testing.assert_allclose(together[0], x, rtol=ROUND_OFF)


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_treats_every_instance_by_itself(name):
  base, ratio = np.array([0.1, 0.5, 1, 0]), np.array([0.5, 1, 2, 3])

  def values_of(base, ratio):
    halves = dict.fromkeys(("exponent", "tail", "scale"), np.full(len(base), 0.5))
    numbers = {f"density.{field}": column for field, column in halves.items()}
    row = declare.build("density.profile", name, numbers | {"density.ratio": ratio})
    return row.values(base, N)

  values = values_of(base, ratio)
  assert values.shape == (4, N)
  assert np.all(np.isfinite(values))
  for i in range(4):
    np.testing.assert_array_equal(values_of(base[[i]], ratio[[i]])[0], values[i])
  if name == "pareto":  # the only one whose base is a sum
    np.testing.assert_allclose(values.sum(axis=1), base)
  else:  # at ratio 1 every other profile is uniform
    np.testing.assert_array_equal(values_of(base, np.ones(4)), np.repeat(base[:, None], N, 1))


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizer_keeps_float32_moves_the_parameters_downhill_and_stands_still_at_rate_zero(
  name, schedule
):
  spec = small.spec(model="absolute_value", optimizer=name, schedule=schedule)
  one = problem.make(spec)
  params = one.init(key(stream=Stream.INIT))

  def value_and_gradient(params):  # of ½ Σ (θ + 1)²
    gradients = jax.tree.map(lambda leaf: leaf + 1, params)
    return sum(0.5 * jnp.sum(leaf**2) for leaf in jax.tree.leaves(gradients)), gradients

  @jax.jit
  def after_two_steps(rate):
    instance = Instance(
      index=jnp.int32(0),
      density=jnp.ones(5),
      importance=jnp.ones(5),
      learning_rate=rate,
      numbers={
        "train.weight_decay": jnp.float32(0.01),
        "train.norm_decay": jnp.float32(-0.01),
        "train.bias_decay": jnp.float32(0.01),
      },
    )
    optimizer, trained = one.optimizer(instance), params
    state = optimizer.init(trained)
    for _ in range(2):
      updates, state = optimizer.update(
        value_and_gradient(trained)[1], state, trained, value_and_gradient=value_and_gradient
      )
      trained = optax.apply_updates(trained, updates)
    return trained

  moved, still = after_two_steps(jnp.float32(0.1)), after_two_steps(jnp.float32(0))
  assert_float32_and_finite(moved)
  for before, after, same in zip(*map(jax.tree.leaves, (params, moved, still)), strict=True):
    assert np.all(np.asarray(after) < before)
    if not searches(name):  # it finds the length of its steps itself
      np.testing.assert_array_equal(same, before)


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_starts_at_the_full_rate_and_stays_within_it(name):
  factors = jax.vmap(lambda step: jnp.float32(SCHEDULES[name](step, small.SPEC.steps)))(
    jnp.arange(small.SPEC.steps)
  )
  assert factors[0] == 1
  assert np.all((factors >= -ROUND_OFF) & (factors <= 1))


@pytest.mark.parametrize("name", MEASURES)
def test_a_measure_has_the_declared_axes_and_does_not_depend_on_the_hidden_basis(name):
  measure = MEASURES[name]
  rng = np.random.default_rng(0)
  W, rotation = rng.normal(size=(M, N)), np.linalg.qr(rng.normal(size=(M, M)))[0]
  instance = instance_of(jnp.float32(rng.uniform(size=N)))

  def measured(W):
    params = AutoencoderParams(W=jnp.float32(W), b=jnp.zeros(N))
    return measure.function(params, instance)

  values = measured(W)
  assert values.shape == tuple(SIZES[dim] for dim in measure.dims)
  assert_float32_and_finite(values)
  np.testing.assert_allclose(measured(rotation @ W), values, rtol=ROUND_OFF, atol=ROUND_OFF)


@pytest.mark.parametrize("name", MEASURES)
def test_a_measure_is_finite_without_any_weights_unless_documented(name):
  params = AutoencoderParams(W=jnp.zeros((M, N)), b=jnp.zeros(N))
  values = np.asarray(MEASURES[name].function(params, instance_of(jnp.full(N, 0.5))))
  assert np.all(np.isfinite(values)) or "infinite" in (MEASURES[name].function.__doc__ or "")
  assert not np.any(np.isnan(values))


@pytest.mark.parametrize("model", expected_loss.MODELS)
@pytest.mark.parametrize("name", EVALUATIONS)
def test_an_evaluation_is_the_expected_loss_within_its_error(name, model):
  n_samples, n_instances = 64 * 1024, 2
  one = problem.make(small.spec(model=model, n_features=4))
  first = jax.jit(jax.vmap(lambda i: one.init(key(i, Stream.INIT))))
  params = first(jnp.arange(n_instances))
  rng = np.random.default_rng(0)
  instances = Instance(
    index=jnp.arange(n_instances),
    density=jnp.float32(rng.uniform(0.1, 1, size=(n_instances, 4))),
    importance=jnp.float32(rng.uniform(0.1, 1, size=(n_instances, 4))),
    learning_rate=jnp.ones(n_instances),
  )
  losses = jax.jit(lambda p, i: evaluate(one, p, i, name, n_samples))(params, instances)
  apply = jax.jit(jax.vmap(one.model.apply, (None, 0)))
  assert losses.shape == (n_instances, 4)
  assert_float32_and_finite(losses)
  for i in range(n_instances):
    active = rng.uniform(size=(n_samples, 4)) < np.asarray(instances.density[i])
    x = active * rng.uniform(size=(n_samples, 4))
    outputs = apply(jax.tree.map(lambda leaf, i=i: leaf[i], params), jnp.float32(x))
    error = np.asarray(instances.importance[i]) * (x - np.asarray(outputs)) ** 2
    spread = error.std(axis=0) * np.sqrt(2 / n_samples)  # of the difference of two sample means
    assert np.all(np.abs(error.mean(axis=0) - losses[i]) < N_ERRORS * spread)


def test_the_samples_of_an_evaluation_do_not_depend_on_the_generator_of_training():
  instances = Instance(
    index=jnp.arange(2, dtype=jnp.int32),
    density=jnp.full((2, N), 0.3),
    importance=jnp.ones((2, N)),
    learning_rate=jnp.ones(2),
  )
  losses = []
  for generator in GENERATORS:
    one = problem.make(small.spec(n_features=N, n_hidden=M, generator=generator))
    params = jax.vmap(lambda i, one=one: one.init(key(i, Stream.INIT)))(jnp.arange(2))
    losses.append(evaluate(one, params, instances, "sampled", 2048))
  for other in losses[1:]:
    np.testing.assert_array_equal(other, losses[0])


@pytest.mark.parametrize("name", INITIALIZERS)
def test_an_initializer_gives_a_positive_standard_deviation(name):
  for n, m, n_instances in ((1, 1, 1), (400, 30, 10)):
    row = declare.build("init.scheme", name, {"init.n_instances": n_instances})
    std = row.std(n_features=n, n_hidden=m)
    assert isinstance(std, float)
    assert 0 < std <= 1


# Targets that are made of one feature each; others mix them.
MIXING = ("weighted_squares", "block_circuit", "mixed_relu", "pairs")
BY_FEATURE = [name for name in TARGETS if name not in MIXING]


@pytest.mark.parametrize("name", BY_FEATURE)
def test_a_target_keeps_shape_and_type_and_treats_every_value_by_itself(name):
  built = declare.build("data.target", name, {"data.residual": 2.0})
  row = function_of(built)
  x = jnp.float32(np.random.default_rng(0).uniform(-1, 1, size=(4, N)))
  target = row(x, x)
  assert (target.shape, target.dtype) == (x.shape, x.dtype)
  np.testing.assert_array_equal(row(x[::-1, ::-1], x[::-1, ::-1]), target[::-1, ::-1])


@pytest.mark.parametrize("name", REDUCTIONS)
def test_a_reduction_is_linear_and_treats_all_features_alike(name):
  loss, reduce = jnp.array([0.1, 2, 0, 0.7]), REDUCTIONS[name]
  assert (reduce(loss).shape, reduce(loss).dtype) == ((), jnp.float32)
  assert float(reduce(loss)) > 0
  np.testing.assert_allclose(reduce(3 * loss), 3 * reduce(loss), rtol=ROUND_OFF)
  np.testing.assert_allclose(reduce(loss[::-1]), reduce(loss), rtol=ROUND_OFF)


@pytest.mark.parametrize("name", experiments.NAMES)
def test_an_experiment_names_fields_and_measures_that_exist(name):
  row = experiments.get(name)
  assert set(row.measures) <= set(MEASURES)
  known = fields.fields().keys()
  assert row.requires.keys() <= known
  assert set(row.may_vary) <= known
  assert not row.requires.keys() & set(row.may_vary)
  assert {field for field in row.axes.values() if field} <= known
  assert all(callable(function) for function in (row.refuses, row.run, row.claims, row.figure))


@pytest.mark.parametrize("field", declare.TABLES)
def test_the_rows_of_a_table_are_chosen_by_a_field_and_declare_their_own(field):
  assert isinstance(fields.fields()[field].declaration, declare.Choice)
  for row in declare.TABLES[field].values():
    for attribute, declaration in declare.declared(row):
      declaration.check(f"{field.rpartition('.')[0]}.{attribute}", declaration.default)
      assert declaration.about


def test_parameters_are_labelled_by_axes_that_exist():
  for model in MODELS:
    names = param_names(model)
    assert set(names) <= set(PARAM_DIMS)
    for name in names:
      assert set(PARAM_DIMS[name]) <= set(SIZES)
