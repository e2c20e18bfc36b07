"""Plans: estimator, memory against XLA's own count, devices and slices of a group."""

import dataclasses

import jax
import numpy as np
import pytest

from configs import base
from tests import small
from toy_superposition import evaluation, problem, sizes, streams, train
from toy_superposition.config.resolve import resolve
from toy_superposition.devices import memory, meshes, setup
from toy_superposition.devices.plan import (
  fix_estimators,
  make_plan,
  make_plans,
  scoring_bytes,
)
from toy_superposition.errors import UserError
from toy_superposition.experiments import introduction
from toy_superposition.measures import MEASURES, Measure

ABSOLUTE = {
  "model": "absolute_value",
  "target": "absolute",
  "distribution": "sparse_signed_uniform",
}


def group_of(n_instances, density=None, **changes):
  group = small.group(n_instances, of=small.spec(**changes))
  if density is not None:
    densities = np.full_like(group.instances.density, density)
    group = group._replace(instances=dataclasses.replace(group.instances, density=densities))
  return group


def taken_by(plan) -> int:
  """Returns the bytes of arguments, results and temporaries by XLA's count."""
  program = train.compile_programs(problem.make(plan.group.spec), plan)
  counts = program.segment.memory_analysis()
  assert counts is not None
  return counts.argument_size_in_bytes + counts.output_size_in_bytes + counts.temp_size_in_bytes


@pytest.mark.quick("autodiff-sizes0-1-None-changes0", "blocked-sizes6-8-None-changes6")
@pytest.mark.parametrize(
  ("estimator", "sizes", "n_instances", "density", "changes"),
  [
    ("autodiff", (2048, 256, 64), 1, None, {}),  # parameters decide
    ("autodiff", (2048, 256, 1024), 2, None, {}),
    ("autodiff", (2048, 256, 1024), 2, None, ABSOLUTE),
    ("autodiff", (400, 30, 1024), 8, None, {}),  # the batch decides
    ("autodiff", (400, 30, 1024), 8, None, {"optimizer": "sgd"}),
    ("blocked", (2048, 256, 1024), 2, None, {}),
    ("blocked", (400, 30, 1024), 8, None, ABSOLUTE),
    ("sparse", (4096, 64, 1024), 2, 0.001, {}),
    ("sparse", (4096, 64, 1024), 1, 0.05, {}),
    ("sampled", (4096, 64, 1024), 2, 0.001, {}),
    ("sampled", (4096, 64, 1024), 1, 0.05, {}),
    ("sampled", (2048, 256, 1024), 1, 0.001, {}),
    ("sampled", (2048, 256, 1024), 1, 0.001, ABSOLUTE),
  ],
)
def test_planned_memory_is_what_the_compiled_program_takes(
  estimator, sizes, n_instances, density, changes
):
  n, m, batch = sizes
  sized = {"n_features": n, "n_hidden": m, "batch_size": batch, "estimator": estimator}
  plan = small.plan(group_of(n_instances, density, **sized | changes))
  assert plan.bytes_per_slice == pytest.approx(taken_by(plan), rel=0.25)


@pytest.mark.quick("exact")
@pytest.mark.parametrize("estimator", ["fused", "exact"])
def test_planned_memory_covers_what_a_program_that_is_one_loop_takes(estimator):
  sized = {"n_features": 4, "n_hidden": 2, "batch_size": 4096, "estimator": estimator}
  few, many = (small.plan(group_of(n_instances, **sized)) for n_instances in (8, 72))
  growth = taken_by(many) - taken_by(few)  # without arrays that all instances share
  assert growth <= 1.25 * 64 * few.bytes_per_instance
  assert growth < 64 * sizes.batch_bytes(few.group.spec, 4096) / 10  # no batch is held


@pytest.mark.parametrize(
  ("changes", "n_params", "n_state"),
  [
    # W and b; Adam's two moments of each and its two counters, of the moments and the schedule.
    ({}, 5 * 3, 3 * 5 * 3 + 2),
    (ABSOLUTE, 5 * 5, 3 * 5 * 5 + 2),
    ({"optimizer": "sgd"}, 5 * 3, 2 * 5 * 3 + 1),
  ],
)
def test_sizes_are_those_of_the_arrays(changes, n_params, n_state):
  spec = small.spec(n_features=5, n_hidden=2, **changes)
  assert sizes.n_params(spec) == n_params
  assert sizes.params_bytes(spec) == 4 * n_params
  assert sizes.state_bytes(spec) == 4 * n_state


@pytest.fixture
def pod(monkeypatch):
  """Eight devices that are said to have memories of their own."""
  monkeypatch.setattr(memory, "is_shared", lambda devices: False)
  return meshes.make_mesh(setup.devices(8))


def width_of(group, devices, budget, limit=2**62, feature_devices=0) -> int:
  plan = make_plan(
    group, devices, budget=int(budget), limit=int(limit), feature_devices=feature_devices
  )
  return meshes.feature_devices(plan.mesh)


def bytes_of(group) -> int:
  """Returns the bytes of one instance in training, with what its slot needs."""
  plan = small.plan(group)
  return plan.bytes_per_instance + plan.bytes_per_slot


def test_as_few_devices_share_an_instance_as_its_memory_needs(pod):
  group = group_of(3, n_features=64, n_hidden=16, estimator="autodiff")
  taken = bytes_of(group)
  for needed in (1, 2, 4, 8):
    assert width_of(group, pod, 8 * taken / needed) == needed
    assert width_of(group, pod, 8 * taken / needed - 8) == min(2 * needed, 8)


def test_only_as_many_share_as_divide_the_features(pod):
  group = group_of(3, n_features=60, n_hidden=16, estimator="autodiff")
  taken = bytes_of(group)
  assert width_of(group, pod, 8 * taken / 3) == 4
  assert width_of(group, pod, 8 * taken / 8) == 4  # more than planned for, but it may do
  with pytest.raises(UserError, match=r"n_features=60.*GiB in training.*on the 4 device\(s\)"):
    width_of(group, pod, 8 * taken / 8, limit=8 * taken / 8)


@pytest.mark.parametrize("wanted", [3, 5, 16])
def test_a_number_of_devices_that_cannot_share_is_refused(wanted):
  devices = meshes.make_mesh(setup.devices(8))
  group = group_of(3, n_features=20, estimator="autodiff")
  allowed = r"8 device\(s\) cannot share 20 features.*allowed: 1, 2, 4"
  with pytest.raises(UserError, match=f"feature_devices={wanted}.*{allowed}"):
    width_of(group, devices, 2**40, 2**40, wanted)


def test_on_cpu_devices_share_only_if_asked_and_no_more_slots_are_used_than_fit():
  group = group_of(13, n_features=20)
  taken = bytes_of(group)
  for budget, n_slots in ((taken, 1), (3 * taken, 3), (100 * taken, 8)):
    assert dict(small.plan(group, 8, budget).mesh.shape) == {"instance": n_slots}
  shared = small.plan(group, 8, feature_devices=2)
  assert dict(shared.mesh.shape) == {"instance": 4, "feature": 2}
  assert shared.shared
  devices, fixed = meshes.make_mesh(setup.devices(8)), small.plan(group).group
  tight = make_plan(fixed, devices, budget=taken - 1, limit=taken)
  assert dict(tight.mesh.shape) == {"instance": 1}
  with pytest.raises(UserError, match=r"n_features=20.*config\.run\.memory_gib"):
    make_plan(fixed, devices, budget=taken - 1, limit=taken - 1)


@pytest.mark.parametrize("n_instances", [1, 5, 13, 40])
@pytest.mark.parametrize("fits", [1, 4, 1000])
def test_the_slices_of_a_plan_are_every_instance_in_order_and_keep_to_the_budget(n_instances, fits):
  group = group_of(n_instances, n_features=20, batch_size=2048, estimator="blocked")
  budget = fits * bytes_of(group)
  plan = small.plan(group, 2, budget)
  assert np.concatenate(plan.slices)[:n_instances].tolist() == list(range(n_instances))
  assert plan.mesh.size <= min(2, n_instances, fits)
  assert plan.bytes_per_slice <= budget
  assert {len(positions) for positions in plan.slices} == {plan.slice_length}


def test_the_plan_of_the_first_slice_has_its_instances_alone():
  group = group_of(13, n_features=20, estimator="autodiff")
  plan = small.plan(group, 2, 6 * bytes_of(group))
  first = plan.first_slice()
  assert len(plan.slices) == 3 and len(first.slices) == 1
  assert first.own.instances.index.tolist() == plan.slices[0].tolist()
  assert first.bytes_per_slice == plan.bytes_per_slice
  assert first.mesh == plan.mesh


def resolved(fields=(), **axes):
  settings = base.get_config()
  settings.name = "test"
  settings.update_from_flattened_dict(dict(fields))
  base.set_axes(settings, **axes)
  return resolve(settings)


def test_plans_are_of_all_groups_with_every_estimator_fixed():
  what = resolved(n=base.points("model.n_features", (4, 100)), restart=base.restarts(2))
  plans = make_plans(what, meshes.make_mesh(setup.devices(2)))
  assert [plan.group.spec.n_features for plan in plans] == [4, 100]
  assert [plan.group.spec.estimator for plan in plans] == ["fused", "blocked"]
  assert [len(plan.group.cells) for plan in plans] == [2, 2]
  assert all(plan.own is plan.group for plan in plans)  # of one process
  fixed = fix_estimators(what, "tpu").groups
  assert [group.spec.estimator for group in fixed] == ["autodiff", "autodiff"]
  shared = resolved({"run.feature_devices": 2, "model.n_features": 4})
  assert (
    make_plans(shared, meshes.make_mesh(setup.devices(2)))[0].group.spec.estimator == "autodiff"
  )


def test_measures_that_do_not_fit_and_wrong_ones_are_refused_before_anything_runs(monkeypatch):
  mesh = meshes.make_mesh(setup.devices(2))
  # A batch of evaluation takes 9.4 MiB, and two measures of all pairs 2.7 more.
  small_memory = {"run.memory_gib": 11 / 1024, "model.n_features": 600, "train.batch_size": 1}
  with pytest.raises(
    UserError, match=r"measures: superposition, .* 600 features .* leave them out"
  ):
    make_plans(resolved(small_memory), mesh)
  assert make_plans(resolved(small_memory | {"measures": ("feature_norm",)}), mesh)
  wrong = Measure(lambda params, instance: params.b, ("hidden",), "of another axis")
  monkeypatch.setitem(MEASURES, "wrong", wrong)
  with pytest.raises(UserError, match="measure 'wrong'"):
    make_plans(resolved({"measures": ("wrong",)}), mesh)


def test_scoring_uses_no_more_slots_than_fit():
  group = group_of(2, n_features=20)
  plan = small.plan(group, 8, 50 * bytes_of(group))
  assert plan.mesh.size == 2  # one per instance; the history has more rows
  assert plan.mesh_to_score(1).size == 8
  assert plan.mesh_to_score(plan.budget // 3).size == 3
  assert plan.mesh_to_score(2 * plan.budget).size == 1


@pytest.mark.parametrize(
  ("n", "batch_size"), [(5, 1024), (2**17, 1024), (2**17 + 1, 1023), (2**22, 32), (2**28, 1)]
)
def test_a_batch_of_evaluation_has_1024_samples_or_fewer_of_a_very_wide_model(n, batch_size):
  assert evaluation.batch_size(small.spec(n_features=n, n_hidden=4)) == batch_size


def test_evaluating_a_very_wide_model_takes_no_more_than_training_it_with_small_batches():
  group = group_of(1, n_features=2**22, n_hidden=4, batch_size=64, estimator="autodiff")
  assert scoring_bytes(group, "sampled", ()) < small.plan(group).bytes_per_slice < 5 * 2**30


@pytest.mark.parametrize(("n", "m"), [(2**18, 8), (400, 400)])
def test_planned_memory_of_evaluation_is_what_the_compiled_program_takes(n, m):
  group = group_of(1, n_features=n, n_hidden=m)
  made, root = problem.make(group.spec), streams.root(0)
  state = jax.eval_shape(lambda i: train.initial_state(made, i, root), group.instances)
  losses = jax.jit(lambda params, i: evaluation.evaluate(made, params, i, "sampled", 5000))
  counts = losses.lower(state.params, group.instances).compile().memory_analysis()
  assert counts is not None
  taken = counts.argument_size_in_bytes + counts.output_size_in_bytes + counts.temp_size_in_bytes
  assert scoring_bytes(group, "sampled", ()) == pytest.approx(taken, rel=0.25)


def test_an_analysis_that_does_not_fit_is_refused_before_anything_runs(monkeypatch):
  mesh, what = meshes.make_mesh(setup.devices(2)), resolved({"run.memory_gib": 64 / 1024})
  assert make_plans(what, mesh)
  experiment = introduction.EXPERIMENT
  large = dataclasses.replace(experiment, working_bytes=lambda spec: 2**20 * spec.n_features**2)
  monkeypatch.setattr(introduction, "EXPERIMENT", large)
  with pytest.raises(UserError, match=r"n_features=9.*analysis.*config\.run\.memory_gib.*none"):
    make_plans(
      dataclasses.replace(
        resolved({"run.memory_gib": 64 / 1024, "model.n_features": 9}), experiment="introduction"
      ),
      mesh,
    )


def test_evaluation_that_does_not_fit_is_refused_before_anything_runs():
  mesh = meshes.make_mesh(setup.devices(2))
  fields = {"model.n_features": 600, "train.batch_size": 1, "measures": ()}
  with pytest.raises(
    UserError,
    match=r"n_features=600.*config\.evaluation\.method='sampled'.*config\.run\.memory_gib",
  ):
    make_plans(resolved(fields | {"run.memory_gib": 9 / 1024}), mesh)
  assert make_plans(resolved(fields | {"run.memory_gib": 10 / 1024}), mesh)
