"""Optimizers and schedules: a Spec and a learning rate become an optax transformation.

The learning rate may be traced: a transformation is two closures, so it can be built inside
`vmap` from an instance's own number. No library default decides anything: every constant comes
from the Spec.
"""

from collections.abc import Callable

import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

from toy_superposition import bfgs
from toy_superposition.types import Spec

Step = Int[Array, ""] | int
Rate = Float[Array, ""] | float


def constant(spec: Spec, step: Step) -> Rate:
  """Returns 1."""
  del spec, step
  return 1.0


def linear(spec: Spec, step: Step) -> Rate:
  """Returns 1 − step / steps."""
  return 1 - step / spec.steps


def cosine(spec: Spec, step: Step) -> Rate:
  """Returns ½ (1 + cos(π step / steps)): the usual half period."""
  return 0.5 * (1 + jnp.cos(jnp.pi * step / spec.steps))


def quarter_cosine(spec: Spec, step: Step) -> Rate:
  """Returns cos(½π step / (steps − 1)): the paper's notebook (defined there, not used)."""
  return jnp.cos(0.5 * jnp.pi * step / max(spec.steps - 1, 1))


SCHEDULES: dict[str, Callable[[Spec, Step], Rate]] = {
  "constant": constant,
  "linear": linear,
  "cosine": cosine,
  "quarter_cosine": quarter_cosine,
}


def schedule(spec: Spec, step: Step) -> Rate:
  """Returns the factor on the learning rate at a step: linear warm-up times the schedule.

  With warmup_steps = k the factor of step t < k is (t + 1) / k of the schedule's.
  """
  rate = SCHEDULES[spec.schedule](spec, step)
  if spec.warmup_steps:
    rate = rate * jnp.minimum(1.0, (step + 1) / spec.warmup_steps)
  return rate


def adam(spec: Spec, learning_rate: optax.ScalarOrSchedule) -> optax.GradientTransformation:
  """Returns Adam; weight_decay is not used."""
  return optax.adam(learning_rate, b1=spec.b1, b2=spec.b2, eps=spec.epsilon)


def adamw(spec: Spec, learning_rate: optax.ScalarOrSchedule) -> optax.GradientTransformation:
  """Returns AdamW: decoupled decay of all parameters, biases included, as in PyTorch."""
  return optax.adamw(
    learning_rate, b1=spec.b1, b2=spec.b2, eps=spec.epsilon, weight_decay=spec.weight_decay
  )


def sgd(spec: Spec, learning_rate: optax.ScalarOrSchedule) -> optax.GradientTransformation:
  """Returns stochastic gradient descent with heavy-ball momentum and coupled weight decay."""
  return optax.chain(
    optax.add_decayed_weights(spec.weight_decay), optax.sgd(learning_rate, momentum=spec.momentum)
  )


def quasi_newton(spec: Spec, learning_rate: optax.ScalarOrSchedule) -> optax.GradientTransformation:
  """Returns BFGS: for losses without noise; no learning rate, schedule or decay."""
  del spec, learning_rate
  return bfgs.bfgs()


OPTIMIZERS: dict[str, Callable[[Spec, optax.ScalarOrSchedule], optax.GradientTransformation]] = {
  "adam": adam,
  "adamw": adamw,
  "sgd": sgd,
  "bfgs": quasi_newton,
}
# Those that evaluate the loss at points of their own choice instead of being given gradients.
SEARCHING = ("bfgs",)
