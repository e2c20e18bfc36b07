"""Every way to the loss and gradient of a step gives what jax's differentiation of the model gives
for the same inputs, and sees inputs of the right distribution."""

import dataclasses
import functools
import itertools
import logging
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from tests import small
from toy_superposition import draws, estimators, models, problem, sizes, streams
from toy_superposition.devices import mapping, meshes, setup
from toy_superposition.distributions import DISTRIBUTIONS
from toy_superposition.estimators import (
  ESTIMATORS,
  FUSED_PARAMS,
  SPARSE_DENSITY,
  SPARSE_FEATURES,
  autodiff,
  blocked,
  choose,
  fused,
  sparse,
)
from toy_superposition.estimators.estimator import Method
from toy_superposition.models import MODELS, AutoencoderParams
from toy_superposition.streams import Stream
from toy_superposition.theory import expected_loss, phase_change
from toy_superposition.types import Instance, Spec

# float32 against a mean in float64: of BATCH terms, of sums over the features each, relative to the
# largest of the terms' mean sizes.
ROUND_OFF = 1e-5
N_ERRORS = 4.5  # standard errors: a chance of 1e-5 per number, and the keys are fixed
LEAST_P_VALUE = 1e-3  # of a Kolmogorov–Smirnov test
N, M, BATCH, BLOCK = 4, 3, 100, 32  # three blocks, and a smaller one
N_SPARSE = 64  # more features than slots
FEW_ACTIVE = ("sparse", "sampled")
REDUCTIONS, GENERATORS = ("sum", "mean"), ("threefry", "hash")
SAMPLING = ("autodiff", "fused", "blocked")  # they see the same numbers
INDEPENDENT = ("sparse_uniform", "sparse_signed_uniform")


@pytest.fixture(autouse=True)
def several_blocks(monkeypatch):
  monkeypatch.setattr(blocked, "BLOCK", BLOCK)


def compiled(function, name: str, *operands):
  """Returns the results of a function that is compiled as training compiles the estimator's."""
  mesh = meshes.make_mesh(setup.devices(1))
  lowered = jax.jit(function).lower(*operands)
  return mapping.compile_for(mesh, lowered, ESTIMATORS[name].cpu_options)(*operands)


def random_params(spec: Spec, n_instances: int):
  """Returns weights and biases of both signs, with a leading instance axis."""
  rng = np.random.default_rng(0)
  return jax.tree.map(
    lambda leaf: jnp.float32(0.5 * rng.normal(size=(n_instances, *leaf.shape))),
    sizes.abstract_params(spec),
  )


SWEPT = {"copula": "data.loading", "shared_coin": "data.correlation"}


def instances_of(spec: Spec) -> Instance:
  """Returns instances that are dense, sparse, hardly ever active, and mixed with silent features.

  Some importances of every instance are zero, in each instance others.
  """
  n = spec.n_features
  mixed = np.resize([0, 1, 0.1, 0.5], n)
  density = np.stack([np.full(n, p) for p in (1, 0.1, 0.001)] + [mixed])
  if spec.estimator in FEW_ACTIVE:
    density = 0.09 * density
  if DISTRIBUTIONS[spec.distribution].exclusive:
    density = density / spec.row("data.distribution").set_size
  importance = np.random.default_rng(1).uniform(0.1, 2, size=density.shape)
  importance[np.arange(n) % 5 == np.arange(4)[:, None]] = 0
  return Instance(
    index=jnp.arange(4, dtype=jnp.int32),
    density=jnp.float32(density),
    importance=jnp.float32(importance),
    learning_rate=jnp.ones(4),
    numbers={SWEPT[spec.distribution]: jnp.full(4, 0.5)} if spec.distribution in SWEPT else {},
  )


def keys_of(instances: Instance):
  """Returns every instance's key of step 2."""
  root = streams.root(0)
  return jax.vmap(lambda i: draws.fold_in(streams.words(root, Stream.TRAIN, i), 2))(instances.index)


def inputs_of(method: Method):
  assert method.inputs is not None
  return method.inputs


def autodiff_inputs(spec: Spec, instance: Instance, key):
  return inputs_of(ESTIMATORS["autodiff"].make(problem.make(spec), instance))(instance, key)


# The contract.


def case_of(name: str, model: str, distribution: str) -> Spec:
  """Returns the Spec in which an estimator is tried with a model and a distribution.

  Target, reduction and generator follow from these, so that every pair of choices occurs.
  """
  i, j = TOYS.index(model), list(DISTRIBUTIONS).index(distribution)
  return small.spec(
    model=model,
    distribution=distribution,
    target=("identity", "absolute")[(i + j) % 2],
    reduction=REDUCTIONS[(i // 2 + j) % 2],
    generator=GENERATORS[(i % 2 + i // 2 + j) % 2],
    set_size=2 if DISTRIBUTIONS[distribution].in_sets else 1,
    rank=1 if distribution == "copula" else 0,
    branching=1,
    k_active=2,
    n_features=N_SPARSE if name in FEW_ACTIVE else N,
    n_hidden=M,
    batch_size=BATCH,
    estimator=name,
  )


# Models of features; sparse autoencoders are in sparse_autoencoders_test.py.
TOYS = [name for name in MODELS if models.sees_features(name)]
# The paper's distributions; the others, which estimators see as the same kind of function, meet one
# model.
PAPER_DISTRIBUTIONS = tuple(DISTRIBUTIONS)[:4]
OTHERS = [name for name in tuple(DISTRIBUTIONS)[4:] if name != "circle"]  # of two features
COMBINATIONS = [
  *itertools.product(TOYS, PAPER_DISTRIBUTIONS),
  *(("relu_output", distribution) for distribution in OTHERS),
]
FINITE = ("bag_of_words", "tuned_circle")  # whatever their values are
TARGETS = ("identity", "absolute")
NOT_FUSED = ("tree", "exactly_k", "bag_of_words")  # they order features, or look up others
SUPPORTED = [
  *(
    (name, *c)
    for name in SAMPLING
    for c in COMBINATIONS
    if name != "fused" or c[1] not in NOT_FUSED
  ),
  *(("sparse", *c) for c in COMBINATIONS if DISTRIBUTIONS[c[1]].independent),
]


# In the default suite one estimator, the fastest to compile, meets every distribution with the
# paper's model, and every estimator meets the paper's first distribution.
def marked(combination: tuple[str, str, str]):
  name, model, distribution = combination
  quick = model == "relu_output" and (name == "autodiff" or distribution == "sparse_uniform")
  return pytest.param(*combination, marks=() if quick else pytest.mark.slow)


@pytest.mark.slow
def test_the_combinations_that_an_estimator_takes_are_those_that_are_tried():
  taken = []
  for name, (model, distribution) in itertools.product(ESTIMATORS, COMBINATIONS):
    for target in TARGETS:
      spec = dataclasses.replace(case_of(name, model, distribution), target=target)
      if not ESTIMATORS[name].refuses(spec, instances_of(spec)):
        taken.append((name, model, distribution, target))
  exact = [("exact", model, "sparse_uniform", "identity") for model in ("linear", "relu_output")]
  exact += [("exact", "relu_output", name, t) for name in FINITE for t in TARGETS]
  sampled = [  # tried in sampled_test.py
    ("sampled", *c, t)
    for c in COMBINATIONS
    for t in TARGETS
    if DISTRIBUTIONS[c[1]].independent and c[0] != "sum_of_squares"
  ]
  assert sorted(taken) == sorted([(*c, t) for c in SUPPORTED for t in TARGETS] + exact + sampled)


@pytest.mark.parametrize("name", [*SAMPLING, "sparse"])
def test_every_pair_of_choices_is_tried(name):
  fields = ("model", "distribution", "target", "reduction", "generator")
  paper = [c for c in SUPPORTED if c[0] == name and c[2] in PAPER_DISTRIBUTIONS]
  specs = [case_of(*combination) for combination in paper]
  for a, b in itertools.combinations(fields, 2):
    pairs = {(getattr(spec, a), getattr(spec, b)) for spec in specs}
    assert len(pairs) == len({x for x, _ in pairs}) * len({y for _, y in pairs}), (a, b)
  for field, table in (("target", TARGETS), ("reduction", REDUCTIONS), ("generator", GENERATORS)):
    assert {getattr(spec, field) for spec in specs} == set(table)


class Outcome(NamedTuple):
  """What a method returns for instances, and jax's for each of the examples that it saw."""

  own_loss: Any  # that comes with the gradient, or None
  gradient: Any
  loss: Any
  inputs: Any
  losses: Any
  gradients: Any


def outcome(spec: Spec, **numbers: float) -> Outcome:
  one, instances = problem.make(spec), instances_of(spec)
  each = {field: jnp.full(4, number) for field, number in numbers.items()}
  instances = dataclasses.replace(instances, numbers=instances.numbers | each)
  method = ESTIMATORS[spec.estimator].make(one, instances)

  def of_instance(params, instance, key) -> Outcome:
    def of_example(params, x):
      weight = instance.numbers.get("loss.hidden_l1", 0)
      penalty = weight * jnp.sum(jnp.abs(one.model.encode(params, x)))
      return one.reduction(one.feature_loss(params, instance, x[:, None])) + penalty

    x = inputs_of(method)(instance, key)
    each = jax.vmap(jax.value_and_grad(of_example), (None, 1))(params, x)
    return Outcome(
      *method.gradient(params, instance, key), method.loss(params, instance, key), x, *each
    )

  operands = (random_params(spec, 4), instances, keys_of(instances))
  return compiled(jax.vmap(of_instance), spec.estimator, *operands)


def assert_is_the_mean(found, terms):
  """Checks (instance, …) against the mean of (instance, example, …) in float64."""
  for x, y in zip(*map(jax.tree.leaves, (found, terms)), strict=True):
    y = np.asarray(y, np.float64)
    assert (x.shape, x.dtype) == (y.mean(axis=1).shape, jnp.float32)
    size = np.abs(y).mean(axis=1).max(axis=tuple(range(1, x.ndim)), keepdims=True)
    assert np.all(np.abs(x - y.mean(axis=1)) <= ROUND_OFF * size)


@pytest.mark.parametrize(("name", "model", "distribution"), [marked(c) for c in SUPPORTED])
def test_loss_and_gradient_are_those_of_the_model_for_the_inputs_seen(name, model, distribution):
  assert_follows_the_model(case_of(name, model, distribution))


@pytest.mark.slow
def test_large_batches_are_summed_in_blocks_without_a_systematic_error():
  # One float32 that adds up 2²⁰ gradients of biases is off by 3.5e-4 on average; blocks by 1e-6.
  spec = dataclasses.replace(
    case_of("fused", "relu_output", "sparse_uniform"), batch_size=2**20 + 5, target="identity"
  )
  found = outcome(spec)
  exact = np.asarray(found.gradients.b, np.float64).mean(axis=1)
  large = np.abs(exact) > 0.1
  assert large.sum() >= 6
  assert abs(np.mean(((found.gradient.b - exact) / np.abs(exact))[large])) < 5e-6
  assert fused.parts(5000) == [((1, 4096), 0), ((904,), 4096)]
  assert fused.parts(4096) == [((4096,), 0)] and fused.parts(8192) == [((2, 4096), 0)]


@pytest.mark.quick("fused-relu_output")
@pytest.mark.parametrize(
  "model", ["relu_output", pytest.param("absolute_value", marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("name", [*SAMPLING, "sparse"])
def test_a_penalty_on_hidden_activations_is_part_of_loss_and_gradient(name, model):
  free = case_of(name, model, "sparse_signed_uniform")
  spec = dataclasses.replace(free, active=("loss.hidden_l1",))
  penalty = {"loss.hidden_l1": 0.7}
  assert_follows_the_model(spec, **penalty)
  assert outcome(spec, **penalty).loss[0] > outcome(free).loss[0]  # of the dense instance


ATTACKED = ("autodiff", "blocked")


def attacked(name: str, **changes) -> tuple[Any, Any]:
  """Returns loss and gradient of x′ = I x + 0 under attacks of .3 times the norm of inputs."""
  density = jnp.array([1, 0.1, 0.2, 0.7])
  fields: dict[str, Any] = {"n_features": N, "n_hidden": N, "model": "linear", "attack": 0.3}
  spec = small.spec(estimator=name, **fields | changes)
  instance = Instance(jnp.int32(0), density, jnp.ones(N), jnp.ones(()))
  key = draws.fold_in(streams.words(streams.root(0), Stream.TRAIN, 0), 2)
  params = AutoencoderParams(W=jnp.eye(N), b=jnp.zeros(N))
  method = ESTIMATORS[name].make(problem.make(spec), instance)

  def both(*operands):
    return method.loss(*operands), method.gradient(*operands)[1]

  return compiled(both, name, params, instance, key)


@pytest.mark.quick("autodiff-hash")
@pytest.mark.parametrize("generator", GENERATORS)
@pytest.mark.parametrize("name", ATTACKED)
def test_attacks_of_random_features_cost_the_identity_their_squared_norm(name, generator):
  loss, gradient = attacked(name, batch_size=2000, generator=generator)
  size = 0.3 * (2.0 / 3) ** 0.5  # Σ p = 2
  np.testing.assert_allclose(loss, size**2, rtol=ROUND_OFF)
  # E 2 (x′ − x) = 2 δ, of which each feature has a share; a share is binomial.
  share = gradient.b / (2 * size)
  np.testing.assert_allclose(share.sum(), 1, rtol=ROUND_OFF)
  assert np.all(np.abs(share - 1 / N) < N_ERRORS * (1 / N * (1 - 1 / N) / 2000) ** 0.5)


@pytest.mark.slow
def test_attacked_inputs_are_the_same_for_all_that_take_them():
  reference, found = (attacked(name, batch_size=BATCH, model="relu_output") for name in ATTACKED)
  for x, y in zip(jax.tree.leaves(reference), jax.tree.leaves(found), strict=True):
    np.testing.assert_allclose(x, y, rtol=ROUND_OFF, atol=ROUND_OFF)
  spec = small.spec(attack=0.3)
  refused = [name for name in ESTIMATORS if ESTIMATORS[name].refuses(spec, instances_of(spec))]
  assert set(refused) == set(ESTIMATORS) - set(ATTACKED)
  assert choose(dataclasses.replace(spec, estimator="auto"), instances_of(spec), "cpu") in ATTACKED


def assert_follows_the_model(spec: Spec, **numbers: float):
  """Checks loss and gradient against jax's for each of the examples seen."""
  found = outcome(spec, **numbers)
  assert found.inputs.shape == (4, spec.n_features, BATCH)
  assert_is_the_mean(found.loss, found.losses)
  assert_is_the_mean(found.gradient, found.gradients)
  if found.own_loss is not None:
    np.testing.assert_allclose(found.own_loss, found.loss, rtol=ROUND_OFF)
  moved = [bool(np.any(leaf != 0)) for leaf in jax.tree.leaves(found.gradient)]
  assert sum(moved) >= len(moved) - (spec.model == "unbiased_relu_output")  # its b has no effect


# What it sees.


@pytest.mark.quick("autodiff-threefry-0", "fused-hash-1e-05", "blocked-hash-0")
@pytest.mark.parametrize("lowest", [0, 1e-5])  # the second: an instance whose draws have more bits
@pytest.mark.parametrize("generator", GENERATORS)
@pytest.mark.parametrize("name", SAMPLING)
def test_the_sampling_estimators_see_the_same_inputs_bitwise(name, generator, lowest):
  # A feature's loss is b_i where x_i is the importance to the last bit: with the importances of
  # one example of the reference's batch, one in BATCH examples has them.
  spec = small.spec(
    n_features=N, n_hidden=M, batch_size=BATCH, generator=generator, estimator="autodiff"
  )
  spec = dataclasses.replace(spec, rare=lowest > 0)
  instance = dataclasses.replace(
    jax.tree.map(lambda leaf: leaf[3], instances_of(spec)),
    density=jnp.array([lowest, 1, 0.1, 0.7]),
  )
  key = keys_of(instances_of(spec))[0]
  x = autodiff_inputs(spec, instance, key)

  def decoded_loss(params, instance, x, h):
    del h
    return params.b * (x == instance.importance)

  one = problem.make(spec)._replace(decoded_loss=decoded_loss)
  method = ESTIMATORS[name].make(one, instance)
  params = jax.tree.map(lambda leaf: leaf[0], random_params(spec, 1))

  def share(importance):
    of_example = dataclasses.replace(instance, importance=importance)
    return method.gradient(params, of_example, key)[1].b

  shares = BATCH * compiled(jax.vmap(share), name, x.T)
  zeros = np.sum(np.asarray(x) == 0, axis=1)
  np.testing.assert_allclose(shares, np.where(x.T == 0, zeros, 1), rtol=ROUND_OFF)
  np.testing.assert_array_equal(inputs_of(method)(instance, key), x)


class Rare(NamedTuple):
  """What `sparse` is tried on for its distribution: density varies from feature to feature."""

  density: np.ndarray
  inputs: np.ndarray  # (example, feature)


N_EXAMPLES = 100_000
COMMON = 0.02  # density from which on there are enough active values to test their distribution


@functools.cache
def rare(distribution: str, generator: str) -> Rare:
  n = 120
  spec = small.spec(
    n_features=n, distribution=distribution, generator=generator, batch_size=N_EXAMPLES
  )
  density = np.geomspace(0.001, 0.09, n)[np.random.default_rng(0).permutation(n)]
  density[[0, 7, n - 1]] = 0.05, 0, 0.05  # at both ends, whose gaps are cut off
  density = density.astype(np.float32)
  instance = Instance(
    index=jnp.int32(0),
    density=jnp.asarray(density),
    importance=jnp.ones(n),
    learning_rate=jnp.float32(1),
  )
  # The slots are those of a group in which others are active more often.
  group = dataclasses.replace(instance, density=jnp.stack([instance.density, jnp.full(n, 0.09)]))
  inputs = inputs_of(sparse.SPARSE.make(problem.make(spec), group))
  x = jax.jit(inputs)(instance, draws.fold_in(streams.words(streams.root(0), Stream.TRAIN, 0), 0))
  return Rare(density.astype(float), np.asarray(x, np.float64).T)


every_rare = pytest.mark.parametrize(
  ("distribution", "generator"),
  [*((name, "threefry") for name in INDEPENDENT), ("sparse_uniform", "hash")],
)


def z_scores(values, expected, variance):
  """Returns the errors of the means over the examples in standard errors; 0 where both are 0."""
  error = values.mean(axis=0) - expected
  return error / np.sqrt(np.where(variance > 0, variance, 1) / len(values))


def assert_normal(z):
  """Checks standard errors one by one, and that they are not too large or too small together."""
  z = z[z != 0]
  chance = 2 * stats.norm.sf(np.abs(z).max())
  assert chance * z.size >= 2 * stats.norm.sf(N_ERRORS)  # of any of them to be so large
  assert abs((z**2).mean() - 1) <= N_ERRORS * np.sqrt(2 / z.size)


@pytest.mark.quick("sparse_uniform-hash")
@every_rare
def test_gap_by_gap_every_feature_has_its_density_and_moments(distribution, generator):
  p, x = rare(distribution, generator)
  mean = 0.5 if distribution == "sparse_uniform" else 0
  assert_normal(z_scores(x != 0, p, p * (1 - p)))
  assert_normal(z_scores(x, p * mean, p / 3 - (p * mean) ** 2))
  assert_normal(z_scores(x**2, p / 3, p / 5 - (p / 3) ** 2))
  np.testing.assert_array_equal(x[:, p == 0], 0)


@pytest.mark.quick("sparse_uniform-hash")
@every_rare
def test_gap_by_gap_active_values_are_uniform(distribution, generator):
  p, x = rare(distribution, generator)
  low, width = (0, 1) if distribution == "sparse_uniform" else (-1, 2)
  p_values = []
  for active in (x[:, i][x[:, i] != 0] for i in np.flatnonzero(p > COMMON)):
    assert low <= active.min() and active.max() < low + width
    p_values.append(stats.kstest(active, "uniform", args=(low, width)).pvalue)
  assert stats.kstest(p_values, "uniform").pvalue > LEAST_P_VALUE


@pytest.mark.quick("sparse_uniform-hash")
@every_rare
def test_gap_by_gap_features_are_independent(distribution, generator):
  p, x = rare(distribution, generator)
  common = x[:, p > COMMON]
  for columns in (common, common != 0, common**2):
    standard = (columns - columns.mean(axis=0)) / columns.std(axis=0)
    products = np.einsum("ki,kj->ij", standard, standard) / np.sqrt(len(x))
    assert_normal(products[np.triu_indices(len(products), 1)])
  # How many are active together: the variance of a sum of independent ones, not more or less.
  n_active = (x != 0).sum(axis=1)
  variance = (p * (1 - p)).sum()
  fourth = (p * (1 - p) * (1 - 6 * p * (1 - p))).sum() + 3 * variance**2  # by its cumulants
  z = ((n_active - p.sum()) ** 2).mean() - variance
  assert abs(z) <= N_ERRORS * np.sqrt((fourth - variance**2) / len(x))


@pytest.mark.quick("sparse_uniform-hash")
@every_rare
def test_gap_by_gap_examples_are_independent(distribution, generator):
  _, x = rare(distribution, generator)
  n_active = (x != 0).sum(axis=1)
  for lag in (1, 2, 64):
    correlation = np.corrcoef(n_active[lag:], n_active[:-lag])[0, 1]
    assert abs(correlation) <= N_ERRORS / np.sqrt(len(x) - lag)


@pytest.mark.slow
def test_a_silent_instance_beside_others_sees_nothing():
  spec = case_of("sparse", "relu_output", "sparse_uniform")
  instances = instances_of(spec)
  silent = dataclasses.replace(
    jax.tree.map(lambda leaf: leaf[0], instances), density=jnp.zeros(N_SPARSE)
  )
  method = ESTIMATORS["sparse"].make(problem.make(spec), instances)
  np.testing.assert_array_equal(inputs_of(method)(silent, keys_of(instances)[0]), 0)


@pytest.mark.parametrize("n_features", [30, 100, 1000, 10_000, 100_000])
@pytest.mark.parametrize("density", [1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.1])
def test_an_example_has_more_active_features_than_slots_with_a_chance_of_1e_13(n_features, density):
  slots = sparse.n_slots(n_features, density)
  assert stats.binom.sf(slots, n_features, density) < 1e-13
  assert slots <= n_features
  # And not so many more than needed that the point of it is lost.
  assert slots <= n_features * density + 8 * np.sqrt(n_features * density) + 21


def test_sparse_takes_densities_up_to_a_tenth():
  spec = case_of("sparse", "relu_output", "sparse_uniform")
  for density, taken in ((0.1, True), (0.101, False)):
    instances = dataclasses.replace(instances_of(spec), density=jnp.full((4, N_SPARSE), density))
    assert (sparse.SPARSE.refuses(spec, instances) == "") == taken


# Precision.

BF16 = 2.0**-8  # largest relative error of a number rounded to bfloat16, which has 8 digits
PRODUCT = (1 + BF16) ** 2 - 1  # and of a product of two


def test_products_are_of_operands_rounded_to_bfloat16_and_summed_in_float32():
  rng = np.random.default_rng(0)
  a, b = (jnp.float32(rng.normal(size=shape)) for shape in ((4, 300), (300, 5)))
  product = jax.jit(blocked.in_bfloat16(lambda a, b: 1 + a @ b))(a, b)
  rounded = (np.asarray(v.astype(jnp.bfloat16), np.float64) for v in (a, b))
  size = np.abs(a) @ np.abs(b)
  np.testing.assert_allclose(product, 1 + np.matmul(*rounded), atol=ROUND_OFF * size.max())
  assert np.all(np.abs(product - (1 + a @ b)) <= PRODUCT * size)
  assert np.all(product != 1 + a @ b)


class Bounded(NamedTuple):
  """A number and a bound on its error."""

  value: np.ndarray
  error: np.ndarray

  def times(self, other: "Bounded") -> "Bounded":
    """Returns a matrix product whose operands are rounded to bfloat16."""
    sizes = (np.abs(self.value) + self.error) @ (np.abs(other.value) + other.error)
    exact = np.abs(self.value) @ np.abs(other.value)
    return Bounded(self.value @ other.value, (1 + PRODUCT) * sizes - exact)

  @property
  def T(self) -> "Bounded":
    return Bounded(self.value.T, self.error.T)

  def plus(self, other, scale=1) -> "Bounded":
    return Bounded(self.value + scale * other.value, self.error + abs(scale) * other.error)


def exactly(value) -> Bounded:
  return Bounded(np.asarray(value, np.float64), np.zeros(np.shape(value)))


@pytest.mark.quick("relu_output")
@pytest.mark.parametrize("model", ["linear", "relu_output"])
def test_the_bfloat16_gradient_is_within_the_bound_of_its_roundings_and_not_that_of_float32(model):
  spec = small.spec(model=model, n_features=N, n_hidden=M, batch_size=BATCH, estimator="blocked")
  instances = instances_of(spec)
  instance = jax.tree.map(lambda leaf: leaf[1], instances)
  params = jax.tree.map(lambda leaf: leaf[0], random_params(spec, 1))
  # So large that rounding carries no output over the kink; what is below it has no gradient.
  params = dataclasses.replace(params, b=jnp.array([3.0, -3, 3, 3]))
  key = keys_of(instances)[1]

  def gradient(precision):
    one = problem.make(dataclasses.replace(spec, precision=precision))
    method = ESTIMATORS["blocked"].make(one, instances)
    return compiled(
      lambda *operands: method.gradient(*operands)[1], "blocked", params, instance, key
    )

  x = exactly(autodiff_inputs(spec, instance, key))
  W, b, importance = exactly(params.W), exactly(params.b[:, None]), np.asarray(instance.importance)
  h = W.times(x)
  z = W.T.times(h).plus(b)
  alive = np.ones_like(z.value) if model == "linear" else z.value > 0
  assert np.all(np.abs(z.value) > z.error)
  scale = 2 * importance[:, None] / BATCH * alive
  residual = z.plus(x, -1)
  r = Bounded(scale * residual.value, scale * residual.error)
  by_decoder, by_encoder = h.times(r.T), W.times(r).times(x.T)
  expected = by_decoder.plus(by_encoder)
  full, half = gradient("float32"), gradient("bfloat16")
  size = ROUND_OFF * np.abs(expected.value).max()
  np.testing.assert_allclose(full.W, expected.value, rtol=0, atol=size)
  assert np.all(np.abs(half.W - expected.value) <= expected.error + size)
  assert np.all(np.abs(half.b - r.value.sum(axis=1)) <= r.error.sum(axis=1) + size)
  assert np.mean(np.asarray(half.W) != full.W) > 0.9


# The expected loss.


def exact_of(spec: Spec, instance: Instance, params):
  """Returns loss, the loss that comes with the gradient, and the gradient."""
  method = ESTIMATORS["exact"].make(problem.make(spec), instance)
  key = jnp.zeros(2, jnp.uint32)
  assert method.inputs is None

  def both(params, instance):
    return method.loss(params, instance, key), *method.gradient(params, instance, key)

  return compiled(both, "exact", params, instance)


def uneven(n: int) -> Instance:
  """Returns an instance with another density and importance for each feature."""
  return Instance(
    index=jnp.int32(0),
    density=jnp.linspace(0.1, 0.9, n),
    importance=jnp.linspace(1.5, 0.3, n),
    learning_rate=jnp.float32(1),
  )


@pytest.mark.quick("sum-relu_output")
@pytest.mark.parametrize("model", expected_loss.MODELS)
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_the_exact_loss_and_gradient_are_the_mean_of_sampled_ones(model, reduction):
  n_batches = 200
  spec = small.spec(model=model, reduction=reduction, n_features=4, n_hidden=2, batch_size=1024)
  one, instance = problem.make(spec), uneven(4)
  params = one.init(streams.key(streams.root(0), Stream.INIT, 0))
  params = dataclasses.replace(params, b=jnp.array([-0.1, 0.2, 0, 0.1]))
  method = ESTIMATORS["autodiff"].make(one, instance)
  stream = streams.words(streams.root(0), Stream.TRAIN, 0)

  def of_step(step):
    return method.gradient(params, instance, draws.fold_in(stream, step))

  steps = jax.jit(lambda: jax.lax.map(of_step, jnp.arange(n_batches)))()
  loss, own_loss, gradient = exact_of(spec, instance, params)
  np.testing.assert_allclose(own_loss, loss, rtol=ROUND_OFF)
  for x, y in zip(*map(jax.tree.leaves, ((loss, gradient), steps)), strict=True):
    y = np.asarray(y, np.float64)
    error = y.std(axis=0, ddof=1) / np.sqrt(n_batches)
    assert np.all(np.abs(y.mean(axis=0) - x) <= N_ERRORS * error)
    assert np.all(error < 0.05 * np.abs(y).mean(axis=0).max())  # a test that can fail


@pytest.mark.quick("2-sum", "2-mean")
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("n", [1, 2, 4])
def test_the_exact_loss_and_gradient_of_the_linear_model_are_the_closed_form(n, reduction):
  # x has mean p/2 and variance v = p/3 − p²/4; with D = WᵀW − 1 and e = D p/2 + b the loss is
  # Σ I_i (Σ_j D_ij² v_j + e_i²).
  spec = small.spec(model="linear", reduction=reduction, n_features=n, n_hidden=2)
  instance = uneven(n)
  rng = np.random.default_rng(n)
  W, b = rng.normal(size=(2, n)), rng.normal(size=n)
  params = AutoencoderParams(W=jnp.float32(W), b=jnp.float32(b))
  p, weight = (np.asarray(v, np.float64) for v in (instance.density, instance.importance))
  weight = weight / (n if reduction == "mean" else 1)
  D, v = W.T @ W - np.eye(n), p / 3 - p**2 / 4
  e = D @ p / 2 + b
  by_D = 2 * weight[:, None] * (D * v + e[:, None] * p / 2)
  loss, _, gradient = exact_of(spec, instance, params)
  assert float(loss) == pytest.approx(weight @ (D**2 @ v + e**2), rel=1e-6)
  for found, expected in ((gradient.W, W @ (by_D + by_D.T)), (gradient.b, 2 * weight * e)):
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-6 * np.abs(expected).max())


@pytest.mark.quick("0.3-sum", "0.3-mean")
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("density", [1.0, 0.3, 0.01])
def test_the_exact_loss_of_fixed_solutions_is_the_closed_form(density, reduction):
  spec = small.spec(n_features=2, n_hidden=1, reduction=reduction)
  r, dropped = 0.7, density / 2
  solutions = [([1, 0], [0, dropped]), ([0, 1], [dropped, 0]), ([1, -1], [0, 0])]
  instance = dataclasses.replace(
    uneven(2), density=jnp.full(2, density), importance=jnp.array([1, r])
  )
  expected = phase_change.losses(r, density, 2) / (2 if reduction == "mean" else 1)
  for (W, b), closed_form in zip(solutions, expected, strict=True):
    params = AutoencoderParams(W=jnp.float32([W]), b=jnp.float32(b))
    loss, own_loss, _ = exact_of(spec, instance, params)
    assert float(loss) == pytest.approx(closed_form, rel=1e-6)
    assert float(own_loss) == pytest.approx(closed_form, rel=1e-6)


def test_the_exact_loss_is_without_a_penalty_and_refuses_one():
  spec = small.spec(n_features=2, n_hidden=1, estimator="exact")
  spec = dataclasses.replace(spec, active=("loss.hidden_l1",))
  assert "hidden_l1" in ESTIMATORS["exact"].refuses(spec, uneven(2))


@pytest.mark.slow
def test_the_exact_loss_does_not_depend_on_the_key():
  spec = small.spec(n_features=2, n_hidden=1, estimator="exact")
  method = ESTIMATORS["exact"].make(problem.make(spec), uneven(2))
  params = AutoencoderParams(W=jnp.array([[0.5, -0.4]]), b=jnp.array([0.1, 0]))
  a, b = (method.loss(params, uneven(2), jnp.full(2, k, jnp.uint32)) for k in (0, 1))
  assert a == b


# Which one runs, and how it is compiled.


def group_of(density=0.5, **changes) -> tuple[Spec, Instance]:
  spec = small.spec(**changes)
  return spec, dataclasses.replace(
    small.group(2, of=spec).instances,
    density=np.full((2, spec.n_features), density, np.float32),
  )


@pytest.mark.parametrize("platform", ["cpu", "gpu", "tpu"])
@pytest.mark.parametrize("name", ESTIMATORS)
def test_an_estimator_that_is_named_is_the_one_that_runs(name, platform):
  assert choose(*group_of(estimator=name), platform) == name
  assert choose(*group_of(estimator=name, n_features=5000, density=1e-3), platform) == name


@pytest.mark.parametrize("platform", ["gpu", "tpu"])
def test_on_accelerators_it_is_autodiff(platform):
  for size in ({"n_hidden": 6}, {"n_features": 5000}, {"n_features": 5000, "density": 1e-3}):
    assert choose(*group_of(**{"n_features": 9} | size), platform) == "autodiff"


@pytest.mark.parametrize(("platform", "chosen"), [("gpu", "fused"), ("tpu", "autodiff")])
def test_on_gpus_the_tiniest_models_are_fused(platform, chosen):
  n, m = FUSED_PARAMS["gpu"] // 4, 3
  assert choose(*group_of(n_features=n, n_hidden=m), platform) == chosen
  assert choose(*group_of(n_features=n + 1, n_hidden=m), platform) == "autodiff"


@pytest.mark.parametrize("platform", ["cpu", "gpu", "tpu"])
def test_shared_features_or_examples_are_for_autodiff(platform):
  assert choose(*group_of(n_features=2, n_hidden=1), platform, shared=True) == "autodiff"
  assert choose(*group_of(n_features=2, n_hidden=1, examples="common"), platform) == "autodiff"


def test_on_cpu_tiny_models_are_fused_and_others_blocked():
  m = 4  # with shared weights: (m + 1) n parameters
  n = FUSED_PARAMS["cpu"] // (m + 1)
  assert choose(*group_of(n_features=n, n_hidden=m), "cpu") == "fused"
  assert choose(*group_of(n_features=n + 1, n_hidden=m), "cpu") == "blocked"
  mlp = {"model": "absolute_value", "n_hidden": m}  # (2 m + 1) n
  n = FUSED_PARAMS["cpu"] // (2 * m + 1)
  assert choose(*group_of(n_features=n, **mlp), "cpu") == "fused"
  assert choose(*group_of(n_features=n + 1, **mlp), "cpu") == "blocked"


def test_on_cpu_many_rare_independent_features_are_sparse():
  rare = {"n_features": SPARSE_FEATURES, "density": SPARSE_DENSITY}
  assert choose(*group_of(**rare), "cpu") == "sparse"
  signed = {"distribution": "sparse_signed_uniform"}
  assert choose(*group_of(**rare, **signed), "cpu") == "sparse"
  for changes in (
    {"n_features": SPARSE_FEATURES - 1},
    {"density": 1.01 * SPARSE_DENSITY},
    {"distribution": "correlated_sets"},
  ):
    assert choose(*group_of(**(rare | changes)), "cpu") == "blocked"


def test_one_frequent_feature_in_one_instance_is_enough_for_blocks():
  spec, instances = group_of(n_features=SPARSE_FEATURES, density=SPARSE_DENSITY)
  instances.density[1, 7] = 0.5
  assert choose(spec, instances, "cpu") == "blocked"


@pytest.mark.slow
def test_a_snapshot_names_the_estimator_that_was_chosen():
  group = small.group(1)
  assert group.spec.estimator == "auto"
  fixed = estimators.fixed(group, "cpu")
  assert fixed.spec.estimator == choose(group.spec, group.instances, "cpu") == "fused"
  assert estimators.fixed(fixed, "gpu").spec == fixed.spec  # the choice stays
  assert small.run(group, [1])[-1].estimator == "fused"


def test_what_is_too_large_to_be_fused_is_refused_with_both_sizes():
  spec, instances = group_of(n_features=100, n_hidden=4, estimator="fused")
  reason = fused.FUSED.refuses(spec, instances)
  assert str(fused.MAX_OUTPUTS) in reason and "500" in reason
  assert FUSED_PARAMS["cpu"] <= fused.MAX_OUTPUTS


def test_a_model_with_an_operation_that_cannot_be_written_out_is_not_fused(monkeypatch):
  def decode_sorted(params, h):
    return jnp.sort(params.W.T @ h + params.b)

  model = MODELS["linear"]._replace(decode=decode_sorted)
  monkeypatch.setitem(MODELS, "sorted", model)
  spec, instances = group_of(model="sorted")
  assert "sort" in fused.FUSED.refuses(spec, instances)
  assert choose(spec, instances, "cpu") == "blocked"
  assert np.all(np.isfinite(small.run(small.group(2, of=spec), [2])[-1].losses))


@pytest.mark.slow
def test_options_that_xla_refuses_cost_a_warning_and_nothing_else(monkeypatch, caplog):
  mapping._warn_once.cache_clear()  # said once in a process
  group = small.group(2, of=small.spec(estimator="autodiff"))
  with monkeypatch.context() as patched:
    patched.setattr(mapping, "CPU_OPTIONS", {})  # what is left if one of them is refused
    expected = small.run(group, [3])[-1]
  bogus = autodiff.AUTODIFF._replace(cpu_options={"xla_no_such_option": True})
  monkeypatch.setitem(ESTIMATORS, "autodiff", bogus)
  with caplog.at_level(logging.WARNING):
    found = small.run(group, [3])[-1]
  warnings = {record.message for record in caplog.records if record.levelname == "WARNING"}
  assert len(warnings) == 1
  message = warnings.pop()
  assert "xla_no_such_option" in message
  assert len(message.splitlines()) == 1
  for x, y in zip(*map(jax.tree.leaves, (expected, found)), strict=True):
    np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_the_options_of_every_estimator_are_accepted(name, caplog):
  if ESTIMATORS[name].cpu_options:
    with caplog.at_level(logging.WARNING):
      compiled(lambda x: x + 1, name, jnp.ones(3))
  assert caplog.records == []
