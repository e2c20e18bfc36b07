"""The paper's models as pure functions of one example, and their parameters.

`W` has shape (hidden, feature): column i is the direction W_i of feature i, and h = W x.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Float

from toy_superposition.types import Key, Leaf, Params, Spec

Feature = Float[Array, "feature"]
Hidden = Float[Array, "hidden"]
LEAK = 0.1  # slope of the leaky ReLU below 0


@struct.dataclass
class TiedParams:
  """h = g(W x), x′ = f(Wᵀ h + b): the decoder is the transpose of the encoder."""

  W: Float[Leaf, "*instance hidden feature"] | Any
  b: Float[Leaf, "*instance feature"] | Any

  @property
  def directions(self) -> Float[Leaf, "*instance hidden feature"]:
    """W: column i is the direction of feature i."""
    return self.W


@struct.dataclass
class UntiedParams:
  """h = g(W₁ x), y′ = f(W₂ h + b)."""

  W1: Float[Leaf, "*instance hidden feature"] | Any
  W2: Float[Leaf, "*instance feature hidden"] | Any
  b: Float[Leaf, "*instance feature"] | Any

  @property
  def directions(self) -> Float[Leaf, "*instance hidden feature"]:
    """W₁: column i is the direction in which feature i enters."""
    return self.W1


PARAMS: dict[str, type] = {"tied": TiedParams, "untied": UntiedParams}
# Trailing axes of every parameter, for labelling results.
PARAM_DIMS: dict[str, tuple[str, ...]] = {
  "W": ("hidden", "feature"),
  "b": ("feature",),
  "W1": ("hidden", "feature"),
  "W2": ("feature", "hidden"),
}


class Model(NamedTuple):
  """Three pure functions, like an optimizer; `hidden` and `decode` see ONE example."""

  init: Callable[[Key, int, int, float], Params]  # key, n_hidden, n_features, standard deviation
  hidden: Callable[[Hidden], Hidden]  # g of h = g(W x), element by element
  decode: Callable[[Params, Hidden], Feature]
  params: str  # row of PARAMS

  def encode(self, params: Params, x: Feature) -> Hidden:
    """Returns h = g(W x), with W₁ in the place of W where the decoder has its own weights."""
    return self.hidden(params.directions @ x)

  def apply(self, params: Params, x: Feature) -> Feature:
    """Returns the model's output x′ for one input x."""
    return self.decode(params, self.encode(params, x))


def init_tied(key: Key, n_hidden: int, n_features: int, std: float) -> TiedParams:
  """Returns normal weights of the given standard deviation and zero biases."""
  W = std * jax.random.normal(key, (n_hidden, n_features), dtype=jnp.float32)
  return TiedParams(W=W, b=jnp.zeros(n_features, dtype=jnp.float32))


def init_untied(key: Key, n_hidden: int, n_features: int, std: float) -> UntiedParams:
  """Returns independent normal weights of the given standard deviation and zero biases."""
  key1, key2 = jax.random.split(key)
  return UntiedParams(
    W1=std * jax.random.normal(key1, (n_hidden, n_features), dtype=jnp.float32),
    W2=std * jax.random.normal(key2, (n_features, n_hidden), dtype=jnp.float32),
    b=jnp.zeros(n_features, dtype=jnp.float32),
  )


def identity(z: Hidden) -> Hidden:
  """Returns z: the hidden layer is linear, and none of its bases is special."""
  return z


def decode_linear(params: TiedParams, h: Hidden) -> Feature:
  """Returns x′ = Wᵀ h + b."""
  return params.W.T @ h + params.b


def decode_relu(params: TiedParams, h: Hidden) -> Feature:
  """Returns x′ = ReLU(Wᵀ h + b)."""
  return jax.nn.relu(params.W.T @ h + params.b)


def decode_with(
  activation: Callable[[Feature], Feature],
) -> Callable[[TiedParams, Hidden], Feature]:
  """Returns the decoder x′ = f(Wᵀ h + b) of an activation f."""

  def decode(params: TiedParams, h: Hidden) -> Feature:
    return activation(params.W.T @ h + params.b)

  return decode


def leaky_relu(z: Feature) -> Feature:
  """Returns z where it is positive, and LEAK z elsewhere."""
  return jnp.where(z > 0, z, LEAK * z)


def squared_relu(z: Feature) -> Feature:
  """Returns ReLU(z)²."""
  return jax.nn.relu(z) ** 2


def decode_untied_relu(params: UntiedParams, h: Hidden) -> Feature:
  """Returns y′ = ReLU(W₂ h + b)."""
  return jax.nn.relu(params.W2 @ h + params.b)


MODELS: dict[str, Model] = {
  # x′ = WᵀW x + b: the baseline that never shows superposition (paper, §2).
  "linear": Model(init_tied, identity, decode_linear, "tied"),
  # x′ = ReLU(WᵀW x + b): the paper's main model (§2).
  "relu_output": Model(init_tied, identity, decode_relu, "tied"),
  # x′ = ReLU(Wᵀ ReLU(W x) + b) (section "Superposition in a Privileged Basis").
  "relu_hidden": Model(init_tied, jax.nn.relu, decode_relu, "tied"),
  # y′ = ReLU(W₂ ReLU(W₁ x) + b), asked for |x| (section "Computation in Superposition").
  "absolute_value": Model(init_untied, jax.nn.relu, decode_untied_relu, "untied"),
  # x′ = f(WᵀW x + b) with other activations f (a comment on the paper by Redwood Research).
  "leaky_relu_output": Model(init_tied, identity, decode_with(leaky_relu), "tied"),
  "squared_relu_output": Model(init_tied, identity, decode_with(squared_relu), "tied"),
  "gelu_output": Model(init_tied, identity, decode_with(jax.nn.gelu), "tied"),
  "softplus_output": Model(init_tied, identity, decode_with(jax.nn.softplus), "tied"),
  "tanh_output": Model(init_tied, identity, decode_with(jnp.tanh), "tied"),
}


def xavier_std(spec: Spec) -> float:
  """Returns √(2 / (n + m)): Xavier's rule applied to each model by itself."""
  return (2 / (spec.n_features + spec.n_hidden)) ** 0.5


def notebook_std(spec: Spec) -> float:
  """Returns √(2 / (m (n + instances))): the paper's notebook.

  PyTorch's `xavier_normal_` on a tensor (instances, n, m) takes n·m as fan-in and instances·m
  as fan-out, so the notebook's weights start smaller the more instances it trains.
  """
  return (2 / (spec.n_hidden * (spec.n_features + spec.init_n_instances))) ** 0.5


INITIALIZERS: dict[str, Callable[[Spec], float]] = {
  "xavier": xavier_std,
  "notebook": notebook_std,
}
