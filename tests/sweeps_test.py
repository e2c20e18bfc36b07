"""Axes × base values → groups: the right points, in the right order, with the right numbers."""

import itertools
from typing import Any

import numpy as np
import pytest
from ml_collections import ConfigDict

from configs import base
from toy_superposition import fields, sweeps
from toy_superposition.config import resolve as config
from toy_superposition.errors import UserError
from toy_superposition.profiles import PROFILES


def resolve(changes=(), **axes) -> config.ResolvedConfig:
  settings = base.get_config()
  settings.name = "test"
  for field, value in dict(changes).items():
    settings.update_from_flattened_dict({field: value})
  base.set_axes(settings, **axes)
  return config.resolve(settings)


def points(axis) -> tuple:
  """Returns the points that an axis entry describes."""
  profile = {"importance.profile": "geometric"}  # so that a ratio has an effect
  return resolve(profile, a=axis).axes[0].points


@pytest.mark.parametrize(
  ("axis", "expected"),
  [
    (base.linear("density.base", 0, 1, 5), (0, 0.25, 0.5, 0.75, 1)),
    (base.linear("density.base", 1, 0, 3), (1, 0.5, 0)),
    (base.linear("density.base", 0.25, 1, 1), (0.25,)),
    (base.log("importance.ratio", 0.1, 10, 3), (0.1, 1, 10)),
    (base.log("density.base", 1, 0.001, 4), (1, 0.1, 0.01, 0.001)),
    (base.points("density.base", (0.3, 0.1, 0.2)), (0.3, 0.1, 0.2)),
    (base.points("train.batch_size", (64, 1, 32)), (64, 1, 32)),
    (base.points("train.optimizer", ("sgd", "adam")), ("sgd", "adam")),
    (base.restarts(4), (0, 1, 2, 3)),
    (base.linear("train.steps", 1, 10, 4), (1, 4, 7, 10)),
    (base.linear("model.n_features", 2, 4, 3), (2, 3, 4)),
    (base.log("train.batch_size", 1, 1000, 4), (1, 10, 100, 1000)),
    (base.log("train.steps", 10, 100, 3), (10, 32, 100)),  # √10 · 10 = 31.6
  ],
  ids=lambda value: value["scale"] if isinstance(value, ConfigDict) else "",
)
def test_points_are_spaced_as_the_scale_says(axis, expected):
  found = points(axis)
  if isinstance(expected[0], str):
    assert found == expected
  else:
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
  assert all(type(point) in (int, float, str) for point in found)


def test_the_ends_of_an_axis_are_the_given_numbers_exactly():
  for spaced in (base.linear, base.log):
    found = points(spaced("importance.ratio", 0.1, 10, 33))
    assert (found[0], found[-1]) == (0.1, 10)


def test_points_of_an_integer_field_are_integers():
  for spaced in (base.linear, base.log):
    assert {type(point) for point in points(spaced("train.batch_size", 2, 77, 5))} == {int}


@pytest.mark.parametrize(
  "axis",
  [
    base.points("density.base", (0.1, 0.2, 0.1)),
    base.points("train.optimizer", ("adam", "adam")),
    base.linear("density.base", 0.5, 0.5, 2),
    base.log("train.steps", 1, 3, 10),  # equal after rounding
    base.linear("model.n_features", 2, 4, 4),
  ],
)
def test_a_point_given_twice_is_refused(axis):
  with pytest.raises(UserError, match=r"config\.axis\.a.* each point once"):
    points(axis)


def test_the_index_is_the_position_in_the_whole_sweep_last_axis_fastest():
  what = resolve(
    density=base.linear("density.base", 0.1, 1, 3),
    decay=base.points("train.b2", (0.0, 0.1)),
    importance=base.linear("importance.base", 1, 4, 4),
    n=base.points("model.n_features", (2, 5)),
    restart=base.restarts(2),
  )
  shape = [len(axis.points) for axis in what.axes]
  assert shape == [3, 2, 4, 2, 2]
  for group in what.groups:
    assert group.cells.shape == (len(group.instances.index), 5)
    expected = np.ravel_multi_index(tuple(group.cells.T), shape)
    np.testing.assert_array_equal(group.instances.index, expected)
    assert (np.diff(group.instances.index) > 0).all()
  everyone = np.concatenate([group.instances.index for group in what.groups])
  np.testing.assert_array_equal(np.sort(everyone), np.arange(np.prod(shape)))


def test_every_instance_has_the_numbers_of_its_cell():
  what = resolve(
    {"importance.profile": "last_apart", "density.profile": "geometric"},
    p=base.linear("density.base", 0.1, 1, 3),
    q=base.points("density.ratio", (0.9, 0.5)),
    decay=base.points("train.b2", (0.0, 0.1)),
    importance=base.linear("importance.base", 1, 4, 2),
    r=base.log("importance.ratio", 0.1, 10, 3),
    rate=base.points("train.learning_rate", (0.1, 0.01)),
  )
  for group in what.groups:
    for i, cell in enumerate(group.cells):
      p, q, decay, importance, r, rate = (
        axis.points[k] for axis, k in zip(what.axes, cell, strict=True)
      )
      powers = np.arange(5)
      np.testing.assert_allclose(group.instances.density[i], p * q**powers, rtol=1e-6)
      ratio = np.where(powers == 4, r, 1)
      np.testing.assert_allclose(group.instances.importance[i], importance * ratio, rtol=1e-6)
      np.testing.assert_allclose(group.instances.learning_rate[i], rate, rtol=1e-6)
      assert group.spec.row("train.optimizer").b2 == decay


def test_fields_without_an_axis_keep_their_value():
  fields = {"density.base": 0.3, "importance.base": 2.0, "train.learning_rate": 0.02}
  (group,) = resolve(fields, restart=base.restarts(3)).groups
  np.testing.assert_allclose(group.instances.density, np.full((3, 5), 0.3), rtol=1e-6)
  np.testing.assert_allclose(group.instances.importance, np.full((3, 5), 2.0), rtol=1e-6)
  np.testing.assert_allclose(group.instances.learning_rate, np.full(3, 0.02), rtol=1e-6)


def test_restarts_differ_in_their_index_only():
  (group,) = resolve(restart=base.restarts(4)).groups
  np.testing.assert_array_equal(group.instances.index, [0, 1, 2, 3])
  for name in ("density", "importance", "learning_rate"):
    values = getattr(group.instances, name)
    np.testing.assert_array_equal(values, np.broadcast_to(values[:1], values.shape))


def test_without_axes_there_is_one_instance():
  (group,) = resolve().groups
  np.testing.assert_array_equal(group.instances.index, [0])
  assert group.instances.density.shape == (1, 5)
  assert group.cells.shape == (1, 0)


def test_leaves_have_the_types_of_the_device():
  (group,) = resolve(density=base.linear("density.base", 0, 1, 3)).groups
  assert group.instances.index.dtype == np.int32
  for name in ("density", "importance", "learning_rate"):
    assert getattr(group.instances, name).dtype == np.float32


# An axis over each field that is compiled in: two values that differ from the default.
STATIC: dict[str, tuple] = {
  "seed": (3, 4),
  "model.name": ("linear", "relu_hidden"),
  "model.n_features": (3, 4),
  "model.n_hidden": (3, 4),
  "init.scheme": ("notebook", "xavier"),
  "init.n_instances": (1, 2),
  "init.scale": (0.5, 2.0),
  "init.bias": (0.5, 1.0),
  "data.distribution": ("sparse_signed_uniform", "sparse_uniform"),
  "data.set_size": (1, 5),
  "data.generator": ("hash", "threefry"),
  "data.target": ("absolute", "identity"),
  "data.value_law": ("one", "exponential"),
  "data.rank": (1, 2),
  "data.n_trees": (1, 2),
  "data.branching": (1, 2),
  "data.depth": (0, 1),
  "data.exclusive_children": (True, False),
  "data.by_generation": (False, True),
  "data.limited": (True, False),
  "data.scaled": (True, False),
  "data.k_active": (1, 2),
  "data.radius": ("one", "uniform"),
  "data.manifold": ("circle", "sphere"),
  "data.concentration": (5.0, 20.0),
  "data.amplitude": ("one", "uniform"),
  "data.n_blocks": (1, 5),
  "data.block_share": (0.5, 1.0),
  "data.threshold": (0.1, 0.2),
  "data.circuit": (0, 1),
  "data.n_residual": (5, 10),
  "data.embedding": (0, 1),
  "data.examples": ("fresh", "fixed"),
  "data.whole": (True, False),
  "data.input": ("identity", "dictionary"),
  "data.n_dimensions": (5, 3),
  "data.directions": ("random", "repelled"),
  "loss.name": ("squared", "absolute"),
  "loss.reduction": ("mean", "sum"),
  "model.frozen_encoder": (True, False),
  "model.output_bias": (True, False),
  "model.neuron_bias": (-1.0, 0.5),
  "model.fan_in": (True, False),
  "model.decoder_bias": (True, False),
  "model.frozen_decoder": (True, False),
  "model.aux": (0.0, 0.5),
  "model.aux_k": (1, 2),
  "model.dead_below": (0.1, 0.2),
  "model.initial_threshold": (0.1, 0.2),
  "model.max_k": (2, 3),
  "loss.attack": (0.1, 0.5),
  "train.steps": (3, 4),
  "train.batch_size": (3, 4),
  "train.estimator": ("autodiff", "blocked"),
  "train.precision": ("bfloat16", "float32"),
  "train.optimizer": ("adam", "sgd"),
  "train.schedule": ("linear", "cosine"),
  "train.warmup_steps": (1, 2),
  "train.b1": (0.5, 0.8),
  "train.b2": (0.5, 0.8),
  "train.epsilon": (1e-7, 1e-6),
  "train.momentum": (0.5, 0.8),
  "train.decay_biases": (True, False),
  "train.inactive_every": (2, 4),
}
# What has to be set beside such an axis, for its field to have an effect.
BESIDE: dict[str, dict[str, Any]] = {
  "train.precision": {"train.estimator": "blocked"},
  "train.inactive_every": {"train.estimator": "sampled"},
  "train.momentum": {"train.optimizer": "sgd"},
  "data.set_size": {"data.distribution": "correlated_sets"},
  "init.n_instances": {"init.scheme": "notebook"},
  "data.value_law": {"data.distribution": "independent"},
  "data.rank": {"data.distribution": "copula"},
  "data.input": {"model.name": "l1_sae", "data.target": "input", "data.n_dimensions": 3},
  "data.k_active": {"data.distribution": "exactly_k"},
  "data.radius": {"data.distribution": "circle", "model.n_features": 2},
  "data.manifold": {"data.distribution": "bag_of_words"},
  "data.concentration": {"data.distribution": "bag_of_words"},
  "data.amplitude": {"data.distribution": "tuned_circle"},
  "data.whole": {"data.examples": "fixed"},
  "init.bias": {"init.scheme": "unit_columns"},
  **{
    f"data.{field}": {"data.target": "block_circuit"}
    for field in ("n_blocks", "block_share", "threshold", "circuit")
  },
  **{f"data.{field}": {"data.target": "mixed_relu"} for field in ("n_residual", "embedding")},
  **{f"model.{field}": {"model.name": "relu_layer"} for field in ("neuron_bias", "fan_in")},
  **{
    f"model.{field}": {"model.name": "untied_relu"} for field in ("frozen_encoder", "output_bias")
  },
  **{
    f"data.{field}": {"data.distribution": "tree", "data.branching": 2, "data.limited": True}
    for field in ("depth", "exclusive_children", "scaled", "by_generation")
  },
  "data.branching": {"data.distribution": "tree", "data.limited": True},
  "data.n_trees": {"data.distribution": "tree", "data.branching": 1, "data.limited": True},
  # One child, whose density is that of its parent.
  "data.limited": {
    "data.distribution": "tree",
    "data.branching": 1,
    "data.exclusive_children": False,
  },
  **{
    field: {"model.name": "l1_sae", "data.target": "input"}
    for field in ("model.decoder_bias", "model.frozen_decoder", "model.aux")
  },
  **{
    f"model.{field}": {"model.name": "l1_sae", "model.aux": 0.5}
    for field in ("aux_k", "dead_below")
  },
  **{
    f"data.{field}": {"model.name": "l1_sae", "data.target": "input", "data.input": "dictionary"}
    for field in ("n_dimensions", "directions")
  },
  "model.initial_threshold": {"model.name": "jumprelu_sae"},
  "model.max_k": {"model.name": "matching_pursuit_sae"},
}


def test_every_field_that_is_compiled_in_can_be_an_axis():
  compiled = {field for field in sweeps.axis_fields() if not sweeps.is_swept(field)}
  assert STATIC.keys() == compiled


@pytest.mark.parametrize("field", STATIC)
def test_an_axis_over_a_compiled_field_makes_a_group_with_the_right_spec_per_value(field):
  beside = BESIDE.get(field, {})
  what = resolve(
    beside,
    density=base.linear("density.base", 0.01, 0.1, 3),  # that every estimator takes
    static=base.points(field, STATIC[field]),
    restart=base.restarts(2),
  )
  assert len(what.groups) == 2
  for k, group in enumerate(what.groups):
    expected = fields.make_spec(fields.defaults() | beside | {field: STATIC[field][k]})
    assert group.spec == expected
    np.testing.assert_array_equal(group.cells[:, 1], k)
    assert group.instances.density.shape == (6, group.spec.n_features)
  assert what.groups[0].spec != what.groups[1].spec
  assert what.axes[1].splits
  assert what.axes[1].reshapes == (field in ("model.n_features", "model.n_hidden"))


def test_fields_of_rows_that_were_not_chosen_do_not_enter_the_spec():
  default, other = resolve().groups[0].spec, resolve({"train.momentum": 0.1}).groups[0].spec
  assert default == other  # AdamW has no momentum
  assert default != resolve({"train.b1": 0.1}).groups[0].spec


def test_groups_come_in_the_order_of_the_axes():
  what = resolve(
    {"train.optimizer": "adamw"},
    decay=base.points("train.b2", (0.5, 0.0)),
    restart=base.restarts(2),
    n=base.points("model.n_features", (4, 2, 3)),
  )
  found = [(group.spec.row("train.optimizer").b2, group.spec.n_features) for group in what.groups]
  assert found == list(itertools.product((0.5, 0.0), (4, 2, 3)))


def test_specs_of_groups_are_hashable_and_distinct():
  groups = resolve(seed=base.points("seed", (1, 2, 3))).groups
  assert len({group.spec for group in groups}) == 3


def test_a_large_sweep_is_made_by_arrays_not_cell_by_cell(monkeypatch):
  calls = []

  def counted(values):
    def call(profile, base, n_features):
      calls.append(len(base))
      return values(profile, base, n_features)

    return call

  for row in PROFILES.values():
    monkeypatch.setattr(row, "values", counted(row.values))  # type: ignore[attr-defined]
  what = resolve(
    {"importance.profile": "geometric"},
    r=base.log("importance.ratio", 0.1, 10, 200),
    p=base.log("density.base", 1, 0.01, 100),
    restart=base.restarts(10),
  )
  (group,) = what.groups
  assert len(group.instances.index) == 200_000
  assert calls == [200_000, 200_000]  # density and importance, once each


def test_a_sweep_of_many_groups_makes_each_instance_once(monkeypatch):
  made = []
  whole = sweeps.make_instances

  def counted(values, columns, index, *, spec):
    made.append(index)
    return whole(values, columns, index, spec=spec)

  monkeypatch.setattr(sweeps, "make_instances", counted)
  what = resolve(
    seed=base.points("seed", tuple(range(50))),
    p=base.linear("density.base", 0, 1, 40),
    restart=base.restarts(100),
  )
  assert len(what.groups) == len(made) == 50
  assert sorted(np.concatenate(made).tolist()) == list(range(200_000))


def test_models_share_arrays_if_their_parameters_are_of_one_kind():
  tied = sweeps.Axis("model", "model.name", ("linear", "relu_output", "relu_hidden"))
  assert not tied.reshapes
  assert tied._replace(points=("linear", "absolute_value")).reshapes
