"""Distributions beyond the paper's: densities, moments and dependence in closed form."""

import dataclasses
import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import toy_superposition as ts
from toy_superposition import declare, draws, problem, streams
from toy_superposition.config import base
from toy_superposition.config.resolve import resolve
from toy_superposition.distributions import DISTRIBUTIONS, ERROR, RARE, VALUES, Valued
from toy_superposition.distributions.hierarchy import loadings, nodes
from toy_superposition.errors import UserError
from toy_superposition.inputs import Fixed
from toy_superposition.types import Instance

N_SAMPLES = 200_000
N_ERRORS = 4.5  # standard errors: a chance of 1e-5 per number, and the keys are fixed


@pytest.fixture(autouse=True)
def with_the_tests_devices(monkeypatch):
  """Runs every test on the tests' devices, without the user's cache."""
  assert len(jax.devices()) == 8
  monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "unused")


def row(name: str, **fields):
  return declare.build("data.distribution", name, {f"data.{k}": v for k, v in fields.items()})


def instance(density) -> Instance:
  density = jnp.float32(density)
  return Instance(jnp.int32(0), density, jnp.ones_like(density), jnp.float32(1))


def samples(distribution, density) -> np.ndarray:
  """Returns features (feature, example)."""
  key = streams.words(streams.root(3), streams.Stream.EVALUATE, 0)
  one = instance(density)

  @jax.jit
  def drawn(key):
    u = draws.uniform("threefry", key, distribution.n_draws(len(density)), N_SAMPLES)
    return jax.vmap(lambda u: distribution.features(u, one), 1, 1)(u)

  return np.asarray(drawn(key), float)


def assert_density(x, density):
  density = np.asarray(density, float)
  error = np.sqrt(density * (1 - density) / N_SAMPLES)
  assert np.all(np.abs((x != 0).mean(axis=1) - density) <= N_ERRORS * error + 1e-9)


@pytest.mark.parametrize("name", VALUES)
def test_values_have_the_mean_and_mean_square_that_they_declare(name):
  law = VALUES[name]
  middles = (np.arange(2**16) + 0.5) / 2**16  # every cell of a fine grid once
  of = jax.jit(law.of)
  x = np.asarray(of(jnp.float32(middles)), float)
  # The last cell of an unbounded law holds what is lacking: 2⁻¹⁶ · ln² 2¹⁶ < .002.
  np.testing.assert_allclose([x.mean(), (x**2).mean()], [law.mean, law.mean_square], atol=2e-3)
  ends = np.asarray(of(jnp.float32([0, 1 - 2.0**-23, 1])))
  assert np.isfinite(ends).all()  # u / p may be rounded to 1
  assert (ends < 0).any() == law.signed
  assert (x < 0).any() == law.signed and (law.is_one == (len(np.unique(x)) == 1))


@pytest.mark.quick("half_normal-0.0009765625", "uniform-0.003", "one-0.1")
@pytest.mark.parametrize("density", [RARE, 0.003, 0.1])
@pytest.mark.parametrize("name", VALUES)
def test_values_of_coarse_draws_have_their_moments_down_to_the_density_that_needs_more_bits(
  name, density
):
  # All multiples of 2⁻²³ below the density; one draw per feature decides and makes the value.
  p, made = float(np.float32(density)), row("independent", value_law=name)
  u = np.arange(int(p * 2**23) + 2, dtype=np.float32) * np.float32(2.0**-23)
  one = instance([density])
  x = np.asarray(jax.jit(jax.vmap(lambda u: made.features(u[None], one)[0]))(u), float)
  assert x[u >= p].tolist() == [0] * int((u >= p).sum())
  mean, mean_square = (np.sum(power) * 2.0**-23 / p for power in (x, x**2))
  expected = {  # E x, E x² of an active value
    "uniform": (1 / 2, 1 / 3),
    "signed_uniform": (0, 1 / 3),
    "uniform_to_two": (1, 4 / 3),
    "one": (1, 1),
    "near_one": (1, 1.01),
    "half_normal": (np.sqrt(2 / np.pi), 1),
    "exponential": (1, 2),
  }[name]
  assert mean == pytest.approx(expected[0], rel=ERROR, abs=0 if expected[0] else ERROR)
  assert mean_square == pytest.approx(expected[1], rel=ERROR)


@pytest.mark.quick("copula-uniform", "independent-exponential")
@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("distribution", ["independent", "copula"])
def test_features_have_their_densities_and_moments(distribution, name):
  density = [0.05, 0.3, 0, 1]
  made = row(distribution, value_law=name, rank=2, loading=0.6)
  x = samples(made, density)
  if name != "signed_uniform":  # 0 is among its values
    assert_density(x, density)
  np.testing.assert_array_equal(x[2], 0)
  mean, mean_square = made.moments(jnp.float32(density))
  error = N_ERRORS * x.std(axis=1) / N_SAMPLES**0.5
  assert np.all(np.abs(x.mean(axis=1) - mean) <= error + 1e-6)
  error = N_ERRORS * (x**2).std(axis=1) / N_SAMPLES**0.5
  assert np.all(np.abs((x**2).mean(axis=1) - mean_square) <= error + 1e-6)


def test_a_copula_couples_as_the_bivariate_normal_law():
  density, loading = np.array([0.1, 0.2, 0.3]), 0.8
  x = samples(row("copula", value_law="one", rank=2, loading=loading), density)
  V = loadings(3, 2)
  np.testing.assert_allclose(np.linalg.norm(V, axis=1), 1, rtol=1e-6)
  for i, j in itertools.combinations(range(3), 2):
    rho = loading**2 * V[i] @ V[j]
    bounds = stats.norm.ppf(density[[i, j]])
    both = stats.multivariate_normal(cov=[[1, rho], [rho, 1]]).cdf(bounds)
    error = N_ERRORS * np.sqrt(both * (1 - both) / N_SAMPLES) + 1e-5  # of scipy's integral
    assert abs((x[i] * x[j]).mean() - both) <= error
  apart = samples(row("copula", value_law="one", rank=2, loading=0.0), density)
  assert abs((apart[0] * apart[1]).mean() - 0.02) <= N_ERRORS * np.sqrt(0.02 / N_SAMPLES)


# Trees. Feature 0 has the children 1, 2; they have 3, 4 and 5, 6; feature 7 is alone.
DENSITY = [0.5, 0.2, 0.2, 0.1, 0.05, 0.02, 0.1, 0.3]
TREE = {"n_trees": 1, "branching": 2, "depth": 2}


@pytest.mark.quick("True-2", "False-0")
@pytest.mark.parametrize("rank", [0, 2])
@pytest.mark.parametrize("exclusive", [True, False])
def test_children_are_active_with_their_densities_and_only_with_their_parents(exclusive, rank):
  fields = TREE | {
    "rank": rank,
    "loading": 0.5,
    "exclusive_children": exclusive,
    "value_law": "one",
  }
  x = samples(row("tree", **fields), DENSITY)
  assert_density(x, DENSITY)  # a copula's generations have factors of their own
  for child, parent in ((1, 0), (2, 0), (3, 1), (4, 1), (5, 2), (6, 2)):
    assert not np.any(x[child] * (1 - x[parent]))
  together = [(x[a] * x[b]).mean() for a, b in ((1, 2), (3, 4), (5, 6))]
  if exclusive:
    assert together == [0, 0, 0]
  else:  # given the parent, independent or as the bivariate normal law: p_1 p_2 / p_0 or more
    V = loadings(8, 2)
    expected = []
    for a, b, of in ((1, 2, 0), (3, 4, 1), (5, 6, 2)):
      rho = 0.5**2 * float(V[a] @ V[b]) if rank else 0.0
      bounds = stats.norm.ppf([DENSITY[a] / DENSITY[of], DENSITY[b] / DENSITY[of]])
      both = stats.multivariate_normal(cov=[[1, rho], [rho, 1]]).cdf(bounds)
      expected.append(DENSITY[of] * both)
    error = N_ERRORS * np.sqrt(np.array(expected) / N_SAMPLES) + 1e-5  # of scipy's integral
    assert np.all(np.abs(np.array(together) - expected) <= error)


@pytest.mark.quick("0")
@pytest.mark.parametrize("seed", range(5))
def test_of_many_exclusive_siblings_one_ends_where_the_next_begins(seed):
  # All float32 within four steps of each end: one child there, not two and not none.
  share = np.random.default_rng(seed).dirichlet(np.ones(16)) * 0.95
  made = row("tree", branching=16, depth=1, value_law="one")
  ends = np.cumsum(share)[:-1].astype(np.float32)
  near = ends.view(np.int32)[:, None] + np.arange(-4, 5, dtype=np.int32)  # neighbouring numbers
  u = near.view(np.float32).ravel()
  one = instance([1, *share])
  x = jax.jit(jax.vmap(lambda u: made.features(jnp.full(34, u), one), out_axes=1))(u)
  np.testing.assert_array_equal(np.asarray(x)[1:].sum(axis=0), 1)


def test_the_least_share_of_one_number_has_its_probability():
  # The worst place is the end, where numbers are coarsest: all multiples of 2⁻²³.
  made, density = (
    row("one_hot", value_law="one"),
    np.array([1 - RARE - 1e-7, RARE + 1e-7], np.float32),
  )
  u, one = np.arange(2**23, dtype=np.float32) * np.float32(2.0**-23), instance(density)
  x = jax.jit(jax.vmap(lambda u: made.features(jnp.stack([u, u]), one)[1]))(u)
  assert float(np.asarray(x, float).mean()) == pytest.approx(float(density[1]), rel=ERROR)


def test_trees_are_in_breadth_first_order():
  tree = nodes(9, 1, 2, 2)
  assert tree.parent.tolist() == [-1, 0, 0, 1, 1, 2, 2, -1, -1]
  assert tree.first.tolist() == [0, 1, 1, 3, 3, 5, 5, 7, 8]
  assert tree.level.tolist() == [0, 1, 1, 2, 2, 2, 2, 0, 0]
  assert nodes(8, 2, 3, 1).parent.tolist() == [-1, 0, 0, 0, -1, 4, 4, 4]


def test_trees_by_generation_are_the_same_trees_in_another_order():
  order = [0, 7, 1, 2, 8, 9, 3, 4, 5, 6, 10, 11, 12, 13, 14]  # of two trees and a feature alone
  usual, other = nodes(15, 2, 2, 2), nodes(15, 2, 2, 2, by_generation=True)
  place = np.argsort(order)
  for name in ("parent", "first"):
    one, two = getattr(usual, name)[order], getattr(other, name)
    np.testing.assert_array_equal(np.where(one >= 0, place[one], -1), two)
  np.testing.assert_array_equal(usual.level[order], other.level)
  density = np.array([*DENSITY[:7], *DENSITY[:7], 0.3])
  fields = {"n_trees": 2, "branching": 2, "depth": 2, "scaled": True}
  x = samples(row("tree", **fields, by_generation=True), density[order])
  assert_density(x, density[order])
  for child in np.flatnonzero(other.parent >= 0):
    assert not np.any((x[child] != 0) & (x[other.parent[child]] == 0))
  siblings = (x[[2, 4, 6, 8, 10, 12]] != 0) & (x[[3, 5, 7, 9, 11, 13]] != 0)
  assert not siblings.any()


def test_densities_that_a_parent_does_not_allow_are_lowered_level_by_level():
  asked = np.full((1, 8), 0.3, np.float32)
  exclusive = row("tree", **TREE, limited=True).densities(asked)
  np.testing.assert_allclose(exclusive[0], [0.3, *[0.15] * 2, *[0.075] * 4, 0.3], rtol=1e-6)
  free = row("tree", **TREE, limited=True, exclusive_children=False).densities(asked)
  np.testing.assert_array_equal(free, asked)
  settings = base.get_config()
  settings.name = "tree"
  settings.model.n_features, settings.density.base = 8, 0.3
  settings.data.distribution, settings.data.branching, settings.data.depth = "tree", 2, 2
  settings.data.limited = True
  (group,) = resolve(settings).groups
  np.testing.assert_allclose(group.instances.density[0], exclusive[0], rtol=1e-6)
  assert_density(samples(row("tree", **TREE), exclusive[0]), exclusive[0])


def test_scaled_values_multiply_along_the_way_from_the_root():
  made = row("tree", **TREE, scaled=True, exclusive_children=False)
  x = samples(made, np.ones(8))
  mean, mean_square = made.moments(jnp.ones(8))
  np.testing.assert_allclose(mean_square[0], 1 / 3, rtol=1e-6)
  np.testing.assert_allclose(mean_square[3], 1 / 3 * (4 / 3) ** 2, rtol=1e-6)  # E x² / (E x)² = 4/3
  error = N_ERRORS * (x**2).std(axis=1) / N_SAMPLES**0.5
  assert np.all(np.abs((x**2).mean(axis=1) - mean_square) <= error)
  assert np.all(np.abs(x.mean(axis=1) - mean) <= N_ERRORS * x.std(axis=1) / N_SAMPLES**0.5)


@pytest.mark.parametrize(
  ("name", "fields"),
  [("exactly_k", {"k_active": 3, "value_law": "one"}), ("one_hot", {"value_law": "one"})],
)
def test_the_number_of_active_features_is_fixed(name, fields):
  made = row(name, **fields)
  density = made.densities(np.array([[0.1, 0.2, 0.3, 0.1, 0.05]], np.float32))[0]
  x = samples(made, density)
  np.testing.assert_array_equal(x.sum(axis=0), fields.get("k_active", 1))
  assert_density(x, density)
  if name == "one_hot":
    np.testing.assert_allclose(density, np.array([0.1, 0.2, 0.3, 0.1, 0.05]) / 0.75, rtol=1e-6)


VALUED = [name for name, one in DISTRIBUTIONS.items() if issubclass(one, Valued)]
FINITE: dict[str, tuple[dict, list[float]]] = {
  "independent": ({}, [0.1, 0.5, 0.9, 0.2]),
  "one_hot": ({}, [0.25, 0.5, 0.125, 0.125]),
  "exactly_k": ({"k_active": 2}, [0.5] * 4),
  "attributes": ({"k_active": 2}, [0.5] * 4),
  "shared_coin": ({"set_size": 2, "correlation": 0.6}, [0.1, 0.3, 0.6, 0.6]),
  "tree": ({"branching": 2, "depth": 1}, [0.5, 0.2, 0.3, 0.4]),
  "correlated_sets": ({"set_size": 2}, [0.1, 0.3, 0.6, 0.6]),
  "anticorrelated_sets": ({"set_size": 2}, [0.1, 0.3, 0.6, 0.4]),
}


def test_every_distribution_of_finitely_many_examples_is_tried():
  made = {name: row(name, **FINITE.get(name, ({}, []))[0], value_law="one") for name in VALUED}
  assert {name for name, one in made.items() if one.n_patterns(4)} == set(FINITE)
  assert all(one.n_patterns(2**17) is None for one in made.values())


@pytest.mark.parametrize("name", FINITE)
def test_all_examples_with_their_weights_are_the_distribution(name):
  fields, density = FINITE[name]
  made = row(name, value_law="one", **fields)
  x, weights = map(np.asarray, jax.jit(made.patterns)(instance(density)))
  assert x.shape == (4, made.n_patterns(4))
  assert float(weights.sum()) == pytest.approx(1, abs=1e-6) and weights.min() >= -1e-7
  np.testing.assert_allclose(x @ weights, density, atol=1e-6)
  # Every pair's frequency too, against the samples.
  pairs = samples(made, density)
  frequency, expected = pairs @ pairs.T / N_SAMPLES, (x * weights) @ x.T
  error = N_ERRORS * np.sqrt(expected * (1 - expected) / N_SAMPLES)
  assert np.all(np.abs(frequency - expected) <= error + 1e-6)
  assert dataclasses.replace(made, value_law="uniform").n_patterns(4) is None


def test_the_exact_loss_of_any_model_on_finitely_many_examples_is_their_weighted_sum():
  settings = base.get_config()
  settings.model.name, settings.model.n_features = "tanh_output", 4
  settings.data.distribution, settings.data.value_law = "independent", "one"
  settings.density.base, settings.train.steps = 0.2, 20
  settings.train.optimizer, settings.train.estimator = "bfgs", "exact"
  settings.evaluation.method, settings.loss.name = "exact", "absolute"
  dataset = ts.run(settings)
  x = np.array(list(itertools.product((0, 1), repeat=4))).T
  weights = np.prod(np.where(x > 0, 0.2, 0.8), axis=0)
  W, b = dataset["W"].values, dataset["b"].values
  error = np.abs(x - np.tanh(W.T @ W @ x + b[:, None]))
  np.testing.assert_allclose(dataset["feature_loss"], error @ weights, rtol=1e-4)
  settings.evaluation.method = "sampled"
  sampled = ts.run(settings)
  np.testing.assert_allclose(sampled["loss"], dataset["loss"], rtol=0.02)


def test_a_zipf_profile_falls_along_a_power_law_between_its_ends():
  settings = base.get_config()
  settings.name, settings.model.n_features = "zipf", 256
  settings.density.profile, settings.density.base, settings.density.ratio = "zipf", 0.3, 0.002 / 0.3
  (group,) = resolve(settings).groups
  p = group.instances.density[0].astype(float)
  np.testing.assert_allclose(p[[0, -1]], [0.3, 0.002], rtol=1e-5)
  i = np.arange(1, 257)
  slope, intercept = np.polyfit(i**-0.5, p, 1)  # affine in i^−a
  np.testing.assert_allclose(slope * i**-0.5 + intercept, p, atol=1e-6)


def test_factors_are_one_per_feature_and_keep_the_base_free():
  settings = base.get_config()
  settings.name = "values"
  settings.density.values = (1, 0.5, 0.25, 2, 0)
  settings.importance.values = (5, 4, 3, 2, 1)
  base.set_axes(settings, density=base.points("density.base", (0.1, 0.2)))
  (group,) = resolve(settings).groups
  expected = np.outer([0.1, 0.2], [1, 0.5, 0.25, 2, 0])
  np.testing.assert_allclose(group.instances.density, expected, rtol=1e-6)
  np.testing.assert_array_equal(group.instances.importance, [[5, 4, 3, 2, 1]] * 2)


@pytest.mark.parametrize(
  ("changes", "words"),
  [
    ({"density.values": (1.0, 0.5)}, ["config.density.values", "5 features"]),
    ({"density.values": (1.0, 1.0, 1.0, 1.0, -1.0)}, ["config.density.values", "[0, inf)"]),
    ({"density.values": (1.0, 1.0, 1.0, 1.0, 11.0)}, ["config.density", "1.1"]),
    ({"data.distribution": "tree", "data.branching": 2}, ["config.density", "0.2", "0.1"]),
    (
      {
        "data.distribution": "tree",
        "data.exclusive_children": False,
        "density.values": (1, 2, 1, 1, 1),
      },
      ["config.density", "a child of feature 0", "0.2"],
    ),
    ({"data.distribution": "tree", "data.n_trees": 2}, ["config.data.n_trees", "8", "5"]),
    ({"data.distribution": "copula", "data.rank": 1, "data.loading": 1.5}, ["config.data.loading"]),
    ({"data.distribution": "copula"}, ["config.data.rank", "at least 1"]),
    (
      {"data.distribution": "copula", "data.rank": 1, "density.base": 1e-5},
      ["config.density", "1e-05"],
    ),
    ({"data.distribution": "exactly_k", "data.k_active": 6}, ["config.data.k_active", "5"]),
    ({"data.distribution": "one_hot", "density.base": 0.0}, ["config.density", "one_hot"]),
    (
      {"data.distribution": "one_hot", "density.values": (1, 1, 1, 1, 1e-4)},
      ["config.density", "2.49994e-05", "at least 0.000976562"],  # 1e-4 / 4.0001
    ),
    (
      {"data.distribution": "tree", "data.branching": 2, "density.values": (1, 0.8, 1e-4, 1, 1)},
      ["config.density", "children of feature 0", "at least 0.00078"],
    ),
    ({"data.examples": "fixed", "data.n_examples": 0}, ["config.data.n_examples", "≥ 1"]),
    ({"data.distribution": "independent", "data.value_law": "gauss"}, ["config.data.value_law"]),
    (
      {"data.distribution": "independent", "data.value_law": "one", "loss.attack": 0.1},
      ["config.loss.attack", "uniform"],
    ),
  ],
)
def test_bad_input_is_one_line(changes, words):
  settings = base.get_config()
  settings.name = "bad"
  for field, value in changes.items():
    section, _, leaf = field.partition(".")
    settings[section][leaf] = value
  with pytest.raises(UserError) as error:
    resolve(settings)
  assert all(word in str(error.value) for word in words), error.value
  assert "\n" not in str(error.value)


def test_examples_of_norm_one_are_sparse_uniform_ones_scaled():
  density = np.array([0.3, 0.0, 0.5, 0.1])
  plain, unit = (row(name) for name in ("sparse_uniform", "unit_sparse_uniform"))
  x, scaled = samples(plain, density), samples(unit, density)
  norm = np.linalg.norm(x, axis=0)
  np.testing.assert_allclose(scaled * norm, x, atol=1e-6)
  np.testing.assert_allclose(np.linalg.norm(scaled, axis=0), norm > 0, atol=1e-6)
  with pytest.raises(NotImplementedError):
    unit.moments(jnp.float32(density))


def test_a_whole_set_is_a_batch_of_which_its_size_is_a_divisor_and_others_are_drawn():
  u = jnp.linspace(0, 0.99, 12)
  fixed = Fixed(n_examples=jnp.float32(4), whole=True)
  assert fixed.columns(u, 0, 12).tolist() == [0, 1, 2, 3] * 3
  assert fixed.columns(u[:5], jnp.int32(6), 12).tolist() == [2, 3, 0, 1, 2]  # a part of the batch
  drawn = dataclasses.replace(fixed, whole=False).columns(u)
  assert drawn.tolist() == np.minimum(np.floor(np.asarray(u) * 4), 3).tolist()
  assert fixed.columns(u, 0, 14).tolist() == drawn.tolist()


def test_training_on_a_whole_set_is_training_on_its_examples():
  config = base.get_config()
  config.name = "whole"
  config.data.examples, config.data.n_examples, config.data.whole = "fixed", 3, True
  config.density.base, config.train.batch_size = 0.5, 6
  one = problem.make(resolve(config).groups[0].spec)
  own = jax.tree.map(lambda leaf: jnp.asarray(leaf[0]), resolve(config).groups[0].instances)
  key = streams.words(streams.root(0), streams.Stream.TRAIN, 0)
  columns = functools.partial(problem.Columns, of=6, generator=one.spec.generator)
  x = jax.jit(lambda key: one.training_sample(own, columns(key)))(key)
  examples = jax.jit(one.fixed_examples)(own, jnp.arange(3, dtype=jnp.uint32))
  np.testing.assert_array_equal(x, np.tile(examples, 2))
