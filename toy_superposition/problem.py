"""Spec → Problem: names looked up in the tables, settings bound to the functions."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import lax
from jaxtyping import Array, Float

from toy_superposition import distributions, draws, models, objective, optimizers
from toy_superposition.theory import attacks
from toy_superposition.types import Instance, Key, Params, Spec

Feature = Float[Array, "feature"]
Hidden = Float[Array, "hidden"]
Batch = Float[Array, "feature example"]
Scalar = Float[Array, ""]

ATTACK = 1  # folded into a step's key for the draws of attacks


class Problem(NamedTuple):
  """What one instance is trained on: pure functions of one instance."""

  spec: Spec
  model: models.Model
  n_draws: int  # uniform numbers that one example needs
  shared: bool  # whether devices share the features of an instance, each with draws of its own
  init: Callable[[Key], Params]
  features: Callable[[Float[Array, "draw"], Instance], Feature]  # of one example
  # Of one example: I_i (x_i − x′_i)² from the input and its hidden activations.
  decoded_loss: Callable[[Params, Instance, Feature, Hidden], Feature]
  reduction: Callable[[Feature], Scalar]
  # Of one example's hidden activations: added to the reduced loss in training, and never reported.
  penalty: Callable[[Hidden], Scalar] | None
  # Perturbation of a training step's inputs; the target is computed from the clean input.
  attack: Callable[[Params, Instance, Float[Array, "example"]], Batch] | None
  optimizer: Callable[[Instance], optax.GradientTransformationExtraArgs]

  def sample(
    self,
    key: draws.KeyWords,
    instance: Instance,
    n_examples: int,
    first: Array | int = 0,
    n_columns: int | None = None,
    generator: str = "",
  ) -> Batch:
    """Returns the inputs of a step, or `n_columns` of its `n_examples` from `first` on.

    `generator` stands in for the Spec's.
    """
    u = draws.uniform(
      generator or self.spec.generator,
      key,
      self.n_draws,
      n_examples,
      first,
      n_columns,
      by_row=self.shared,
      rare=self.rare(instance),
    )
    return jax.vmap(self.features, in_axes=(1, None), out_axes=1)(u, instance)

  def rare(self, instance: Instance) -> draws.Rare | None:
    """Returns whether an instance's draws need more bits; None if no instance of the group does."""
    return distributions.is_rare(instance.density) if self.spec.rare else None

  def example_objective(self, params: Params, instance: Instance, x: Feature) -> Scalar:
    """Returns the training objective for one input: the reduced loss, and the penalty."""
    h = self.model.encode(params, x)
    loss = self.reduction(self.decoded_loss(params, instance, x, h))
    return loss + self.penalty(h) if self.penalty else loss

  def example_loss(self, params: Params, instance: Instance, x: Feature) -> Feature:
    """Returns each feature's importance-weighted squared error for one input."""
    return self.decoded_loss(params, instance, x, self.model.encode(params, x))

  def feature_loss(self, params: Params, instance: Instance, x: Batch) -> Feature:
    """Returns each feature's importance-weighted squared error, averaged over the batch."""
    each = jax.vmap(self.example_loss, in_axes=(None, None, 1), out_axes=1)
    return jnp.mean(each(params, instance, x), axis=1)

  def loss(
    self, params: Params, instance: Instance, x: Batch, attack: Batch | None = None
  ) -> Scalar:
    """Returns the training objective, averaged over the batch, if `attack` is added to inputs."""
    seen = x if attack is None else x + attack
    h = jax.vmap(self.model.encode, (None, 1), 1)(params, seen)
    each = jax.vmap(self.decoded_loss, (None, None, 1, 1), 1)(params, instance, x, h)
    loss = self.reduction(jnp.mean(each, axis=1))
    return loss + jnp.mean(jax.vmap(self.penalty, 1)(h)) if self.penalty else loss

  def step_loss(
    self,
    params: Params,
    instance: Instance,
    key: draws.KeyWords,
    first: Array | int = 0,
    n_columns: int | None = None,
  ) -> Scalar:
    """Returns the training objective of a step, or of `n_columns` of its examples."""
    spec = self.spec
    x = self.sample(key, instance, spec.batch_size, first, n_columns)
    if self.attack is None:
      return self.loss(params, instance, x)
    own = draws.fold_in(key, ATTACK)
    u = draws.uniform(spec.generator, own, 1, spec.batch_size, first, n_columns)[0]
    return self.loss(params, instance, x, self.attack(params, instance, u))


def make(spec: Spec, shared: bool = False) -> Problem:
  """Returns the problem that a Spec describes; its names are known to be in the tables.

  `shared` is whether devices share the features of an instance; it changes no number.
  """
  model = spec.row("model.name")
  distribution = spec.row("data.distribution")
  target = objective.TARGETS[spec.target]
  rule = spec.row("init.scheme")
  std = spec.init_scale * rule.std(n_features=spec.n_features, n_hidden=spec.n_hidden)

  def init(key: Key) -> Params:
    return model.init(key, n_features=spec.n_features, n_hidden=spec.n_hidden, std=std)

  def features(u: Float[Array, "draw"], instance: Instance) -> Feature:
    return distribution.features(u, instance)

  def decoded_loss(params: Params, instance: Instance, x: Feature, h) -> Feature:
    return objective.feature_loss(target(x), model.decode(params, h), instance.importance)

  def penalty(h: Hidden) -> Scalar:
    return spec.hidden_l1 * jnp.sum(jnp.abs(h), axis=0)

  def attack(params: Params, instance: Instance, u: Float[Array, "example"]) -> Batch:
    feature = jnp.minimum(jnp.floor(u * spec.n_features), spec.n_features - 1).astype(jnp.int32)
    size = spec.attack * attacks.input_norm(instance.density)
    return size * lax.stop_gradient(attacks.directions(params.directions))[feature].T

  def optimizer(instance: Instance) -> optax.GradientTransformationExtraArgs:
    return optimizers.transformation(spec, instance)

  return Problem(
    spec=spec,
    model=model,
    n_draws=distribution.n_draws(spec.n_features),
    shared=shared,
    init=init,
    features=features,
    decoded_loss=decoded_loss,
    reduction=objective.REDUCTIONS[spec.reduction],
    penalty=penalty if spec.hidden_l1 else None,
    attack=attack if spec.attack else None,
    optimizer=optimizer,
  )
