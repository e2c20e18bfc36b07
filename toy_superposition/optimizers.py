"""Optimizers and schedules: a row's hyperparameters, with the optax transformation made of them.

The learning rate may be traced: a transformation is two closures, so it can be built inside
`vmap` from an instance's own number. No library default decides anything: every constant is
declared here.
"""

import dataclasses
import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import optax
from jax import lax
from jaxtyping import Array, Float, Int

from toy_superposition import bfgs, declare, models
from toy_superposition.declare import choice, flag, integer, number
from toy_superposition.types import Instance, Spec

Step = Int[Array, ""] | int
Rate = Float[Array, ""] | float


def constant(step: Step, steps: int) -> Rate:
  """Returns 1."""
  del step, steps
  return 1.0


def linear(step: Step, steps: int) -> Rate:
  """Returns 1 − step / steps."""
  return 1 - step / steps


def cosine(step: Step, steps: int) -> Rate:
  """Returns ½ (1 + cos(π step / steps)): the usual half period."""
  return 0.5 * (1 + jnp.cos(jnp.pi * step / steps))


def quarter_cosine(step: Step, steps: int) -> Rate:
  """Returns cos(½π step / (steps − 1)): the paper's notebook (defined there, not used)."""
  return jnp.cos(0.5 * jnp.pi * step / max(steps - 1, 1))


# step, number of steps → factor on the learning rate.
SCHEDULES: dict[str, Callable[[Step, int], Rate]] = declare.table(
  "train.schedule",
  {
    "constant": constant,
    "linear": linear,
    "cosine": cosine,
    "quarter_cosine": quarter_cosine,
  },
)


@dataclass(frozen=True)
class Descent:
  """What optimizers that follow the gradient share: a learning rate and its schedule."""

  searches: ClassVar[bool] = False  # whether it evaluates the loss at points of its own choice

  learning_rate: float | None = number(
    1e-3, "> 0", "at the schedule's peak, per step (notebook: 1e-3)", swept=True
  )
  schedule: str = choice(
    "constant", "of the learning rate: constant, or falling to 0 at the last step"
  )
  warmup_steps: int = integer(0, "≥ 0", "steps of linear warm-up, multiplied with the schedule")

  def factor(self, step: Step, steps: int) -> Rate:
    """Returns the factor on the learning rate at a step: linear warm-up times the schedule.

    With warmup_steps = k the factor of step t < k is (t + 1) / k of the schedule's.
    """
    rate = SCHEDULES[self.schedule](step, steps)
    if self.warmup_steps:
      rate = rate * jnp.minimum(1.0, (step + 1) / self.warmup_steps)
    return rate


@dataclass(frozen=True)
class Adam(Descent):
  """Adam (Kingma & Ba 2015)."""

  b1: float = number(0.9, "[0, 1)", "decay of the first moment")
  b2: float = number(0.999, "[0, 1)", "decay of the second moment")
  epsilon: float = number(1e-8, "≥ 0", "added to the root of the second moment")

  def build(self, learning_rate: optax.ScalarOrSchedule) -> optax.GradientTransformation:
    """Returns Adam."""
    return optax.adam(learning_rate, b1=self.b1, b2=self.b2, eps=self.epsilon)


@dataclass(frozen=True)
class Decay:
  """What optimizers with weight decay share."""

  weight_decay: Any = number(
    0.01,
    "≥ 0",
    "of weights and biases (notebook: 0.01): decoupled in AdamW, coupled in SGD",
    swept=True,
  )
  decay_biases: bool = flag(True, "whether biases decay too, as in PyTorch, or matrices alone")

  @property
  def mask(self) -> Callable[[Any], Any] | None:
    """What decays of a model's parameters, as optax takes it: matrices, or with None all."""
    return None if self.decay_biases else matrices


def matrices(params: Any) -> Any:
  """Returns a model's parameters with True for a matrix and False for a bias."""
  return jax.tree.map(lambda leaf: leaf.ndim > 1, params)


@dataclass(frozen=True)
class AdamW(Decay, Adam):
  """AdamW (Loshchilov & Hutter 2019): decay of all parameters, biases included, as in PyTorch."""

  def build(self, learning_rate: optax.ScalarOrSchedule) -> optax.GradientTransformation:
    """Returns AdamW."""
    adamw = functools.partial(optax.adamw, mask=self.mask)
    return adamw(
      learning_rate, b1=self.b1, b2=self.b2, eps=self.epsilon, weight_decay=self.weight_decay
    )


@dataclass(frozen=True)
class NormAdamW(Adam):
  """AdamW whose decay γ of the directions of features may be negative, and leaves biases alone.

  γ ≥ 0 is the usual decoupled decay, w_i ← w_i − rate · γ w_i. γ < 0 draws every norm to 1, so that
  all features stay represented (Liu, Liu and Gore 2025): w_i ← w_i + rate · γ w_i (1 − 1/‖w_i‖).
  """

  norm_decay: Any = number(
    0.0,
    "[-1, 1]",
    "γ: decay of directions; below 0 their norms are drawn to 1 at the rate |γ| instead",
    swept=True,
  )

  def build(self, learning_rate: optax.ScalarOrSchedule) -> optax.GradientTransformation:
    """Returns Adam with the decay."""
    return optax.chain(
      optax.scale_by_adam(b1=self.b1, b2=self.b2, eps=self.epsilon),
      norm_decay(self.norm_decay),
      optax.scale_by_learning_rate(learning_rate),
    )


def norm_decay(rate: Rate | None) -> optax.GradientTransformation:
  """Returns the transformation that adds the decay of `NormAdamW` to the updates of all directions.

  Directions are the columns or rows of a matrix that belong to one feature, or to one latent;
  arrays of one axis are biases.

  Args:
    rate: γ; None where only the state's shape is asked for.
  """

  def update(updates, state, params):
    assert rate is not None
    decays = {
      name: decay_of(rate, getattr(params, name), dims)
      for name, dims in type(params).DIMS.items()
      if len(dims) > 1
    }
    added = {name: getattr(updates, name) + decay for name, decay in decays.items()}
    return dataclasses.replace(updates, **added), state

  return optax.GradientTransformation(lambda params: optax.EmptyState(), update)


def decay_of(rate: Rate, w: Array, dims: tuple[str, ...]) -> Array:
  """Returns γ w for a rate γ ≥ 0, and |γ| w (1 − 1/‖w‖) for γ < 0; 0 where w is 0.

  Args:
    rate: γ.
    w: a matrix of directions.
    dims: names of its axes, of which "feature" or else "latent" counts the directions.
  """
  one = dims.index("feature" if "feature" in dims else "latent")
  square = jnp.sum(w**2, axis=tuple(k for k in range(len(dims)) if k != one), keepdims=True)
  inverse = jnp.where(square > 0, lax.rsqrt(jnp.where(square > 0, square, 1)), 1)
  return jnp.where(rate >= 0, rate * w, -rate * w * (1 - inverse))


@dataclass(frozen=True)
class SGD(Decay, Descent):
  """Stochastic gradient descent with heavy-ball momentum and coupled weight decay."""

  momentum: float = number(0.9, "[0, 1)", "share of the previous step that is added to a step")

  def build(self, learning_rate: optax.ScalarOrSchedule) -> optax.GradientTransformation:
    """Returns SGD."""
    return optax.chain(
      optax.add_decayed_weights(self.weight_decay, self.mask),
      optax.sgd(learning_rate, momentum=self.momentum),
    )


@dataclass(frozen=True)
class Lamb(Adam):
  """LAMB (You et al. 2020): Adam's step, rescaled to the norm of what it moves.

  Each array of parameters moves by rate · ‖w‖ u / ‖u‖, u being Adam's step: the learning rate is a
  relative change. Arrays whose norm is 0 move by rate · u. Biases may decay beside it,
  b ← b − rate · decay · b, so that neurons that begin silent wake up (Jermyn et al. 2022).
  """

  bias_decay: Any = number(0.0, "≥ 0", "of biases alone, decoupled", swept=True)

  def build(self, learning_rate: optax.ScalarOrSchedule) -> optax.GradientTransformation:
    """Returns LAMB."""
    return optax.chain(
      optax.scale_by_adam(b1=self.b1, b2=self.b2, eps=self.epsilon),
      optax.scale_by_trust_ratio(),
      optax.add_decayed_weights(
        self.bias_decay, lambda params: jax.tree.map(lambda leaf: leaf.ndim == 1, params)
      ),
      optax.scale_by_learning_rate(learning_rate),
    )


@dataclass(frozen=True)
class BFGS:
  """BFGS, for losses without noise: no learning rate, schedule or decay."""

  searches: ClassVar[bool] = True

  def build(self, learning_rate: optax.ScalarOrSchedule) -> optax.GradientTransformation:
    """Returns BFGS; the learning rate is not used."""
    del learning_rate
    return bfgs.bfgs()


# Classes with declared fields and `build(learning_rate)`; with Descent as a base, a learning rate
# and its schedule are among the fields.
OPTIMIZERS: dict[str, type] = declare.table(
  "train.optimizer",
  {"adam": Adam, "adamw": AdamW, "norm_adamw": NormAdamW, "lamb": Lamb, "sgd": SGD, "bfgs": BFGS},
)


def descends(spec: Spec) -> bool:
  """Returns whether an optimizer's steps are BFGS alone, which bfgs.descend takes faster."""
  return isinstance(spec.row("train.optimizer"), BFGS) and not _constrains(models.of(spec))


def _constrains(model: models.Model) -> bool:
  return bool(model.running or model.project)


def searches(name: str) -> bool:
  """Returns whether an optimizer evaluates the loss itself instead of being given gradients."""
  return getattr(OPTIMIZERS[name], "searches", False)


def transformation(spec: Spec, instance: Instance) -> optax.GradientTransformationExtraArgs:
  """Returns the Spec's optimizer with one instance's learning rate."""
  row, model = spec.row("train.optimizer", instance), models.of(spec)

  def rate(step: Step) -> Rate:
    return instance.learning_rate * row.factor(step, spec.steps)

  scheduled = rate if isinstance(row, Descent) else instance.learning_rate
  inner = optax.with_extra_args_support(row.build(scheduled))
  return constrained(inner, model) if _constrains(model) else inner


def constrained(
  inner: optax.GradientTransformationExtraArgs, model: models.Model
) -> optax.GradientTransformationExtraArgs:
  """Returns an optimizer whose steps keep a model's running means and constraint.

  A running mean moves by −rate · gradient, whatever the optimizer; then the parameters are
  projected to where the model wants them, such as to columns of unit norm.
  """

  def update(gradients, state, params, **extra):
    if model.tangent:
      gradients = model.tangent(params, gradients)
    updates, state = inner.update(gradients, state, params, **extra)
    means = {name: -model.running_rate * getattr(gradients, name) for name in model.running}
    updates = dataclasses.replace(updates, **means)
    if model.project:
      projected = model.project(optax.apply_updates(params, updates))
      updates = jax.tree.map(jnp.subtract, projected, params)
    return updates, state

  return optax.GradientTransformationExtraArgs(inner.init, update)
