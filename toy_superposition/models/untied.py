"""Two layers whose decoder is not the encoder's transpose: a linear map, or a layer of neurons."""

import dataclasses
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax import lax

from toy_superposition.declare import flag
from toy_superposition.models.model import Model
from toy_superposition.models.toy import Feature, Hidden, MLPParams, init_mlp
from toy_superposition.types import Key


@dataclass(frozen=True)
class Untied:
  """y′ = f(W₂ g(W₁ x) + b).

  With the identity as g only the product W₂ W₁ counts, of rank m at most: the hidden layer is known
  up to an invertible map, and its own angles mean nothing.
  """

  output_bias: bool = flag(True, "whether b is learned; otherwise it is 0")
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
    bias = params.b if self.output_bias else jnp.zeros_like(params.b)
    return self.activation(params.W2 @ h + bias)


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
    return jax.nn.relu(z)


@dataclass(frozen=True)
class ReLUMLP(Untied):
  """y′ = W₂ ReLU(W₁ x) + b: neurons that write linearly, as in a residual stream."""

  def activation(self, z: Feature) -> Feature:
    """Returns z."""
    return z

  def hidden(self, z: Hidden) -> Hidden:
    """Returns ReLU(z)."""
    return jax.nn.relu(z)


UNTIED: dict[str, type[Untied]] = {
  "untied_linear": UntiedLinear,
  "untied_relu": UntiedReLU,
  "relu_mlp": ReLUMLP,
}
# Without neurons: no basis of their hidden layer is special.
LINEAR_INSIDE = ("untied_linear", "untied_relu")
