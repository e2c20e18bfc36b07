"""Methods of sparse autoencoders: how latents are activated, and what that adds to the loss."""

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from toy_superposition.declare import integer, integers, number
from toy_superposition.models.model import Model
from toy_superposition.models.sparse_autoencoder import (
  Batch,
  Drive,
  Inputs,
  Scalar,
  SparseAutoencoder,
  SparseAutoencoderParams,
  init,
  moves_to,
)
from toy_superposition.models.topk import keep_largest
from toy_superposition.types import Instance, Key, Spec


@dataclass(frozen=True)
class Penalised(SparseAutoencoder):
  """What methods share whose sparsity is a term of the loss."""

  sparsity: Any = number(
    0.05,
    "≥ 0",
    "λ, weight of what makes latents sparse: Σ h of l1_sae, Σ ReLU(gate) of gated_sae, the number "
    "of active latents of jumprelu_sae",
    swept=True,
  )


@dataclass(frozen=True)
class L1(Penalised):
  """ReLU latents with the penalty λ Σ h (Bricken et al. 2023, Cunningham et al. 2023)."""

  title: ClassVar[str] = "L1"

  def activated(self, params: SparseAutoencoderParams, drive: Drive) -> Batch:
    """Returns ReLU(drive + b_enc)."""
    return jax.nn.relu(drive + params.b_enc[:, None])

  def own_terms(self, params, drive, s, h, loss_of, share) -> Scalar:
    """Returns λ Σ h."""
    del params, drive, s, loss_of
    return share * self.sparsity * jnp.mean(jnp.sum(h, axis=0))


@dataclass(frozen=True)
class JumpReLU(Penalised):
  """Latents above a learned threshold, with the penalty λ · number of active ones (Rajamanoharan et
  al. 2024).

  The gradient of a step at the threshold is that of a ramp of width ε around it.
  """

  title: ClassVar[str] = "JumpReLU"

  bandwidth: Any = number(
    0.1,
    "> 0",
    "ε, in units of activations: the width within which a threshold has a gradient (at .001, the "
    "published value for inputs of norm 1, hardly any example gives one)",
    swept=True,
  )
  initial_threshold: float = number(0.1, "≥ 0", "threshold of every latent before training")

  def build(self) -> Model:
    """Returns the model, with thresholds that begin above 0."""

    def with_threshold(key: Key, **sizes) -> SparseAutoencoderParams:
      params = init(key, **sizes)
      start = jnp.full_like(params.latent_threshold, self.initial_threshold)
      return dataclasses.replace(params, latent_threshold=start)

    return super().build()._replace(init=with_threshold)

  def projected(self, params: SparseAutoencoderParams) -> SparseAutoencoderParams:
    """Returns the parameters with thresholds of at least 0, beside decoder columns of unit norm."""
    params = super().projected(params)
    return dataclasses.replace(params, latent_threshold=jnp.maximum(params.latent_threshold, 0))

  def activated(self, params: SparseAutoencoderParams, drive: Drive) -> Batch:
    """Returns z where z = ReLU(drive + b_enc) exceeds its threshold; the gradient of the threshold
    is −(threshold / ε) within the ramp."""
    z, threshold = drive + params.b_enc[:, None], params.latent_threshold[:, None]
    kept = jnp.where(z > threshold, jax.nn.relu(z), 0)
    if self.bandwidth is None:
      return kept
    slope = lax.stop_gradient(threshold) * self._ramp(z, threshold)
    return kept - (slope * threshold - lax.stop_gradient(slope * threshold))

  def own_terms(self, params, drive, s, h, loss_of, share) -> Scalar:
    """Returns λ · number of active latents; the gradient of a threshold is −1/ε within the ramp."""
    del s, h, loss_of
    z, threshold = drive + params.b_enc[:, None], params.latent_threshold[:, None]
    active = (z > threshold).astype(jnp.float32)
    slope = self._ramp(z, threshold)
    active = active - (slope * threshold - lax.stop_gradient(slope * threshold))
    return share * self.sparsity * jnp.mean(jnp.sum(active, axis=0))

  def _ramp(self, z: Batch, threshold: Float[Array, "latent 1"]) -> Batch:
    """Returns 1/ε within the ramp around the threshold and 0 elsewhere, without a gradient.

    z is taken before the ReLU, whose zeros would all lie within a ramp that reaches down to 0: no
    threshold could fall below ε/2.
    """
    within = jnp.abs(z - threshold) < 0.5 * self.bandwidth
    return lax.stop_gradient(within / self.bandwidth)


@dataclass(frozen=True)
class Gated(Penalised):
  """A gate decides whether a latent is active, a magnitude how much (Rajamanoharan et al. 2024,
  "Improving Dictionary Learning with Gated Sparse Autoencoders")."""

  title: ClassVar[str] = "Gated"

  def activated(self, params: SparseAutoencoderParams, drive: Drive) -> Batch:
    """Returns ReLU(e^r drive + b_mag) where drive + b_enc is positive."""
    magnitude = jax.nn.relu(jnp.exp(params.r_mag)[:, None] * drive + params.b_mag[:, None])
    return jnp.where(drive + params.b_enc[:, None] > 0, magnitude, 0)

  def own_terms(self, params, drive, s, h, loss_of, share) -> Scalar:
    """Returns λ Σ ReLU(gate), and the loss of the reconstruction from the gate by a decoder without
    a gradient, through which the gate learns."""
    del s, h
    gate = jax.nn.relu(drive + params.b_enc[:, None])
    decoder, bias = lax.stop_gradient((params.W_dec, self.bias(params)))
    penalty = share * self.sparsity * jnp.mean(jnp.sum(gate, axis=0))
    return penalty + loss_of(decoder @ gate + bias[:, None])


@dataclass(frozen=True)
class Counted(SparseAutoencoder):
  """What methods share that keep a number of latents."""

  k: Any = number(2.0, "> 0", "latents that are active in an example", swept=True)

  def refuses(self, spec: Spec, instances: Instance) -> str:
    """Returns why k is not possible, or nothing."""
    k = float(instances.numbers["model.k"].max())
    if k > spec.n_hidden:
      return f"config.model.k: {k:g}; allowed: at most the {spec.n_hidden} latents (n_hidden)"
    return ""


@dataclass(frozen=True)
class TopK(Counted):
  """The k largest latents of each example (Gao et al. 2024); a fraction of k is rounded up."""

  title: ClassVar[str] = "TopK"

  def activated(self, params: SparseAutoencoderParams, drive: Drive) -> Batch:
    """Returns the k largest of ReLU(drive + b_enc)."""
    return keep_largest(jax.nn.relu(drive + params.b_enc[:, None]), self.k, (0,))


@dataclass(frozen=True)
class BatchTopK(Counted):
  """The k · batch largest latents of a batch (Bussmann et al. 2024).

  Used on single examples with a threshold: the running mean of the smallest latent that was kept.
  """

  title: ClassVar[str] = "BatchTopK"
  running: ClassVar[tuple[str, ...]] = ("latent_frequency", "latent_threshold")

  def activated(self, params: SparseAutoencoderParams, drive: Drive) -> Batch:
    """Returns ReLU(drive + b_enc) where it reaches the threshold."""
    z = jax.nn.relu(drive + params.b_enc[:, None])
    return jnp.where(z >= params.latent_threshold[:, None], z, 0)

  def activated_batch(  # type: ignore[override]
    self, params: SparseAutoencoderParams, drive: Drive
  ) -> Batch:
    """Returns the k · batch largest of ReLU(drive + b_enc)."""
    z = jax.nn.relu(drive + params.b_enc[:, None])
    return keep_largest(z, self.k * z.shape[1], (0, 1))

  def own_terms(self, params, drive, s, h, loss_of, share) -> Scalar:
    """Returns 0, with the gradient that moves the threshold to the smallest latent that is kept."""
    del drive, s, loss_of, share
    smallest = jnp.min(jnp.where(h > 0, h, jnp.inf))
    smallest = jnp.where(jnp.isfinite(smallest), smallest, 0)
    return moves_to(
      params.latent_threshold, jnp.broadcast_to(smallest, params.latent_threshold.shape)
    )


@dataclass(frozen=True)
class Matryoshka(BatchTopK):
  """BatchTopK whose first latents have to reconstruct alone as well (Bussmann et al. 2025).

  The loss is the mean over prefixes of the latents.
  """

  title: ClassVar[str] = "Matryoshka"

  prefixes: tuple[int, ...] = integers(
    (), "≥ 1", "lengths of the prefixes, increasing to n_hidden; (): a sixteenth, a quarter, all"
  )

  def own_terms(self, params, drive, s, h, loss_of, share) -> Scalar:
    """Returns the mean loss over prefixes less the loss of all latents, which is in the loss."""
    decoder, bias = self.decoder(params), self.bias(params)[:, None]
    lengths = self.prefixes or default_prefixes(h.shape[0])
    losses = [loss_of(decoder[:, :n] @ h[:n] + bias) for n in lengths]
    running = super().own_terms(params, drive, s, h, loss_of, share)
    return running + sum(losses) / len(losses) - losses[-1]

  def refuses(self, spec: Spec, instances: Instance) -> str:
    """Returns why k or the prefixes are not possible, or nothing."""
    lengths = self.prefixes or default_prefixes(spec.n_hidden)
    if list(lengths) != sorted(set(lengths)) or lengths[-1] != spec.n_hidden:
      allowed = f"increasing lengths that end at the {spec.n_hidden} latents (n_hidden)"
      return f"config.model.prefixes: {self.prefixes}; allowed: {allowed}"
    return super().refuses(spec, instances)


@dataclass(frozen=True)
class MatchingPursuit(Counted):
  """k greedy steps on what is left over, with the decoder's columns (Costa et al. 2025).

  Encoder weights and biases are not used.
  """

  title: ClassVar[str] = "matching pursuit"

  max_k: int = integer(16, "≥ 1", "steps that are compiled, at least k")

  def drive(self, params: SparseAutoencoderParams, s: Inputs) -> Inputs:
    """Returns s − b_dec: there is no encoder."""
    return s - self.bias(params)[:, None]

  def activated(self, params: SparseAutoencoderParams, drive: Inputs) -> Batch:
    """Returns latents by matching pursuit: each step adds to the latent whose column has the
    largest inner product with the rest, if it is positive; of equal ones, to the first."""
    decoder = self.decoder(params)
    k = self.max_k if self.k is None else self.k
    latent = jnp.arange(decoder.shape[1])[:, None]

    def step(state, number):
      rest, h = state
      fit = decoder.T @ rest
      is_largest = fit == jnp.max(fit, axis=0, keepdims=True)
      first = jnp.min(jnp.where(is_largest, latent, latent.size), axis=0, keepdims=True)
      added = jnp.where((latent == first) & (fit > 0) & (number < k), fit, 0)
      return (rest - decoder @ added, h + added), None

    zero = jnp.zeros((decoder.shape[1], drive.shape[1]), drive.dtype)
    (_, h), _ = lax.scan(step, (drive, zero), jnp.arange(self.max_k, dtype=jnp.float32))
    return h

  def refuses(self, spec: Spec, instances: Instance) -> str:
    """Returns why k is not possible, or nothing."""
    k = float(instances.numbers["model.k"].max())
    if k > self.max_k:
      return (
        f"config.model.max_k: {self.max_k}; allowed: at least the largest config.model.k, {k:g}"
      )
    if self.aux:
      return f"config.model.aux: {self.aux:g}; allowed: 0 for {spec.model}, which has no encoder"
    return super().refuses(spec, instances)


def default_prefixes(n_latents: int) -> tuple[int, ...]:
  """Returns a sixteenth of the latents, a quarter, and all, without repetition."""
  return tuple(sorted({max(1, n_latents // 16), max(1, n_latents // 4), n_latents}))


SPARSE_AUTOENCODERS: dict[str, type[SparseAutoencoder]] = {
  "l1_sae": L1,
  "topk_sae": TopK,
  "batch_topk_sae": BatchTopK,
  "jumprelu_sae": JumpReLU,
  "gated_sae": Gated,
  "matryoshka_sae": Matryoshka,
  "matching_pursuit_sae": MatchingPursuit,
}
