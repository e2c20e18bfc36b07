"""What sparse autoencoders share: h = f(W_enc (s − b_dec) + b_enc), ŝ = W_dec h + b_dec.

Columns of W_dec, the directions of latents, have unit norm.

All share one class of parameters, so that several methods fit into one dataset; those that a method
does not use stay at 0. A method (sparse_autoencoders.py) is a class that says how latents are
activated, and what is added to the loss of training.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from flax import struct
from jax import lax
from jaxtyping import Array, Float

from toy_superposition.declare import flag, integer, number
from toy_superposition.models.model import Model
from toy_superposition.models.topk import keep_largest
from toy_superposition.types import Key, Leaf

Seen = Float[Array, "input"]
Latents = Float[Array, "latent"]
Inputs = Float[Array, "input example"]
Batch = Float[Array, "latent example"]
Drive = Float[Array, "drive example"]  # of latents; of matching pursuit, of inputs
Scalar = Float[Array, ""]
LossOf = Callable[[Inputs], Scalar]


@struct.dataclass
class SparseAutoencoderParams:
  """Encoder, decoder, and what single methods need beside them."""

  DIMS: ClassVar[dict[str, tuple[str, ...]]] = {
    "W_enc": ("latent", "input"),
    "W_dec": ("input", "latent"),
    "b_enc": ("latent",),
    "b_dec": ("input",),
    "latent_threshold": ("latent",),
    "r_mag": ("latent",),
    "b_mag": ("latent",),
    "latent_frequency": ("latent",),
  }

  W_enc: Float[Leaf, "*instance latent input"] | Any
  W_dec: Float[Leaf, "*instance input latent"] | Any
  b_enc: Float[Leaf, "*instance latent"] | Any
  b_dec: Float[Leaf, "*instance input"] | Any
  # Below it a latent is silent: learned by jumprelu; of batch_topk and matryoshka a running mean.
  latent_threshold: Float[Leaf, "*instance latent"] | Any
  r_mag: Float[Leaf, "*instance latent"] | Any  # of gated: logarithm of magnitude over gate
  b_mag: Float[Leaf, "*instance latent"] | Any  # of gated: bias of the magnitude
  latent_frequency: Float[Leaf, "*instance latent"] | Any  # running mean of the share of examples


def init(
  key: Key, *, n_inputs: int, n_hidden: int, n_outputs: int, std: float
) -> SparseAutoencoderParams:
  """Returns independent decoder columns on the unit sphere, the encoder as their transpose."""
  del n_outputs, std
  D = jax.random.normal(key, (n_inputs, n_hidden), dtype=jnp.float32)
  D = D / jnp.linalg.norm(D, axis=0, keepdims=True)
  zero = jnp.zeros(n_hidden, jnp.float32)
  return SparseAutoencoderParams(
    W_enc=D.T,
    W_dec=D,
    b_enc=zero,
    b_dec=jnp.zeros(n_inputs, jnp.float32),
    latent_threshold=zero,
    r_mag=zero,
    b_mag=zero,
    latent_frequency=jnp.ones(n_hidden, jnp.float32),
  )


def unit_columns(params: SparseAutoencoderParams) -> SparseAutoencoderParams:
  """Returns the parameters with decoder columns of unit norm."""
  norm = jnp.linalg.norm(params.W_dec, axis=0, keepdims=True)
  return dataclasses.replace(params, W_dec=params.W_dec / jnp.where(norm > 0, norm, 1))


def along_the_sphere(
  params: SparseAutoencoderParams, gradients: SparseAutoencoderParams
) -> SparseAutoencoderParams:
  """Returns gradients whose decoder columns are at right angles to those of the decoder."""
  radial = jnp.sum(params.W_dec * gradients.W_dec, axis=0, keepdims=True)
  return dataclasses.replace(gradients, W_dec=gradients.W_dec - radial * params.W_dec)


def moves_to(mean: Array, new: Array) -> Scalar:
  """Returns 0 with the gradient mean − new, by which a running mean follows `new`."""
  term = 0.5 * jnp.sum((mean - lax.stop_gradient(new)) ** 2)
  return term - lax.stop_gradient(term)


@dataclass(frozen=True)
class SparseAutoencoder:
  """What all sparse autoencoders share."""

  title: ClassVar[str]  # in figures and claims
  running: ClassVar[tuple[str, ...]] = ("latent_frequency",)

  decoder_bias: bool = flag(True, "whether b_dec is learned; otherwise it is 0")
  frozen_decoder: bool = flag(
    False, "whether the decoder stays as it was drawn: a baseline (Korznikov et al. 2026)"
  )
  aux: float = number(
    0.0,
    "≥ 0",
    "weight of the squared error with which silent latents reconstruct what the others leave over "
    "(Gao et al. 2024: 1/32)",
  )
  # Gao et al. (2024, appendix) take a power of two near half the dimension of the inputs.
  aux_k: int = integer(16, "≥ 1", "silent latents that do so in an example, at most")
  # As a mean over some 100 batches of 512 examples it is 50 firings. The mean starts at
  # 1 and takes 687 steps to fall below it, so that no latent counts as silent at the start.
  dead_below: float = number(
    1e-3,
    "(0, 1)",
    "running mean of a latent's share of examples below which it counts as silent in training",
  )

  def build(self) -> Model:
    """Returns the model."""
    batch = self.activated_batch
    return Model(
      init,
      self.encode,
      self.decode,
      encode_batch=batch and (lambda params, s: batch(params, self.drive(params, s))),
      auxiliary=self.auxiliary,
      running=self.running,
      project=self.projected,
      tangent=along_the_sphere,
    )

  def projected(self, params: SparseAutoencoderParams) -> SparseAutoencoderParams:
    """Returns the parameters with decoder columns of unit norm, as a frozen decoder has anyway."""
    return params if self.frozen_decoder else unit_columns(params)

  def encode(self, params: SparseAutoencoderParams, s: Seen) -> Latents:
    """Returns the latents of one input, as the autoencoder is used."""
    return self.activated(params, self.drive(params, s[:, None]))[:, 0]

  def decode(self, params: SparseAutoencoderParams, h: Latents) -> Seen:
    """Returns W_dec h + b_dec of one example."""
    return self.decoder(params) @ h + self.bias(params)

  def decoder(self, params: SparseAutoencoderParams) -> Float[Array, "input latent"]:
    """Returns W_dec, without a gradient if it is frozen."""
    return lax.stop_gradient(params.W_dec) if self.frozen_decoder else params.W_dec

  def bias(self, params: SparseAutoencoderParams) -> Float[Array, "input"]:
    """Returns b_dec, or 0."""
    return params.b_dec if self.decoder_bias else jnp.zeros_like(params.b_dec)

  def drive(self, params: SparseAutoencoderParams, s: Inputs) -> Drive:
    """Returns W_enc (s − b_dec), to which biases are still to be added."""
    return params.W_enc @ (s - self.bias(params)[:, None])

  def activated(self, params: SparseAutoencoderParams, drive: Drive) -> Batch:
    """Returns the latents of a batch from their drive, as the autoencoder is used."""
    raise NotImplementedError

  # The same in training, if the examples of a batch depend on each other.
  activated_batch: ClassVar[Callable[..., Batch] | None] = None

  def auxiliary(
    self,
    params: SparseAutoencoderParams,
    s: Inputs,
    h: Batch,
    loss_of: LossOf,
    share: Scalar,
  ) -> Scalar:
    """Returns what is added to the loss: the method's own terms, the auxiliary loss of silent
    latents, and running means, which are 0.

    λ and `aux` weigh against the loss summed over outputs. `share` is what the reduction makes of
    such a sum: 1, or 1/n of n outputs for the mean.
    """
    drive = self.drive(params, s)
    total = moves_to(params.latent_frequency, jnp.mean((h > 0).astype(jnp.float32), axis=1))
    total = total + self.own_terms(params, drive, s, h, loss_of, share)
    return total + share * self.of_silent(params, drive, s, h) if self.aux else total

  def own_terms(
    self,
    params: SparseAutoencoderParams,
    drive: Drive,
    s: Inputs,
    h: Batch,
    loss_of: LossOf,
    share: Scalar,
  ) -> Scalar:
    """Returns the method's own terms of the training loss."""
    del params, drive, s, h, loss_of, share
    return jnp.float32(0)

  def of_silent(self, params: SparseAutoencoderParams, drive: Drive, s: Inputs, h: Batch) -> Scalar:
    """Returns the auxiliary loss AuxK of Gao et al. (2024), once per step.

    The error s − ŝ is a target without a gradient, and the bias b_dec, which is in ŝ, does not
    count again in its reconstruction.
    """
    silent = (params.latent_frequency < self.dead_below)[:, None]
    z = jnp.where(silent, jax.nn.relu(drive + params.b_enc[:, None]), 0)
    z = keep_largest(z, self.aux_k, (0,))
    decoder = self.decoder(params)
    error = lax.stop_gradient(s - decoder @ h - self.bias(params)[:, None])
    left = jnp.sum((error - decoder @ z) ** 2, axis=0)
    return self.aux * jnp.mean(jnp.where(jnp.any(silent), left, 0))
