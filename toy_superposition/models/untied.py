"""Two layers whose decoder is not the encoder's transpose: a linear map, or a layer of neurons."""

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from flax import struct
from jax import lax
from jaxtyping import Float

from toy_superposition.activations import relu
from toy_superposition.declare import flag, number
from toy_superposition.models.model import Input, Model, Output, Rows
from toy_superposition.models.toy import Feature, Hidden, MLPParams, init_mlp
from toy_superposition.types import Key, Leaf

OUTPUT_BIAS = "whether b is learned; otherwise it is 0"


@struct.dataclass
class ReLULayerParams:
  """h = ReLU(W_in s + b_in), y′ = W_out h + b_out, of any input s and any number of outputs."""

  DIMS: ClassVar[dict[str, tuple[str, ...]]] = {
    "W_in": ("hidden", "input"),
    "b_in": ("hidden",),
    "W_out": ("output", "hidden"),
    "b_out": ("output",),
  }

  W_in: Float[Leaf, "*instance hidden input"] | Any
  b_in: Float[Leaf, "*instance hidden"] | Any
  W_out: Float[Leaf, "*instance output hidden"] | Any
  b_out: Float[Leaf, "*instance output"] | Any


@dataclass(frozen=True)
class Untied:
  """y′ = f(W₂ g(W₁ x) + b).

  With the identity as g only the product W₂ W₁ counts, of rank m at most: the hidden layer is known
  up to an invertible map, and its own angles mean nothing.
  """

  output_bias: bool = flag(True, OUTPUT_BIAS)
  frozen_encoder: bool = flag(
    False, "whether W₁ stays as it was drawn, with independent random columns of unit norm"
  )

  def activation(self, z: Feature) -> Feature:
    """Returns f(z)."""
    raise NotImplementedError

  def hidden(self, z: Hidden) -> Hidden:
    """Returns g(z): z, if a row does not say otherwise."""
    return z

  def build(self) -> Model:
    """Returns the model."""
    return Model(
      self.init,
      self.encode,
      self.decode,
      None if self.frozen_encoder else self.hidden,
      self.rows,
      self.activation,
      project=unit_columns if self.frozen_encoder else None,
    )

  def init(
    self, key: Key, *, n_inputs: int, n_hidden: int, n_outputs: int, std: float
  ) -> MLPParams:
    """Returns independent normal weights and zero biases; columns of W₁ have norm 1 if frozen."""
    params = init_mlp(key, n_inputs=n_inputs, n_hidden=n_hidden, n_outputs=n_outputs, std=std)
    return unit_columns(params) if self.frozen_encoder else params

  def encode(self, params: MLPParams, x: Feature) -> Hidden:
    """Returns g(W₁ x)."""
    W1 = lax.stop_gradient(params.W1) if self.frozen_encoder else params.W1
    return self.hidden(W1 @ x)

  def decode(self, params: MLPParams, h: Hidden) -> Feature:
    """Returns f(W₂ h + b)."""
    return self.activation(params.W2 @ h + self.bias(params))

  def bias(self, params: MLPParams) -> Feature:
    """Returns b, or zeros in its place."""
    return params.b if self.output_bias else jnp.zeros_like(params.b)

  def rows(self, params: MLPParams) -> Rows:
    """Returns the parameters by feature."""
    return Rows(params.W1, self.bias(params), params.W2)


def unit_columns(params: MLPParams) -> MLPParams:
  """Returns the parameters with columns of W₁ of norm 1: decay of weights cannot shrink them."""
  norm = jnp.linalg.norm(params.W1, axis=0, keepdims=True)
  return dataclasses.replace(params, W1=params.W1 / jnp.where(norm > 0, norm, 1))


@dataclass(frozen=True)
class UntiedLinear(Untied):
  """y′ = W₂ W₁ x + b."""

  def activation(self, z: Feature) -> Feature:
    """Returns z."""
    return z


@dataclass(frozen=True)
class UntiedReLU(Untied):
  """y′ = ReLU(W₂ W₁ x + b)."""

  def activation(self, z: Feature) -> Feature:
    """Returns ReLU(z)."""
    return relu(z)


@dataclass(frozen=True)
class ReLUMLP(Untied):
  """y′ = W₂ ReLU(W₁ x) + b: neurons that write linearly, as in a residual stream."""

  def activation(self, z: Feature) -> Feature:
    """Returns z."""
    return z

  def hidden(self, z: Hidden) -> Hidden:
    """Returns ReLU(z)."""
    return relu(z)


@dataclass(frozen=True)
class ReLULayer:
  """y′ = W_out ReLU(W_in s + b_in) + b_out, of what the model sees, s, with any target.

  A neuron's bias sets the sum of inputs above which it responds.
  """

  output_bias: bool = flag(True, OUTPUT_BIAS)
  neuron_bias: float = number(0.0, "(-inf, inf)", "initial bias of every neuron")
  fan_in: bool = flag(
    False,
    "whether the initial deviation of each matrix is divided by the root of the numbers that it "
    "adds up, as is usual with init.scheme='constant'",
  )

  def build(self) -> Model:
    """Returns the model."""
    return Model(self.init, self.encode, self.decode)

  def init(
    self, key: Key, *, n_inputs: int, n_hidden: int, n_outputs: int, std: float
  ) -> ReLULayerParams:
    """Returns independent normal weights, neurons with their initial bias, and zero biases of
    outputs."""
    key_in, key_out = jax.random.split(key)
    std_in, std_out = (std / size**0.5 if self.fan_in else std for size in (n_inputs, n_hidden))
    return ReLULayerParams(
      W_in=std_in * jax.random.normal(key_in, (n_hidden, n_inputs), dtype=jnp.float32),
      b_in=jnp.full(n_hidden, self.neuron_bias, dtype=jnp.float32),
      W_out=std_out * jax.random.normal(key_out, (n_outputs, n_hidden), dtype=jnp.float32),
      b_out=jnp.zeros(n_outputs, dtype=jnp.float32),
    )

  def encode(self, params: ReLULayerParams, s: Input) -> Hidden:
    """Returns ReLU(W_in s + b_in)."""
    return relu(params.W_in @ s + params.b_in)

  def decode(self, params: ReLULayerParams, h: Hidden) -> Output:
    """Returns W_out h + b_out."""
    bias = params.b_out if self.output_bias else jnp.zeros_like(params.b_out)
    return params.W_out @ h + bias


UNTIED: dict[str, type[Any]] = {
  "untied_linear": UntiedLinear,
  "untied_relu": UntiedReLU,
  "relu_mlp": ReLUMLP,
  "relu_layer": ReLULayer,
}
# Without neurons: no basis of their hidden layer is special.
LINEAR_INSIDE = ("untied_linear", "untied_relu")
