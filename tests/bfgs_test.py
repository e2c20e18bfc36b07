"""BFGS with one evaluation per step, on functions whose minima are known."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from tests import small
from toy_superposition import bfgs, scalarize
from toy_superposition.theory import optimum

ROUND_OFF = 1e-5  # float32, on numbers of order one


def minimized(function, start, n_steps):
  return optimum.minimize(jax.value_and_grad(function), start, n_steps)


@pytest.mark.parametrize("n", [1, 2, 5])
def test_an_ill_conditioned_quadratic_is_minimized(n):
  rng = np.random.default_rng(n)
  basis = np.linalg.qr(rng.normal(size=(n, n)))[0]
  hessian = jnp.float32(basis @ np.diag(np.geomspace(1, 300, n)) @ basis.T)
  best = jnp.float32(rng.normal(size=n))

  def quadratic(x):
    return 0.5 * (x - best) @ hessian @ (x - best) + 2

  x, value = minimized(quadratic, jnp.zeros(n), 60)
  np.testing.assert_allclose(x, best, atol=1e-3)  # value's round-off, over the least curvature
  assert value == pytest.approx(2, abs=ROUND_OFF)


def test_the_curved_valley_of_rosenbrock_is_followed_to_its_end():
  def rosenbrock(x):
    return 100 * (x["b"] - x["a"] ** 2) ** 2 + (1 - x["a"]) ** 2

  start = {"a": jnp.float32(-1.2), "b": jnp.float32(1)}
  x, value = minimized(rosenbrock, start, 80)
  np.testing.assert_allclose([x["a"], x["b"]], 1, atol=1e-2)
  assert value < 1e-5


def test_each_step_costs_one_evaluation_and_never_raises_the_value():
  points = []

  def recorded(x):
    points.append(np.asarray(x))
    return jax.value_and_grad(lambda x: jnp.sum(jnp.cosh(x) + 0.3 * jnp.sin(5 * x)))(x)

  descent = bfgs.bfgs()
  x = jnp.array([2.0, -1.0])
  state, values = descent.init(x), []
  for step in range(12):
    update, state = descent.update(None, state, x, value_and_gradient=recorded)
    if step == 0:
      np.testing.assert_array_equal(update, 0)  # the first only evaluates where it stands
      np.testing.assert_array_equal(points[0], x)
    x = optax.apply_updates(x, update)
    values.append(float(state.value))
    assert len(points) == step + 1
    np.testing.assert_allclose(values[-1], recorded(x)[0], rtol=ROUND_OFF)
    points.pop()
  assert np.all(np.diff(values) <= 0)
  assert values[-1] < values[0] - 1


def test_a_point_that_is_not_finite_is_never_accepted():
  def walled(x):  # not a number beyond 1, and steep towards it
    return jnp.where(x[0] < 1, -10 * x[0] + x[0] ** 2 / (1 - x[0]), jnp.nan)

  x, value = minimized(walled, jnp.zeros(1), 60)
  # The derivative −10 + (2x − x²) / (1 − x)² vanishes at 1 − 1/√11.
  assert float(x[0]) == pytest.approx(1 - 11**-0.5, abs=1e-3)
  assert np.isfinite(value)


def test_a_start_that_is_not_finite_stays_and_has_no_value():
  x, value = minimized(lambda x: jnp.sum(jnp.log(x)), -jnp.ones(2), 5)
  np.testing.assert_array_equal(x, -1)
  assert np.isinf(value)


def test_descents_in_lock_step_are_those_alone():
  def bowl(x):
    return jnp.sum(jnp.cosh(x - 0.5))

  starts = jnp.float32(np.random.default_rng(0).normal(size=(4, 3)))
  together, _ = jax.vmap(lambda start: minimized(bowl, start, 7))(starts)
  for i in range(4):
    np.testing.assert_allclose(together[i], minimized(bowl, starts[i], 7)[0], atol=ROUND_OFF)


def valley(x, step):
  """Two coordinates in two arrays, with a curved valley; the number of the step is not used."""
  del step
  return jax.value_and_grad(lambda x: 5 * (x["b"][0] - x["a"] ** 2) ** 2 + (1 - x["a"]) ** 2)(x)


def descended(starts, state=None, *, first=0, last=12):
  """Returns parameters and states of descents in lock step."""
  state = jax.vmap(bfgs.bfgs().init)(starts) if state is None else state

  def one(x, state, first, last):
    return bfgs.descend(valley, x, state, first, last)

  return jax.jit(jax.vmap(one, (0, 0, None, None)))(starts, state, first, last)


def starts_of_valley():
  a, b = np.random.default_rng(1).normal(size=(2, 6)).astype(np.float32)
  return {"a": jnp.asarray(a), "b": jnp.asarray(b[:, None])}


def test_written_out_in_scalars_a_descent_is_the_same_with_the_same_state(monkeypatch):
  in_scalars = descended(starts_of_valley())
  monkeypatch.setattr(bfgs, "MAX_SCALARS", 1)
  in_matrices = descended(starts_of_valley())
  # Round-off grows along the valley, by the condition number of about 100.
  jax.tree.map(
    lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-3, atol=100 * ROUND_OFF),
    in_scalars,
    in_matrices,
  )
  assert jax.tree.map(lambda x: (x.shape, x.dtype), in_scalars) == jax.tree.map(
    lambda x: (x.shape, x.dtype), in_matrices
  )
  inverse = np.asarray(in_scalars[1].inverse_hessian)
  np.testing.assert_array_equal(inverse, np.swapaxes(inverse, 1, 2))


def test_with_an_operation_that_cannot_be_written_out_it_is_the_descent_in_matrices(monkeypatch):
  with monkeypatch.context() as patched:
    patched.setattr(bfgs, "MAX_SCALARS", 1)
    in_matrices = descended(starts_of_valley())
  monkeypatch.setattr(scalarize, "ELEMENTWISE", frozenset())  # as of a jax that renames them
  jax.tree.map(np.testing.assert_array_equal, descended(starts_of_valley()), in_matrices)


def test_a_descent_that_pauses_goes_on_bit_for_bit():
  paused = descended(*descended(starts_of_valley(), last=5), first=5)
  jax.tree.map(np.testing.assert_array_equal, paused, descended(starts_of_valley()))


@pytest.mark.slow
def test_trained_on_the_exact_loss_the_best_of_ten_is_the_true_optimum():
  group = small.group(
    10, of=small.spec(n_features=2, n_hidden=1, estimator="exact", optimizer="bfgs", steps=120)
  )
  one = group.instances
  same = dataclasses.replace(
    one, density=np.full_like(one.density, 0.2), importance=np.ones_like(one.importance)
  )
  losses = small.run(group._replace(instances=same), [120])[-1].losses
  best = optimum.global_minimum(jnp.asarray(same.density[:1]), jnp.asarray(same.importance[:1]), 1)
  np.testing.assert_allclose(losses.min(), best.loss[0], rtol=1e-3)
  assert np.all(losses >= best.loss[0] * (1 - ROUND_OFF))
