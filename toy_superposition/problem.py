"""Spec → Problem: names looked up in the tables, settings bound to the functions."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import optax
from jaxtyping import Array, Float

from toy_superposition import distributions, models, objective, optimizers
from toy_superposition.types import Instance, Key, Params, Spec

Batch = Float[Array, "batch feature"]


class Problem(NamedTuple):
  """What one instance is trained on: pure functions of one instance."""

  spec: Spec
  model: models.Model
  init: Callable[[Key], Params]
  sample: Callable[[Key, Instance, int], Batch]  # key, instance, batch size → inputs
  feature_loss: Callable[[Params, Instance, Batch], Float[Array, "feature"]]
  loss: Callable[[Params, Instance, Batch], Float[Array, ""]]
  optimizer: Callable[[Instance], optax.GradientTransformation]


def make(spec: Spec) -> Problem:
  """Returns the problem that a Spec describes; its names are known to be in the tables."""
  model = models.MODELS[spec.model]
  distribution = distributions.DISTRIBUTIONS[spec.distribution]
  target = objective.TARGETS[spec.target]
  reduction = objective.REDUCTIONS[spec.reduction]
  std = spec.init_scale * models.INITIALIZERS[spec.init_scheme](spec)

  def init(key: Key) -> Params:
    return model.init(key, spec.n_hidden, spec.n_features, std)

  def sample(key: Key, instance: Instance, batch_size: int) -> Batch:
    return distribution(key, instance.density, batch_size)

  def feature_loss(params: Params, instance: Instance, x: Batch) -> Float[Array, "feature"]:
    output = jax.vmap(model.apply, in_axes=(None, 0))(params, x)
    return objective.feature_loss(target(x), output, instance.importance)

  def loss(params: Params, instance: Instance, x: Batch) -> Float[Array, ""]:
    return reduction(feature_loss(params, instance, x))

  def optimizer(instance: Instance) -> optax.GradientTransformation:
    def rate(step):
      return instance.learning_rate * optimizers.schedule(spec, step)

    return optimizers.OPTIMIZERS[spec.optimizer](spec, rate)

  return Problem(spec, model, init, sample, feature_loss, loss, optimizer)
