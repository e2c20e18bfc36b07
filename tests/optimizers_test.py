"""Optimizers and schedules against the rules written out in NumPy."""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from configs import base
from tests import small
from toy_superposition import declare, fields, optimizers, problem
from toy_superposition.config import resolve
from toy_superposition.declare import number
from toy_superposition.errors import UserError
from toy_superposition.models import AutoencoderParams
from toy_superposition.types import Instance, Spec

# Every constant is far from its default, so that a default or a misplaced one shows.
HYPERPARAMETERS: dict[str, float] = {
  "b1": 0.8,
  "b2": 0.95,
  "epsilon": 0.1,
  "momentum": 0.7,
  "weight_decay": 0.3,
  "norm_decay": 0.4,
  "bias_decay": 0.2,
}
SCHEDULE: dict[str, Any] = {"schedule": "linear", "warmup_steps": 2, "steps": 8}
SIZES = {"n_features": 2, "n_hidden": 1}
RATE = 0.05
N_STEPS = 5
ROUND_OFF = 1e-5  # float32 over a few steps, relative
W, b = np.array([[1.5, -0.5]]), np.array([0.3, 0.0])
GRADIENTS = np.random.default_rng(0).normal(size=(N_STEPS, 4))  # of W's two elements and b's


def spec_of(optimizer: str, **changes) -> Spec:
  """Returns the Spec of an optimizer with all constants from above, and changes."""
  return small.spec(optimizer=optimizer, **HYPERPARAMETERS | SCHEDULE | SIZES | changes)


def rate_factor(spec: Spec, step):
  """Returns the factor of the schedule on the learning rate."""
  return spec.row("train.optimizer").factor(step, spec.steps)


def factor(step: int) -> float:
  """Returns the factor of SCHEDULE: warm-up over two steps times 1 − step / 8."""
  return min(1, (step + 1) / 2) * (1 - step / 8)


def instance(learning_rate) -> Instance:
  rate = jnp.float32(learning_rate)
  return Instance(
    index=jnp.zeros(rate.shape, jnp.int32),
    density=jnp.full((*rate.shape, 2), 0.1),
    importance=jnp.ones((*rate.shape, 2)),
    learning_rate=rate,
    numbers={
      f"train.{name}": jnp.full(rate.shape, HYPERPARAMETERS[name])
      for name in ("weight_decay", "norm_decay", "bias_decay")
    },
  )


def as_params(flat) -> AutoencoderParams:
  flat = jnp.float32(flat)
  return AutoencoderParams(W=flat[:2].reshape(1, 2), b=flat[2:])


def trained(spec: Spec, one: Instance, gradients) -> jax.Array:
  """Returns W's and b's elements after every step."""
  optimizer = problem.make(spec).optimizer(one)
  params = AutoencoderParams(W=jnp.float32(W), b=jnp.float32(b))
  state = optimizer.init(params)
  path = []
  for gradient in gradients:
    updates, state = optimizer.update(as_params(gradient), state, params)
    params = optax.apply_updates(params, updates)
    path.append(jnp.concatenate([params.W[0], params.b]))
  return jnp.stack(path)


def adam_direction(gradients) -> np.ndarray:
  """Returns m̂ / (√v̂ + ε) of every step (Kingma and Ba, algorithm 1)."""
  m, v, path = 0.0, 0.0, []
  b1, b2, epsilon = (HYPERPARAMETERS[name] for name in ("b1", "b2", "epsilon"))
  for t, gradient in enumerate(gradients, start=1):
    m = b1 * m + (1 - b1) * gradient
    v = b2 * v + (1 - b2) * gradient**2
    m_hat, v_hat = m / (1 - b1**t), v / (1 - b2**t)
    path.append(m_hat / (np.sqrt(v_hat) + epsilon))
  return np.array(path)


def by_hand(name: str, gradients) -> np.ndarray:
  """Returns W's and b's elements after every step, in float64."""
  theta, momentum, path = np.concatenate([W[0], b]), 0.0, []
  direction = adam_direction(gradients)
  decay = HYPERPARAMETERS["weight_decay"]
  for step, gradient in enumerate(gradients):
    rate = RATE * factor(step)
    if name == "adam":
      theta = theta - rate * direction[step]
    elif name == "norm_adamw":  # of weights alone
      theta = theta - rate * (direction[step] + 0.4 * theta * [1, 1, 0, 0])
    elif name == "adamw":  # decoupled: the decay is scaled by the rate, not by the moments
      theta = theta - rate * (direction[step] + decay * theta)
    elif name == "lamb":  # each array's step has its norm; of biases alone there is a decay
      for part, own_decay in ((slice(0, 2), 0), (slice(2, 4), HYPERPARAMETERS["bias_decay"])):
        norm, of_step = (np.linalg.norm(each[part]) for each in (theta, direction[step]))
        theta[part] -= rate * (direction[step, part] * norm / of_step + own_decay * theta[part])
    else:  # coupled: the decay is part of the gradient, and so of the momentum
      momentum = HYPERPARAMETERS["momentum"] * momentum + gradient + decay * theta
      theta = theta - rate * momentum
    path.append(theta.copy())
  return np.array(path)


@pytest.mark.parametrize("name", ["adam", "adamw", "norm_adamw", "lamb", "sgd"])
def test_every_step_follows_the_rule(name):
  spec = spec_of(name)
  path = trained(spec, instance(RATE), GRADIENTS)
  np.testing.assert_allclose(path, by_hand(name, GRADIENTS), rtol=ROUND_OFF, atol=1e-6)


@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_biases_do_not_decay_if_matrices_alone_shall(name):
  spec = spec_of(name, schedule="constant", warmup_steps=0, decay_biases=False)
  path = trained(spec, instance(RATE), np.zeros((1, 4)))
  kept = np.concatenate([(1 - RATE * HYPERPARAMETERS["weight_decay"]) * W[0], b])
  np.testing.assert_allclose(path[0], kept, rtol=ROUND_OFF)


def test_adam_s_first_step_has_the_length_of_the_learning_rate():
  spec = spec_of("adam", epsilon=1e-8, schedule="constant", warmup_steps=0)
  path = trained(spec, instance(RATE), [[1e-3, -5.0, 2.0, -1e-3]])
  moved = np.asarray(path)[0] - np.concatenate([W[0], b])
  np.testing.assert_allclose(moved, RATE * np.array([-1, 1, -1, 1]), rtol=1e-4)  # 1e-8 / 1e-3


@pytest.mark.parametrize(
  ("name", "shrink"), [("adam", 1), ("adamw", 1 - RATE * 0.3), ("sgd", 1 - RATE * 0.3)]
)
def test_weight_decay_shrinks_weights_and_biases_alike_except_in_adam(name, shrink):
  spec = spec_of(name, schedule="constant", warmup_steps=0)
  path = trained(spec, instance(RATE), np.zeros((1, 4)))
  np.testing.assert_allclose(path[0], shrink * np.concatenate([W[0], b]), rtol=ROUND_OFF)


def test_a_negative_norm_decay_draws_every_direction_to_norm_one_and_spares_biases_and_zeros():
  spec = spec_of("norm_adamw", schedule="constant", warmup_steps=0, n_hidden=2, n_features=3)
  one = dataclasses.replace(instance(RATE), numbers={"train.norm_decay": jnp.float32(-0.8)})
  optimizer = problem.make(spec).optimizer(one)
  start = jnp.float32([[1.2, 0.3, 0], [1.6, -0.4, 0]])  # columns of norm 2, ½ and 0
  params = AutoencoderParams(W=start, b=jnp.float32([1, 2, 3]))
  still = jax.tree.map(jnp.zeros_like, params)
  updates, _ = optimizer.update(still, optimizer.init(params), params)
  moved = optax.apply_updates(params, updates)
  by_hand = np.asarray(start) * (1 - RATE * 0.8 * np.array([1 - 1 / 2, 1 - 1 / 0.5, 0]))
  np.testing.assert_allclose(moved.W, by_hand, rtol=ROUND_OFF)
  np.testing.assert_array_equal(moved.b, params.b)


def test_directions_of_an_mlp_and_of_an_autoencoder_are_its_features_and_its_latents():
  W = jnp.float32([[3, 0.6], [4, 0.8]])  # columns of norm 5 and 1, rows of other norms
  for dims in (("hidden", "feature"), ("input", "latent")):
    np.testing.assert_allclose(
      optimizers.decay_of(-1.0, W, dims), [[2.4, 0], [3.2, 0]], rtol=ROUND_OFF, atol=1e-6
    )
    turned = optimizers.decay_of(-1.0, W.T, dims[::-1])
    np.testing.assert_array_equal(turned.T, optimizers.decay_of(-1.0, W, dims))
  np.testing.assert_array_equal(optimizers.decay_of(0.5, W, dims), W / 2)


def test_decays_of_both_signs_train_in_one_program():
  spec, traced = spec_of("norm_adamw"), []

  @jax.jit
  def both(decay):
    traced.append(1)
    of = dataclasses.replace(instance(RATE), numbers={"train.norm_decay": decay})
    return trained(spec, of, GRADIENTS)

  paths = [np.asarray(both(jnp.float32(decay))) for decay in (-1, 0, 1)]
  assert len(traced) == 1
  adam = trained(spec_of("adam"), instance(RATE), GRADIENTS)
  np.testing.assert_allclose(paths[1], adam, rtol=ROUND_OFF, atol=1e-6)
  norm = np.linalg.norm([path[-1, :2] for path in paths], axis=1)
  assert norm[2] < norm[1]


HALF = math.sqrt(0.5)


@pytest.mark.parametrize(
  ("name", "steps", "values"),
  [  # at steps 0, ¼, ½, ¾ and 1 of the way
    ("constant", 8, [1, 1, 1, 1, 1]),
    ("linear", 8, [1, 0.75, 0.5, 0.25, 0]),
    ("cosine", 8, [1, (1 + HALF) / 2, 0.5, (1 - HALF) / 2, 0]),
    ("quarter_cosine", 9, [1, math.cos(math.pi / 8), HALF, math.cos(3 * math.pi / 8), 0]),
  ],
)
def test_schedules_at_start_middle_and_end(name, steps, values):
  spec = small.spec(schedule=name, steps=steps, warmup_steps=0)
  rate = [float(rate_factor(spec, step)) for step in (0, 2, 4, 6, 8)]
  np.testing.assert_allclose(rate, values, atol=1e-6)


@pytest.mark.parametrize("name", optimizers.SCHEDULES)
def test_warm_up_multiplies_the_schedule_by_a_ramp_that_starts_above_zero(name):
  spec = small.spec(schedule=name, steps=12, warmup_steps=4)
  without = small.spec(schedule=name, steps=12, warmup_steps=0)
  rate, plain = (
    np.array([float(rate_factor(s, step)) for step in range(12)]) for s in (spec, without)
  )
  ramp = np.array([0.25, 0.5, 0.75] + [1] * 9)
  np.testing.assert_allclose(rate, ramp * plain, rtol=ROUND_OFF)


@pytest.mark.parametrize("name", optimizers.SCHEDULES)
def test_a_schedule_is_the_same_of_a_traced_step(name):
  spec = small.spec(schedule=name, steps=12, warmup_steps=4)
  traced = jax.vmap(lambda step: jnp.float32(rate_factor(spec, step)))(jnp.arange(12))
  plain = [float(rate_factor(spec, step)) for step in range(12)]
  np.testing.assert_allclose(traced, plain, rtol=ROUND_OFF, atol=1e-6)


def test_a_run_of_one_step_starts_at_the_full_quarter_cosine():
  assert float(optimizers.quarter_cosine(0, 1)) == 1


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd"])
def test_instances_with_their_own_rates_under_vmap_train_as_they_do_alone(name):
  spec = spec_of(name)
  rates = jnp.array([0.001, 0.02, 0.3])
  together = jax.jit(jax.vmap(lambda one: trained(spec, one, GRADIENTS)))(instance(rates))
  for path, rate in zip(np.asarray(together), rates, strict=True):
    alone = trained(spec, instance(rate), GRADIENTS)
    np.testing.assert_allclose(path, alone, rtol=ROUND_OFF, atol=1e-6)


def test_bfgs_has_neither_learning_rate_nor_schedule_nor_decay():
  rows = {name: set(dict(declare.declared(row))) for name, row in optimizers.OPTIMIZERS.items()}
  assert rows["bfgs"] == set()
  assert rows["adamw"] - rows["adam"] == {"weight_decay", "decay_biases"}
  assert rows["sgd"] & rows["adam"] == {"learning_rate", "schedule", "warmup_steps"}


@dataclass(frozen=True)
class Lion(optimizers.Descent):
  """Lion (Chen et al. 2023), as somebody outside of the package would add it."""

  lion_b1: float = number(0.9, "[0, 1)", "weight of the momentum in a step")
  lion_b2: float = number(0.99, "[0, 1)", "decay of the momentum")

  def build(self, learning_rate):
    return optax.lion(learning_rate, b1=self.lion_b1, b2=self.lion_b2, weight_decay=0.0)


def test_an_optimizer_with_two_hyperparameters_is_one_class(monkeypatch):
  monkeypatch.setitem(optimizers.OPTIMIZERS, "lion", Lion)
  config = base.get_config()
  config.name, config.train.optimizer, config.train.lion_b2 = "lions", "lion", 0.5
  base.set_axes(config, b1=base.points("train.lion_b1", (0.0, 0.8)))
  specs = [group.spec for group in resolve.resolve(config).groups]
  assert [spec.row("train.optimizer") for spec in specs] == [
    Lion(learning_rate=None, lion_b1=b1, lion_b2=0.5) for b1 in (0.0, 0.8)
  ]
  path = trained(specs[0], instance(RATE), GRADIENTS[:1])
  moved = path[0] - np.concatenate([W[0], b])  # with b1 = 0: against the gradient's sign
  np.testing.assert_allclose(moved, -RATE * np.sign(GRADIENTS[0]), rtol=ROUND_OFF)
  config.train.lion_b2 = 1.0
  with pytest.raises(UserError, match=r"config.train.lion_b2: 1.0 .* a number in \[0, 1\)"):
    resolve.resolve(config)
  assert "weight of the momentum in a step [a number in [0, 1); for lion]" in " ".join(
    fields.describe(fields.defaults()).replace("#", "").split()
  )
