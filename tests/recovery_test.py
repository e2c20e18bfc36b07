"""Agreement of dictionaries on constructed decoders, its chance level, and sparse codes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import nnls

import toy_superposition as ts
from tests.sparse_autoencoders_test import config
from toy_superposition.devices import meshes, setup
from toy_superposition.experiments import trained
from toy_superposition.recovery import chance, metrics
from toy_superposition.recovery.statistics import Statistics, statistics
from toy_superposition.theory import sparse_coding

TRUTH = np.eye(4)
LIVE = np.ones(4, bool)


@pytest.fixture(autouse=True)
def with_the_tests_devices(monkeypatch):
  """Runs every test on the tests' devices, without the user's cache."""
  assert len(jax.devices()) == 8
  monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "unused")


def scores(decoder, truth=TRUTH) -> tuple[float, float]:
  cosine = metrics.cosines(decoder, truth)
  return metrics.mcc(cosine), metrics.mmcs(cosine)


def test_the_true_dictionary_is_found_whatever_its_order_and_length():
  assert scores(TRUTH) == (1, 1)
  assert scores(3 * TRUTH[:, [2, 0, 3, 1]]) == (1, 1)
  assert scores(-TRUTH) == (1, 1)  # of |cosine|: the sign of a latent's direction is a convention
  cosine = metrics.cosines(TRUTH[:, [2, 0, 3, 1]], TRUTH)
  latents, features = metrics.assignment(cosine)
  assert dict(zip(latents.tolist(), features.tolist(), strict=True)) == {0: 2, 1: 0, 2: 3, 3: 1}


def test_a_duplicate_counts_once_for_mcc_and_every_feature_for_mmcs():
  duplicated = TRUTH[:, [0, 0, 1, 2]]
  assert scores(duplicated) == (0.75, 0.75)
  cosine = metrics.cosines(duplicated, TRUTH)
  assert metrics.uniqueness(cosine, LIVE) == 0.75
  assert metrics.splitting(cosine, LIVE) == pytest.approx(4 / 3)
  assert metrics.uniqueness(cosine, np.array([True, False, True, True])) == 1
  # Two features merged into one latent: the other one finds nothing that is left.
  merged = np.stack([(TRUTH[0] + TRUTH[1]) / 2**0.5, TRUTH[2], TRUTH[3]], axis=1)
  assert scores(merged) == (pytest.approx((2**-0.5 + 2) / 4), pytest.approx((2**0.5 + 2) / 4))


def test_columns_of_zero_and_dead_latents_agree_with_nothing():
  assert scores(0 * TRUTH) == (0, 0)
  none = np.zeros(4, bool)
  cosine = metrics.cosines(TRUTH, TRUTH)
  assert metrics.uniqueness(cosine, none) == metrics.splitting(cosine, none) == 0
  zero = np.zeros(4)
  found = metrics.detection(np.zeros((4, 4)), zero, zero, np.arange(4), np.arange(4))
  assert found == (0, 0, 0)
  assert metrics.detection(np.eye(4), zero, zero, np.arange(0), np.arange(0)) == (0, 0, 0)


def test_detection_by_hand():
  # Latent 0 is on exactly with feature 0; latent 1 half of the time of feature 1, and as often
  # without it.
  together = np.diag([0.2, 0.1])
  found = metrics.detection(
    together, np.array([0.2, 0.2]), np.array([0.2, 0.2]), np.arange(2), np.arange(2)
  )
  assert found == (pytest.approx(0.75), pytest.approx(0.75), pytest.approx(0.75))
  only = metrics.detection(
    together, np.array([0.2, 0.4]), np.array([0.2, 0.1]), np.array([1]), np.array([1])
  )
  assert only == (0.25, 1.0, pytest.approx(0.4))


def test_absorption_and_hedging_by_hand():
  parents, children = np.array([0, 0]), np.array([1, 2])
  absorbed = np.stack([TRUTH[0], (TRUTH[0] + TRUTH[1]) / 2**0.5, TRUTH[2]], axis=1)
  cosine = metrics.cosines(absorbed, TRUTH)
  # The parent's latent is silent in all examples of child 1 and in none of child 2.
  silent = np.zeros((3, 2))
  silent[0, 0] = 0.03
  assert metrics.absorption(cosine, silent, np.array([0.03, 0.06]), parents) == pytest.approx(1 / 3)
  assert metrics.absorption(cosine, silent, np.zeros(2), parents) == 0
  assert metrics.hedging(cosine, parents, children) == 0
  hedged = np.stack([0.8 * TRUTH[0] + 0.6 * TRUTH[1], TRUTH[2]], axis=1)
  cosine = metrics.cosines(hedged, TRUTH)
  assert metrics.hedging(cosine, parents, children) == pytest.approx(0.3)  # of .6 and 0


def test_chance_is_that_of_independent_directions():
  """64 random decoders against 64 random features in 32 dimensions have MCC .42 (beyond the paper,
  computed independently); a decoder never comes from the dictionary's own numbers."""
  dictionary = chance.random_decoder(32, 64, 10**6)
  found = chance.chance(metrics.mcc, dictionary, 64)
  assert found.mean == pytest.approx(0.42, abs=0.01) and 0 < found.std < 0.02
  more = chance.chance(metrics.mcc, dictionary, 256)
  assert more.mean > found.mean + 0.05  # it grows with the number of candidates
  narrow = chance.chance(metrics.mcc, chance.random_decoder(8, 64, 10**6), 64)
  assert narrow.mean > found.mean + 0.2  # and falls with the dimension


def test_statistics_are_means_over_examples():
  settings = config("l1_sae")
  settings.train.steps = 200
  models = trained.trained(ts.run(settings))
  pairs = (np.array([0]), np.array([1]))
  found = trained.each(
    lambda params, instance: statistics(models.problem, params, instance, 40_000, pairs),
    models,
    meshes.make_mesh(setup.devices(1)),
  )
  rng = np.random.default_rng(0)
  x = rng.uniform(size=(8, 400_000)) * (rng.uniform(size=(8, 400_000)) < 0.1)
  assert models.instances.given is not None
  s = models.instances.given["dictionary"][0] @ x
  p = models.params
  z = p.W_enc[0] @ (s - p.b_dec[0][:, None]) + p.b_enc[0][:, None]
  z = np.maximum(z, 0)
  output = p.W_dec[0] @ z + p.b_dec[0][:, None]
  on, active = z > 0, x > 0
  error = 4.5 / np.sqrt(40_000)  # of shares, at most half of it
  np.testing.assert_allclose(found.latent_on[0], on.mean(axis=1), atol=error / 2)
  together = on.astype(np.float32) @ active.T.astype(np.float32) / x.shape[1]
  np.testing.assert_allclose(found.together[0], together, atol=error / 2)
  both = active[0] & active[1]
  np.testing.assert_allclose(found.both[0], both.mean(), atol=error * 0.1)
  np.testing.assert_allclose(found.silent[0, :, 0], (~on & both).mean(axis=1), atol=error * 0.1)
  assert float(found.l0[0]) == pytest.approx(on.sum(axis=0).mean(), rel=0.03)
  fvu = ((s - output) ** 2).sum() / ((s - s.mean(axis=1, keepdims=True)) ** 2).sum()
  assert float(found.fvu[0]) == pytest.approx(fvu, rel=0.05)
  seen = np.linalg.norm(s, axis=0) > 0
  ratio = np.linalg.norm(output, axis=0)[seen].sum() / np.linalg.norm(s, axis=0).sum()
  assert float(found.shrinkage[0]) == pytest.approx(ratio, rel=0.03)
  assert isinstance(found, Statistics)


# Sparse coding.


def test_classical_learning_finds_a_dictionary_and_keeps_directions_that_are_never_used():
  rng = np.random.default_rng(0)
  A = rng.normal(size=(8, 12))
  A = jnp.float32(A / np.linalg.norm(A, axis=0))

  def batch(number):
    keys = jax.random.split(jax.random.fold_in(jax.random.key(1), number), 2)
    on = jax.random.uniform(keys[0], (12, 256)) < 0.1
    return A @ jnp.where(on, jax.random.uniform(keys[1], (12, 256)), 0)

  start = rng.normal(size=(8, 12))
  start = jnp.float32(start / np.linalg.norm(start, axis=0))

  def learned(start):
    return sparse_coding.learned_dictionary(batch, start, 0.2, n_batches=200, steps=40)

  found = np.asarray(jax.jit(learned)(start))
  np.testing.assert_allclose(np.linalg.norm(found, axis=0), 1, atol=1e-5)
  # At most one of twelve directions is missed: descents end in local optima too.
  assert metrics.mcc(metrics.cosines(found, np.asarray(A))) > 1 - 1 / 12
  assert metrics.mcc(metrics.cosines(np.asarray(start), np.asarray(A))) < 0.8
  # Inputs along the first direction: the others are never on, and stay.
  D = jnp.float32([[1, -1, 0], [0, 0, 1]])

  def along_the_first(number):
    u = jax.random.uniform(jax.random.fold_in(jax.random.key(2), number), (1, 64))
    return D[:, :1] * u

  kept = sparse_coding.learned_dictionary(along_the_first, D, 0.2, n_batches=3, steps=60)
  np.testing.assert_allclose(kept, D, atol=1e-6)


def test_without_a_penalty_fista_solves_nonnegative_least_squares():
  rng = np.random.default_rng(0)
  D, s = chance.random_decoder(10, 6, 0), rng.normal(size=(10, 5))
  z = sparse_coding.fista(jnp.float32(D), jnp.float32(s), 0.0, steps=2000)
  expected = np.stack([nnls(D, column)[0] for column in s.T], axis=1)
  np.testing.assert_allclose(z, expected, atol=1e-4)


def test_one_sparse_inputs_are_coded_exactly_whatever_the_coherence():
  """For a value v the support is exact for every λ < 2v, and the value is shrunk by λ/2."""
  D = chance.random_decoder(4, 12, 0)
  value = np.array([0.3, 0.8, 1.5])
  s = D[:, [0, 5, 11]] * value
  z = np.asarray(sparse_coding.fista(jnp.float32(D), jnp.float32(s), 0.5, steps=3000))
  expected = np.zeros((12, 3))
  expected[[0, 5, 11], range(3)] = value - 0.25
  np.testing.assert_allclose(z, expected, atol=2e-3)
  assert not np.any(sparse_coding.fista(jnp.float32(D), jnp.float32(s), 3.01) > 0)


@pytest.mark.parametrize("penalty", [0.0, 0.3, 1.0, 2.0])
def test_the_least_loss_of_orthonormal_features_is_an_integral(penalty):
  v = (np.arange(100_000) + 0.5) / 100_000
  z = np.maximum(v - penalty / 2, 0)
  expected = ((v - z) ** 2 + penalty * z).mean()
  assert sparse_coding.orthonormal_loss(penalty) == pytest.approx(expected, abs=1e-6)
  with pytest.raises(ValueError, match="0 to 2"):
    sparse_coding.orthonormal_loss(2.1)
