"""What a config may hold: everything else is refused before any device is touched, in one line
that names the field, the value and what is allowed."""

import dataclasses
import importlib
import itertools
import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ml_collections import ConfigDict

import toy_superposition as ts
from configs import base, phase_change
from toy_superposition import declare, experiments, fields, models, sweeps
from toy_superposition.config import axes
from toy_superposition.config import resolve as config
from toy_superposition.config.axes import RESERVED
from toy_superposition.devices import memory
from toy_superposition.distributions import DISTRIBUTIONS
from toy_superposition.errors import UserError
from toy_superposition.models import MODELS

NAN, INF = math.nan, math.inf
CONFIGS = Path(base.__file__).parent


def change(settings, changes: dict[str, Any]):
  """Sets fields by dotted name without the type checks of ml_collections, as a file could."""
  with settings.unlocked(), settings.ignore_type():
    for field, value in changes.items():
      *path, last = field.split(".")
      entry = settings
      for key in path:
        entry = entry[key]
      entry[last] = value
  return settings


def quick(changes=()):
  """Returns the phase change with changes."""
  return change(phase_change.get_config("quick"), dict(changes))


def plain(changes=()):
  """Returns a config with an axis of each scale and no experiment, with changes."""
  settings = base.get_config()
  settings.name = "test"
  base.set_axes(
    settings,
    even=base.linear("importance.base", 0, 1, 2),
    scaled=base.log("train.batch_size", 1, 64, 3),
    listed=base.points("density.base", (0.1, 0.5)),
    named=base.points("train.optimizer", ("adam", "sgd")),
    repeated=base.restarts(2),
  )
  return change(settings, dict(changes))


def refusal(settings) -> str:
  """Returns the one line with which a config is refused."""
  with pytest.raises(UserError) as caught:
    config.resolve(settings)
  assert len(str(caught.value).splitlines()) == 1
  return str(caught.value)


def variants() -> list[tuple[str, str]]:
  """Returns (name of the file, variant) of every config."""
  pairs = []
  for path in sorted(CONFIGS.glob("*.py")):
    if path.stem not in ("base", "__init__"):
      sizes = importlib.import_module(f"configs.{path.stem}").SIZES
      pairs += [(path.stem, variant) for variant in sizes]
  return pairs


def run_name(name: str, variant: str) -> str:
  """Returns the name of the runs of a variant."""
  return "_".join(filter(None, (name, variant)))


def load(name: str, variant: str):
  return importlib.import_module(f"configs.{name}").get_config(variant or None)


# Overrides of the phase change (quick) → fragments of the message, beyond field and value.
TABLE: list[tuple[dict[str, Any], list[str]]] = [
  ({"name": ""}, ["config.name", "''", "not empty"]),
  ({"name": "a/b"}, ["config.name", "'a/b'", "letters, digits"]),
  ({"name": "../up"}, ["config.name", "'../up'"]),
  ({"name": ".."}, ["config.name", "'..'"]),
  ({"name": "x" * 300}, ["config.name", "xxx…xxx", "at most 200 bytes"]),
  ({"name": "é" * 101}, ["config.name", "at most 200 bytes"]),
  ({"seed": -1}, ["config.seed", "-1", "≥ 0"]),
  ({"seed": 2**31}, ["config.seed", "2147483648", "below 2³¹"]),
  ({"model.name": "relu_ouput"}, ["config.model.name", "'relu_ouput'", "linear, relu_output"]),
  ({"model.n_features": 0}, ["config.model.n_features", "0", "an integer ≥ 1"]),
  ({"model.n_features": 2.0}, ["config.model.n_features", "2.0", "an integer ≥ 1"]),
  ({"model.n_hidden": 0}, ["config.model.n_hidden", "0", "an integer ≥ 1"]),
  ({"model.n_hidden": -3}, ["config.model.n_hidden", "-3", "an integer ≥ 1"]),
  ({"init.scheme": "xavir"}, ["config.init.scheme", "did you mean 'xavier'?"]),
  ({"init.scale": 0}, ["config.init.scale", "a number in (0, inf)"]),
  ({"init.n_instances": 0}, ["config.init.n_instances", "an integer ≥ 1"]),
  ({"data.distribution": "uniform"}, ["config.data.distribution", "sparse_signed_uniform"]),
  ({"data.target": "identiy"}, ["config.data.target", "did you mean 'identity'?"]),
  ({"data.set_size": 0}, ["config.data.set_size", "0", "an integer ≥ 1"]),
  ({"data.set_size": 1.5}, ["config.data.set_size", "1.5", "an integer ≥ 1"]),
  ({"data.generator": "threfry"}, ["config.data.generator", "did you mean 'threefry'?"]),
  ({"density.profile": "flat"}, ["config.density.profile", "'flat'", "uniform, geometric"]),
  ({"density.base": 1.5}, ["config.density.base", "1.5", "a number in [0, 1]"]),
  ({"density.base": -0.1}, ["config.density.base", "-0.1", "a number in [0, 1]"]),
  ({"density.base": NAN}, ["config.density.base", "nan", "a number in [0, 1]"]),
  ({"density.ratio": -1.0}, ["config.density.ratio", "-1.0", "a number in [0, inf)"]),
  ({"importance.base": -1.0}, ["config.importance.base", "-1.0", "a number in [0, inf)"]),
  ({"importance.base": NAN}, ["config.importance.base", "nan", "a number in [0, inf)"]),
  ({"importance.base": INF}, ["config.importance.base", "inf", "a number in [0, inf)"]),
  ({"importance.ratio": NAN}, ["config.importance.ratio", "nan", "a number in [0, inf)"]),
  ({"loss.reduction": "max"}, ["config.loss.reduction", "'max'", "sum, mean"]),
  ({"loss.attack": -0.1}, ["config.loss.attack", "-0.1", "a number in [0, inf)"]),
  ({"loss.hidden_l1": -0.1}, ["config.loss.hidden_l1", "-0.1", "a number in [0, inf)"]),
  ({"train.steps": -1}, ["config.train.steps", "-1", "an integer ≥ 0"]),
  ({"train.steps": "40"}, ["config.train.steps", "'40'", "an integer ≥ 0"]),
  ({"train.batch_size": 0}, ["config.train.batch_size", "0", "an integer ≥ 1"]),
  ({"train.batch_size": True}, ["config.train.batch_size", "True", "an integer ≥ 1"]),
  ({"train.estimator": "fusd"}, ["config.train.estimator", "auto", "did you mean 'fused'?"]),
  ({"train.precision": "float16"}, ["config.train.precision", "'float16'", "float32, bfloat16"]),
  ({"train.optimizer": "adamm"}, ["config.train.optimizer", "did you mean 'adam", "sgd"]),
  ({"train.learning_rate": 0.0}, ["config.train.learning_rate", "0.0", "a number in (0, inf)"]),
  ({"train.learning_rate": "fast"}, ["config.train.learning_rate", "'fast'", "a number"]),
  ({"train.schedule": "cosin"}, ["config.train.schedule", "did you mean 'cosine'?"]),
  ({"train.warmup_steps": -1}, ["config.train.warmup_steps", "-1", "an integer ≥ 0"]),
  ({"train.b1": 1.0}, ["config.train.b1", "1.0", "a number in [0, 1)"]),
  ({"train.b2": -0.1}, ["config.train.b2", "-0.1", "a number in [0, 1)"]),
  ({"train.epsilon": -1e-8}, ["config.train.epsilon", "-1e-08", "a number in [0, inf)"]),
  ({"train.weight_decay": -1.0}, ["config.train.weight_decay", "a number in [0, inf)"]),
  ({"train.momentum": 1.0}, ["config.train.momentum", "1.0", "a number in [0, 1)"]),
  ({"axes": ("densty", "restart")}, ["config.axes", "'densty'", "did you mean 'density'?"]),
  ({"axes": ("density", "density")}, ["config.axes", "('density', 'density')", "once"]),
  ({"axes": "density"}, ["config.axes", "'density'", "a tuple of names"]),
  ({"axis.density.scale": "lin"}, ["config.axis.density.scale", "did you mean 'linear'?"]),
  ({"axis.density.field": "density.bas"}, ["config.axis.density.field", "mean 'density.base'?"]),
  ({"axis.density.field": "evaluation.n_samples"}, ["config.axis.density.field", "density.base"]),
  (
    {"axis.density.field": "importance.ratio"},
    ["config.axes", "one axis only", "importance.ratio"],
  ),
  ({"axis.density.num": 0}, ["config.axis.density.num", "0", "at least one point"]),
  ({"axis.density.num": 2.5}, ["config.axis.density.num", "2.5", "an integer ≥ 1"]),
  ({"axis.restart.num": 0}, ["config.axis.restart.num", "0", "at least one point"]),
  ({"axis.density.start": NAN}, ["config.axis.density.start", "nan", "a finite number"]),
  ({"axis.density.stop": "end"}, ["config.axis.density.stop", "'end'", "a finite number"]),
  ({"axis.density.stop": 0.0}, ["config.axis.density.stop", "0.0", "logarithmic"]),
  ({"axis.density.start": 2.0}, ["config.axis.density", "density.base", "2.0", "[0, 1]"]),
  ({"axis.density.start": 0.01}, ["config.axis.density", "each point once"]),
  ({"evaluation.method": "exakt"}, ["config.evaluation.method", "did you mean 'exact'?"]),
  ({"evaluation.n_samples": 0}, ["config.evaluation.n_samples", "0", "an integer ≥ 1"]),
  ({"measures": ("feature_nrm",)}, ["config.measures", "did you mean 'feature_norm'?"]),
  ({"measures": ("feature_norm", "feature_norm")}, ["config.measures", "each once"]),
  ({"measures": ()}, ["config.measures", "feature_norm, superposition too, for experiment"]),
  ({"experiment": "phase"}, ["config.experiment", "'phase'", "none, or one of the "]),
  ({"experiment": "phase_chang"}, ["config.experiment", "did you mean 'phase_change'?"]),
  ({"run.log_every": -1}, ["config.run.log_every", "-1", "an integer ≥ 0"]),
  ({"run.checkpoint_seconds": -1.0}, ["config.run.checkpoint_seconds", "a number in [0, inf)"]),
  ({"run.checkpoint_seconds": NAN}, ["config.run.checkpoint_seconds", "nan"]),
  ({"run.memory_gib": -0.5}, ["config.run.memory_gib", "-0.5", "a number in [0, inf)"]),
  ({"run.tensorboard": "perhaps"}, ["config.run.tensorboard", "'perhaps'"]),
  # What the profiles make of the numbers.
  (
    {"experiment": "none", "density.profile": "geometric", "density.ratio": 3.0},
    ["config.density", "feature 1", "to 1"],
  ),
  # What holds together only.
  (
    {"experiment": "none", "train.steps": 0, "history.num": 3},
    ["config.history.num", "3", "0 without training steps"],
  ),
  ({"experiment": "none", "model.name": "relu_hidden"}, ["config.evaluation.method"]),
  ({"experiment": "none", "data.target": "absolute"}, ["config.evaluation.method"]),
  ({"experiment": "none", "model.n_features": 7}, ["'exact'", "at most 6 features"]),
  # What the theory holds for.
  ({"model.name": "linear"}, ["config.model.name", "'linear'", "'relu_output'", "=none"]),
  ({"data.distribution": "sparse_signed_uniform", "evaluation.method": "sampled"}, ["config.data"]),
  ({"loss.reduction": "mean"}, ["config.loss.reduction", "'mean'", "'sum'"]),
  ({"density.profile": "geometric"}, ["config.density.profile", "'uniform'"]),
  ({"importance.profile": "uniform"}, ["config.importance.profile", "'last_apart'"]),
  ({"importance.base": 2.0}, ["config.importance.base", "2.0", "1.0"]),
  ({"model.n_features": 4}, ["n_features", "(4, 1)", "(2, 1) and (3, 2)"]),
  ({"model.n_hidden": 2}, ["n_hidden", "(2, 2)", "(2, 1) and (3, 2)"]),
  ({"axes": ("density", "restart")}, ["config.axes", "relative_importance"]),
]


@pytest.mark.parametrize(("changes", "fragments"), TABLE, ids=str)
def test_what_is_not_allowed_is_refused_with_field_value_and_what_is(changes, fragments):
  message = refusal(quick(changes))
  for fragment in fragments:
    assert fragment in message


# Field → the names that it may hold.
NAMES: dict[str, list[str]] = {
  field: [*declaration.names, *declare.TABLES.get(field, ())]
  for field, (declaration, _) in fields.fields().items()
  if isinstance(declaration, declare.Choice)
} | {"experiment": ["none", *experiments.NAMES]}


@pytest.mark.parametrize("field", NAMES)
def test_every_name_is_checked_and_the_nearest_valid_one_suggested(field):
  for name in NAMES[field]:
    wrong = f"{name}x"
    message = refusal(plain({field: wrong}))
    assert f"config.{field}: {wrong!r} is not allowed" in message
    assert name == "none" or f"did you mean {name!r}?" in message
    assert field == "experiment" or ", ".join(NAMES[field]) in message  # which are too many


# What has to be set beside a name.
BESIDE: dict[str, dict[str, Any]] = {
  "sparse": {"axis.listed.points": (0.05, 0.1)},
  "sampled": {"axis.listed.points": (0.05, 0.1)},
  "common": {"axes": ("repeated",)},  # all have one density
  "bfloat16": {"train.estimator": "blocked"},
  "exact": {"axes": ("listed", "repeated")},  # the batch size is none of its affairs
  "copula": {"data.rank": 1},
  "tree": {"data.limited": True},
  "circle": {"model.n_features": 2},
  "attributes": {"model.n_features": 4},
  "dictionary": {
    "model.name": "l1_sae",
    "data.target": "input",
    "measures": (),
    "axes": ("listed", "repeated"),  # outputs are no features, and have no importance
  },
  "weighted_squares": {
    "model.name": "sum_of_squares",
    "measures": (),
    "axes": ("listed", "repeated"),
  },
  "pairs": {"model.name": "relu_layer", "measures": (), "axes": ("listed", "repeated")},
}
NEEDS_A_SOURCE = ("data.input", "hidden")  # source_test.py


@pytest.mark.parametrize("field", NAMES)
def test_every_allowed_name_passes_by_itself(field):
  for name in NAMES[field]:
    own_config = field == "experiment" and name != "none"  # which tests/configs_test.py resolves
    left_out = own_config or (field, name) in (("evaluation.method", "exact"), NEEDS_A_SOURCE)
    if not left_out:
      changes = {field: name} | BESIDE.get(name, {})
      assert config.resolve(plain(changes)).values[field] == name


# Values that no field of the kind can mean, by the type of the field's default. "x y" is no
# name of anything.
ABSURD: dict[type, list[Any]] = {
  str: ["x y", "", 3, 2.5, None, True, ("adam",), ["adam"]],
  bool: ["x y", 3, 0.5, None, (), "True"],
  int: [-1, 2.5, NAN, INF, 2**31, 10**30, "3", "x y", None, True, (1,), [1]],
  # ml_collections itself makes 1.0 of True, and of other integers.
  float: [-1.0, NAN, INF, -INF, "0.1", "x y", None, (0.1,), [0.1], 1j],
  tuple: ["x y", 3, None, True, ("x y",), (3,), (None,), [("feature_norm",)]],
}
# The entry of an axis that repeats with fresh random numbers names no field. Numbers of points
# beyond memory are tried in bad_input_test.py, with memory limited.
NUMBERED = ("even", "scaled", "repeated")
LEFT_OUT: list[tuple[str, Any]] = [("axis.repeated.field", "")]
LEFT_OUT += [("source", ""), ("model.prefixes", (3,))]
LEFT_OUT += [(field, -1.0) for field in ("train.norm_decay", "density.tail", "importance.tail")]
LEFT_OUT += [("model.neuron_bias", -1.0)]
LEFT_OUT += [(f"axis.{name}.num", wrong) for name in NUMBERED for wrong in (2**31, 10**30)]


def flat(settings) -> dict[str, Any]:
  """Returns every field by its dotted name."""

  def walk(tree, prefix):
    for key, value in tree.items():
      if isinstance(value, dict):
        yield from walk(value, f"{prefix}{key}.")
      else:
        yield prefix + key, value

  return dict(walk(settings.to_dict(), ""))


EVERY_FIELD = [
  (field, wrong)
  for field, value in flat(plain()).items()
  for wrong in ABSURD[type(value)]
  if (field, wrong) not in LEFT_OUT
]


def test_a_field_is_read_by_its_name_in_python_and_set_by_its_flag():
  methods = {field for field in flat(plain()) if hasattr(ConfigDict, field.rpartition(".")[2])}
  assert methods <= {"density.values", "importance.values"}  # tuples, which flags set all the same


def test_every_field_has_a_value_of_a_known_type():
  assert {type(value) for value in flat(plain()).values()} <= ABSURD.keys()
  assert len({field for field, _ in EVERY_FIELD}) == len(flat(plain()))


@pytest.mark.parametrize(("field", "wrong"), EVERY_FIELD, ids=str)
def test_no_field_accepts_nonsense(field, wrong):
  message = refusal(plain({field: wrong}))
  named = ".".join(field.split(".")[:2]) if field.startswith("axis.") else field
  assert f"config.{named}" in message


@pytest.mark.parametrize(
  "points",
  [
    (),
    0.1,
    "0.1",
    None,
    (0.1, NAN),
    (0.1, INF),
    (0.1, "x"),
    (0.1, 2.0),
    (0.1, None),
    (0.1, (0.2,)),
    (0.1, 10**100),
  ],
  ids=str,
)
def test_every_point_of_an_axis_is_checked_like_the_field_itself(points):
  message = refusal(plain({"axis.listed.points": points}))
  assert "config.axis.listed" in message
  if isinstance(points, tuple) and points:
    assert "sets density.base: " in message
    assert repr(points[1]) in message


@pytest.mark.parametrize("points", [("adam", "rmsprop"), ("adam", 3), ("adam", ("sgd",))])
def test_every_name_on_an_axis_is_checked_like_the_field_itself(points):
  message = refusal(plain({"axis.named.points": points}))
  assert "config.axis.named sets train.optimizer: " in message
  assert repr(points[-1]) in message


@pytest.mark.parametrize("name", sorted(RESERVED))
def test_an_axis_cannot_take_the_name_of_another_dimension_or_variable(name):
  settings = base.get_config()
  settings.name = "test"
  base.set_axes(settings, **{name: base.restarts(2)})
  assert f"config.axes: {name!r}" in refusal(settings)


@pytest.mark.parametrize("name", ["a/b", "", "/"])
def test_an_axis_has_a_name_that_a_dimension_can_have(name):
  settings = base.get_config()
  settings.name = "test"
  base.set_axes(settings, **{name: base.restarts(2)})
  assert "config.ax" in refusal(settings)


@pytest.mark.parametrize("field", ["density.base", "train.steps", "model.n_features"])
def test_two_axes_cannot_set_one_field(field):
  settings = base.get_config()
  settings.name = "test"
  value = 1 if field != "density.base" else 0.5
  base.set_axes(settings, x=base.points(field, (value,)), y=base.points(field, (value,)))
  message = refusal(settings)
  assert "config.axes" in message and field in message


def sweep_of(changes=(), **axes):
  """Returns a config with these axes alone."""
  settings = base.get_config()
  settings.name = "test"
  base.set_axes(settings, **axes)
  return change(settings, dict(changes))


# Changes and axes → fragments of the message, where memory holds a mebibyte.
TOO_MANY: list[tuple[dict[str, Any], dict[str, Any], list[str]]] = [
  ({"train.batch_size": 2**31}, {}, ["config.train.batch_size", "2147483648", "below 2³¹"]),
  ({"train.batch_size": 2**31 - 1}, {}, ["config.train.batch_size", "at most 858993459"]),
  ({}, {"a": base.restarts(10**7)}, ["config.axis.a.num", "10000000", "at most 1000000"]),
  (
    {},
    {"a": base.linear("density.base", 0, 1, 10**7)},
    ["config.axis.a.num", "10000000", "at most 1000000"],
  ),
  (
    {},
    {"x": base.restarts(10**6), "y": base.linear("density.base", 0, 1, 200)},
    ["config.axes: ('x', 'y')", "fewer points", "200000000 models", "GiB", "has 1 MiB"],
  ),
  (
    {},
    {name: base.restarts(2000) for name in ("x", "y", "z")},
    ["config.axes", "fewer than 2³¹ instances in all, not 8000000000"],
  ),
  (
    {},
    {"x": base.points("seed", tuple(range(200))), "y": base.linear("train.steps", 1, 100, 100)},
    ["config.axes: ('x', 'y')", "at most 10000 programs", "not 20000"],
  ),
  ({}, {f"x{k}": base.restarts(1) for k in range(30)}, ["config.axes", "at most 29 axes"]),
  (
    {"train.steps": 2**31 - 1, "run.log_every": 1},
    {},
    ["config.run.log_every: 1 ", "0, or at least 2148 for 2147483647 steps"],
  ),
  (
    {"run.log_every": 1},
    {"x": base.points("train.steps", (10, 2**30))},
    ["config.run.log_every: 1 ", "for 1073741824 steps"],
  ),
  ({"history.num": 2**31 - 1}, {}, ["config.history.num", "2147483647", "at most 100000"]),
  (
    {"history.num": 10_000},
    {"x": base.restarts(1000)},
    ["config.history.num: 10000 ", "fewer steps", "1000 models at 10000 steps", "1.12 GiB"],
  ),
  (
    {"model.n_features": 10**9},
    {},
    ["config.model.n_features: 1000000000 ", "fewer features", "one model take 29.8 GiB"],
  ),
]


@pytest.mark.parametrize(("changes", "of", "fragments"), TOO_MANY, ids=lambda value: "")
def test_more_than_can_be_counted_or_stored_is_refused_before_it_is_made(
  monkeypatch, changes, of, fragments
):
  monkeypatch.setattr(memory, "machine_bytes", lambda: 2**20)
  monkeypatch.setattr(sweeps, "make_instances", None)  # must not be reached
  message = refusal(sweep_of(changes, **of))
  for fragment in fragments:
    assert fragment in message


def test_given_points_are_counted_like_those_of_a_scale(monkeypatch):
  monkeypatch.setattr(axes, "MAX_POINTS", 3)
  assert config.resolve(sweep_of(a=base.points("seed", (1, 2, 3)))).axes[0].points == (1, 2, 3)
  message = refusal(sweep_of(a=base.points("seed", (1, 2, 3, 4))))
  assert "config.axis.a.points" in message and "at most 3" in message


def test_rows_that_declare_a_field_differently_are_refused(monkeypatch):
  @dataclasses.dataclass(frozen=True)
  class Theirs(ts.OPTIMIZERS["adam"]):  # type: ignore[misc]
    b1: float = ts.number(0.5, "[0, 1)", "something else")

  monkeypatch.setitem(ts.OPTIMIZERS, "theirs", Theirs)
  with pytest.raises(UserError, match=r"config\.train\.b1 is declared by theirs"):
    fields.fields()


@pytest.mark.parametrize("name", ["a/b", "x" * 300])
def test_a_measure_has_a_name_that_a_variable_can_have(monkeypatch, name):
  monkeypatch.setitem(ts.MEASURES, name, ts.MEASURES["feature_norm"])
  assert "config.measures" in refusal(plain({"measures": (name,)}))


def test_an_experiment_has_a_name_that_a_file_can_have(monkeypatch):
  monkeypatch.setattr(experiments, "_ADDED", {})
  for name in ("a/b", "../up", "x" * 300):
    ts.add_experiment(name, ts.Experiment("A question", lambda dataset: []))
    assert "config.experiment" in refusal(plain({"experiment": name}))


def test_a_message_is_short_however_long_the_value():
  for wrong in ("x" * 10**6, 10**5000, tuple(range(10**5))):
    assert len(refusal(plain({"seed": wrong}))) < 400


# A value of each kind of field, as NumPy and JAX have it → the value as Python has it.
SCALARS: list[tuple[str, Any, Any]] = [
  ("seed", np.int64(3), 3),
  ("seed", np.array(3), 3),
  ("seed", jnp.int32(3), 3),
  ("density.base", np.float32(0.05), 0.05000000074505806),
  ("density.base", np.float64(0.05), 0.05),
  ("density.base", jnp.float32(0.05), 0.05000000074505806),
  ("density.base", jnp.bfloat16(0.05), 0.050048828125),
  ("density.base", np.longdouble(0.05), 0.05),
  ("run.tensorboard", np.bool_(True), True),
  ("run.tensorboard", jnp.array(True), True),
  ("name", np.str_("named"), "named"),
  ("train.optimizer", np.str_("adam"), "adam"),
  ("measures", np.array(["feature_norm"]), ("feature_norm",)),
  ("measures", ["feature_norm"], ("feature_norm",)),
  ("density.values", np.linspace(0, 1, 5), (0.0, 0.25, 0.5, 0.75, 1.0)),
  ("model.prefixes", np.array([1, 2]), (1, 2)),
  ("source", np.str_(""), ""),
  ("axes", ["repeated", "listed"], ("repeated", "listed")),
  ("axis.repeated.num", np.int64(3), 3),
  ("axis.even.start", np.float32(0.25), 0.25),
  ("axis.listed.points", np.array([0.25, 0.5], np.float32), (0.25, 0.5)),
  ("axis.listed.points", jnp.array([0.25, 0.5]), (0.25, 0.5)),
  ("axis.listed.points", (np.float32(0.05), jnp.float32(1)), (0.05000000074505806, 1.0)),
  ("axis.named.points", np.array(["sgd", "adam"]), ("sgd", "adam")),
  ("axis.scaled.field", np.str_("train.batch_size"), "train.batch_size"),
]


def kinds(value) -> Any:
  """Returns the type of a value, and of those in it."""
  return (type(value), *map(kinds, value)) if isinstance(value, tuple) else type(value)


@pytest.mark.parametrize(("field", "value", "expected"), SCALARS, ids=str)
def test_checked_values_are_plain_and_have_the_value_they_had(field, value, expected):
  what = config.resolve(plain({field: value}))
  found = what.values[field]
  assert found == expected and kinds(found) == kinds(expected)
  assert again(what).identity == what.identity
  points = {kinds(axis.points) for axis in what.axes}
  assert points <= {(tuple, *[kind] * 2) for kind in (int, float, str)} | {(tuple, *[int] * 3)}


def test_every_kind_of_field_is_among_the_plain_values():
  declared = {type(field.declaration) for field in fields.fields().values()}
  tried = {
    type(fields.fields()[field].declaration) for field, *_ in SCALARS if "axis." not in field
  }
  assert tried == declared


@pytest.mark.parametrize(
  "value", [np.array([0.1]), np.datetime64("2020"), np.complex64(1), jax.random.key(0), object()]
)
def test_what_has_no_plain_form_is_refused(value):
  assert "config.density.base" in refusal(plain({"density.base": value}))


def again(what: config.ResolvedConfig) -> config.ResolvedConfig:
  """Returns the config from its values, as a manifest keeps them."""
  return config.resolve_values(json.loads(json.dumps(dict(what.values), allow_nan=False)))


@pytest.mark.parametrize(
  "changes",
  [
    {"train.learning_rate": 1e39},
    {"importance.profile": "geometric", "importance.base": 1.0, "importance.ratio": 1e30},
    {"importance.profile": "geometric", "importance.ratio": 1e300},
    {"density.profile": "geometric", "density.ratio": 1e300},
    {"axis.even.stop": 1e39},
  ],
  ids=str,
)
def test_numbers_beyond_float32_are_refused_quietly(changes):
  assert "config." in refusal(plain(changes))


def test_profiles_are_checked_at_every_point_of_the_sweep():
  settings = plain({"density.profile": "geometric", "density.ratio": 1.2})
  message = refusal(settings)  # 0.5 · 1.2⁴ > 1, though 0.1 · 1.2⁴ is not
  assert "config.density" in message and "feature 4" in message
  assert "to 1" in message


LARGE = ("sae_benchmark", "full")  # whose dictionaries take gigabytes


# Of every experiment the first size; all others differ in numbers alone.
FIRST = list({name: (name, variant) for name, variant in reversed(variants())}.values())


@pytest.mark.parametrize(
  ("name", "variant"),
  [v if v in FIRST else pytest.param(*v, marks=pytest.mark.slow) for v in variants()],
)
def test_every_experiment_resolves_to_the_same_from_its_stored_values(name, variant):
  what = config.resolve(load(name, variant))
  stored = again(what)
  assert (stored.values, stored.identity) == (what.values, what.identity)
  assert (stored.axes, stored.measures) == (what.axes, what.measures)
  assert [group.spec for group in stored.groups] == [group.spec for group in what.groups]
  assert hash(stored.groups[0].spec) == hash(what.groups[0].spec)
  for found, group in zip(stored.groups, what.groups, strict=True):
    for one, other in zip(jax.tree.leaves(found[1:]), jax.tree.leaves(group[1:]), strict=True):
      np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
  ("name", "variant"),
  [pytest.param(*v, marks=pytest.mark.slow) if v == LARGE else v for v in variants()],
)
def test_every_size_of_every_experiment_resolves_under_its_name(name, variant):
  what = config.resolve(load(name, variant))
  assert what.name == run_name(name, variant)
  n = sum(len(group.instances.index) for group in what.groups)
  assert n == math.prod(len(axis.points) for axis in what.axes)


def test_experiments_go_to_different_folders():
  names = [run_name(*variant) for variant in variants()]
  assert len(set(names)) == len(names)


@pytest.mark.parametrize("name", sorted({name for name, _ in variants()}))
def test_an_unknown_variant_is_refused_naming_those_that_exist(name):
  module = importlib.import_module(f"configs.{name}")
  with pytest.raises(UserError, match="unknown variant 'quik'") as caught:
    module.get_config("quik")
  assert all(variant in str(caught.value) for variant in module.SIZES if variant)


def test_the_base_alone_is_no_experiment_for_want_of_a_name():
  assert "config.name" in refusal(base.get_config())


def test_a_mistyped_field_is_refused_by_the_base():
  settings = base.get_config()
  with pytest.raises(AttributeError, match="batch_sise"):
    settings.train.batch_sise = 3


def test_every_field_of_the_base_is_a_value_of_the_experiment():
  assert config.resolve(quick()).values.keys() == flat(quick()).keys()
  assert flat(base.get_config()).keys() <= flat(quick()).keys()


def test_identity_is_every_field_but_how_the_run_is_executed():
  what = config.resolve(quick())
  left_out = what.values.keys() - what.identity.keys()
  assert left_out == {field for field in what.values if field.startswith("run.")}
  assert all(what.identity[field] == what.values[field] for field in what.identity)


@pytest.mark.parametrize(
  "order", list(itertools.permutations(("even", "scaled", "repeated"))), ids=str
)
def test_axes_come_in_the_order_of_the_config(order):
  what = config.resolve(plain({"axes": order}))
  assert tuple(axis.name for axis in what.axes) == order


def test_resolving_leaves_the_config_as_it_was():
  settings = quick()
  before = settings.to_json()
  config.resolve(settings)
  assert settings.to_json() == before


SETS = {"data.distribution": "correlated_sets"}
EXCLUSIVE = {"data.distribution": "anticorrelated_sets"}
EXACT: dict[str, Any] = {"train.estimator": "exact", "axes": ("listed", "repeated")}
SAMPLED = {"train.optimizer": "adam", "axes": ("listed", "repeated")}  # densities 0.1 and 0.5
# Changes of the plain config, with five features in two dimensions → fragments of the message.
TOGETHER: list[tuple[dict[str, Any], list[str]]] = [
  (SETS | {"data.set_size": 2}, ["config.data.set_size: 2", "a divisor of 5 features"]),
  (EXCLUSIVE | {"data.set_size": 10}, ["config.data.set_size: 10", "a divisor of 5 features"]),
  (EXCLUSIVE | {"data.set_size": 5}, ["config.density", "anticorrelated_sets", "2.5", "up to 1"]),
  (
    EXCLUSIVE | {"data.set_size": 5, "axis.listed.points": (0.1, 0.21)},
    ["config.density", "add up to 1.05"],
  ),
  (
    {"model.n_features": 70_000, "axes": (), "train.batch_size": 2**17},
    ["config.train.batch_size: 131072", f"at most {2**32 // 70_000}"],
  ),
  *(
    (
      {"train.precision": "bfloat16", "train.estimator": name, "axes": ("listed",)},
      ["config.train.precision", "blocked"],
    )
    for name in ("auto", "autodiff", "fused", "exact")
  ),
  *(
    (
      SAMPLED | {"train.optimizer": "bfgs", "train.estimator": name},
      [f"config.train.estimator: {name!r}", "exact", "bfgs"],
    )
    for name in ("auto", "autodiff", "fused", "blocked")
  ),
  (
    {"train.estimator": "fused", "model.n_features": 200, "model.n_hidden": 4},
    ["config.train.estimator: 'fused'", "at most 400 parameters", "1000"],
  ),
  (
    {"train.estimator": "sparse", "axis.listed.points": (0.05, 0.2)},
    ["config.train.estimator: 'sparse'", "densities up to 0.1, not 0.2"],
  ),
  (
    SETS | {"train.estimator": "sparse", "axis.listed.points": (0.05, 0.06)},
    ["config.train.estimator: 'sparse'", "sparse_uniform, sparse_signed_uniform"],
  ),
  (
    EXACT | {"model.n_features": 7},
    ["config.train.estimator: 'exact'", "at most 6 features, not 7"],
  ),
  (
    EXACT | {"model.name": "relu_hidden"},
    ["config.train.estimator: 'exact'", "linear or relu_output, not relu_hidden"],
  ),
  (
    EXACT | {"data.distribution": "sparse_signed_uniform"},
    ["config.train.estimator: 'exact'", "sparse_uniform", "identity"],
  ),
  (
    EXACT | {"data.target": "absolute"},
    ["config.train.estimator: 'exact'", "sparse_uniform", "identity"],
  ),
  *(
    (
      SAMPLED
      | {"train.optimizer": "bfgs", "train.estimator": "exact"}
      | {"axis.listed.field": field, "axis.listed.points": points},
      ["config.axis.listed.field", field, allowed],
    )
    for field, points, allowed in (
      ("train.learning_rate", (0.1, 0.2), "only adam, adamw, norm_adamw, lamb, sgd use this one"),
      (
        "train.schedule",
        ("constant", "cosine"),
        "only adam, adamw, norm_adamw, lamb, sgd use this one",
      ),
      ("train.batch_size", (16, 32), "exact does not use"),
      ("data.generator", ("hash", "threefry"), "exact does not use"),
    )
  ),
  *(
    (
      {"axes": ("listed",), "axis.listed.field": field, "axis.listed.points": (0.1, 0.2)} | beside,
      ["config.axis.listed.field", field, f"only {owners} use this one"],
    )
    for field, owners, beside in (
      ("importance.ratio", "geometric, zipf, first_apart, last_apart", {}),
      ("train.momentum", "sgd", {"train.optimizer": "adam"}),
      ("train.weight_decay", "adamw, sgd", {"train.optimizer": "adam"}),
    )
  ),
  (SETS | {"evaluation.method": "exact"}, ["config.evaluation.method: 'exact'", "sampled"]),
  (
    {"evaluation.method": "exact", "model.n_features": 7},
    ["config.evaluation.method: 'exact'", "at most 6 features, not 7"],
  ),
]


@pytest.mark.parametrize(("changes", "fragments"), TOGETHER, ids=str)
def test_what_does_not_hold_together_is_refused_with_what_would(changes, fragments):
  message = refusal(plain(changes))
  for fragment in fragments:
    assert fragment in message


@pytest.mark.parametrize(
  "changes",
  [
    SETS | {"data.set_size": 5},
    EXCLUSIVE | {"data.set_size": 5, "axis.listed.points": (0.1, 0.2)},  # up to exactly 1
    EXCLUSIVE,
    {"data.set_size": 2},  # of no meaning without sets
    {"train.precision": "bfloat16", "train.estimator": "blocked"},
    SAMPLED | {"train.optimizer": "bfgs", "train.estimator": "exact"},
    EXACT | {"evaluation.method": "exact", "model.name": "linear"},
    {"train.estimator": "sparse", "axis.listed.points": (0.0, 0.1)},
  ],
  ids=str,
)
def test_what_holds_together_is_allowed(changes):
  config.resolve(plain(changes))


def test_every_group_of_a_sweep_is_checked_against_the_estimator():
  changes: dict[str, Any] = EXACT | {"axis.listed.field": "model.n_features"}
  config.resolve(plain(changes | {"axis.listed.points": (2, 6)}))
  assert "at most 6 features, not 7" in refusal(plain(changes | {"axis.listed.points": (2, 7)}))


NOT_FUSED = ("tree", "exactly_k", "bag_of_words")  # they order features, or look up others
FINITE = ("bag_of_words", "tuned_circle")  # whatever their values are


def test_a_config_is_checked_without_touching_a_device():
  # In a process of its own, whose devices cannot be touched.
  code = """
import itertools
from configs import base
from toy_superposition.config import resolve as config
from toy_superposition.devices import memory
from toy_superposition.distributions import DISTRIBUTIONS
from toy_superposition.estimators import ESTIMATORS
from toy_superposition.models import MODELS, sees_features

accepted = 0
models = list(filter(sees_features, MODELS))
even = ("circle", "attributes")  # of two features, and of pairs
names = [name for name in DISTRIBUTIONS if name not in even]
pairs = [*itertools.product(models, names[:1]), *itertools.product(models[:1], names[1:])]
for estimator, (model, distribution) in itertools.product(ESTIMATORS, pairs):
  settings = base.get_config()
  settings.name = "test"
  settings.train.estimator, settings.model.name = estimator, model
  settings.data.distribution, settings.density.base = distribution, 0.05
  settings.data.rank, settings.data.limited = 1, True
  try:
    config.resolve(settings)
    accepted += 1
  except config.UserError as error:
    assert "config.train.estimator" in str(error)
print(accepted)
"""
  done = subprocess.run(
    [sys.executable, "-c", code],
    env=os.environ | {"JAX_PLATFORMS": "none"},
    cwd=CONFIGS.parent,
    capture_output=True,
    text=True,
  )
  assert done.returncode == 0, done.stderr
  # Every model on one distribution, and one model on the others. Autodiff and blocked take all,
  # fused those whose features are arithmetic alone, sparse the three independent distributions,
  # sampled the same without the model whose only output is no feature's, exact two models on one of
  # them, and one on those that are finite whatever their values are.
  n_models, n_others = sum(map(models.sees_features, MODELS)), len(DISTRIBUTIONS) - 3
  n_pairs = n_models + n_others
  sparse = n_models + 2
  assert int(done.stdout) == 3 * n_pairs - len(NOT_FUSED) + 2 * sparse - 1 + 2 + len(FINITE)


def test_values_at_the_ends_of_their_intervals_are_allowed():
  ends = {"density.base": 0, "importance.base": 0, "train.b1": 0, "train.momentum": 0.0}
  config.resolve(plain(ends | {"axes": ("scaled", "repeated"), "train.warmup_steps": 0, "seed": 0}))
  config.resolve(plain({"density.base": 1, "axes": ("scaled",), "seed": 2**31 - 1}))
