"""Axes × base values → groups: the right points, in the right order, with the right numbers."""

import itertools

import numpy as np
import pytest

from configs import base
from toy_superposition import sweep
from toy_superposition.config import resolve as config
from toy_superposition.errors import UserError
from toy_superposition.profiles import PROFILES


def resolve(fields=(), **axes) -> config.Experiment:
  settings = base.get_config()
  settings.name = "test"
  for field, value in dict(fields).items():
    settings.update_from_flattened_dict({field: value})
  base.set_axes(settings, **axes)
  return config.resolve(settings)


def points(axis) -> tuple:
  """Returns the points that an axis entry describes."""
  return resolve(a=axis).axes[0].points


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
  ids=lambda value: value["scale"] if isinstance(value, base.ConfigDict) else "",
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
    decay=base.points("train.weight_decay", (0.0, 0.1)),
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
    decay=base.points("train.weight_decay", (0.0, 0.1)),
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
      assert group.spec.weight_decay == decay


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
STATIC = {
  "model": ("linear", "relu_hidden"),
  "n_features": (3, 4),
  "n_hidden": (3, 4),
  "distribution": ("sparse_signed_uniform", "sparse_uniform"),
  "set_size": (2, 3),
  "generator": ("hash", "threefry"),
  "target": ("absolute", "identity"),
  "reduction": ("mean", "sum"),
  "hidden_l1": (0.1, 0.5),
  "attack": (0.1, 0.5),
  "init_scheme": ("notebook", "xavier"),
  "init_scale": (0.5, 2.0),
  "init_n_instances": (1, 2),
  "optimizer": ("adam", "sgd"),
  "b1": (0.5, 0.8),
  "b2": (0.5, 0.8),
  "epsilon": (1e-7, 1e-6),
  "momentum": (0.5, 0.8),
  "weight_decay": (0.0, 0.5),
  "schedule": ("linear", "cosine"),
  "warmup_steps": (1, 2),
  "steps": (3, 4),
  "batch_size": (3, 4),
  "estimator": ("autodiff", "blocked"),
  "precision": ("bfloat16", "float32"),
  "seed": (3, 4),
}
# What has to be set beside such an axis.
BESIDE = {"precision": {"train.estimator": "blocked"}}


def test_every_field_of_the_spec_can_be_an_axis():
  assert STATIC.keys() == sweep.SPEC_FIELDS.keys()


@pytest.mark.parametrize("name", STATIC)
def test_an_axis_over_a_compiled_field_makes_a_group_with_the_right_spec_per_value(name):
  beside = BESIDE.get(name, {})
  default = resolve(beside).groups[0].spec
  what = resolve(
    beside,
    density=base.linear("density.base", 0.1, 1, 3),
    static=base.points(sweep.SPEC_FIELDS[name], STATIC[name]),
    restart=base.restarts(2),
  )
  assert len(what.groups) == 2
  for k, group in enumerate(what.groups):
    expected = vars(default) | {name: STATIC[name][k]}
    assert vars(group.spec) == expected
    np.testing.assert_array_equal(group.cells[:, 1], k)
    assert group.instances.density.shape == (6, group.spec.n_features)
  assert what.axes[1].splits
  assert what.axes[1].reshapes == (name in ("n_features", "n_hidden"))


def test_groups_come_in_the_order_of_the_axes():
  what = resolve(
    decay=base.points("train.weight_decay", (0.5, 0.0)),
    restart=base.restarts(2),
    n=base.points("model.n_features", (4, 2, 3)),
  )
  found = [(group.spec.weight_decay, group.spec.n_features) for group in what.groups]
  assert found == list(itertools.product((0.5, 0.0), (4, 2, 3)))


def test_specs_of_groups_are_hashable_and_distinct():
  groups = resolve(seed=base.points("seed", (1, 2, 3))).groups
  assert len({group.spec for group in groups}) == 3


def test_a_large_sweep_is_made_by_arrays_not_cell_by_cell(monkeypatch):
  calls = []

  def counted(profile):
    def call(*arguments):
      calls.append(len(arguments[0]))
      return profile(*arguments)

    return call

  for name, profile in list(PROFILES.items()):
    monkeypatch.setitem(PROFILES, name, counted(profile))
  what = resolve(
    r=base.log("importance.ratio", 0.1, 10, 200),
    p=base.log("density.base", 1, 0.01, 100),
    restart=base.restarts(10),
  )
  (group,) = what.groups
  assert len(group.instances.index) == 200_000
  assert calls == [200_000, 200_000]  # density and importance, once each


def test_a_sweep_of_many_groups_makes_each_instance_once(monkeypatch):
  made = []
  whole = sweep.make_instances

  def counted(values, columns, index, n):
    made.append(index)
    return whole(values, columns, index, n)

  monkeypatch.setattr(sweep, "make_instances", counted)
  what = resolve(
    seed=base.points("seed", tuple(range(50))),
    p=base.linear("density.base", 0, 1, 40),
    restart=base.restarts(100),
  )
  assert len(what.groups) == len(made) == 50
  assert sorted(np.concatenate(made).tolist()) == list(range(200_000))


def test_models_share_arrays_if_their_parameters_are_of_one_kind():
  tied = sweep.Axis("model", "model.name", ("linear", "relu_output", "relu_hidden"))
  assert not tied.reshapes
  assert tied._replace(points=("linear", "absolute_value")).reshapes
