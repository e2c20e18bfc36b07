"""Spec → Problem: names looked up in the tables, settings bound to the functions."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import lax
from jaxtyping import Array, Float, UInt32

from toy_superposition import (
  declare,
  distributions,
  draws,
  inputs,
  models,
  objective,
  optimizers,
  streams,
  vectorize,
)
from toy_superposition.objective import function_of
from toy_superposition.perturbations import Dropout, IsotropicNoise, Noise
from toy_superposition.theory import attacks
from toy_superposition.types import Instance, Key, Params, Spec

Feature = Float[Array, "feature"]
Input = Float[Array, "input"]
Hidden = Float[Array, "hidden"]
Output = Float[Array, "output"]
Batch = Float[Array, "feature example"]
Weights = Float[Array, "example"]
Scalar = Float[Array, ""]

# Folded into a step's key for the draws of attacks, of noise, of dropout, of which examples of a
# fixed set a batch consists of, and of which examples have noise instead of dropout.
ATTACK, NOISE, DROPOUT, CHOICE, ISOTROPIC = 1, 2, 3, 4, 5
BIASES = 1  # folded into an instance's key of initial weights for its initial biases


class Columns(NamedTuple):
  """Which examples of a step: `n` of its `of`, from `first` on; `key` is the step's."""

  key: draws.KeyWords
  of: int
  first: Array | int = 0
  n: int | None = None
  generator: str = ""

  def uniform(self, stream: int, n_rows: int) -> Float[Array, "row example"]:
    """Returns uniform numbers of a stream of their own."""
    own = draws.fold_in(self.key, stream)
    return draws.uniform(self.generator, own, n_rows, self.of, self.first, self.n)


class Problem(NamedTuple):
  """What one instance is trained on: pure functions of one instance."""

  spec: Spec
  model: models.Model  # without its swept numbers, see `model_of`
  n_draws: int  # uniform numbers that one example needs
  n_outputs: int
  shared: bool  # whether devices share the features of an instance, each with draws of its own
  init: Callable[[Key], Params]
  features: Callable[[Float[Array, "draw"], Instance], Feature]  # of one example
  # Of one example: what the model sees of its features, without noise.
  seen: Callable[[Instance, Feature], Input]
  # Of one example: what is asked for, from its features and what the model sees without noise.
  target: Callable[[Instance, Feature, Input], Output]
  # Of one example: the loss of each output from the target and the hidden activations, weighted by
  # importance if outputs are features.
  decoded_loss: Callable[[Params, Instance, Output, Hidden], Output]
  reduction: Callable[[Output], Scalar]
  # Of one example's hidden activations: added to the reduced loss in training, and never reported.
  penalty: Callable[[Params, Instance, Hidden], Scalar] | None
  # Perturbation of a training step's inputs; the target is computed from the clean input.
  attack: Callable[[Params, Instance, Float[Array, "example"]], Batch] | None
  optimizer: Callable[[Instance], optax.GradientTransformationExtraArgs]
  # Whose examples all models of the group are trained on; None if they have their own.
  common: Instance | None = None
  # Of a function of one example, what is the same for all, and arrays with examples along the last
  # axis: the function of every example, along the last axis.
  over_examples: Callable[..., Any] = vectorize.by_vmap

  def training_stream(self, root: Key, instance: Instance) -> draws.KeyWords:
    """Returns the key of all that is drawn in an instance's training; common to all if examples
    are."""
    index = 0 if self.spec.examples == "common" else instance.index
    return streams.words(root, streams.Stream.TRAIN, index)

  def model_of(self, instance: Instance) -> models.Model:
    """Returns the model with the instance's swept numbers, if it has any."""
    return models.of(self.spec, instance)

  def sample(
    self,
    key: draws.KeyWords,
    instance: Instance,
    n_examples: int,
    first: Array | int = 0,
    n_columns: int | None = None,
    generator: str = "",
  ) -> Batch:
    """Returns fresh features of a step, or `n_columns` of its `n_examples` from `first` on.

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
    return self.over_examples(lambda instance, u: self.features(u, instance), (instance,), u)

  def training_sample(self, instance: Instance, columns: Columns) -> Batch:
    """Returns features of a training step: fresh ones, or examples of the instance's fixed set."""
    instance = instance if self.common is None else self.common
    examples = self.spec.row("data.examples", instance)
    if not isinstance(examples, inputs.Fixed):
      return self.sample(columns.key, instance, columns.of, columns.first, columns.n)
    u = columns.uniform(CHOICE, 1)[0]
    return self.fixed_examples(instance, examples.columns(u, columns.first, columns.of))

  def fixed_examples(self, instance: Instance, chosen: UInt32[Array, "example"]) -> Batch:
    """Returns features of the chosen examples of an instance's fixed set, numbered from 0."""
    stream = streams.words(streams.root(self.spec.seed), streams.Stream.EXAMPLES, instance.index)
    u = draws.uniform_columns(
      self.spec.generator, stream, self.n_draws, chosen, self.rare(instance)
    )
    return self.over_examples(lambda instance, u: self.features(u, instance), (instance,), u)

  def rare(self, instance: Instance) -> draws.Rare | None:
    """Returns whether an instance's draws need more bits; None if no instance of the group does."""
    return distributions.is_rare(instance.density) if self.spec.rare else None

  def with_noise(
    self, s: Float[Array, "input example"], instance: Instance, columns: Columns
  ) -> Float[Array, "input example"]:
    """Returns what the model sees of a batch, with the instance's noise."""
    if "data.noise" not in self.spec.active:
      return s
    noise = Noise(instance.numbers["data.noise"])
    return noise.of(s, columns.uniform(NOISE, s.shape[0]))

  def with_dropout(
    self, h: Float[Array, "hidden example"], instance: Instance, columns: Columns
  ) -> Float[Array, "hidden example"]:
    """Returns a batch's hidden activations after dropout, or with the noise that stands in for
    it."""
    q, u = instance.numbers["model.dropout"], columns.uniform(DROPOUT, h.shape[0])
    dropped = Dropout(q).of(h, u)
    if "model.isotropic_noise" not in self.spec.active:
      return dropped
    noise = IsotropicNoise(instance.numbers["model.isotropic_noise"])
    return noise.of(h, dropped, u, columns.uniform(ISOTROPIC, 1), q)

  def example_objective(self, params: Params, instance: Instance, x: Feature) -> Scalar:
    """Returns the training objective of features that a model sees as they are: the reduced loss,
    and the penalty."""
    h = self.model_of(instance).encode(params, x)
    target = self.target(instance, x, x)
    loss = self.reduction(self.decoded_loss(params, instance, target, h))
    return loss + self.penalty(params, instance, h) if self.penalty else loss

  def feature_loss(
    self,
    params: Params,
    instance: Instance,
    x: Batch,
    columns: Columns | None = None,
    weights: Weights | None = None,
  ) -> Output:
    """Returns the loss of each output, averaged over a batch of features, of the model as it is
    used. `columns` of the batch are needed for noise alone; for `weights` see `loss`."""
    s = self.over_examples(self.seen, (instance,), x)
    target = self.over_examples(self.target, (instance,), x, s)
    if columns is not None:
      s = self.with_noise(s, instance, columns)
    model = self.model_of(instance)

    def each(params: Params, instance: Instance, s: Input, target: Output) -> Output:
      return self.decoded_loss(params, instance, target, model.encode(params, s))

    return mean(self.over_examples(each, (params, instance), s, target), weights)

  def loss(
    self,
    params: Params,
    instance: Instance,
    x: Batch,
    attack: Batch | None = None,
    columns: Columns | None = None,
    weights: Weights | None = None,
  ) -> Scalar:
    """Returns the training objective, averaged over a batch of features.

    Args:
      params: of the model.
      instance: its numbers.
      x: features.
      attack: added to what the model sees.
      columns: of the batch, needed for noise and dropout.
      weights: of the examples, with the sum 1; by default all have the same.
    """
    model = self.model_of(instance)
    s = self.over_examples(self.seen, (instance,), x)
    target = self.over_examples(self.target, (instance,), x, s)
    s = s if columns is None else self.with_noise(s, instance, columns)
    s = s if attack is None else s + attack
    if model.encode_batch is None:
      h = self.over_examples(model.encode, (params,), s)
    else:
      h = model.encode_batch(params, s)
    if "model.dropout" in self.spec.active and columns is not None:
      h = self.with_dropout(h, instance, columns)
    each = self.over_examples(self.decoded_loss, (params, instance), target, h)
    loss = self.reduction(mean(each, weights))
    if self.penalty:
      penalties = self.over_examples(self.penalty, (params, instance), h)
      loss = loss + mean(penalties, weights)
    if model.auxiliary:
      loss_of = self._loss_of(instance, target)
      share = objective.share(self.reduction, self.n_outputs)
      loss = loss + model.auxiliary(params, s, h, loss_of, share)
    return loss

  def _loss_of(
    self, instance: Instance, target: Float[Array, "output example"]
  ) -> Callable[[Float[Array, "output example"]], Scalar]:
    """Returns the reduced mean loss of a batch as a function of its outputs."""
    each = output_loss(self.spec)

    def loss(output: Float[Array, "output example"]) -> Scalar:
      losses = self.over_examples(each, (instance,), target, output)
      return self.reduction(jnp.mean(losses, axis=1))

    return loss

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
    columns = Columns(key, spec.batch_size, first, n_columns, spec.generator)
    x = self.training_sample(instance, columns)
    attack = None
    if self.attack is not None:
      attack = self.attack(params, instance, columns.uniform(ATTACK, 1)[0])
    return self.loss(params, instance, x, attack, columns)


def mean(each: Float[Array, "*output example"], weights: Weights | None) -> Array:
  """Returns the mean over examples, weighted if there are weights."""
  return jnp.mean(each, axis=-1) if weights is None else each @ weights


def outputs_are_features(spec: Spec) -> bool:
  """Returns whether output i of a model is compared with something of feature i."""
  of_inputs = spec.target == "input" and spec.inputs != "identity"
  # Three features have three pairs.
  return not of_inputs and spec.target != "pairs" and n_outputs(spec) == spec.n_features


def output_loss(spec: Spec) -> Callable[[Instance, Output, Output], Output]:
  """Returns (instance, target, output) → loss of each output of one example, weighted by importance
  if outputs are features."""
  weighted = outputs_are_features(spec)

  def loss(instance: Instance, target: Output, output: Output) -> Output:
    each = function_of(spec.row("loss.name", instance))(target, output)
    return instance.importance * each if weighted else each

  return loss


@functools.cache
def n_outputs(spec: Spec) -> int:
  """Returns how many numbers the target of an example has."""
  x, s = (
    jax.ShapeDtypeStruct((size,), jnp.float32)
    for size in (spec.n_features, spec.row("data.input").size(spec))
  )
  return jax.eval_shape(function_at_one(spec, "data.target", spec.target), x, s).shape[0]


def function_at_one(spec: Spec, field: str, name: str) -> Callable[..., Array]:
  """Returns the target or loss that a Spec chose in a field, its swept numbers being 1: for what
  does not depend on them."""
  section, declared = field.partition(".")[0], declare.declared(declare.TABLES[field][name])
  numbers = {f"{section}.{own}": 1.0 for own, declaration in declared if declaration.swept}
  return function_of(declare.build(field, name, dict(spec.hyperparameters) | numbers))


def make(spec: Spec, shared: bool = False) -> Problem:
  """Returns the problem that a Spec describes; its names are known to be in the tables.

  `shared` is whether devices share the features of an instance; it changes no number.
  """
  distribution, row = spec.row("data.distribution"), spec.row("data.input")
  outputs = n_outputs(spec)
  rule = spec.row("init.scheme")
  std = spec.init_scale * rule.std(n_features=spec.n_features, n_hidden=spec.n_hidden)
  of_output = output_loss(spec)

  def init(key: Key) -> Params:
    of_biases = jax.random.fold_in(key, BIASES)
    params = models.of(spec).init(
      key, n_inputs=row.size(spec), n_hidden=spec.n_hidden, n_outputs=outputs, std=std
    )
    return models.with_biases(params, of_biases, rule.bias) if rule.bias else params

  def features(u: Float[Array, "draw"], instance: Instance) -> Feature:
    return spec.row("data.distribution", instance).features(u, instance)

  def seen(instance: Instance, x: Feature) -> Input:
    return spec.row("data.input", instance).seen(spec, instance, x)

  def target(instance: Instance, x: Feature, s: Input) -> Output:
    return function_of(spec.row("data.target", instance))(x, s)

  def decoded_loss(params: Params, instance: Instance, target: Output, h: Hidden) -> Output:
    return of_output(instance, target, models.of(spec, instance).decode(params, h))

  def attack(params: Params, instance: Instance, u: Float[Array, "example"]) -> Batch:
    feature = jnp.minimum(jnp.floor(u * spec.n_features), spec.n_features - 1).astype(jnp.int32)
    size = spec.attack * attacks.input_norm(instance.density)
    return size * lax.stop_gradient(attacks.directions(params.directions))[feature].T

  def optimizer(instance: Instance) -> optax.GradientTransformationExtraArgs:
    return optimizers.transformation(spec, instance)

  return Problem(
    spec=spec,
    model=models.of(spec),
    n_draws=distribution.n_draws(spec.n_features),
    n_outputs=outputs,
    shared=shared,
    init=init,
    features=features,
    seen=seen,
    target=target,
    decoded_loss=decoded_loss,
    reduction=objective.REDUCTIONS[spec.reduction],
    penalty=_penalty(spec),
    attack=attack if spec.attack else None,
    optimizer=optimizer,
  )


def _penalty(spec: Spec) -> Callable[[Params, Instance, Hidden], Scalar] | None:
  """Returns the sum of the penalties whose weight is not 0 in all instances, None without any."""
  rows = [row for name, row in objective.PENALTIES.items() if f"loss.{name}" in spec.active]
  if not rows:
    return None

  def penalty(params: Params, instance: Instance, h: Hidden) -> Scalar:
    each = []
    for row in rows:
      fields = {name: instance.numbers[one.of] for name, one in declare.declared(row)}
      each.append(row(**fields).of(params, h))
    return sum(each[1:], start=each[0])

  return penalty
