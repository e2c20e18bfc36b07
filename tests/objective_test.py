"""Targets and losses by hand, and the loss's gradient against finite differences."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests import small
from toy_superposition import objective, problem
from toy_superposition.models import AutoencoderParams, param_names, params_class
from toy_superposition.types import Instance

STEP = 1e-5  # of central differences in float64: their error is of order 1e-10
GRADIENT_ERROR = 1e-5  # float32 against float64, relative to the largest component
ROUND_OFF = 1e-6


def relu(z):
  return np.maximum(z, 0)


# Each model in float64, for a batch: parameters by name, x of shape (batch, feature).
REFERENCE: dict[str, Callable[..., np.ndarray]] = {
  "linear": lambda x, W, b: x @ W.T @ W + b,
  "relu_output": lambda x, W, b: relu(x @ W.T @ W + b),
  "relu_hidden": lambda x, W, b: relu(relu(x @ W.T) @ W + b),
  "absolute_value": lambda x, W1, W2, b: relu(relu(x @ W1.T) @ W2.T + b),
}
N, M = 4, 3
SHAPES = {"W": (M, N), "W1": (M, N), "W2": (N, M), "b": (N,)}
IMPORTANCE = np.array([1, 0, 0.5, 2])


def test_the_squared_error_by_hand():
  target, output = jnp.array([1.0, 2]), jnp.array([0.0, 1.5])
  instance = Instance(0, jnp.ones(2), jnp.array([2.0, 0.5]), 1.0)
  loss = problem.output_loss(small.spec(n_features=2, n_hidden=1))(instance, target, output)
  np.testing.assert_array_equal(loss, [2, 0.125])  # 2 · 1² and 0.5 · 0.5²
  assert objective.REDUCTIONS["sum"](loss) == 2.125
  assert objective.REDUCTIONS["mean"](loss) == 1.0625


def test_the_loss_of_a_batch_by_hand():
  # Without weights the output is the bias (0, 1), here for two examples: (1, 0) and (0, 2).
  params = AutoencoderParams(W=jnp.zeros((1, 2)), b=jnp.array([0.0, 1]))
  instance = Instance(
    index=jnp.int32(0),
    density=jnp.ones(2),
    importance=jnp.array([2.0, 0.5]),
    learning_rate=jnp.float32(1),
  )
  x = jnp.array([[1.0, 0], [0, 2]])  # (feature, example)
  for reduction, expected in (("sum", 1.5), ("mean", 0.75)):
    one = problem.make(small.spec(n_features=2, n_hidden=1, reduction=reduction))
    np.testing.assert_array_equal(one.feature_loss(params, instance, x[:, :1]), [2, 0.5])
    # 2 · (1 + 0) / 2 and 0.5 · (1 + 1) / 2.
    np.testing.assert_array_equal(one.feature_loss(params, instance, x), [1, 0.5])
    assert one.loss(params, instance, x) == expected


def test_targets_by_hand():
  x = jnp.array([-1.0, 0.5, 0])
  s = jnp.array([2.0, 3])
  np.testing.assert_array_equal(objective.TARGETS["identity"](x, s), [-1, 0.5, 0])
  np.testing.assert_array_equal(objective.TARGETS["absolute"](x, s), [1, 0.5, 0])
  np.testing.assert_array_equal(objective.TARGETS["input"](x, s), s)
  y = objective.TARGETS["pairs"](jnp.array([1.0, 2, 0, 3]), s)
  np.testing.assert_array_equal(y, [2, 0, 3, 0, 6, 0])
  residual = objective.TARGETS["residual_relu"](residual=2.0)
  np.testing.assert_array_equal(residual.of(x, s), [-2, 1.5, 0])
  circuit = objective.TARGETS["block_circuit"](n_blocks=1, block_share=1.0, threshold=0.25)
  expected = relu(circuit.weights(3) @ np.asarray(x) - 0.25)
  np.testing.assert_allclose(circuit.of(x, s), expected, rtol=ROUND_OFF)
  mixed = objective.TARGETS["mixed_relu"](mixing=0.5, n_residual=20)
  expected = relu(np.asarray(x)) + 0.5 * mixed.matrix(3) @ np.asarray(x)
  np.testing.assert_allclose(mixed.of(x, s), expected, atol=ROUND_OFF)


def test_losses_by_hand():
  target, output = jnp.array([1.0, 2, 0]), jnp.array([0.5, 2, -2])
  np.testing.assert_array_equal(objective.LOSSES["absolute"](target, output), [0.5, 0, 2])
  power = objective.LOSSES["power"](q=3.0)
  np.testing.assert_allclose(power.of(target, output), [0.125, 0, 8], rtol=1e-6)
  slope = jax.grad(lambda output: power.of(target, output).sum())(output)
  np.testing.assert_allclose(slope, [-0.75, 0, -12], rtol=1e-6)  # 3 |e|² sign(e), 0 at 0
  share = np.array([0.25, 0.75, 0])
  logits = np.log(np.array([0.5, 0.25, 0.25]))
  loss = objective.LOSSES["cross_entropy"](jnp.float32(share), jnp.float32(logits))
  np.testing.assert_allclose(loss, -share * logits, rtol=1e-6)


def test_penalties_by_hand():
  h = jnp.array([-0.5, 0.02, 0, 3])
  params = AutoencoderParams(W=jnp.array([[3.0, 0], [4, 0]]), b=jnp.zeros(2))
  assert objective.PENALTIES["hidden_l1"](hidden_l1=2.0).of(params, h) == pytest.approx(7.04)
  norm = objective.PENALTIES["direction_norm"](direction_norm=0.1)
  slope = jax.grad(lambda params: norm.of(params, h))(params)
  assert norm.of(params, h) == pytest.approx(0.5)  # .1 · (5 + 0)
  np.testing.assert_allclose(slope.W, [[0.06, 0], [0.08, 0]], rtol=1e-6)
  count = objective.PENALTIES["hidden_l0"](hidden_l0=0.5, bandwidth=0.1)
  assert count.of(params, h) == 1.0  # two of |h| are above .05
  # Only .02 lies on the ramp from 0 to .1, whose slope is 1/.1.
  np.testing.assert_allclose(jax.grad(count.of, 1)(params, h), [0, 5, 0, 0], rtol=1e-6)


def case(name):
  """Returns the parameters by name, a batch with some zeros, and the target."""
  rng = np.random.default_rng(838)  # of few, one for which all outputs are alive
  values = {field: rng.normal(size=SHAPES[field]) for field in param_names(name)}
  x, target = rng.uniform(size=(32, N)) * (rng.uniform(size=(32, N)) < 0.7), "identity"
  if name == "absolute_value":
    x, target = x * rng.choice([-1, 1], size=x.shape), "absolute"
  alive = np.mean(REFERENCE[name](x, **values) > 0, axis=0)
  assert np.all((alive > 0.1) & (alive < 0.95))
  return values, x, target


def jax_loss(name, target, reduction="sum"):
  """Returns the package's loss as a function of parameters by name and a batch."""
  spec = small.spec(model=name, n_features=N, n_hidden=M, target=target, reduction=reduction)
  instance = Instance(
    index=jnp.int32(0),
    density=jnp.full(N, 0.5),
    importance=jnp.float32(IMPORTANCE),
    learning_rate=jnp.float32(1),
  )
  make = params_class(name)

  def loss(values, x):
    params = make(**{field: jnp.asarray(v, jnp.float32) for field, v in values.items()})
    return problem.make(spec).loss(params, instance, jnp.asarray(x, jnp.float32).T)

  return loss


def reference_loss(name, values, x):
  target = np.abs(x) if name == "absolute_value" else x
  return np.sum(IMPORTANCE * np.mean((target - REFERENCE[name](x, **values)) ** 2, axis=0))


@pytest.mark.parametrize("name", REFERENCE)
def test_the_loss_is_the_reference_s_and_its_sum_is_n_times_its_mean(name):
  values, x, target = case(name)
  total = float(jax.jit(jax_loss(name, target))(values, x))
  assert total == pytest.approx(reference_loss(name, values, x), rel=ROUND_OFF)
  mean = jax.jit(jax_loss(name, target, "mean"))(values, x)
  assert N * float(mean) == pytest.approx(total, rel=ROUND_OFF)


@pytest.mark.parametrize("name", REFERENCE)
def test_the_loss_gradient_is_that_of_central_differences(name):
  values, x, target = case(name)
  gradients = jax.jit(jax.grad(jax_loss(name, target)))(
    {field: jnp.float32(v) for field, v in values.items()}, x
  )
  for field, value in values.items():
    expected = np.empty_like(value)
    for place in np.ndindex(*value.shape):
      shift = np.zeros_like(value)
      shift[place] = STEP
      up, down = (
        reference_loss(name, values | {field: value + sign * shift}, x) for sign in (1, -1)
      )
      expected[place] = (up - down) / (2 * STEP)
    size = np.abs(expected).max()
    np.testing.assert_allclose(gradients[field], expected, rtol=0, atol=GRADIENT_ERROR * size)


@pytest.mark.parametrize("name", REFERENCE)
def test_a_feature_without_importance_does_not_move_its_bias(name):
  values, x, target = case(name)
  start = {f: jnp.float32(v) for f, v in values.items()}
  gradient = np.asarray(jax.jit(jax.grad(jax_loss(name, target)))(start, x)["b"])
  assert gradient[1] == 0
  assert np.any(gradient != 0)
