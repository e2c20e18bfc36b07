"""Samples of the posterior on the exact loss, by the Metropolis-adjusted Langevin algorithm."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from toy_superposition.experiments.kgon_phases import theory
from toy_superposition.experiments.kgon_phases.theory import N_NUMBERS, Model, Scalar

STEP = 0.4  # of the step that the largest curvature allows, about 2 of H
CURVATURE = 2.0
BETWEEN_SWAPS = 10  # steps between two exchanges of neighbours

Potential = Callable[[Model], tuple[Scalar, Scalar]]  # model → potential, loss


class Chain(NamedTuple):
  """Where a chain is."""

  model: Model
  potential: Scalar
  loss: Scalar
  gradient: Model


def _at(potential: Potential, model: Model) -> Chain:
  (value, loss), gradient = jax.value_and_grad(potential, has_aux=True)(model)
  return Chain(model, value, loss, gradient)


def _step(potential: Potential, size: Scalar, chain: Chain, key: Array) -> Chain:
  """Returns the chain after one proposal, accepted or not."""
  for_noise, for_choice = jax.random.split(key)
  noise = jnp.sqrt(2 * size) * jax.random.normal(for_noise, chain.model.shape)
  new = _at(potential, chain.model - size * chain.gradient + noise)
  back = chain.model - new.model + size * new.gradient
  gain = chain.potential - new.potential
  log_ratio = gain - (jnp.sum(back**2, axis=0) - jnp.sum(noise**2, axis=0)) / (4 * size)
  accepted = jnp.log(jax.random.uniform(for_choice)) < log_ratio
  return jax.tree.map(lambda a, b: jnp.where(accepted, a, b), new, chain)


def local_coefficients(
  models: Float[np.ndarray, "*place number"], beta: float, width: float, n_steps: int
) -> Float[np.ndarray, "*place"]:
  """Returns estimates of the learning coefficient, β (E H − H(w)), of chains around models w.

  The chains have a potential β H(v) + ‖v − w‖² / (2 width²), and start at w. Near a minimum the
  estimate tends to λ for large β; on a slope it is negative.

  Args:
    models: w, a chain each.
    beta: β.
    width: standard deviation of the confining normal law.
    n_steps: of every chain; the first quarter is left out.
  """
  flat = models.reshape(-1, N_NUMBERS)
  numbers = jnp.float32(beta), jnp.float32(width), jnp.int32(n_steps)
  found = theory.in_chunks(lambda chunk: _local(chunk, *numbers), flat)
  return np.asarray(found, float).reshape(models.shape[:-1])


@jax.jit
def _local(
  centers: Float[Array, "chain number"], beta: Scalar, width: Scalar, n_steps: Array
) -> Float[Array, "chain"]:
  def of_one(center: Model, key: Array) -> Scalar:
    def potential(model: Model) -> tuple[Scalar, Scalar]:
      value = theory.loss(model)
      return beta * value + 0.5 * jnp.sum((model - center) ** 2, axis=0) / width**2, value

    size = STEP / (CURVATURE * beta + width**-2)
    start = _at(potential, center)

    def body(k: Array, carry: tuple[Chain, Scalar]) -> tuple[Chain, Scalar]:
      chain = _step(potential, size, carry[0], jax.random.fold_in(key, k))
      counts = k >= n_steps // 4
      return chain, carry[1] + jnp.where(counts, chain.loss - start.loss, 0)

    total = lax.fori_loop(0, n_steps, body, (start, jnp.zeros((), jnp.float32)))[1]
    return beta * total / (n_steps - n_steps // 4)

  # The keys are those of the places in a chunk: places that are compared are in one.
  return jax.vmap(of_one)(centers, jax.random.split(jax.random.key(1), len(centers)))


def tempered(
  beta: Float[np.ndarray, "size"], n_chains: int, n_rounds: int, n_samples: int
) -> Float[np.ndarray, "sample chain size number"]:
  """Returns samples of the posteriors of several β that exchange their models with neighbours.

  Every chain is a ladder of all β with random numbers of its own. The first half of the rounds, of
  BETWEEN_SWAPS steps each, is left out.
  """
  key = jax.random.key(2)
  x = jax.random.normal(key, (n_chains, len(beta), N_NUMBERS))
  between = jnp.int32(max(1, n_rounds // (2 * n_samples)))
  samples = []
  for k in range(2 * n_samples):
    x = _tempered(x, jnp.asarray(beta, jnp.float32), jax.random.fold_in(key, k + 1), between)
    samples.append(np.asarray(x))
  return np.stack(samples[n_samples:])


@jax.jit
def _tempered(x: Array, beta: Array, key: Array, n_rounds: Array) -> Array:
  """Returns the chains' models after some rounds."""

  def of_rung(model: Model, beta: Scalar, key: Array) -> tuple[Model, Scalar]:
    def potential(model: Model) -> tuple[Scalar, Scalar]:
      value = theory.loss(model)
      return beta * value + 0.5 * jnp.sum(model**2, axis=0), value

    def body(k: Array, chain: Chain) -> Chain:
      return _step(potential, STEP / (CURVATURE * beta + 1), chain, jax.random.fold_in(key, k))

    chain = lax.fori_loop(0, BETWEEN_SWAPS, body, _at(potential, model))
    return chain.model, chain.loss

  def of_ladder(x: Array, beta: Array, key: Array) -> Array:
    n = beta.shape[0]

    def body(k: Array, x: Array) -> Array:
      for_steps, for_swaps = jax.random.split(jax.random.fold_in(key, k))
      x, loss = jax.vmap(of_rung)(x, beta, jax.random.split(for_steps, n))
      return x[swapped(loss, beta, k % 2, jax.random.uniform(for_swaps, (n,)))]

    return lax.fori_loop(0, n_rounds, body, x)

  return jax.vmap(of_ladder, in_axes=(0, None, 0))(x, beta, jax.random.split(key, len(x)))


def swapped(
  loss: Float[Array, "size"], beta: Float[Array, "size"], parity: Array | int, u: Array
) -> Array:
  """Returns which rung's model each rung has after the exchange of neighbours (i, i + 1), i even or
  odd as `parity`, accepted with probability min(1, exp((β_i − β_j)(H_i − H_j)))."""
  i = jnp.arange(beta.shape[0])
  j = jnp.where((i - parity) % 2 == 0, i + 1, i - 1)
  j = jnp.where((j < 0) | (j >= beta.shape[0]), i, j)
  accepted = jnp.log(u[jnp.minimum(i, j)]) < (beta - beta[j]) * (loss - loss[j])
  return jnp.where(accepted, j, i)


def quenched(models: Float[np.ndarray, "*place number"]) -> Float[np.ndarray, "*place"]:
  """Returns the losses of the minima below models."""
  losses = theory.descended(models.reshape(-1, N_NUMBERS))[1]
  return np.asarray(losses, float).reshape(models.shape[:-1])
