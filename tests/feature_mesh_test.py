"""Devices that share the features of one instance: the same numbers, less memory, few messages."""

import collections
import functools
import re
from typing import Any

import jax
import numpy as np
import pytest

from tests import small
from tests.invariants_test import OTHER_PROGRAM, assert_close
from toy_superposition import problem, train
from toy_superposition.devices import meshes
from toy_superposition.types import Group, Snapshot, TrainState

# The hash, whose programs compile faster than Threefry's.
SIZES = {"n_features": 64, "n_hidden": 16, "batch_size": 128, "generator": "hash"}
KINDS: dict[str, dict[str, Any]] = {
  "relu": {},
  "untied": {"model": "absolute_value", "target": "absolute"},
  "sets": {"distribution": "correlated_sets", "set_size": 2},
  "threefry": {"generator": "threefry"},
  "square": {"n_hidden": 64},  # hidden units and features are not told apart by their number
  "sgd": {"optimizer": "sgd"},
  "blocked": {"estimator": "blocked", "batch_size": 300},
}
OFTEN = ("relu", "untied")  # the others are slow tests
SHAPES = [(4, 2), (2, 4), (1, 8)]  # slots × devices that share the instances of a slot
MESSAGES = r" (all-reduce|all-gather|reduce-scatter|all-to-all|collective-permute)(?:-start)?\("


def group_of(n_instances: int, **changes) -> Group:
  return small.group(n_instances, of=small.spec(**SIZES | {"estimator": "autodiff"} | changes))


def trained(
  group: Group,
  shape: tuple[int, int],
  last: int = 20,
  start: tuple[int, TrainState] | None = None,
  budget: int = small.PLENTY,
) -> Snapshot:
  plan = small.plan(group, shape[0] * shape[1], budget, feature_devices=shape[1])
  (snapshot,) = train.run(problem.make(group.spec), plan, [last], start=start)
  return snapshot


def compiled(group: Group, shape: tuple[int, int]) -> jax.stages.Compiled:
  """Returns the program that trains one instance in each slot."""
  plan = small.plan(group, shape[0] * shape[1], feature_devices=shape[1])
  assert plan.slice_length == shape[0]
  return train.compile_programs(problem.make(group.spec), plan).segment


def text_of(program: jax.stages.Compiled) -> str:
  text = program.as_text()
  assert text is not None
  return text


@functools.cache
def unsharded(kind: str) -> Snapshot:
  return trained(group_of(5, **KINDS[kind]), (1, 1))


@pytest.mark.quick("relu-shape0")
@pytest.mark.parametrize(
  ("kind", "shape"),
  [
    *((kind, (2, 4)) for kind in OFTEN),
    *(pytest.param("relu", shape, marks=pytest.mark.slow) for shape in SHAPES if shape != (2, 4)),
    *(pytest.param(kind, (2, 4), marks=pytest.mark.slow) for kind in KINDS if kind not in OFTEN),
  ],
)
def test_sharded_equals_unsharded(kind, shape):
  shared, alone = trained(group_of(5, **KINDS[kind]), shape), unsharded(kind)
  assert_close(alone, shared)
  assert np.std(alone.state.params.b) > 100 * OTHER_PROGRAM["atol"]  # it has learned something


@pytest.mark.slow
def test_a_state_continues_on_any_mesh():
  group = group_of(5)  # most of these programs are compiled for the test above already
  whole, half = unsharded("relu"), trained(group, (2, 4), last=10)
  for shape in ((1, 1), (8, 1), (1, 8)):
    assert_close(whole, trained(group, shape, start=(half.step, half.state)))


@pytest.mark.slow
def test_slices_that_wait_on_the_host_change_nothing():
  group = group_of(5)
  plan = small.plan(group)
  budget = 4 * (plan.bytes_per_instance + plan.bytes_per_slot)  # one instance in each slot
  assert len(small.plan(group, 8, budget, feature_devices=2).slices) == 2
  assert_close(trained(group, (4, 2)), trained(group, (4, 2), budget=budget))


@pytest.mark.quick("relu-shape2")
@pytest.mark.parametrize(
  ("kind", "shape"), [*(("relu", shape) for shape in SHAPES), ("untied", (2, 4))]
)
def test_a_step_sends_hidden_activations_forward_and_backward_and_nothing_else(kind, shape):
  text = text_of(compiled(group_of(shape[0], **KINDS[kind]), shape))
  assert collections.Counter(re.findall(MESSAGES, text)) == {"all-reduce": 2}
  for sent in re.findall(r"= (\S+) all-reduce(?:-start)?\(", text):
    sides = re.findall(r"\d+", sent.split("{")[0].removeprefix("f32"))
    assert sorted(side for side in sides if side != "1") == ["128", "16"], sent


def test_slots_send_nothing():
  assert re.findall(MESSAGES, text_of(compiled(group_of(8), (8, 1)))) == []


@pytest.mark.slow
def test_bytes_on_a_device_fall_as_its_share():
  # Large enough that what every device keeps, a batch of hidden activations, is small.
  group = group_of(1, n_features=4096, n_hidden=32, batch_size=64)
  counts = {}
  for width in (1, 2, 4, 8):
    found = compiled(group, (1, width)).memory_analysis()
    assert found is not None
    counts[width] = np.array([found.argument_size_in_bytes, found.temp_size_in_bytes])
  for width in (4, 8):
    np.testing.assert_allclose(width * counts[width], 2 * counts[2], rtol=0.02)
  # Draws row by row take a little more.
  np.testing.assert_allclose(2 * counts[2], counts[1], rtol=0.25)


def test_the_fields_of_an_instance_are_spread_by_their_names():
  group = group_of(2)
  plan = small.plan(group, 8, feature_devices=4)
  spread = meshes.spread(group.instances, plan.mesh)
  state = train.first_state(problem.make(group.spec), plan)(
    spread, jax.random.key(0, impl="threefry2x32")
  )
  for leaves in (state.params, state.opt_state[0].mu, state.opt_state[0].nu):
    shards = {name: leaf.addressable_shards[0].data.shape for name, leaf in vars(leaves).items()}
    assert shards == {"W": (1, 16, 16), "b": (1, 16)}
  shards = {
    name: leaf.addressable_shards[0].data.shape
    for name, leaf in vars(spread).items()
    if isinstance(leaf, jax.Array)  # there are no frozen arrays and no further numbers
  }
  assert shards == {
    "index": (1,),
    "density": (1, 16),
    "importance": (1, 16),
    "learning_rate": (1,),
  }
