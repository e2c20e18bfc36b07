"""Expected loss, closed forms of the phase change and true optimum, against each other and
against independent integration; attacks."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate

from toy_superposition.geometry import features
from toy_superposition.models import AutoencoderParams
from toy_superposition.theory import attacks, expected_loss, optimum, phase_change
from toy_superposition.theory.phase_change import Phase

ROUND_OFF = 2e-6  # float32: sums of up to a few hundred terms, relative to the loss
QUADRATURE = 1e-5  # three features, relative to the loss, as expected_loss.py states
N_ERRORS = 4.5  # standard errors, with fixed draws
N_SAMPLES = 400_000
REFERENCE_POINTS = 2000  # of a midpoint rule in float64, of error below 1/2000²


def batched(relu=True):
  function = functools.partial(expected_loss.expected_feature_loss, relu=relu)
  return jax.jit(jax.vmap(function))


def evaluate(W, b, density, importance, function=None, relu=True) -> np.ndarray:
  """Returns the expected feature losses, in float64, of one case or, with a leading axis, many."""
  arrays = [np.asarray(a, np.float32) for a in (W, b, density, importance)]
  single = arrays[0].ndim == 2
  W, b, density, importance = (jnp.asarray(a[None] if single else a) for a in arrays)
  losses = (function or batched(relu))(AutoencoderParams(W=W, b=b), density, importance)
  return np.asarray(losses[0] if single else losses, np.float64)


def random_cases(n_cases, n, m, seed=0):
  """Returns W, b, density and importance, all unequal."""
  rng = np.random.default_rng(seed)
  return (
    0.7 * rng.normal(size=(n_cases, m, n)),
    0.3 * rng.normal(size=(n_cases, n)),
    rng.uniform(0.05, 0.95, size=(n_cases, n)),
    rng.uniform(0.1, 2, size=(n_cases, n)),
  )


def output(W, b, x):
  return np.maximum(x @ W.T @ W + b, 0)


def reference(W, b, density, importance) -> np.ndarray:
  """Returns the expected feature losses of two features in float64.

  Along one active coordinate the squared error is two quadratics, which Simpson's rule integrates
  exactly; along the other, what is left has continuous derivatives.
  """
  grid = (np.arange(REFERENCE_POINTS) + 0.5) / REFERENCE_POINTS
  gain, total = W.T @ W, np.zeros(2)
  for active in itertools.product([False, True], repeat=2):
    probability = np.prod(np.where(active, density, 1 - density))
    inner, outer = (0, 1) if active[0] else (1, 0)  # `inner` is active if any is
    y = grid if active[outer] else np.zeros(1)
    for i in range(2):
      slope, offset = gain[i, inner], gain[i, outer] * y + b[i]
      kink = np.clip(-offset / slope, 0, 1) if slope else np.zeros_like(y)
      pieces = [(np.zeros_like(y), kink), (kink, np.ones_like(y))]
      for low, high in pieces if active[inner] else [(np.zeros(1), np.zeros(1))]:
        # Inputs at the ends and in the middle of the piece; the kink is exactly zero.
        x = np.stack([low, (low + high) / 2, high])
        wanted = x if i == inner else y
        error = (wanted - np.maximum(slope * x + offset, 0)) ** 2
        mean = (error[0] + 4 * error[1] + error[2]) / 6
        total[i] += probability * np.mean(mean * ((high - low) if active[inner] else 1))
  return importance * total


# — the expected loss —


@pytest.mark.parametrize(("n", "m"), [(1, 1), (2, 1), (3, 2), (4, 2)])
def test_the_expected_loss_is_the_mean_of_sampled_losses(n, m):
  W, b, density, importance = (a[0] for a in random_cases(1, n, m, seed=n))
  rng = np.random.default_rng(n)
  x = rng.uniform(size=(N_SAMPLES, n)) * (rng.uniform(size=(N_SAMPLES, n)) < density)
  sampled = importance * (x - output(W, b, x)) ** 2
  error = sampled.std(axis=0) / np.sqrt(N_SAMPLES)
  deviation = np.abs(evaluate(W, b, density, importance) - sampled.mean(axis=0))
  assert np.all(deviation < N_ERRORS * error)


def test_the_expected_loss_of_two_features_is_that_of_adaptive_integration():
  W, b = np.array([[1.01, -0.7]]), np.array([0.02, 0.05])
  density, importance = np.array([0.3, 0.2]), np.array([1, 0.4])
  gain = W.T @ W

  def error(x0, x1, i):
    return ((x0, x1)[i] - max(0, gain[i, 0] * x0 + gain[i, 1] * x1 + b[i])) ** 2

  def pieces(i):
    # The line on which output i begins is the border of two smooth pieces in x0.
    def kink(x1):
      return min(1, max(0, -(b[i] + gain[i, 1] * x1) / gain[i, 0]))

    where = kink(0), kink(1)
    p, q = density
    both = sum(
      integrate.dblquad(error, 0, 1, low, high, args=(i,))[0]
      for low, high in ((0, kink), (kink, 1))
    )
    first = integrate.quad(error, 0, 1, args=(0, i), points=[where[0]])[0]
    second_kink = min(1, max(0, -b[i] / gain[i, 1]))
    second = integrate.quad(lambda x1: error(0, x1, i), 0, 1, points=[second_kink])[0]
    none = error(0, 0, i)
    return (1 - p) * ((1 - q) * none + q * second) + p * ((1 - q) * first + q * both)

  expected = importance * [pieces(0), pieces(1)]
  deviation = evaluate(W, b, density, importance) - expected
  assert np.abs(deviation).max() < ROUND_OFF * expected.sum()


@pytest.mark.parametrize(("n", "tolerance"), [(2, ROUND_OFF), (3, QUADRATURE), (4, QUADRATURE)])
def test_six_nodes_equal_many_and_two_features_need_none(n, tolerance, monkeypatch):
  cases = random_cases(12, n, n - 1)
  losses = {}
  for nodes in (1 if n == 2 else 6, 16):
    monkeypatch.setattr(expected_loss, "NODES", nodes)
    losses[nodes] = evaluate(*cases).sum(axis=1)
  few, many = losses.values()
  np.testing.assert_allclose(few, many, rtol=tolerance)


def test_more_features_than_can_be_enumerated_are_refused():
  n = expected_loss.MAX_FEATURES + 1
  params = AutoencoderParams(W=jnp.zeros((1, n)), b=jnp.zeros(n))
  with pytest.raises(ValueError, match=f"{n} features; at most {n - 1}"):
    expected_loss.expected_feature_loss(params, jnp.zeros(n), jnp.ones(n))


def test_the_linear_model_s_expected_loss_follows_from_mean_and_variance():
  # E (x − G x − b)_i² = Σ_j (1 − G)_ij² var_j + ((1 − G) mean − b)_i² for independent features.
  W, b, density, importance = random_cases(8, 4, 2)
  function = batched(relu=False)
  losses = evaluate(W, b, density, importance, function)
  mean, variance = density / 2, density / 3 - density**2 / 4
  rest = np.eye(4) - np.swapaxes(W, 1, 2) @ W
  bias = np.einsum("cij,cj->ci", rest, mean) - b
  expected = importance * (np.einsum("cij,cj->ci", rest**2, variance) + bias**2)
  np.testing.assert_allclose(losses, expected, rtol=1e-5)  # the identity's PASS line


def k_sparse(W, b, density, importance, k):
  params = AutoencoderParams(W=jnp.float32(W), b=jnp.float32(b))
  function = jax.jit(expected_loss.k_sparse_feature_loss, static_argnums=3)
  losses = function(params, jnp.float32(density), jnp.float32(importance), k)
  return np.asarray(losses, np.float64)


def test_k_sparse_terms_are_non_negative_and_add_up_to_the_expected_loss():
  W, b, density, importance = (a[0] for a in random_cases(1, 3, 2))
  terms = np.array([k_sparse(W, b, density, importance, k) for k in range(4)])
  assert np.all(terms >= 0)
  np.testing.assert_allclose(terms.sum(axis=0), evaluate(W, b, density, importance), rtol=ROUND_OFF)


def test_zero_and_one_sparse_terms_are_the_paper_s_with_the_importance_in_both():
  # L_0 = Σ I_i ReLU(b_i)², L_1 = Σ_i ∫ I_i (x − ReLU(‖W_i‖² x + b_i))²
  #   + Σ_{i≠j} ∫ I_j ReLU(W_j · W_i x + b_j)², times S³ and p S².
  W, b, _, importance = (a[0] for a in random_cases(1, 3, 2, seed=1))
  p, density = 0.3, np.full(3, 0.3)
  b[0] = 0.2  # at least one term of L_0
  np.testing.assert_allclose(
    k_sparse(W, b, density, importance, 0),
    (1 - p) ** 3 * importance * np.maximum(b, 0) ** 2,
    rtol=ROUND_OFF,
  )
  x = (np.arange(10_000) + 0.5) / 10_000
  overlap = W.T @ W
  one = np.zeros(3)
  for i, j in np.ndindex(3, 3):
    wanted = x if i == j else 0
    one[j] += importance[j] * np.mean((wanted - np.maximum(overlap[j, i] * x + b[j], 0)) ** 2)
  np.testing.assert_allclose(
    k_sparse(W, b, density, importance, 1), p * (1 - p) ** 2 * one, rtol=10 * ROUND_OFF
  )


POINTS = {  # W, b: where the kinks of the outputs lie
  "kinks inside the square": ([[0.9, -0.6]], [0.1, 0.2]),
  "a kink on the diagonal, and others at the corner": ([[1, -1]], [0, 0]),
  "positive interference and negative biases": ([[0.8, 0.5]], [-0.1, -0.2]),
  "a dropped feature: no slope at all": ([[1, 0]], [0.05, 0.15]),
  "equal slopes: either coordinate may be integrated exactly": ([[0.7, 0.7]], [-0.2, -0.3]),
}


@pytest.mark.parametrize("name", POINTS)
def test_the_gradient_of_the_expected_loss_is_that_of_central_differences(name):
  W, b = (np.array(values, float) for values in POINTS[name])
  density, importance = np.array([0.6, 0.4]), np.array([1, 0.7])
  step = 1e-5

  def loss(params):
    return jnp.sum(
      expected_loss.expected_feature_loss(params, jnp.float32(density), jnp.float32(importance)),
      axis=0,
    )

  gradient = jax.jit(jax.grad(loss))(AutoencoderParams(W=jnp.float32(W), b=jnp.float32(b)))
  flat = np.concatenate([W[0], b])
  expected = np.empty(4)
  for i, shift in enumerate(step * np.eye(4)):
    up, down = (
      reference(flat[None, :2] + s * shift[None, :2], flat[2:] + s * shift[2:], density, importance)
      for s in (1, -1)
    )
    expected[i] = (up - down).sum() / (2 * step)
  found = np.concatenate([gradient.W[0], gradient.b])
  np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)  # float32, 64 terms


# — the closed forms —

# W of each of SOLUTIONS, in their order; a feature without a direction has bias p/2.
SOLUTION_W = {
  2: [[[1, 0]], [[0, 1]], [[1, -1]]],
  3: [
    [[1, 0, 0], [0, 1, 0]],
    [[0, 1, 0], [0, 0, 1]],
    [[1, 0, 0], [0, 1, -1]],
    [[1, -1, 0], [0, 0, 1]],
  ],
}
R, P = (grid.ravel() for grid in np.meshgrid([0.1, 0.7, 1, 10], [0.01, 0.16, 4 / 7, 1]))


def problems(relative_importance, density, n):
  """Returns the densities and importances of n features, the last one apart."""
  r, p = (np.asarray(v, float) for v in (relative_importance, density))
  importance = np.ones((len(r), n))
  importance[:, -1] = r
  return np.repeat(p[:, None], n, axis=1), importance


@pytest.mark.quick("2")
@pytest.mark.parametrize("n", phase_change.SOLUTIONS)
def test_closed_forms_are_the_expected_losses_of_the_solutions(n):
  density, importance = problems(R, P, n)
  closed = phase_change.losses(R, P, n)
  assert len(closed) == len(SOLUTION_W[n]) == len(phase_change.SOLUTIONS[n])
  function = batched()
  for W, expected, (name, phase) in zip(
    np.array(SOLUTION_W[n]), closed, phase_change.SOLUTIONS[n], strict=True
  ):
    norm = np.linalg.norm(W, axis=0)
    b = np.where(norm == 0, density / 2, 0)
    losses = evaluate(np.repeat(W[None], len(P), axis=0), b, density, importance, function)
    np.testing.assert_allclose(losses.sum(axis=1), expected, rtol=ROUND_OFF, err_msg=name)
    overlap = features.superposition(jnp.float32(W))[-1]
    assert phase_change.classify(norm[-1], np.asarray(overlap)) == phase


def test_boundary_values_are_mirrored_in_the_importance():
  r, p = np.array([0.1, 0.2, 0.5, 1]), np.array([0.16, 4 / 15, 4 / 9, 4 / 7])
  np.testing.assert_allclose(phase_change.boundary(r, 2), p)
  np.testing.assert_allclose(phase_change.boundary(1 / r, 2), p)
  np.testing.assert_allclose(phase_change.boundary(r, 3), p)
  assert np.all(np.isnan(phase_change.boundary(1 / r[:-1], 3)))


@pytest.mark.parametrize("n", phase_change.SOLUTIONS)
def test_at_the_triple_point_all_losses_are_equal(n):
  assert pytest.approx(4 / 7) == phase_change.TRIPLE_POINT
  closed = phase_change.losses(1.0, phase_change.TRIPLE_POINT, n)
  np.testing.assert_allclose(closed, closed[0])


@pytest.mark.parametrize("n", phase_change.SOLUTIONS)
def test_the_best_solution_changes_exactly_at_the_boundary(n):
  r = np.geomspace(0.01, 100, 401)
  r = r[(r < 0.999) | (r > 1.001)] if n == 2 else r[r < 0.999]
  p, near = phase_change.boundary(r, n), 1e-9
  outside = np.where(r < 1, Phase.NOT_REPRESENTED, Phase.DEDICATED)
  np.testing.assert_array_equal(
    phase_change.phase_map(r, p * (1 - near), n), np.full(len(r), Phase.SUPERPOSITION)
  )
  np.testing.assert_array_equal(phase_change.phase_map(r, p * (1 + near), n), outside)
  dense = np.linspace(phase_change.TRIPLE_POINT * (1 + near), 1, 50)  # where the line is r = 1
  assert np.all(phase_change.phase_map(1 - near, dense, n) == Phase.NOT_REPRESENTED)
  assert np.all(phase_change.phase_map(1 + near, dense, n) == Phase.DEDICATED)


def test_with_three_features_a_more_important_one_is_dedicated_at_every_density():
  r, p = np.meshgrid(np.geomspace(1.001, 100, 30), np.geomspace(0.001, 1, 30))
  assert np.all(phase_change.phase_map(r, p, 3) == Phase.DEDICATED)


@pytest.mark.parametrize("r", [0.1, 0.5, 2.0, 10.0])
def test_the_change_is_of_first_order_the_slope_of_the_least_loss_jumps(r):
  # By r/3 for r ≤ 1 and, mirrored, by 1/3 for r ≥ 1.
  p, step = float(phase_change.boundary(r, 2)), 1e-6
  least = phase_change.losses(r, p + step * np.array([-1, 0, 1]), 2).min(axis=0)
  below, above = np.diff(least) / step
  assert below - above == pytest.approx(min(r, 1) / 3, rel=1e-4)  # differences of 1e-6


def test_exchanging_the_two_features_turns_r_into_its_inverse():
  np.testing.assert_allclose(
    phase_change.losses(R, P, 2), R * phase_change.losses(1 / R, P, 2)[[1, 0, 2]]
  )


def test_phases_from_norm_and_superposition():
  norm, overlap = np.array([0, 0.49, 0.5, 1, 1, 1]), np.array([0, 1, 0, 0.49, 0.5, 2])
  expected = [Phase.NOT_REPRESENTED] * 2 + [Phase.DEDICATED] * 2 + [Phase.SUPERPOSITION] * 2
  np.testing.assert_array_equal(phase_change.classify(norm, overlap), expected)


@pytest.mark.parametrize("norm", [np.nan, np.inf])
def test_a_norm_that_is_not_finite_counts_as_not_represented(norm):
  assert phase_change.classify(norm, 0.0) == Phase.NOT_REPRESENTED


# — the true optimum —


class Solved:
  """The optimum of some problems, and the extra feature's measures there, on the host."""

  def __init__(self, r, p, n, relu=True, **effort):
    self.r, self.p = np.asarray(r, float), np.asarray(p, float)
    self.density, self.importance = problems(r, p, n)
    solve = functools.partial(optimum.global_minimum, n_hidden=n - 1, relu=relu, **effort)
    best = jax.jit(solve)(jnp.float32(self.density), jnp.float32(self.importance))
    self.W, self.b, self.loss, self.share_found = (
      np.asarray(a) for a in (best.params.W, best.params.b, best.loss, best.share_found)
    )
    self.norm = np.asarray(jax.vmap(features.feature_norm)(best.params.W))
    self.superposition = np.asarray(jax.vmap(features.superposition)(best.params.W))

  def pick(self, r, p) -> np.ndarray:
    """Returns the rows of the problems (r, p)."""
    return np.array(
      [np.flatnonzero((self.r == a) & (self.p == b))[0] for a, b in zip(r, p, strict=True)]
    )


KNOWN_R = np.array(list(phase_change.TRUE_BOUNDARY))
KNOWN_P = np.array(list(phase_change.TRUE_BOUNDARY.values()))
INSIDE, OUTSIDE, BEYOND_DOUBT = 0.99, 1.01, 0.92  # times the boundary's density
JUST_INSIDE_NORM = (0.64, 0.69, 0.76)
EQUAL = {0.1: 1.004, 0.2: 1.011, 0.4: 1.046}  # density → closed form / optimum, at r = 1


@functools.cache
def two_features() -> Solved:
  r = [KNOWN_R] * 2 + [1 / KNOWN_R] * 3 + [np.ones(len(EQUAL))]
  p = [INSIDE * KNOWN_P, OUTSIDE * KNOWN_P] * 2 + [BEYOND_DOUBT * KNOWN_P, np.array([*EQUAL])]
  return Solved(np.concatenate(r), np.concatenate(p), 2)


@functools.cache
def three_features() -> Solved:
  return Solved([2, 3, 10, 0.3], [0.3, 0.05, 0.8, 0.35], 3)


@pytest.mark.slow
def test_the_optimum_s_extra_feature_enters_superposition_abruptly_at_the_true_boundary():
  solved = two_features()
  inside = solved.pick(KNOWN_R, INSIDE * KNOWN_P)
  outside = solved.pick(KNOWN_R, OUTSIDE * KNOWN_P)
  phase = phase_change.classify(solved.norm[:, -1], solved.superposition[:, -1])
  assert np.all(phase[inside] == Phase.SUPERPOSITION)
  assert np.all(phase[outside] == Phase.NOT_REPRESENTED)
  np.testing.assert_allclose(solved.norm[inside, -1], JUST_INSIDE_NORM, atol=0.03)
  assert np.all(solved.norm[outside, -1] < 0.01)


def test_the_true_boundary_is_mirrored_in_the_importance():
  solved = two_features()
  inside, mirrored_inside = (solved.pick(r, INSIDE * KNOWN_P) for r in (KNOWN_R, 1 / KNOWN_R))
  outside = solved.pick(1 / KNOWN_R, OUTSIDE * KNOWN_P)
  # The features trade places, and the loss is divided by r: exact, but for where BFGS stops.
  np.testing.assert_allclose(solved.norm[mirrored_inside, 0], solved.norm[inside, 1], atol=1e-2)
  np.testing.assert_allclose(
    solved.loss[mirrored_inside] * KNOWN_R, solved.loss[inside], rtol=10 * ROUND_OFF
  )
  assert np.all(solved.superposition[outside, -1] < 1e-3)
  # Superposition is the square of the other's norm here, and passes the threshold of ½ later.
  assert np.all(solved.superposition[mirrored_inside, -1] > 0.4)
  clear = solved.pick(1 / KNOWN_R, BEYOND_DOUBT * KNOWN_P)
  phase = phase_change.classify(solved.norm[:, -1], solved.superposition[:, -1])
  assert np.all(phase[clear] == Phase.SUPERPOSITION)
  assert np.all(phase[outside] == Phase.DEDICATED)


def test_the_optimum_is_below_the_closed_forms_by_the_known_ratios():
  solved = two_features()
  equal = solved.pick(np.ones(len(EQUAL)), EQUAL)
  closed = phase_change.losses(solved.r, solved.p, 2).min(axis=0)
  np.testing.assert_allclose((closed / solved.loss)[equal], list(EQUAL.values()), atol=0.002)


@pytest.mark.quick("two_features-2")
@pytest.mark.parametrize(("solve", "n"), [(two_features, 2), (three_features, 3)])
def test_the_optimum_is_never_above_the_closed_forms_and_has_the_loss_it_claims(solve, n):
  solved = solve()
  closed = phase_change.losses(solved.r, solved.p, n).min(axis=0)
  assert np.all(solved.loss <= closed * (1 + ROUND_OFF))
  losses = evaluate(solved.W, solved.b, solved.density, solved.importance)
  np.testing.assert_allclose(losses.sum(axis=1), solved.loss, rtol=ROUND_OFF)
  assert np.all((solved.share_found > 0) & (solved.share_found <= 1))


def test_with_three_features_the_optimum_s_more_important_one_is_dedicated():
  solved = three_features()
  apart = solved.r > 1
  np.testing.assert_allclose(solved.norm[apart, -1], 1, atol=0.02)
  assert np.all(solved.superposition[apart, -1] < 0.01)


@pytest.mark.slow
def test_the_linear_model_s_optimum_drops_the_less_important_feature():
  r, p = np.array([0.3, 0.8, 3]), np.array([0.05, 0.3, 0.9])
  solved = Solved(r, p, 2, relu=False, n_starts=6, n_iterations=60)
  least = np.minimum(r, 1) * (p / 3 - p**2 / 4)
  np.testing.assert_allclose(solved.loss, least, rtol=1e-4)  # a flat minimum in float32


# — attacks —


def test_attacks_have_norm_1_and_raise_their_feature_s_output_most():
  W = jnp.asarray(np.random.default_rng(2).normal(size=(3, 6))).at[:, 5].set(0)
  rows = attacks.directions(W)
  np.testing.assert_allclose(jnp.linalg.norm(rows, axis=1), [1, 1, 1, 1, 1, 0], rtol=1e-6)
  reached = (W.T @ W @ rows.T).diagonal()[:5]
  random = np.random.default_rng(3).normal(size=(6, 200))
  others = (W.T @ W @ (random / np.linalg.norm(random, axis=0)))[:5]
  assert np.all(reached[:, None] >= others - 1e-6)
