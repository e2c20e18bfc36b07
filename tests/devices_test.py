"""Devices, meshes and slices."""

import logging
import os

import jax
import numpy as np
import pytest

from toy_superposition import scalarize
from toy_superposition.devices import layout, mapping, memory, meshes, setup
from toy_superposition.errors import UserError


@pytest.mark.parametrize("n_instances", [1, 5, 8, 13, 1000])
@pytest.mark.parametrize("n_devices", [1, 3, 8])
@pytest.mark.parametrize("fits", [1, 4, 10_000])
def test_slices_cover_all_instances_in_order_and_fit(n_instances, n_devices, fits):
  slices = layout.slices(n_instances, n_devices, bytes_per_instance=100, budget=100 * fits)
  lengths = {len(positions) for positions in slices}
  assert len(lengths) == 1
  length = lengths.pop()
  assert length % n_devices == 0
  assert length <= max(fits, n_devices)
  joined = np.concatenate(slices)
  assert joined[:n_instances].tolist() == list(range(n_instances))
  assert np.all(joined[n_instances:] == n_instances - 1)
  assert len(joined) - n_instances < length


@pytest.mark.parametrize(("n_instances", "size"), [(1, 1), (3, 3), (8, 8), (20, 8)])
def test_there_are_no_more_devices_in_use_than_instances(n_instances, size):
  mesh = meshes.make_mesh(setup.devices(8))
  fewer = meshes.at_most(mesh, n_instances)
  assert fewer.size == size
  assert fewer.axis_names == mesh.axis_names
  assert list(fewer.devices.flat) == list(mesh.devices.flat)[:size]


@pytest.mark.parametrize(("budget", "n_slots", "length"), [(900, 8, 8), (330, 3, 3), (90, 1, 1)])
def test_no_more_slots_are_used_than_fit_where_devices_share_one_memory(budget, n_slots, length):
  mesh = meshes.make_mesh(setup.devices(8))
  used = layout.fitting(mesh, 100, budget)
  assert used.size == n_slots
  assert layout.fitting(used, 100, budget) == used
  mesh, slices = layout.layout(20, used, bytes_per_instance=90, bytes_per_slot=10, budget=budget)
  assert mesh == used
  assert {len(positions) for positions in slices} == {length}


def test_devices_with_memories_of_their_own_are_all_used(monkeypatch):
  monkeypatch.setattr(memory, "is_shared", lambda devices: False)
  mesh = meshes.make_mesh(setup.devices(8))
  assert layout.fitting(mesh, 100, 330) == mesh


def test_more_devices_than_exist_are_refused():
  assert len(setup.devices()) == 8
  assert len(setup.devices(3)) == 3
  for wrong in (0, 9):
    with pytest.raises(UserError, match=f"--devices={wrong}.*8 cpu"):
      setup.devices(wrong)


def test_the_budget_is_the_config_s_or_a_quarter_of_the_machine_s_memory():
  cpus = setup.devices()
  assert memory.budget(cpus, 2.0) == 2 * 2**30
  total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
  assert memory.budget(cpus, 0.0) == pytest.approx(total / 4, rel=0.01)
  assert memory.budget(cpus[:1], 0.0) == memory.budget(cpus, 0.0)


def test_options_are_for_cpu_only_and_may_be_refused(caplog):
  lowered = jax.jit(lambda x: x + 1).lower(np.float32(1))
  mesh = meshes.make_mesh(setup.devices(1))
  with caplog.at_level(logging.WARNING):
    for options in ({}, scalarize.CPU_OPTIONS):
      assert mapping.compile_for(mesh, lowered, options)(np.float32(1)) == 2
  assert caplog.records == []
  bogus = {"xla_no_such_option": True}
  mapping._warn_once.cache_clear()  # said once in a process
  with caplog.at_level(logging.WARNING):
    assert mapping.compile_for(mesh, lowered, bogus)(np.float32(1)) == 2
  assert [record.levelname for record in caplog.records] == ["WARNING"]
  assert "xla_no_such_option" in caplog.text


def test_map_slices_equals_the_function_on_all_instances():
  x = np.arange(26, dtype=np.float32).reshape(13, 2)
  mesh = meshes.make_mesh(setup.devices(2))
  seen = []

  def function(tree):
    seen.append(tree["x"].shape)
    return {"y": jax.vmap(lambda row: row.sum(axis=0) ** 2)(tree["x"])}

  result = mapping.map_slices(function, {"x": x}, mesh=mesh, bytes_each=1, budget=4)
  np.testing.assert_array_equal(result["y"], x.sum(axis=1) ** 2)
  assert seen == [(4, 2)]  # traced once, for four slices
