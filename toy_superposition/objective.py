"""Targets, losses of an output against its target, and penalties.

Rows are functions, or classes with declared fields and the method `of`. All see ONE example.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from toy_superposition import declare
from toy_superposition.activations import relu
from toy_superposition.declare import integer, number
from toy_superposition.types import Params

Output = Float[Array, "output"]
Hidden = Float[Array, "hidden"]
Scalar = Float[Array, ""]
# They begin the seeds of circuits' matrices and of embeddings, before the number of each.
CIRCUIT, EMBEDDING = 7, 8


@dataclass(frozen=True)
class ResidualReLU:
  """r x + ReLU(x): what a residual block with one ReLU per feature computes, for r = 1 the target
  of "compressed computation"."""

  residual: Any = number(1.0, "≥ 0", "r: share of x in the target", swept=True)

  def of(self, x: Array, s: Array) -> Array:
    """Returns r x + ReLU(x)."""
    del s
    return self.residual * x + relu(x)


@dataclass(frozen=True)
class BlockCircuit:
  """ReLU(A x − t) with a frozen sparse matrix A ≥ 0 of diagonal blocks (Olah et al. 2025)."""

  n_blocks: int = integer(8, "≥ 1", "diagonal blocks of the circuit's matrix A")
  block_share: float = number(
    0.1, "(0, 1]", "probability that a weight inside a block is not 0 but uniform on [0, 1)"
  )
  threshold: float = number(0.1, "≥ 0", "t in the circuit ReLU(A x − t)")
  circuit: int = integer(0, "≥ 0", "number of the circuit's random matrix, the same for every seed")

  def weights(self, n_features: int) -> Float[np.ndarray, "output feature"]:
    """Returns A."""
    generator = np.random.default_rng([CIRCUIT, self.circuit])
    there, size = generator.uniform(size=(2, n_features, n_features))
    block = np.arange(n_features) * self.n_blocks // n_features
    same = block[:, None] == block
    return np.where(same & (there < self.block_share), size, 0).astype(np.float32)

  def of(self, x: Array, s: Array) -> Array:
    """Returns ReLU(A x − t)."""
    del s
    return relu(jnp.asarray(self.weights(x.shape[0])) @ x - self.threshold)


@dataclass(frozen=True)
class WeightedSquares:
  """Σ_i v_i x_i², v_i = rⁱ: one number, to which features contribute unequally (Scherlis et al.
  2022, "Polysemanticity and Capacity in Neural Networks")."""

  weight_ratio: Any = number(
    0.8, "(0, 1]", "r: feature i of 0, 1, … counts rⁱ in the target Σ rⁱ x_i²", swept=True
  )

  def weights(self, n_features: int) -> Array:
    """Returns v_i of each feature."""
    return self.weight_ratio ** jnp.arange(n_features, dtype=jnp.float32)

  def of(self, x: Array, s: Array) -> Array:
    """Returns Σ_i v_i x_i², as an array of one number."""
    del s
    return jnp.sum(self.weights(x.shape[0]) * x**2, axis=0, keepdims=True)


@dataclass(frozen=True)
class MixedReLU:
  """ReLU(x) + c M x, M = 1 − E Eᵀ for random rows of norm 1 in a residual stream, E.

  It is what neurons have to add to a residual stream that E embeds and Eᵀ reads ("compressed
  computation", with c = 1), in which features are not quite orthogonal.
  """

  mixing: Any = number(0.0, "≥ 0", "c: share of the mixing matrix M in the target", swept=True)
  n_residual: int = integer(1000, "≥ 1", "dimensions of the residual stream")
  embedding: int = integer(0, "≥ 0", "number of the random embedding E, the same for every seed")

  def matrix(self, n_features: int) -> Float[np.ndarray, "output feature"]:
    """Returns M."""
    generator = np.random.default_rng([EMBEDDING, self.embedding])
    E = generator.normal(size=(n_features, self.n_residual))
    E /= np.linalg.norm(E, axis=1, keepdims=True)
    return (np.eye(n_features) - E @ E.T).astype(np.float32)

  def of(self, x: Array, s: Array) -> Array:
    """Returns ReLU(x) + c M x."""
    del s
    return relu(x) + self.mixing * (jnp.asarray(self.matrix(x.shape[0])) @ x)


def pairs(x: Array, s: Array) -> Array:
  """Returns x_i x_j of all pairs i < j, in the order (0, 1), (0, 2), …: the AND of binary
  features."""
  del s
  i, j = np.triu_indices(x.shape[0], 1)
  return x[i] * x[j]


# Functions of (features x, the model's input s without noise); see `rows_of`.
TARGETS: dict[str, Any] = declare.table(
  "data.target",
  {
    "identity": lambda x, s: x,  # reconstruct the features
    "absolute": lambda x, s: jnp.abs(x),  # compute |x| (paper, "Computation in Superposition")
    "input": lambda x, s: s,  # reconstruct what the model sees: an autoencoder of activations
    "residual_relu": ResidualReLU,
    "block_circuit": BlockCircuit,
    "weighted_squares": WeightedSquares,  # one number, made of all features
    "mixed_relu": MixedReLU,
    "pairs": pairs,
  },
)


@dataclass(frozen=True)
class Power:
  """|y − y′|^q: for q = 2 the squared error."""

  q: Any = number(4.0, "≥ 1", "exponent of the loss |y − y′|^q", swept=True)

  def of(self, target: Output, output: Output) -> Output:
    """Returns |y_i − y′_i|^q of each output; its gradient is 0 where they agree."""
    error = jnp.abs(target - output)
    # The gradient of 0^q would be NaN if q is data.
    safe = jnp.where(error > 0, error, 1)
    return jnp.where(error > 0, safe**self.q, 0)


def cross_entropy(target: Output, output: Output) -> Output:
  """Returns −y_i log softmax(y′)_i of each output; the target's entries are probabilities, and are
  not normalised here."""
  return -target * jax.nn.log_softmax(output, axis=0)


# Functions of (target y, output y′) → the loss of each output.
LOSSES: dict[str, Any] = declare.table(
  "loss.name",
  {
    "squared": lambda target, output: (target - output) ** 2,  # the paper's
    "absolute": lambda target, output: jnp.abs(target - output),
    "power": Power,
    "cross_entropy": cross_entropy,
  },
)

# Linear in the outputs' losses and the same for all of them, as sums over examples need.
REDUCTIONS: dict[str, Callable[[Output], Scalar]] = declare.table(
  "loss.reduction",
  {
    "sum": lambda feature_loss: jnp.sum(feature_loss, axis=0),  # the paper's equation
    "mean": lambda feature_loss: jnp.mean(feature_loss, axis=0),  # the paper's notebook
  },
)


def share(reduction: Callable[[Output], Scalar], n_outputs: int) -> Scalar:
  """Returns what a reduction makes of a sum over outputs: 1 for sum, 1/n for mean. A reduction is
  linear and treats all outputs alike."""
  return reduction(jnp.ones(n_outputs)) / n_outputs


@dataclass(frozen=True)
class HiddenL1:
  """λ Σ|h| (paper, "Discussion"; sparse autoencoders)."""

  hidden_l1: Any = number(
    0.0,
    "≥ 0",
    "λ: λ Σ|h| is added to the training loss, and not to the reported losses",
    of="loss.hidden_l1",
    swept=True,
  )

  def of(self, params: Params, h: Hidden) -> Scalar:
    """Returns λ Σ|h|."""
    del params
    return self.hidden_l1 * jnp.sum(jnp.abs(h), axis=0)


@dataclass(frozen=True)
class HiddenL0:
  """λ · number of hidden activations with |h| > ε/2, with a straight-through gradient.

  Where 0 < |h| < ε the step has the slope 1/ε of a rectangle of width ε, elsewhere 0 (Rajamanoharan
  et al. 2024).
  """

  hidden_l0: Any = number(
    0.0,
    "≥ 0",
    "λ: λ · number of |h| above ½ loss.bandwidth is added to the training loss; its gradient is "
    "that of a ramp",
    of="loss.hidden_l0",
    swept=True,
  )
  bandwidth: Any = number(
    0.1,
    "> 0",
    "ε, in units of activations: width of the ramp, from |h| = 0 to ε, whose slope stands in for "
    "that of the step",
    of="loss.bandwidth",
    swept=True,
  )

  def of(self, params: Params, h: Hidden) -> Scalar:
    """Returns λ · number of active hidden units."""
    del params
    size = jnp.abs(h)
    active = (size > 0.5 * self.bandwidth).astype(h.dtype)
    slope = ((size > 0) & (size < self.bandwidth)) / self.bandwidth
    straight_through = active + slope * (size - jax.lax.stop_gradient(size))
    return self.hidden_l0 * jnp.sum(straight_through, axis=0)


@dataclass(frozen=True)
class DirectionNorm:
  """λ Σ_i ‖W_i‖: a group lasso, which removes directions as a whole."""

  direction_norm: Any = number(
    0.0,
    "≥ 0",
    "λ: λ Σ‖W_i‖ over the directions of features is added to the training loss",
    of="loss.direction_norm",
    swept=True,
  )

  def of(self, params: Params, h: Hidden) -> Scalar:
    """Returns λ Σ_i ‖W_i‖; the gradient of ‖0‖ is 0."""
    del h
    square = jnp.sum(params.directions**2, axis=0)
    norm = jnp.where(square > 0, jnp.sqrt(jnp.where(square > 0, square, 1)), 0)
    return self.direction_norm * jnp.sum(norm, axis=0)


# Each with its weight, a swept field of its name in section `loss`, 0 by default. All belong to
# every config: the objective of training is the loss and every penalty whose weight is not 0.
PENALTIES: dict[str, type] = {
  "hidden_l1": HiddenL1,
  "hidden_l0": HiddenL0,
  "direction_norm": DirectionNorm,
}


_OWN = dict(PENALTIES)  # without the rows that are added later


def is_own(name: str) -> bool:
  """Returns whether the penalty of that name is one that the package defines."""
  return PENALTIES[name] is _OWN.get(name)


def function_of(row: Any) -> Callable[..., Any]:
  """Returns the function of a row: itself, or its method `of`."""
  return getattr(row, "of", row)


def nan_if_diverged(loss: Float[Array, "..."], params: Params) -> Float[Array, "..."]:
  """Returns one instance's losses, NaN if any of its parameters is not finite.

  On CPU the maximum in a fused ReLU may return 0 for NaN, so that diverged weights would have the
  loss of zero weights.
  """
  finite = [jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(params)]
  return jnp.where(jnp.all(jnp.stack(finite)), loss, jnp.nan)
