"""Laws of training: what must not change the numbers of an instance, and by how much it may."""

import dataclasses
import functools
from operator import itemgetter
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests import small
from toy_superposition import draws, evaluation, problem, streams, train
from toy_superposition.estimators import ESTIMATORS, blocked
from toy_superposition.models import MODELS
from toy_superposition.types import Group, Snapshot

# Another number of devices or instances is another program: sums may be ordered differently, and
# 30 steps of Adam carry the last bits on.
OTHER_PROGRAM: dict[str, Any] = {"rtol": 1e-5, "atol": 1e-5}
# Nearly all of this module's time is compilation: where the generator does not matter it is the
# hash, where the estimator does not matter it is the exact one, and programs are used again.
SAMPLING = ("autodiff", "fused", "blocked")  # estimators that see the same numbers
# Sizes at which an estimator is what it is, where small.SPEC is not of them.
SIZES: dict[str, dict[str, int]] = {
  "blocked": {"batch_size": 2 * blocked.BLOCK},  # more than one block
  "sparse": {"n_features": 60},  # more features than slots
  "sampled": {"n_features": 60},
  "exact": {"n_features": 3},  # compiles fast
}


def every_estimator(test):
  """Tries a law with every estimator; in the default suite, with two that share little."""
  each = pytest.mark.parametrize("estimator", ESTIMATORS)
  return pytest.mark.quick("fused", "exact")(each(test))


def assert_equal(a, b):
  for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
    np.testing.assert_array_equal(x, y)


def assert_close(a, b):
  for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
    if isinstance(x, str):
      assert x == y
    else:
      np.testing.assert_allclose(x, y, **OTHER_PROGRAM)


def params_of(group: Group, **keywords):
  return small.run(group, **keywords)[-1].state.params


def group_for(estimator: str, n_instances: int, index=None, **changes) -> Group:
  """Returns instances of a Spec, and with densities, that the estimator takes."""
  spec = small.spec(**SIZES.get(estimator, {}), estimator=estimator, **changes)
  group = small.group(n_instances, index, of=spec)
  if estimator in ("sparse", "sampled"):
    rare = group.instances.density / 10
    group = group._replace(instances=dataclasses.replace(group.instances, density=rare))
  assert not ESTIMATORS[estimator].refuses(spec, group.instances)
  return group


@functools.cache
def on_eight_devices(estimator: str) -> tuple[Snapshot, train.Program]:
  """Returns the same group trained on eight devices, and the program."""
  programs = []
  snapshots = small.run(
    group_for(estimator, 13), n_devices=8, on_compiled=lambda program: programs.append(program)
  )
  return snapshots[-1], programs[0]


@functools.cache
def trained(estimator: str) -> tuple[Group, Snapshot, Snapshot]:
  """Returns a group, on one device, after 11 and after all of its steps."""
  group = group_for(estimator, 13)
  first, second = small.run(group, [11, 30])
  return group, first, second


def budget_of(group: Group, n_instances: int, n_devices: int = 1) -> int:
  """Returns the bytes with which that many instances fit on all devices together."""
  plan = small.plan(group)
  return n_instances * plan.bytes_per_instance + n_devices * plan.bytes_per_slot


def permuted(group: Group, order: np.ndarray) -> Group:
  instances = jax.tree.map(lambda leaf: leaf[order], group.instances)
  return group._replace(instances=instances, cells=group.cells[order])


@pytest.mark.quick("fused-adam")
@pytest.mark.parametrize(
  ("estimator", "optimizer"),
  [("fused", "adam"), ("exact", "adamw"), ("autodiff", "sgd"), ("exact", "bfgs")],
)
def test_n_steps_are_chunks_of_n_bitwise(estimator, optimizer):
  group = group_for(estimator, 13, optimizer=optimizer)  # fused: as trained above, compiled already
  whole = small.run(group, [30])[-1]
  chunks = small.run(group, [1, 2, 13, 30])
  assert [snapshot.step for snapshot in chunks] == [1, 2, 13, 30]
  assert_equal(whole, chunks[-1])


@every_estimator
def test_resuming_equals_going_on_bitwise(estimator):
  group, first, second = trained(estimator)
  resumed = small.run(group, [12, 30], start=(first.step, first.state))
  assert_equal(second, resumed[-1])


@every_estimator
def test_steps_change_the_parameters(estimator):
  _, before, after = trained(estimator)
  assert np.all(before.state.params.W != after.state.params.W)


@pytest.mark.slow
def test_estimators_that_see_the_same_numbers_train_alike():
  sets = {"model": "absolute_value", "target": "absolute", "distribution": "correlated_sets"}
  for changes in ({}, {**sets, "set_size": 2, "generator": "hash"}):
    # More than one block to a batch.
    sized = {"n_features": 4, "batch_size": 2 * blocked.BLOCK, **changes}
    specs = [small.spec(**sized, estimator=name) for name in SAMPLING]
    reference, *others = (small.run(small.group(4, of=spec), [10])[-1] for spec in specs)
    for other in others:
      assert_close(reference._replace(estimator=other.estimator), other)


@every_estimator
def test_eight_devices_equal_one(estimator):
  assert_close(trained(estimator)[-1], on_eight_devices(estimator)[0])


@pytest.mark.slow
@pytest.mark.parametrize("n_instances", (1, 8))
def test_one_instance_per_device_or_fewer_equal_those_on_one_device(n_instances):
  group = group_for("autodiff", n_instances, model="absolute_value", generator="hash")
  assert_close(small.run(group)[-1], small.run(group, n_devices=8)[-1])


@every_estimator
def test_slices_equal_the_whole(estimator):
  group, _, whole = trained(estimator)
  budget = budget_of(group, 4)
  assert len(small.plan(group, budget=budget).slices) == 4
  sliced = small.run(group, budget=budget)[-1]
  assert_close(whole, sliced)
  assert whole.losses.shape == sliced.losses.shape == (13,)


@pytest.mark.slow
def test_slices_on_several_devices_equal_the_whole():
  group, _, whole = trained("exact")
  sliced = params_of(group, n_devices=2, budget=budget_of(group, 4, n_devices=2))
  assert_close(whole.state.params, sliced)


@every_estimator
def test_an_instance_does_not_depend_on_its_neighbours(estimator):
  together = trained(estimator)[-1].state.params
  # As many as in the slices above, whose program is compiled already.
  elsewhere = params_of(group_for(estimator, 0, index=[20, 4, 31, 42]))
  assert_close(
    *(jax.tree.map(lambda leaf, i=i: leaf[i], p) for p, i in ((together, 4), (elsewhere, 1)))
  )


def test_an_instance_alone_is_the_one_among_others():
  together = trained("exact")[-1].state.params
  alone = params_of(group_for("exact", 0, index=[4]))
  assert_close(jax.tree.map(lambda leaf: leaf[4:5], together), alone)


@pytest.mark.slow
def test_permuting_instances_permutes_results():
  group, _, last = trained("fused")
  order = np.random.default_rng(0).permutation(13)
  expected = jax.tree.map(lambda leaf: leaf[order], last.state.params)
  assert_close(expected, params_of(permuted(group, order)))


@pytest.mark.slow
def test_instances_with_other_indices_draw_other_numbers():
  equal = jax.tree.map(lambda leaf: np.repeat(leaf[:1], 4, axis=0), small.group(1).instances)
  group = small.group(4)._replace(
    instances=dataclasses.replace(equal, index=np.arange(4, dtype=np.int32))
  )
  same = group._replace(instances=equal)
  one, root = problem.make(group.spec), streams.root(group.spec.seed)
  first, first_of_same = (train.initial_state(one, g.instances, root) for g in (group, same))

  def n_different(params) -> int:
    return len(np.unique(np.asarray(params.W).reshape(4, -1), axis=0))

  assert (n_different(first.params), n_different(first_of_same.params)) == (4, 1)
  # From one beginning, other data lead elsewhere.
  begin = {"start": (0, jax.tree.map(np.asarray, first_of_same))}
  assert n_different(params_of(group, **begin)) == 4
  assert n_different(params_of(same, **begin)) == 1


def test_another_seed_gives_other_results():
  _, _, last = trained("fused")
  other = params_of(group_for("fused", 13, seed=small.SPEC.seed + 1))
  assert np.all(last.state.params.W != other.W)


def test_a_group_compiles_once(monkeypatch):
  programs = []
  original = train.compile_programs

  def counted(*operands):
    programs.append(original(*operands))
    return programs[-1]

  monkeypatch.setattr(train, "compile_programs", counted)
  group = group_for("exact", 13)
  budget = budget_of(group, 4, n_devices=2)
  snapshots = small.run(group, [1, 10, 25, 30], n_devices=2, budget=budget)
  assert len(snapshots) == 4
  assert len(programs) == 1


@pytest.mark.slow
def test_more_segments_and_slices_compile_nothing_more(without_compilation_cache):
  group = group_for("autodiff", 13, seed=17, generator="hash")
  some = budget_of(group, 4)
  compiled: list[str] = []

  def listen(event: str, duration_secs: float, **_) -> None:
    if "backend_compile" in event:
      compiled.append(event)

  jax.monitoring.register_event_duration_secs_listener(listen)
  counts = []
  for ends, budget in (([30], small.PLENTY), ([30], some), ([1, 2, 25, 30], some)):
    before = len(compiled)
    small.run(group, ends, budget=budget)
    counts.append(len(compiled) - before)
  assert counts[0] >= 1  # the listener hears
  assert counts[2] <= counts[1] <= counts[0]


def assert_no_collectives(program: train.Program):
  for compiled in (program.segment, program.monitor):
    text = compiled.as_text() or ""
    assert "num_partitions=8" in text
    for collective in ("all-reduce", "all-gather", "all-to-all", "collective-permute"):
      assert collective not in text


@every_estimator
def test_no_collectives_in_the_programs_of_an_estimator(estimator):
  snapshot, program = on_eight_devices(estimator)
  assert snapshot.estimator == estimator
  assert_no_collectives(program)


@pytest.mark.parametrize(
  "model",
  [pytest.param(m, marks=() if m.endswith("_value") else pytest.mark.slow) for m in MODELS],
)
def test_no_collectives_in_the_programs_of_a_model(model):
  group = group_for("autodiff", 16, model=model, generator="hash")
  numbers = {"model.k": 2.0, "model.sparsity": 0.1, "model.bandwidth": 0.1}  # of some models
  of_all = {field: np.full(16, number, np.float32) for field, number in numbers.items()}
  instances = dataclasses.replace(group.instances, numbers=group.instances.numbers | of_all)
  plan = small.plan(group._replace(instances=instances), n_devices=8)
  assert_no_collectives(train.compile_programs(problem.make(group.spec), plan))


@every_estimator
def test_an_instance_that_is_not_finite_is_reported_and_disturbs_no_other(estimator):
  # Also where the compiler is allowed to reorder sums.
  group, _, healthy = trained(estimator)
  rate = group.instances.learning_rate.copy()
  rate[[2, 7]] = np.inf, np.nan
  broken = group._replace(instances=dataclasses.replace(group.instances, learning_rate=rate))
  disturbed = small.run(broken)[-1]
  others = np.setdiff1d(np.arange(13), [2, 7])
  assert np.flatnonzero(disturbed.finite).tolist() == others.tolist()
  assert_equal(
    jax.tree.map(lambda leaf: leaf[others], healthy.state.params),
    jax.tree.map(lambda leaf: leaf[others], disturbed.state.params),
  )


@every_estimator
def test_the_snapshot_loss_is_that_of_its_parameters_on_the_next_batch(estimator):
  group, snapshot, _ = trained(estimator)
  one, root = problem.make(group.spec), streams.root(group.spec.seed)
  inputs = ESTIMATORS[estimator].make(one, group.instances).inputs
  every = jax.tree.map(jnp.asarray, (snapshot.state.params, group.instances))
  if inputs is None:
    evaluate = jax.jit(lambda params, of: evaluation.evaluate(one, params, of, "exact", 1))
    losses = evaluate(*every)
    np.testing.assert_allclose(snapshot.losses, losses.sum(axis=1), rtol=1e-5)
    return

  @jax.jit
  def expected(params, instance):
    stream = streams.words(root, streams.Stream.TRAIN, instance.index)
    x = inputs(instance, draws.fold_in(stream, snapshot.step))
    assert x.shape == (group.spec.n_features, group.spec.batch_size)
    return one.loss(params, instance, x)

  for i, loss in enumerate(snapshot.losses):
    np.testing.assert_allclose(loss, expected(*jax.tree.map(itemgetter(i), every)), rtol=1e-5)
