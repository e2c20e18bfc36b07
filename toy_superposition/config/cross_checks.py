"""Fields of a config that are right by themselves, checked against each other."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from toy_superposition import distributions, fields, models, optimizers, problem, sizes, sweeps
from toy_superposition.distributions import LEAST, RARE
from toy_superposition.errors import UserError, not_allowed
from toy_superposition.estimators import ESTIMATORS
from toy_superposition.models import has_gram
from toy_superposition.sweeps import Axis
from toy_superposition.types import Group, Instance, Spec

# Estimators whose arrays the compiler can divide among devices that share an instance.
SHARED = ("auto", "autodiff", "blocked")
# Fields without effect where nothing is sampled.
UNUSED_BY_EXACT = ("train.batch_size", "train.precision", "data.generator")


def check(values: Mapping[str, Any], axes: Sequence[Axis], groups: Sequence[Group]) -> None:
  """Checks fields against each other, for every group.

  Raises:
    UserError: names the field, the value found, and what is allowed beside the others.
  """
  _check_axes(values, axes)
  _check_history(values, groups)
  for group in groups:
    spec, instances = group.spec, group.instances
    _check_rows(spec, instances)
    _check_values(group)
    _check_sets(spec, instances)
    if reason := _refusal(spec, instances):
      raise not_allowed("train.estimator", spec.estimator, reason)
    if spec.attack and not has_gram(spec.model):
      raise not_allowed("loss.attack", spec.attack, f"0 for {spec.model}, which has no WᵀW")
    if spec.precision != "float32" and spec.estimator != "blocked":
      raise not_allowed(
        "train.precision", spec.precision, "with config.train.estimator='blocked' only"
      )
    if values["run.feature_devices"] > 1 and spec.estimator not in SHARED:
      raise not_allowed(
        "run.feature_devices", values["run.feature_devices"], f"0 or 1 for {spec.estimator}"
      )
    if values["evaluation.method"] == "exact" and (
      reason := ESTIMATORS["exact"].refuses(spec, instances)
    ):
      raise not_allowed("evaluation.method", "exact", f"sampled: exact needs {reason}")


def _check_rows(spec: Spec, instances: Instance) -> None:
  """Checks what the chosen rows themselves need, and that model and data fit each other."""
  for chooser in ("data.distribution", "data.input", "data.examples", "model.name"):
    refuses = getattr(spec.row(chooser), "refuses", None)
    if refuses and (reason := refuses(spec, instances)):
      raise UserError(reason)
  values = spec.row("data.distribution").law
  if spec.attack and values.mean_square != distributions.VALUES["uniform"].mean_square:
    raise not_allowed("loss.attack", spec.attack, "0 for values that are not uniform")
  if not problem.outputs_are_features(spec) and (instances.importance != 1).any():
    raise UserError(
      f"config.importance: outputs are no features with config.data.target={spec.target!r}; "
      "allowed: 1 for every feature"
    )
  _check_sizes(spec, instances)


def _check_sizes(spec: Spec, instances: Instance) -> None:
  """Checks that a model takes what it sees and returns as many numbers as the target has."""
  n_inputs, n_outputs = sizes.n_inputs(spec), problem.n_outputs(spec)
  first = dataclasses.replace(
    instances, numbers={field: float(column[0]) for field, column in instances.numbers.items()}
  )
  model = models.of(spec, first)
  if models.sees_features(spec.model) and spec.inputs != "identity":
    raise not_allowed(
      "model.name", spec.model, f"models of any input, for config.data.input={spec.inputs!r}"
    )
  try:
    params = sizes.abstract_params(spec)
    seen = jax.ShapeDtypeStruct((n_inputs,), "float32")
    output = jax.eval_shape(model.apply, params, seen)
  except (TypeError, ValueError):
    output = None
  if output is None or output.shape != (n_outputs,):
    raise UserError(
      f"config.model.name: {spec.model!r} does not map {n_inputs} numbers (config.data.input="
      f"{spec.inputs!r}) to {n_outputs} (config.data.target={spec.target!r}); an autoencoder of "
      "what it sees has the target 'input'"
    )


def _check_history(values: Mapping[str, Any], groups: Sequence[Group]) -> None:
  """Checks that the steps of a history exist, and are the same for all groups."""
  steps = {group.spec.steps for group in groups}
  if values["history.num"] and 0 in steps:
    raise not_allowed("history.num", values["history.num"], "0 without training steps")
  if values["history.num"] and len(steps) > 1:
    raise not_allowed("history.num", values["history.num"], "0 along an axis over train.steps")


def _check_values(group: Group) -> None:
  """Checks what the profiles made of the numbers: every feature of every instance."""
  rates = group.instances.learning_rate
  if not np.isfinite(rates).all():
    raise not_allowed("train.learning_rate", float(rates.max()), "numbers that float32 can hold")
  rules = (
    ("density", LEAST, 1.0, f"0, or {LEAST:g} to 1"),
    ("importance", 0.0, math.inf, "finite numbers ≥ 0"),
  )
  for field, low, high, allowed in rules:
    values = getattr(group.instances, field)
    bad = ~((values == 0) | (values >= low) & (values <= high) & np.isfinite(values))
    if bad.any():
      row, feature = np.argwhere(bad)[0]
      raise UserError(
        f"config.{field}: profile, base and ratio give {values[row, feature]:g} for feature "
        f"{feature} of instance {group.instances.index[row]}; allowed: {allowed}"
      )


def _refusal(spec: Spec, instances: Instance) -> str:
  """Returns why the Spec's estimator does not do, or nothing."""
  if optimizers.searches(spec.optimizer) and spec.estimator != "exact":
    return f"exact: config.train.optimizer={spec.optimizer!r} needs a loss without noise"
  if spec.estimator == "auto":
    return ""
  reason = ESTIMATORS[spec.estimator].refuses(spec, instances)
  others = ", ".join(name for name in ("auto", *ESTIMATORS) if name != spec.estimator)
  return f"{others}; {spec.estimator} needs {reason}" if reason else ""


def _check_axes(values: Mapping[str, Any], axes: Sequence[Axis]) -> None:
  """Checks that no axis runs over a field without effect: all its results would be the same."""
  used = sweeps.fields_in_use(values, axes)
  sampled = values["train.estimator"] != "exact"
  for name, field in [(axis.name, field) for axis in axes for field in axis.sets]:
    if field not in used:
      owners = ", ".join(fields.fields()[field].rows)
      allowed = f"fields that matter; only {owners} use this one"
      raise not_allowed(f"axis.{name}.field", field, allowed)
    if field in UNUSED_BY_EXACT and not sampled:
      allowed = "fields that matter; exact does not use this one"
      raise not_allowed(f"axis.{name}.field", field, allowed)


def _check_sets(spec: Spec, instances: Instance) -> None:
  """Checks that features fill whole sets, and that exclusive ones have possible densities."""
  distribution = spec.row("data.distribution")
  set_size = getattr(distribution, "set_size", 1)
  if distribution.in_sets and spec.n_features % set_size:
    raise not_allowed("data.set_size", set_size, f"a divisor of {spec.n_features} features")
  if distribution.exclusive:
    sums = instances.density.reshape(len(instances.density), -1, set_size).sum(axis=2)
    if sums.max() > 1 + 1e-6:
      raise UserError(
        f"config.density: {spec.distribution} has at most one active feature in a set, but the "
        f"densities of a set add up to {sums.max():g}; allowed: sums up to 1"
      )
    _check_shares(spec, instances, set_size)


def _check_shares(spec: Spec, instances: Instance, set_size: int) -> None:
  """Checks that float32 tells the members of exclusive sets apart, by the sums of densities."""
  density = instances.density
  sums = np.cumsum(density.reshape(len(density), -1, set_size), axis=2, dtype=float)
  low = RARE * np.minimum(sums, 1).reshape(density.shape)
  bad = (density > 0) & (density < low)
  if bad.any():
    row, feature = np.argwhere(bad)[0]
    raise UserError(
      f"config.density: {density[row, feature]:g} for feature {feature} of instance "
      f"{instances.index[row]}; allowed with {spec.distribution}: 0, or at least "
      f"{low[row, feature]:g}, 1/{1 / RARE:g} of the sum of the densities up to it in its set"
    )
