"""Sparse autoencoders against independent NumPy, and the complaints of their users."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from scipy.stats import norm

import toy_superposition as ts
from tests import small
from toy_superposition import declare, draws, models, problem, streams, train
from toy_superposition.config import base
from toy_superposition.config.resolve import resolve
from toy_superposition.errors import UserError
from toy_superposition.estimators import ESTIMATORS
from toy_superposition.models.sparse_autoencoder import SparseAutoencoderParams
from toy_superposition.models.sparse_autoencoders import SPARSE_AUTOENCODERS, default_prefixes
from toy_superposition.models.topk import keep_largest, kth_largest

M, D, BATCH = 5, 12, 40
NUMBERS = {"model.k": 2.0, "model.sparsity": 0.3, "model.bandwidth": 0.2}
SUM = jnp.float32(1)  # what the reduction makes of a sum over outputs


@pytest.fixture(autouse=True)
def with_the_tests_devices(monkeypatch):
  """Runs every test on the tests' devices, without the user's cache."""
  assert len(jax.devices()) == 8
  monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "unused")


def row(name: str, **values):
  """Returns a row with numbers for its swept fields."""
  given = {f"model.{field}": value for field, value in values.items()}
  return declare.build("model.name", name, NUMBERS | given)


def encoded(model, params: SparseAutoencoderParams, s) -> np.ndarray:
  """Returns the latents of a batch, each example encoded by itself."""
  return np.asarray(jax.jit(jax.vmap(model.encode, (None, 1), 1))(params, s))


def begun(model) -> SparseAutoencoderParams:
  """Returns first parameters."""
  sizes = {"n_inputs": M, "n_hidden": D, "n_outputs": M, "std": 1.0}
  return jax.jit(functools.partial(model.init, **sizes))(jax.random.key(0))


def relu(x):
  return np.maximum(x, 0)


@pytest.fixture
def params() -> SparseAutoencoderParams:
  """Parameters of which none is 0, the decoder's columns of unit norm."""
  rng = np.random.default_rng(0)
  arrays = {
    name: rng.normal(size=[{"latent": D, "input": M}[dim] for dim in dims])
    for name, dims in SparseAutoencoderParams.DIMS.items()
  }
  arrays["latent_threshold"] = np.full(D, 0.4)
  arrays["W_dec"] /= np.linalg.norm(arrays["W_dec"], axis=0)
  return SparseAutoencoderParams(**{name: jnp.float32(a) for name, a in arrays.items()})


@pytest.fixture
def s() -> jax.Array:
  return jnp.float32(np.random.default_rng(1).normal(size=(M, BATCH)))


def by_hand(name: str, p: SparseAutoencoderParams, s: Any) -> np.ndarray:
  """Returns the latents of a batch, as the method is used."""
  names = ("W_enc", "W_dec", "b_enc", "b_dec", "latent_threshold", "r_mag", "b_mag")
  E, W, b_e, b_d, threshold, r, b_m = (np.asarray(getattr(p, name), float) for name in names)
  drive = E @ (s - b_d[:, None])
  z = relu(drive + b_e[:, None])
  if name == "topk_sae":
    order = np.argsort(-z, axis=0)
    kept = np.zeros_like(z)
    np.put_along_axis(kept, order[:2], np.take_along_axis(z, order[:2], 0), 0)
    return kept
  if name in ("batch_topk_sae", "matryoshka_sae", "jumprelu_sae"):
    return np.where(z > threshold[:, None], z, 0)
  if name == "gated_sae":
    return np.where(drive + b_e[:, None] > 0, relu(np.exp(r)[:, None] * drive + b_m[:, None]), 0)
  if name == "matching_pursuit_sae":
    h = np.zeros((D, s.shape[1]))
    for column in range(s.shape[1]):
      rest = s[:, column] - b_d
      for _ in range(2):
        fit = W.T @ rest
        best = fit.argmax()
        if fit[best] > 0:
          h[best, column] += fit[best]
          rest = rest - fit[best] * W[:, best]
    return h
  return z


@pytest.mark.parametrize("name", SPARSE_AUTOENCODERS)
def test_latents_and_outputs_are_those_of_the_definition(name, params, s):
  model = models.built(row(name))
  h = encoded(model, params, s)
  expected = by_hand(name, params, s)
  np.testing.assert_allclose(h, expected, atol=2e-5)
  assert (expected > 0).any() and (expected == 0).any()
  output = np.asarray(params.W_dec) @ expected[:, 0] + np.asarray(params.b_dec)
  np.testing.assert_allclose(jax.jit(model.decode)(params, h[:, 0]), output, atol=2e-5)


@pytest.mark.quick("l1_sae", "jumprelu_sae", "gated_sae")
@pytest.mark.parametrize("name", SPARSE_AUTOENCODERS)
def test_nothing_is_nan_at_inputs_of_zero_and_before_training(name):
  model = models.built(row(name, aux=0.5))
  if name == "matching_pursuit_sae":
    model = models.built(row(name))
  start = begun(model)
  np.testing.assert_allclose(np.linalg.norm(start.W_dec, axis=0), 1, rtol=1e-6)
  np.testing.assert_array_equal(start.W_enc, start.W_dec.T)
  zero, auxiliary = jnp.zeros((M, 3)), model.auxiliary
  assert auxiliary is not None

  def objective(params):
    h = model.encode_batch(params, zero) if model.encode_batch else jnp.zeros((D, 3))
    return auxiliary(params, zero, h, lambda output: jnp.sum(output**2), SUM)

  for leaf in jax.tree.leaves(jax.jit(jax.value_and_grad(objective))(start)):
    assert np.isfinite(leaf).all()


# The k largest.


@pytest.mark.parametrize("k", [1, 3, 12])
def test_the_kth_largest_number_is_that_of_a_sort(k):
  z = relu(np.random.default_rng(2).normal(size=(D, BATCH))).astype(np.float32)
  largest = lax.top_k(jnp.asarray(z.T), k)[0][:, -1]
  np.testing.assert_array_equal(kth_largest(jnp.asarray(z), k, (0,))[0], largest)
  every = np.sort(z.ravel())[-k * BATCH]
  np.testing.assert_array_equal(kth_largest(jnp.asarray(z), k * BATCH, (0, 1)), [[every]])


def test_what_is_kept_are_positive_numbers_and_ties_together():
  z = jnp.array([[3.0, 0, 2, 2, 0, 1]]).T
  np.testing.assert_array_equal(keep_largest(z, 2.0, (0,)).ravel(), [3, 0, 2, 2, 0, 0])
  np.testing.assert_array_equal(keep_largest(z, 5.0, (0,)), z)  # two are 0
  np.testing.assert_array_equal(keep_largest(z, 1e9, (0,)), z)
  np.testing.assert_array_equal(keep_largest(jnp.zeros((4, 1)), 2.0, (0,)), 0)
  # A fraction of k is rounded up; the gradient is that of the numbers that are kept.
  np.testing.assert_array_equal(keep_largest(z, 0.5, (0,)).ravel(), [3, 0, 0, 0, 0, 0])
  slope = jax.grad(lambda z: keep_largest(z, 1.0, (0,)).sum())(z)
  np.testing.assert_array_equal(slope.ravel(), [1, 0, 0, 0, 0, 0])


def test_a_batch_keeps_k_latents_per_example_on_average(params, s):
  model = models.built(row("batch_topk_sae", k=1.5))
  assert model.encode_batch is not None
  h = np.asarray(jax.jit(model.encode_batch)(params, s))
  assert (h > 0).sum() == 1.5 * BATCH
  assert h[h > 0].min() >= np.sort(relu(by_hand("l1_sae", params, s)).ravel())[-60] * (1 - 1e-6)


@pytest.mark.parametrize("W", [np.eye(3), np.array([[1.0, 1, 0], [0, 0, 1], [0, 0, 0]])])
def test_a_step_of_matching_pursuit_takes_one_latent_where_two_fit_equally_well(W):
  params = SparseAutoencoderParams(
    **{
      name: jnp.zeros([3 for _ in dims], jnp.float32)
      for name, dims in SparseAutoencoderParams.DIMS.items()
    }
  )
  params = dataclasses.replace(params, W_dec=jnp.float32(W))
  one, two = (models.built(row("matching_pursuit_sae", k=k)) for k in (1.0, 2.0))
  s = jnp.array([1.0, 1, 0])
  np.testing.assert_array_equal(one.encode(params, s), [1, 0, 0])
  np.testing.assert_array_equal(two.decode(params, two.encode(params, s)), s)


@pytest.mark.parametrize("name", SPARSE_AUTOENCODERS)
def test_without_a_decoder_bias_it_is_0_whatever_its_parameter(name, params, s):
  model = models.built(row(name, decoder_bias=False))
  zero = dataclasses.replace(params, b_dec=jnp.zeros(M))
  h = encoded(model, params, s)
  np.testing.assert_allclose(h, by_hand(name, zero, s), atol=2e-5)
  expected = np.asarray(params.W_dec) @ h[:, 0]
  np.testing.assert_allclose(jax.jit(model.decode)(params, h[:, 0]), expected, atol=2e-5)


# Terms of the loss.


def auxiliary(name: str, params, s, **values):
  model = models.built(row(name, **values))
  assert model.auxiliary is not None
  function, h = model.auxiliary, jnp.float32(by_hand("l1_sae", params, s))
  error = lambda o: jnp.mean(jnp.sum((s - o) ** 2, 0))  # noqa: E731
  return jax.jit(lambda params: function(params, s, h, error, SUM))


def test_the_l1_penalty_is_the_mean_sum_of_latents(params, s):
  expected = 0.3 * by_hand("l1_sae", params, s).sum(axis=0).mean()
  assert auxiliary("l1_sae", params, s)(params) == pytest.approx(expected, rel=1e-5)


def test_thresholds_have_the_published_gradients(params, s):
  """Rajamanoharan et al. (2024): of z·1(z > θ), −θ/ε within ε/2 of θ; of the step, −1/ε."""
  z = by_hand("l1_sae", params, s)
  within = (np.abs(z - 0.4) < 0.1).sum(axis=1) / 0.2
  slope = jax.jit(jax.grad(auxiliary("jumprelu_sae", params, s)))(params).latent_threshold
  np.testing.assert_allclose(slope, -0.3 * within / BATCH, rtol=1e-5)
  model = models.built(row("jumprelu_sae"))
  latents = jax.vmap(model.encode, (None, 1), 1)
  slope = jax.jit(jax.grad(lambda params: latents(params, s).sum()))(params).latent_threshold
  np.testing.assert_allclose(slope, -0.4 * within, rtol=1e-5)
  assert within.any()


@pytest.mark.quick("0.5")
@pytest.mark.parametrize("threshold", [0.05, 0.5])  # below half of ε = .2, and above
def test_the_gradient_of_a_threshold_is_that_of_the_expected_number_of_latents(threshold):
  """Of λ P(z > θ) with normal z it is −λ (Φ(θ + ε/2) − Φ(θ − ε/2)) / ε, near −λ φ(θ): inputs that
  leave a latent silent count as any others, and not as if they were at 0."""
  n, width = 20_000, 0.2
  s = jnp.float32(np.random.default_rng(4).normal(size=(M, n)))
  model = models.built(row("jumprelu_sae", bandwidth=width, sparsity=1.0))
  params = begun(model)
  params = dataclasses.replace(params, latent_threshold=jnp.full(D, threshold))
  assert model.auxiliary is not None
  function, zero = model.auxiliary, jnp.zeros((D, n))
  penalty = lambda params: function(params, s, zero, lambda _: jnp.float32(0), SUM)  # noqa: E731
  slope = jax.jit(jax.grad(penalty))(params)
  share = norm.cdf(threshold + width / 2) - norm.cdf(threshold - width / 2)
  error = (share / n) ** 0.5 / width  # standard deviation over draws
  np.testing.assert_allclose(slope.latent_threshold, -share / width, atol=5 * error)
  # Of the latents themselves, z·1(z > θ): θ times that.
  latents = jax.vmap(model.encode, (None, 1), 1)
  slope = jax.jit(jax.grad(lambda params: latents(params, s).sum() / n))(params)
  law = -threshold * share / width
  np.testing.assert_allclose(slope.latent_threshold, law, atol=5 * threshold * error)


def test_a_penalty_on_the_number_of_latents_counts_them(params, s):
  expected = 0.3 * (by_hand("l1_sae", params, s) > 0.4).sum(axis=0).mean()
  assert auxiliary("jumprelu_sae", params, s)(params) == pytest.approx(expected, rel=1e-6)


def test_the_gate_learns_by_a_reconstruction_that_leaves_the_decoder_alone(params, s):
  loss = auxiliary("gated_sae", params, s)
  gate = by_hand("l1_sae", params, s)
  error = np.asarray(s) - np.asarray(params.W_dec) @ gate - np.asarray(params.b_dec)[:, None]
  expected = 0.3 * gate.sum(axis=0).mean() + (error**2).sum(axis=0).mean()
  assert loss(params) == pytest.approx(expected, rel=1e-5)
  slope = jax.jit(jax.grad(loss))(params)
  np.testing.assert_array_equal(slope.W_dec, 0)
  assert np.any(slope.W_enc != 0)


def test_nested_prefixes_make_the_loss_a_mean_over_them(params, s):
  loss = auxiliary("matryoshka_sae", params, s, prefixes=(3, 7, D))
  h = by_hand("l1_sae", params, s)

  def error(n: int) -> float:
    output = np.asarray(params.W_dec)[:, :n] @ h[:n] + np.asarray(params.b_dec)[:, None]
    return ((np.asarray(s) - output) ** 2).sum(axis=0).mean()

  total = np.mean([error(n) for n in (3, 7, D)]) - error(D)
  assert loss(params) == pytest.approx(total, rel=1e-4)
  assert default_prefixes(96) == (6, 24, 96)  # beyond the paper: the small SynthSAEBench
  assert default_prefixes(3) == (1, 3)


def test_silent_latents_reconstruct_the_detached_error_once(params, s):
  params = dataclasses.replace(params, latent_frequency=jnp.where(jnp.arange(D) < 4, 1e-4, 0.1))
  h = by_hand("l1_sae", params, s)
  drive = np.asarray(params.W_enc) @ (np.asarray(s) - np.asarray(params.b_dec)[:, None])
  z = relu(drive + np.asarray(params.b_enc)[:, None])
  z[4:] = 0
  order = np.argsort(-z, axis=0)[:2]  # the two largest of the four
  kept = np.zeros_like(z)
  np.put_along_axis(kept, order, np.take_along_axis(z, order, 0), 0)
  error = (
    np.asarray(s) - np.asarray(params.W_dec) @ h - np.asarray(params.b_dec)[:, None]
  )  # b_d counts once
  expected = ((error - np.asarray(params.W_dec) @ kept) ** 2).sum(axis=0).mean()
  with_aux = auxiliary("l1_sae", params, s, aux=0.5, aux_k=2, sparsity=0.0)
  assert with_aux(params) == pytest.approx(0.5 * expected, rel=1e-4)
  slope = jax.jit(jax.grad(with_aux))(params)
  np.testing.assert_array_equal(slope.W_enc[4:], 0)  # the error has no gradient
  np.testing.assert_array_equal(slope.W_dec[:, 4:], 0)
  # Of ½ |e − D z|² with constant e: −z eᵀ … of D, and of z by the encoder to b_d.
  left = error - np.asarray(params.W_dec) @ kept
  np.testing.assert_allclose(slope.W_dec, -left @ kept.T / BATCH, rtol=1e-3, atol=1e-5)
  of_z = np.where(kept > 0, -np.asarray(params.W_dec).T @ left, 0)
  expected = -(np.asarray(params.W_enc).T @ of_z).sum(axis=1) / BATCH
  np.testing.assert_allclose(slope.b_dec, expected, rtol=1e-3, atol=1e-5)
  live = dataclasses.replace(params, latent_frequency=jnp.full(D, 0.1))
  assert with_aux(live) == 0


# Training.


def config(name: str, **axes):
  """Returns a config of small autoencoders of a dictionary."""
  settings = base.get_config()
  settings.name, settings.model.name = "sae", name
  settings.model.n_features, settings.model.n_hidden = 8, 10
  settings.data.input, settings.data.n_dimensions, settings.data.target = "dictionary", 6, "input"
  settings.density.base, settings.measures = 0.1, ()
  settings.data.generator = "hash"  # compiles faster
  settings.train.optimizer, settings.train.learning_rate = "adam", 1e-2
  settings.train.steps, settings.train.batch_size = 30, 32
  settings.evaluation.n_samples = 256
  base.set_axes(settings, **axes)
  return settings


@pytest.mark.quick("l1_sae")
@pytest.mark.parametrize("name", SPARSE_AUTOENCODERS)
def test_weights_relative_to_the_loss_do_not_depend_on_the_reduction(name):
  """Of a mean over 6 outputs all terms are a sixth; running means move as ever."""
  x = jnp.float32(np.random.default_rng(0).uniform(0, 1, (8, 40)))
  found = {}
  for reduction in ("sum", "mean"):
    settings = config(name)
    settings.loss.reduction = reduction
    settings.model.sparsity, settings.model.aux = 0.7, float(name != "matching_pursuit_sae")
    (group,) = resolve(settings).groups
    made, instance = (
      problem.make(group.spec),
      jax.tree.map(lambda leaf: jnp.asarray(leaf[0]), group.instances),
    )
    params = jax.jit(made.init)(jax.random.key(0))
    silent = jnp.where(jnp.arange(10) < 4, 1e-4, 0.1)
    params = dataclasses.replace(params, latent_frequency=silent)
    found[reduction] = jax.jit(jax.value_and_grad(made.loss))(params, instance, x)
  (sum_, of_sum), (mean, of_mean) = found["sum"], found["mean"]
  assert mean == pytest.approx(float(sum_) / 6, rel=1e-5)
  running = models.built(row(name)).running
  for leaf in SparseAutoencoderParams.DIMS:
    factor = 1 if leaf in running else 6
    one, two = getattr(of_sum, leaf), factor * getattr(of_mean, leaf)
    np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-5, err_msg=leaf)
  assert np.any(of_sum.W_dec != 0) and np.any(of_sum.latent_frequency != 0)


# The others have nothing here that these do not.
@pytest.mark.quick("l1_sae", "jumprelu_sae")
@pytest.mark.parametrize("name", SPARSE_AUTOENCODERS)
def test_columns_of_the_decoder_keep_unit_norm_and_running_means_follow(name):
  settings = config(name, restart=base.restarts(2))
  settings.model.frozen_decoder = name == "l1_sae"
  settings.history.num = 2
  dataset = ts.run(settings)
  np.testing.assert_allclose(np.linalg.norm(dataset["W_dec"], axis=1), 1, rtol=1e-5)
  before, after = (dataset["history_W_dec"].isel(step=i).values for i in (0, -1))
  if name == "l1_sae":
    np.testing.assert_array_equal(before, after)
  else:
    assert np.abs(after - before).max() > 1e-3
  assert ((dataset["latent_frequency"] > 0) & (dataset["latent_frequency"] < 1)).all()
  assert dataset["dictionary"].dims == ("restart", "input", "feature")
  assert np.isfinite(dataset["loss"]).all()


@pytest.mark.slow
def test_a_running_mean_is_that_of_the_batches_whatever_the_optimizer():
  (group,) = resolve(config("l1_sae")).groups
  spec = dataclasses.replace(group.spec, estimator="blocked", steps=3)
  one = problem.make(spec)
  instance = jax.tree.map(lambda leaf: jnp.asarray(leaf[0]), group.instances)
  root = streams.root(0)
  state = train.initialize(one, instance, root)
  method = ESTIMATORS["blocked"].make(one, group.instances)
  expected = np.ones(10)
  for step in range(3):
    key = draws.fold_in(streams.words(root, streams.Stream.TRAIN, 0), step)
    x = one.sample(key, instance, spec.batch_size)
    h = jax.vmap(one.model_of(instance).encode, (None, 1), 1)(
      state.params, instance.given["dictionary"] @ x
    )
    expected = 0.99 * expected + 0.01 * (np.asarray(h) > 0).mean(axis=1)
    state = train.train_step(one, method, state, instance, key)
  np.testing.assert_allclose(state.params.latent_frequency, expected, rtol=1e-5)


@pytest.mark.slow
def test_used_one_by_one_a_batch_method_keeps_as_many_latents_as_in_training():
  settings = config("batch_topk_sae")
  settings.train.steps, settings.train.learning_rate, settings.model.k = 400, 3e-3, 1.5
  dataset = ts.run(settings)
  x = np.random.default_rng(0).uniform(size=(8, 4000)) * (
    np.random.default_rng(1).uniform(size=(8, 4000)) < 0.1
  )
  params = SparseAutoencoderParams(**{n: dataset[n].values for n in SparseAutoencoderParams.DIMS})
  h = by_hand("batch_topk_sae", params, dataset["dictionary"].values @ x)
  # The threshold is a mean over 100 steps of batches whose count of active features, 26 ± 5, moves
  # it by about a fifth.
  assert (h > 0).sum(axis=0).mean() == pytest.approx(1.5, rel=0.2)


def test_penalties_and_numbers_of_latents_are_swept_in_one_program():
  for name, field in (("l1_sae", "model.sparsity"), ("topk_sae", "model.k")):
    settings = config(name, strength=base.points(field, (1.0, 2.0)), restart=base.restarts(2))
    (group,) = resolve(settings).groups
    np.testing.assert_array_equal(group.instances.numbers[field], [1, 1, 2, 2])


@pytest.mark.slow
def test_methods_at_several_strengths_are_one_sweep():
  names = ("l1_sae", "l1_sae", "topk_sae")
  variants = base.together(
    {"model.name": names, "model.sparsity": (0.1, 1.0, 0.0), "model.k": (1.0, 1.0, 3.0)},
    ("weak", "strong", "topk"),
  )
  settings = config("l1_sae", variant=variants, restart=base.restarts(2))
  assert [len(group.cells) for group in resolve(settings).groups] == [4, 2]
  dataset = ts.run(settings)
  assert dataset["variant"].values.tolist() == ["weak", "strong", "topk"]
  assert tuple(dataset["variant_model_name"].values) == names
  alone = config("l1_sae", restart=base.restarts(2))
  alone.model.sparsity = 0.1  # the first two models of the sweep
  np.testing.assert_array_equal(ts.run(alone)["W_dec"], dataset["W_dec"].sel(variant="weak"))


@pytest.mark.parametrize(
  ("name", "changes", "words"),
  [
    ("topk_sae", {"model.k": 11.0}, ["config.model.k", "11", "10"]),
    ("topk_sae", {"model.k": 0.0}, ["config.model.k", "(0, inf)"]),
    ("l1_sae", {"model.sparsity": -0.1}, ["config.model.sparsity", "-0.1"]),
    ("matryoshka_sae", {"model.prefixes": (4, 2, 10)}, ["config.model.prefixes", "increasing"]),
    ("matryoshka_sae", {"model.prefixes": (4,)}, ["config.model.prefixes", "10"]),
    ("matryoshka_sae", {"model.prefixes": (0, 10)}, ["config.model.prefixes", "≥ 1"]),
    ("matching_pursuit_sae", {"model.k": 9.0, "model.max_k": 4}, ["config.model.max_k", "9"]),
    ("matching_pursuit_sae", {"model.aux": 0.1}, ["config.model.aux", "no encoder"]),
    ("l1_sae", {"data.target": "identity"}, ["config.model.name", "6", "8"]),
    ("relu_output", {}, ["config.model.name", "relu_output", "data.input='dictionary'"]),
    ("l1_sae", {"train.estimator": "fused"}, ["config.train.estimator", "independent"]),
    ("l1_sae", {"loss.attack": 0.1}, ["config.loss.attack"]),
    ("l1_sae", {"importance.base": 2.0}, ["config.importance", "no features"]),
    ("l1_sae", {"measures": ("feature_norm",)}, ["config.measures", "feature_norm"]),
  ],
)
def test_bad_input_is_one_line(name, changes, words):
  settings = config(name)
  for field, value in changes.items():
    settings.update_from_flattened_dict({field: value})
  with pytest.raises(UserError) as error:
    ts.run(settings)
  assert all(word in str(error.value) for word in words), error.value
  assert "\n" not in str(error.value)


def test_any_model_of_features_has_the_default_numbers_that_small_specs_have():
  assert small.spec(model="l1_sae").row("model.name").sparsity is None


def test_gradients_of_the_decoder_are_at_right_angles_to_its_columns(params):
  rng = np.random.default_rng(3)
  random = jax.tree.map(lambda leaf: jnp.float32(rng.normal(size=leaf.shape)), params)
  model = models.built(row("l1_sae"))
  assert model.tangent is not None
  left = jax.jit(model.tangent)(params, random)
  np.testing.assert_allclose((left.W_dec * params.W_dec).sum(axis=0), 0, atol=1e-6)
  np.testing.assert_array_equal(left.W_enc, random.W_enc)
  # What was taken away is along the columns.
  taken = np.asarray(random.W_dec - left.W_dec)
  cosine = (taken * np.asarray(params.W_dec)).sum(axis=0) / np.linalg.norm(taken, axis=0)
  np.testing.assert_allclose(np.abs(cosine), 1, rtol=1e-5)
