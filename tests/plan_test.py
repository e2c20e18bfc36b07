"""The memory that is planned against XLA's own count, and the mesh that a group gets."""

import dataclasses

import numpy as np
import pytest

from tests import small
from toy_superposition import problem, train
from toy_superposition.devices import memory, meshes, plan, setup
from toy_superposition.errors import UserError

ABSOLUTE = {
  "model": "absolute_value",
  "target": "absolute",
  "distribution": "sparse_signed_uniform",
}


def one_device():
  return meshes.make_mesh(setup.devices(1))


def group_of(n_instances, density=None, **changes):
  group = small.group(n_instances, of=small.spec(**changes))
  if density is not None:
    densities = np.full_like(group.instances.density, density)
    group = group._replace(instances=dataclasses.replace(group.instances, density=densities))
  return group


def taken_by(group) -> int:
  """Returns the bytes of arguments, results and temporaries by XLA's count."""
  mesh, n_instances = one_device(), len(group.instances.index)
  program = train.compile_programs(problem.make(group.spec), group, mesh, n_instances)
  found = program.segment.memory_analysis()
  assert found is not None
  return found.argument_size_in_bytes + found.output_size_in_bytes + found.temp_size_in_bytes


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
  ],
)
def test_planned_memory_is_what_the_compiled_program_takes(
  estimator, sizes, n_instances, density, changes
):
  n, m, batch = sizes
  sized = {"n_features": n, "n_hidden": m, "batch_size": batch, "estimator": estimator}
  group = group_of(n_instances, density, **sized | changes)
  each, shared = (count(group, one_device()) for count in (plan.instance_bytes, plan.shared_bytes))
  assert n_instances * each + shared == pytest.approx(taken_by(group), rel=0.25)


@pytest.mark.parametrize("estimator", ["fused", "exact"])
def test_planned_memory_covers_what_a_program_that_is_one_loop_takes(estimator):
  sized = {"n_features": 4, "n_hidden": 2, "batch_size": 4096, "estimator": estimator}
  few, many = (group_of(n_instances, **sized) for n_instances in (8, 72))
  # What does not depend on the instances is kept once.
  growth, planned = taken_by(many) - taken_by(few), plan.instance_bytes(few, one_device())
  assert growth <= 1.25 * 64 * planned
  assert growth < 64 * estimator.batch_bytes(few.spec, 4096) / 10  # no batch is kept


@pytest.fixture
def pod(monkeypatch):
  """Eight devices that are said to have memories of their own."""
  monkeypatch.setattr(memory, "shares_memory", lambda devices: False)
  return meshes.make_mesh(setup.devices(8))


def width_of(group, devices, budget, limit=2**62, wanted=0) -> int:
  mesh = plan.mesh_for(group, devices, int(budget), int(limit), wanted)
  return meshes.feature_devices(mesh)


def test_as_few_devices_share_an_instance_as_its_memory_needs(pod):
  group = group_of(3, n_features=64, n_hidden=16, estimator="autodiff")
  each = plan.instance_bytes(group, pod)
  for needed in (1, 2, 4, 8):
    assert width_of(group, pod, 8 * each / needed) == needed
    assert width_of(group, pod, 8 * each / needed - 8) == min(2 * needed, 8)


def test_only_as_many_share_as_divide_the_features(pod):
  group = group_of(3, n_features=60, n_hidden=16, estimator="autodiff")
  each = plan.instance_bytes(group, pod)
  assert width_of(group, pod, 8 * each / 3) == 4
  assert width_of(group, pod, 8 * each / 8) == 4  # more than planned for, but it may do
  with pytest.raises(UserError, match=r"n_features=60.*GiB in training.*on the 4 device\(s\)"):
    width_of(group, pod, 8 * each / 8, limit=8 * each / 8)


@pytest.mark.parametrize("wanted", [3, 5, 16])
def test_a_number_of_devices_that_cannot_share_is_refused(wanted):
  devices = meshes.make_mesh(setup.devices(8))
  group = group_of(3, n_features=20)
  allowed = r"8 device\(s\) cannot share 20 features.*allowed: 1, 2, 4"
  with pytest.raises(UserError, match=f"feature_devices={wanted}.*{allowed}"):
    plan.mesh_for(group, devices, 2**40, 2**40, wanted)


def test_on_cpu_devices_share_only_if_asked_and_no_more_places_than_fit():
  devices = meshes.make_mesh(setup.devices(8))
  group = group_of(13, n_features=20)
  each = plan.instance_bytes(group, devices) + plan.shared_bytes(group, devices)
  for budget, places in ((each, 1), (3 * each, 3), (100 * each, 8)):
    mesh = plan.mesh_for(group, devices, budget, 2**40, 0)
    assert dict(mesh.shape) == {"instance": places}
  assert dict(plan.mesh_for(group, devices, 2**40, 2**40, 2).shape) == {
    "instance": 4,
    "feature": 2,
  }
  assert dict(plan.mesh_for(group, devices, each - 1, each, 0).shape) == {"instance": 1}
  with pytest.raises(UserError, match=r"n_features=20.*config\.run\.memory_gib"):
    plan.mesh_for(group, devices, each - 1, each - 1, 0)
