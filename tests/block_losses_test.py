"""Blocks of features in subspaces of their own: exact losses, divisions, and transitions."""

import itertools

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import linprog, minimize_scalar

from toy_superposition.experiments.uniform_geometry import blocks, division
from toy_superposition.geometry.components import square_antiprism
from toy_superposition.models import AutoencoderParams
from toy_superposition.theory import expected_loss, optimum

DENSITIES = (0.8, 0.5, 0.25)
SMALL = [frame for frame in blocks.FRAMES if blocks.size(frame)[0] <= 5]


def params_of(frame: str, block: blocks.Block) -> AutoencoderParams:
  W = np.sqrt(block.square_norm) * blocks.FRAMES[frame]
  return AutoencoderParams(W=jnp.asarray(W, jnp.float32), b=jnp.full(W.shape[1], block.bias))


def exact(params: AutoencoderParams, density: float) -> float:
  """Returns the loss per feature by the package's quadrature."""
  n = params.b.shape[0]
  total, _ = expected_loss.value_and_gradient(params, jnp.full(n, density), jnp.ones(n))
  return float(total) / n


@pytest.mark.parametrize("density", DENSITIES)
def test_a_feature_alone_has_no_loss_and_an_absent_one_its_variance(density):
  assert blocks.best_block("dedicated", density).loss == pytest.approx(0, abs=1e-8)
  x = np.linspace(0, 1, 200_001)
  mean = density / 2
  by_hand = (1 - density) * mean**2 + density * np.mean((x - mean) ** 2)
  assert blocks.variance(density) == pytest.approx(by_hand, rel=1e-4)
  assert blocks.saving("dedicated", density) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("density", DENSITIES)
def test_an_antipodal_pair_of_norm_one_has_the_papers_closed_form(density):
  t, law = blocks.law_of_others(blocks.FRAMES["digon"], density)
  # (1 + r) p² / 6 with r = 1, for two features.
  assert blocks.feature_loss(t, law, density, 1.0, 0.0) == pytest.approx(density**2 / 6, rel=1e-4)
  assert blocks.best_block("digon", density).loss < density**2 / 6


@pytest.mark.parametrize(("x", "square_norm"), [(2, 0.948), (2.5, 0.995), (3, 1.009), (4, 1.016)])
def test_the_norm_of_the_best_digon_is_the_known_one(x, square_norm):
  # paper.md gives D* = 1/(2 norm²) = .527, .503, .496, .492
  found = blocks.best_block("digon", 1 / x).square_norm
  assert found == pytest.approx(square_norm, abs=0.012)


@pytest.mark.parametrize(("frame", "density"), list(itertools.product(SMALL, DENSITIES)))
def test_a_loss_by_convolution_is_that_of_the_quadrature(frame, density):
  block = blocks.best_block(frame, density)
  assert block.loss == pytest.approx(exact(params_of(frame, block), density), rel=1e-4, abs=1e-7)


@pytest.mark.parametrize("frame", ["square antiprism", "16 in 5"])
def test_the_loss_of_a_large_frame_is_that_of_a_sample(frame):
  density, n_samples = 0.2, 200_000
  if frame == "square antiprism":
    vectors = square_antiprism(0.557)
    block = blocks._best_of(vectors, density, blocks.STEP, blocks.STARTS)
  else:
    vectors, block = blocks.FRAMES[frame], blocks.best_block(frame, density)
  rng = np.random.default_rng(0)
  n = vectors.shape[1]
  x = np.where(rng.random((n_samples, n)) < density, rng.random((n_samples, n)), 0)
  output = np.maximum(block.square_norm * (x @ vectors.T) @ vectors + block.bias, 0)
  each = np.mean((x - output) ** 2, axis=1)
  error = each.std() / n_samples**0.5
  assert abs(each.mean() - block.loss) < 4 * error


@pytest.mark.parametrize("frame", [f for f in SMALL if f != "dedicated"])
def test_no_descent_with_free_weights_leaves_a_frame_where_it_is_best(frame):
  inside = {"digon": 2.5, "triangle": 1.4, "tetrahedron": 1.2, "4-simplex": 1.06, "pentagon": 4.6}
  density = 1 / inside[frame]
  block = blocks.best_block(frame, density)
  n = blocks.size(frame)[0]
  start = params_of(frame, block)
  noise = np.random.default_rng(0).normal(size=start.W.shape) * 0.02
  start = AutoencoderParams(W=start.W + jnp.asarray(noise, jnp.float32), b=start.b)

  def both(params):
    return expected_loss.value_and_gradient(params, jnp.full(n, density), jnp.ones(n))

  _, loss = optimum.minimize(both, start, 60)
  assert float(loss) / n == pytest.approx(block.loss, rel=2e-4)


def test_the_loss_of_orthogonal_blocks_is_the_sum_of_theirs():
  density = 0.4
  digon, triangle = (blocks.best_block(frame, density) for frame in ("digon", "triangle"))
  W = np.zeros((3, 5))
  W[:1, :2] = np.sqrt(digon.square_norm) * blocks.FRAMES["digon"]
  W[1:, 2:] = np.sqrt(triangle.square_norm) * blocks.FRAMES["triangle"]
  b = np.repeat([digon.bias, triangle.bias], [2, 3])
  params = AutoencoderParams(W=jnp.asarray(W, jnp.float32), b=jnp.asarray(b, jnp.float32))
  assert 5 * exact(params, density) == pytest.approx(2 * digon.loss + 3 * triangle.loss, rel=1e-4)


def test_the_knapsack_fills_the_dimensions_as_the_linear_programme_does():
  gains, ranks = np.array([1.0, 2.1, 3.6, 5.0]), np.array([1, 2, 3, 4])
  for m in (5, 7, 30):
    count = division.knapsack(gains.tolist(), ranks.tolist(), m)
    assert count @ ranks == m
    relaxed = linprog(-gains, A_ub=ranks[None], b_ub=[m])
    assert -relaxed.fun - gains.max() <= count @ gains <= -relaxed.fun + 1e-9
  counts = itertools.product(range(8), repeat=4)
  kept = [count for count in map(np.array, counts) if count @ ranks <= 7]
  best = max(float(count @ gains) for count in kept)
  assert division.knapsack(gains.tolist(), ranks.tolist(), 7) @ gains == pytest.approx(best)


def test_a_division_has_the_loss_and_dimensions_of_its_blocks():
  found = division.divide([0.4], n_features=400, n_hidden=30)
  digon = blocks.best_block("digon", 0.4)
  assert found.blocks[0].tolist() == [30 * (frame == "digon") for frame in blocks.FRAMES]
  assert found.loss[0] == pytest.approx(60 * digon.loss + 340 * blocks.variance(0.4))
  assert found.dimensions_per_feature[0] == pytest.approx(1 / (2 * digon.square_norm))
  runner_up = list(blocks.FRAMES)[found.runner_up[0]]
  assert found.margin[0] == pytest.approx(
    blocks.saving("digon", 0.4) - blocks.saving(runner_up, 0.4)
  )
  saved = sorted(blocks.saving(frame, 0.4) for frame in blocks.FRAMES)
  assert found.margin[0] == pytest.approx(saved[-1] - saved[-2])


def test_transitions_are_where_the_quadrature_has_them():
  """The exact losses of both frames at their best norms differ in sign just beside a transition."""
  found = division.transitions()
  order = [found[0].before, *(one.after for one in found)]
  assert order == [
    *("4-simplex", "tetrahedron", "triangle", "digon", "pentagon"),
    *("square antiprism", "16 in 5"),
  ]
  known = {"tetrahedron": 1.254, "triangle": 1.547, "digon": 4.39}  # paper.md, independently
  for one in found:
    assert 0 < one.error < 0.006
    if one.before in known:
      assert one.inverse == pytest.approx(known[one.before], rel=0.015)
    if one.before in ("tetrahedron", "triangle", "digon"):
      for x, sign in ((one.inverse * 0.99, 1), (one.inverse * 1.01, -1)):
        assert sign * _exact_lead(one, 1 / x) > 0


def _exact_lead(one: division.Transition, density: float) -> float:
  def saved(frame: str) -> float:
    n, m = blocks.size(frame)
    loss = exact(params_of(frame, blocks.best_block(frame, density)), density)
    return n * (blocks.variance(density) - loss) / m

  return saved(one.before) - saved(one.after)


def test_no_training_on_the_plateau_saves_more_than_the_best_division():
  """The optimum is a digon there: a free search over 2 dimensions finds nothing better."""
  density = 1 / 2.5
  found = optimum.global_minimum(
    jnp.full((1, 4), density), jnp.ones((1, 4)), 2, n_starts=6, n_iterations=80
  )
  saved = (4 - float(found.loss[0]) / blocks.variance(density)) / 2
  assert saved == pytest.approx(blocks.saving("digon", density), rel=1e-4)


def test_the_best_antiprism_is_not_the_tight_one():
  density = 1 / 5.1
  tight = blocks._best_of(square_antiprism(), density, blocks.STEP, blocks.STARTS)
  best = blocks.best_block("square antiprism", density)
  assert 1e-3 < 1 - best.loss / tight.loss < 0.02

  def loss(height: float) -> float:
    vectors = square_antiprism(float(height))
    return blocks._best_of(vectors, density, blocks.STEP, blocks.STARTS).loss

  lowest = minimize_scalar(loss, bounds=(0.5, 0.6), method="bounded", options={"xatol": 1e-3})
  assert best.loss == pytest.approx(lowest.fun, rel=1e-4)
