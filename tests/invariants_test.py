"""Laws of training: what must not change the numbers of an instance, and by how much it may."""

import dataclasses
from operator import itemgetter
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests import small
from toy_superposition import placement, problem, streams, train
from toy_superposition.types import Group

# Another number of devices or instances is another program: sums may be ordered differently, and
# 30 steps of Adam carry the last bits on.
OTHER_PROGRAM: dict[str, Any] = {"rtol": 1e-5, "atol": 1e-5}


def assert_equal(a, b):
  for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
    np.testing.assert_array_equal(x, y)


def assert_close(a, b):
  for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
    np.testing.assert_allclose(x, y, **OTHER_PROGRAM)


def params_of(group: Group, **keywords):
  return small.run(group, **keywords)[-1].state.params


def permuted(group: Group, order: np.ndarray) -> Group:
  instances = jax.tree.map(lambda leaf: leaf[order], group.instances)
  return group._replace(instances=instances, cells=group.cells[order])


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
def test_n_steps_are_chunks_of_n_bitwise(optimizer):
  group = small.group(5, of=small.spec(optimizer=optimizer))
  whole = small.run(group, [30])[-1]
  chunks = small.run(group, [1, 2, 13, 30])
  assert [snapshot.step for snapshot in chunks] == [1, 2, 13, 30]
  assert_equal(whole, chunks[-1])


def test_resuming_equals_going_on_bitwise():
  group = small.group(5)
  first, second = small.run(group, [11, 30])
  resumed = small.run(group, [30], start=(first.step, first.state))
  assert_equal(second, resumed[-1])


def test_steps_change_the_parameters():
  before, after = small.run(small.group(3), [1, 2])
  assert np.all(before.state.params.W != after.state.params.W)


@pytest.mark.parametrize("n_instances", [8, 13])
@pytest.mark.parametrize("model", ["relu_output", "absolute_value"])
def test_eight_devices_equal_one(n_instances, model):
  group = small.group(n_instances, of=small.spec(model=model))
  assert_close(small.run(group)[-1], small.run(group, n_devices=8)[-1])


def test_slices_equal_the_whole():
  group = small.group(13)
  each = placement.instance_bytes(group.spec)
  assert len(placement.slices(13, 1, each, 4 * each)) == 4
  whole, sliced = small.run(group)[-1], small.run(group, budget=4 * each)[-1]
  assert_close(whole, sliced)
  assert whole.losses.shape == sliced.losses.shape == (13,)


def test_slices_on_several_devices_equal_the_whole():
  group = small.group(13)
  each = placement.instance_bytes(group.spec)
  assert_close(params_of(group), params_of(group, n_devices=2, budget=4 * each))


def test_an_instance_does_not_depend_on_its_neighbours():
  together = params_of(small.group(9))
  alone = params_of(small.group(0, index=[4]))
  assert_close(jax.tree.map(lambda leaf: leaf[4:5], together), alone)


def test_permuting_instances_permutes_results():
  group, order = small.group(6), np.array([3, 1, 5, 0, 4, 2])
  expected = jax.tree.map(lambda leaf: leaf[order], params_of(group))
  assert_close(expected, params_of(permuted(group, order)))


def test_instances_with_other_indices_draw_other_numbers():
  equal = jax.tree.map(lambda leaf: np.repeat(leaf[:1], 4, axis=0), small.group(1).instances)
  group = small.group(4)._replace(
    instances=dataclasses.replace(equal, index=np.arange(4, dtype=np.int32))
  )
  W = params_of(group).W.reshape(4, -1)
  assert len(np.unique(W, axis=0)) == 4
  same = group._replace(instances=equal)
  assert len(np.unique(params_of(same).W.reshape(4, -1), axis=0)) == 1


def test_another_seed_gives_other_results():
  a, b = (params_of(small.group(2, of=small.spec(seed=seed))) for seed in (0, 1))
  assert np.all(a.W != b.W)


def test_a_group_compiles_once(monkeypatch):
  programs = []
  original = train.compile_segment

  def counted(*operands):
    programs.append(original(*operands))
    return programs[-1]

  monkeypatch.setattr(train, "compile_segment", counted)
  each = placement.instance_bytes(small.SPEC)
  snapshots = small.run(small.group(13), [1, 10, 25, 30], n_devices=4, budget=4 * each)
  assert len(snapshots) == 4
  assert len(programs) == 1


def test_more_segments_and_slices_compile_nothing_more():
  group = small.group(13, of=small.spec(seed=17))
  each = placement.instance_bytes(group.spec)
  compiled: list[str] = []

  def listen(event: str, duration_secs: float, **_) -> None:
    if "backend_compile" in event:
      compiled.append(event)

  jax.monitoring.register_event_duration_secs_listener(listen)
  counts = []
  for borders, budget in (([30], small.PLENTY), ([30], 4 * each), ([1, 2, 25, 30], 4 * each)):
    before = len(compiled)
    small.run(group, borders, budget=budget)
    counts.append(len(compiled) - before)
  assert counts[0] >= 1  # the listener hears
  assert counts[2] <= counts[1] <= counts[0]


@pytest.mark.parametrize("model", ["linear", "relu_output", "relu_hidden", "absolute_value"])
def test_no_collectives_in_the_program(model):
  group = small.group(16, of=small.spec(model=model))
  programs = []
  small.run(group, [1], n_devices=8, on_compiled=lambda program, n: programs.append(program))
  text = programs[0].run.as_text()
  assert "num_partitions=8" in text
  for collective in ("all-reduce", "all-gather", "all-to-all", "collective-permute"):
    assert collective not in text


def test_an_instance_that_is_not_finite_disturbs_no_other():
  group = small.group(6)
  rate = group.instances.learning_rate.copy()
  rate[2] = np.inf
  broken = group._replace(instances=dataclasses.replace(group.instances, learning_rate=rate))
  healthy, disturbed = small.run(group)[-1], small.run(broken)[-1]
  assert disturbed.finite.tolist() == [True, True, False, True, True, True]
  others = np.array([0, 1, 3, 4, 5])
  assert_equal(
    jax.tree.map(lambda leaf: leaf[others], healthy.state.params),
    jax.tree.map(lambda leaf: leaf[others], disturbed.state.params),
  )


def test_the_snapshot_loss_is_that_of_its_parameters_on_the_next_batch():
  group = small.group(3)
  snapshot = small.run(group, [7])[-1]
  one, root = problem.make(group.spec), streams.root(group.spec.seed)
  every = jax.tree.map(jnp.asarray, (snapshot.state.params, group.instances))
  for i, loss in enumerate(snapshot.losses):
    params, instance = jax.tree.map(itemgetter(i), every)
    x = train.draw(one, instance, root, jnp.int32(7))
    assert x.shape == (group.spec.batch_size, group.spec.n_features)
    np.testing.assert_allclose(loss, one.loss(params, instance, x), rtol=1e-5)
