"""The paper's models as pure functions of one example, and their parameters.

A direction matrix has shape (hidden, feature): column i is the direction W_i of feature i, and
h = W x.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Float

from toy_superposition.activations import leaky_relu, relu, squared_relu
from toy_superposition.models.model import Model, Rows
from toy_superposition.types import Key, Leaf

Feature = Float[Array, "feature"]
Hidden = Float[Array, "hidden"]
Rotation = Float[Array, "hidden hidden"]


@struct.dataclass
class AutoencoderParams:
  """h = g(W x), x′ = f(Wᵀ h + b): the decoder is the transpose of the encoder."""

  # Trailing axes of each parameter, for labelling results.
  DIMS: ClassVar[dict[str, tuple[str, ...]]] = {"W": ("hidden", "feature"), "b": ("feature",)}

  W: Float[Leaf, "*instance hidden feature"] | Any
  b: Float[Leaf, "*instance feature"] | Any

  @property
  def directions(self) -> Float[Leaf, "*instance hidden feature"]:
    """W: column i is the direction of feature i."""
    return self.W

  def rotated(self, O: Rotation) -> "AutoencoderParams":  # noqa: E741
    """Returns the parameters with the hidden layer's inputs rotated by O and its outputs back."""
    return dataclasses.replace(self, W=O @ self.W)


@struct.dataclass
class MLPParams:
  """h = g(W₁ x), y′ = f(W₂ h + b)."""

  DIMS: ClassVar[dict[str, tuple[str, ...]]] = {
    "W1": ("hidden", "feature"),
    "W2": ("feature", "hidden"),
    "b": ("feature",),
  }

  W1: Float[Leaf, "*instance hidden feature"] | Any
  W2: Float[Leaf, "*instance feature hidden"] | Any
  b: Float[Leaf, "*instance feature"] | Any

  @property
  def directions(self) -> Float[Leaf, "*instance hidden feature"]:
    """W₁: column i is the direction in which feature i enters."""
    return self.W1

  def rotated(self, O: Rotation) -> "MLPParams":  # noqa: E741
    """Returns the parameters with the hidden layer's inputs rotated by O and its outputs back."""
    return dataclasses.replace(self, W1=O @ self.W1, W2=self.W2 @ O.T)


@struct.dataclass
class SumOfSquaresParams:
  """h = (W x)², y′ = Σ_k h_k + c: one output, a quadratic form of rank m."""

  DIMS: ClassVar[dict[str, tuple[str, ...]]] = {"W": ("hidden", "feature"), "c": ("output",)}

  W: Float[Leaf, "*instance hidden feature"] | Any
  c: Float[Leaf, "*instance output"] | Any

  @property
  def directions(self) -> Float[Leaf, "*instance hidden feature"]:
    """W: column i is the direction of feature i."""
    return self.W

  def rotated(self, O: Rotation) -> "SumOfSquaresParams":  # noqa: E741
    """Returns the parameters with the hidden layer's inputs rotated by O; y′ is the same."""
    return dataclasses.replace(self, W=O @ self.W)


def init_autoencoder(
  key: Key, *, n_inputs: int, n_hidden: int, n_outputs: int, std: float
) -> AutoencoderParams:
  """Returns normal weights of the given standard deviation and zero biases."""
  del n_outputs  # of the same features
  W = std * jax.random.normal(key, (n_hidden, n_inputs), dtype=jnp.float32)
  return AutoencoderParams(W=W, b=jnp.zeros(n_inputs, dtype=jnp.float32))


def init_mlp(key: Key, *, n_inputs: int, n_hidden: int, n_outputs: int, std: float) -> MLPParams:
  """Returns independent normal weights of the given standard deviation and zero biases."""
  key1, key2 = jax.random.split(key)
  return MLPParams(
    W1=std * jax.random.normal(key1, (n_hidden, n_inputs), dtype=jnp.float32),
    W2=std * jax.random.normal(key2, (n_outputs, n_hidden), dtype=jnp.float32),
    b=jnp.zeros(n_outputs, dtype=jnp.float32),
  )


def init_sum_of_squares(
  key: Key, *, n_inputs: int, n_hidden: int, n_outputs: int, std: float
) -> SumOfSquaresParams:
  """Returns normal weights of the given standard deviation and a zero bias."""
  W = std * jax.random.normal(key, (n_hidden, n_inputs), dtype=jnp.float32)
  return SumOfSquaresParams(W=W, c=jnp.zeros(n_outputs, dtype=jnp.float32))


def identity(z: Hidden) -> Hidden:
  """Returns z: the hidden layer is linear, and none of its bases is special."""
  return z


def autoencoder(
  output: Callable[[Feature], Feature],
  hidden: Callable[[Hidden], Hidden] = identity,
  bias: bool = True,
) -> Model:
  """Returns x′ = f(Wᵀ g(W x) + b) with the activations f (`output`) and g (`hidden`); without a
  bias b stays 0 and is not used."""

  def encode(params: AutoencoderParams, x: Feature) -> Hidden:
    return hidden(params.W @ x)

  def decode(params: AutoencoderParams, h: Hidden) -> Feature:
    return output(params.W.T @ h + params.b if bias else params.W.T @ h)

  def rows(params: AutoencoderParams) -> Rows:
    return Rows(params.W, params.b if bias else jnp.zeros_like(params.b))

  return Model(init_autoencoder, encode, decode, hidden, rows, output)


def mlp(output: Callable[[Feature], Feature], hidden: Callable[[Hidden], Hidden]) -> Model:
  """Returns y′ = f(W₂ g(W₁ x) + b) with the activations f (`output`) and g (`hidden`)."""

  def encode(params: MLPParams, x: Feature) -> Hidden:
    return hidden(params.W1 @ x)

  def decode(params: MLPParams, h: Hidden) -> Feature:
    return output(params.W2 @ h + params.b)

  def rows(params: MLPParams) -> Rows:
    return Rows(params.W1, params.b, params.W2)

  return Model(init_mlp, encode, decode, hidden, rows, output)


def sum_of_squares() -> Model:
  """Returns y′ = Σ_k (W x)_k² + c = xᵀWᵀW x + c, whose only nonlinearity is the square."""

  def encode(params: SumOfSquaresParams, x: Feature) -> Hidden:
    return (params.W @ x) ** 2

  def decode(params: SumOfSquaresParams, h: Hidden) -> Float[Array, "output"]:
    return jnp.sum(h, axis=0) + params.c

  return Model(init_sum_of_squares, encode, decode, jnp.square)


TOYS: dict[str, Model] = {
  # x′ = WᵀW x + b: the baseline that never shows superposition (paper, §2).
  "linear": autoencoder(identity),
  # x′ = ReLU(WᵀW x + b): the paper's main model (§2).
  "relu_output": autoencoder(relu),
  # x′ = ReLU(Wᵀ ReLU(W x) + b) (section "Superposition in a Privileged Basis").
  "relu_hidden": autoencoder(relu, hidden=relu),
  # y′ = ReLU(W₂ ReLU(W₁ x) + b), trained on |x| (section "Computation in Superposition").
  "absolute_value": mlp(relu, hidden=relu),
  # x′ = f(WᵀW x + b) with other activations f (a comment on the paper by Redwood Research).
  "leaky_relu_output": autoencoder(leaky_relu),
  "squared_relu_output": autoencoder(squared_relu),
  "gelu_output": autoencoder(jax.nn.gelu),
  "softplus_output": autoencoder(jax.nn.softplus),
  "tanh_output": autoencoder(jnp.tanh),
  # x′ = ReLU(WᵀW x) (Lecomte et al. 2023, on incidental polysemanticity).
  "unbiased_relu_output": autoencoder(relu, bias=False),
  # y′ = Σ_k (W x)_k² + c, trained on Σ v_i x_i² (Scherlis et al. 2022, on capacity).
  "sum_of_squares": sum_of_squares(),
}
