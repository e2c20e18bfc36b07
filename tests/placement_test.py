"""Devices, slices and the memory that a slice is planned to take."""

import logging
import os

import jax
import numpy as np
import pytest

from tests import small
from toy_superposition import placement, problem, train, unroll
from toy_superposition.errors import UserError


@pytest.mark.parametrize("n_instances", [1, 5, 8, 13, 1000])
@pytest.mark.parametrize("n_devices", [1, 3, 8])
@pytest.mark.parametrize("fits", [1, 4, 10_000])
def test_slices_cover_all_instances_in_order_and_fit(n_instances, n_devices, fits):
  parts = placement.slices(n_instances, n_devices, bytes_each=100, budget=100 * fits)
  lengths = {len(part) for part in parts}
  assert len(lengths) == 1
  length = lengths.pop()
  assert length % n_devices == 0
  assert length <= max(fits, n_devices)
  joined = np.concatenate(parts)
  assert joined[:n_instances].tolist() == list(range(n_instances))
  assert np.all(joined[n_instances:] == n_instances - 1)
  assert len(joined) - n_instances < length


@pytest.mark.parametrize("sizes", [(2, 1, 256), (3, 2, 256), (20, 5, 1024), (100, 20, 512)])
@pytest.mark.parametrize("model", ["relu_output", "absolute_value"])
def test_planned_memory_covers_what_the_compiled_program_takes(sizes, model):
  n, m, batch = sizes
  # The estimator that keeps whole batches.
  sized = {"n_features": n, "n_hidden": m, "batch_size": batch, "estimator": "autodiff"}
  group = small.group(8, of=small.spec(model=model, **sized))
  programs = []
  small.run(group, [1], on_compiled=lambda program, n_slices: programs.append(program))
  planned = 8 * train.instance_bytes(group.spec, group.instances, "cpu")
  # Above, so that it fits; but not so far that memory is wasted on many small slices.
  taken = programs[0].segment.memory_analysis().temp_size_in_bytes
  assert taken <= planned <= 3 * taken


@pytest.mark.parametrize("estimator", ["fused", "exact"])
def test_planned_memory_covers_what_a_program_that_is_one_loop_takes(estimator):
  sized = {"n_features": 4, "n_hidden": 2, "batch_size": 4096}
  taken = []
  for n_instances in (8, 72):
    group = small.group(n_instances, of=small.spec(estimator=estimator, **sized))
    mesh = placement.make_mesh(placement.devices(1))
    program = train.compile_programs(problem.make(group.spec), group, mesh, n_instances)
    analysis = program.segment.memory_analysis()
    assert analysis is not None
    taken.append(analysis.temp_size_in_bytes)
  # What does not depend on the instances is kept once.
  growth, planned = taken[1] - taken[0], train.instance_bytes(group.spec, group.instances, "cpu")
  assert growth <= 64 * planned
  assert growth < 64 * placement.batch_bytes(group.spec, 4096) / 10  # no batch is kept


@pytest.mark.parametrize(("n_instances", "size"), [(1, 1), (3, 3), (8, 8), (20, 8)])
def test_there_are_no_more_devices_in_use_than_instances(n_instances, size):
  mesh = placement.make_mesh(placement.devices(8))
  fewer = placement.at_most(mesh, n_instances)
  assert fewer.size == size
  assert fewer.axis_names == mesh.axis_names
  assert list(fewer.devices.flat) == list(mesh.devices.flat)[:size]


def test_more_devices_than_exist_are_refused():
  assert len(placement.devices()) == 8
  assert len(placement.devices(3)) == 3
  for wrong in (0, 9):
    with pytest.raises(UserError, match=f"--devices={wrong}.*8 cpu"):
      placement.devices(wrong)


def test_the_budget_is_the_config_s_or_a_quarter_of_the_machine_s_memory():
  cpus = placement.devices()
  assert placement.memory_budget(cpus, 2.0) == 2 * 2**30
  total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
  assert placement.memory_budget(cpus, 0.0) == pytest.approx(total / 4, rel=0.01)
  assert placement.memory_budget(cpus[:1], 0.0) == placement.memory_budget(cpus, 0.0)


def test_options_are_for_cpu_only_and_may_be_refused(caplog):
  lowered = jax.jit(lambda x: x + 1).lower(np.float32(1))
  mesh = placement.make_mesh(placement.devices(1))
  with caplog.at_level(logging.WARNING):
    for options in ({}, unroll.CPU_OPTIONS):
      assert placement.compile_for(mesh, lowered, options)(np.float32(1)) == 2
  assert caplog.records == []
  bogus = {"xla_no_such_option": True}
  placement._warn_once.cache_clear()  # said once in a process
  with caplog.at_level(logging.WARNING):
    assert placement.compile_for(mesh, lowered, bogus)(np.float32(1)) == 2
  assert [record.levelname for record in caplog.records] == ["WARNING"]
  assert "xla_no_such_option" in caplog.text


def test_map_slices_equals_the_function_on_the_whole():
  x = np.arange(26, dtype=np.float32).reshape(13, 2)
  mesh = placement.make_mesh(placement.devices(2))
  seen = []

  def function(tree):
    seen.append(tree["x"].shape)
    return {"y": jax.vmap(lambda row: row.sum(axis=0) ** 2)(tree["x"])}

  result = placement.map_slices(function, {"x": x}, mesh=mesh, bytes_each=1, budget=4)
  np.testing.assert_array_equal(result["y"], x.sum(axis=1) ** 2)
  assert seen == [(4, 2)]  # traced once, for four slices
