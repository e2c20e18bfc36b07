"""What latents do on fresh examples: sums over batches, in one program for all models."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jax import lax
from jaxtyping import Array, Float, Int

from toy_superposition import draws, streams
from toy_superposition.evaluation import GENERATOR
from toy_superposition.problem import Columns, Problem
from toy_superposition.types import Instance, Leaf, Params

BATCH = 512  # examples at a time
Pairs = tuple[Int[np.ndarray, "pair"], Int[np.ndarray, "pair"]]  # parents, children


@struct.dataclass
class Statistics:
  """Means over examples, of one model or with leading axes."""

  latent_on: Float[Leaf, "*model latent"] | Any
  feature_on: Float[Leaf, "*model feature"] | Any
  together: Float[Leaf, "*model latent feature"] | Any  # both on
  both: Float[Leaf, "*model pair"] | Any  # parent and child on
  silent: Float[Leaf, "*model latent pair"] | Any  # parent and child on, and the latent off
  error: Float[Leaf, "*model"] | Any  # ‖s − ŝ‖²
  square: Float[Leaf, "*model"] | Any  # ‖s‖²
  mean: Float[Leaf, "*model input"] | Any  # s
  length: Float[Leaf, "*model"] | Any  # ‖s‖
  own_length: Float[Leaf, "*model"] | Any  # ‖ŝ‖ of examples with s ≠ 0

  @property
  def l0(self) -> Leaf:
    """Mean number of latents that are on."""
    return self.latent_on.sum(-1)

  @property
  def fvu(self) -> Leaf:
    """Fraction of variance unexplained: E ‖s − ŝ‖² over the variance of s."""
    return self.error / (self.square - (self.mean**2).sum(-1))

  @property
  def shrinkage(self) -> Leaf:
    """E ‖ŝ‖ / E ‖s‖ over examples with s ≠ 0: the mean of ratios would be that of small s."""
    return self.own_length / self.length


def statistics(
  problem: Problem,
  params: Params,
  instance: Instance,
  n_samples: int,
  pairs: Pairs | None = None,
) -> Statistics:
  """Returns the statistics of one sparse autoencoder on `n_samples` fresh examples, rounded up to
  batches; `pairs` are parents and children among the features."""
  parents, children = pairs or (np.zeros(0, int), np.zeros(0, int))
  stream = streams.words(streams.root(problem.spec.seed), streams.Stream.EVALUATE, 0)
  model = problem.model_of(instance)
  n_batches = -(-n_samples // BATCH)

  def of_batch(number: Array) -> Statistics:
    columns = Columns(draws.fold_in(stream, number), BATCH, generator=GENERATOR)
    x = problem.sample(columns.key, instance, BATCH, generator=GENERATOR)
    s = jax.vmap(problem.seen, (None, 1), 1)(instance, x)
    s = problem.with_noise(s, instance, columns)
    h = jax.vmap(model.encode, (None, 1), 1)(params, s)
    output = jax.vmap(model.decode, (None, 1), 1)(params, h)
    return _sums(x, s, h, output, parents, children)

  def add(number: Array, total: Statistics) -> Statistics:
    return jax.tree.map(jnp.add, total, of_batch(number))

  zero = jax.tree.map(
    lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), jax.eval_shape(of_batch, jnp.int32(0))
  )
  total = lax.fori_loop(0, n_batches, add, zero)
  return jax.tree.map(lambda leaf: leaf / (n_batches * BATCH), total)


def _sums(
  x: Float[Array, "feature example"],
  s: Float[Array, "input example"],
  h: Float[Array, "latent example"],
  output: Float[Array, "input example"],
  parents: Int[np.ndarray, "pair"],
  children: Int[np.ndarray, "pair"],
) -> Statistics:
  """Returns the sums over the examples of a batch."""
  on, active = (h > 0).astype(jnp.float32), (x != 0).astype(jnp.float32)
  both = active[parents] * active[children]
  norm, own = jnp.linalg.norm(s, axis=0), jnp.linalg.norm(output, axis=0)
  return Statistics(
    latent_on=jnp.sum(on, axis=1),
    feature_on=jnp.sum(active, axis=1),
    together=on @ active.T,
    both=jnp.sum(both, axis=1),
    silent=(1 - on) @ both.T,
    error=jnp.sum((s - output) ** 2),
    square=jnp.sum(s**2),
    mean=jnp.sum(s, axis=1),
    length=jnp.sum(norm),
    own_length=jnp.sum(jnp.where(norm > 0, own, 0)),
  )
