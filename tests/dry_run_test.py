"""A dry run and a profile: what they promise is what training does, and they leave nothing else."""

import os

import pytest

from configs import base
from toy_superposition import dry_run, trace, train
from toy_superposition.config import resolve as config
from toy_superposition.devices import meshes, setup
from toy_superposition.errors import UserError

MESH = 2  # devices
PLENTY = 2**30  # bytes


def resolved(fields=(), **axes) -> config.Experiment:
  settings = base.get_config()
  settings.name = "test"
  settings.train.steps, settings.train.batch_size = 40, 8
  settings.train.estimator = "autodiff"
  for field, value in dict(fields).items():
    settings.update_from_flattened_dict({field: value})
  base.set_axes(settings, **(axes or {"restart": base.restarts(5)}))
  return config.resolve(settings)


def mesh():
  return meshes.make_mesh(setup.devices(MESH))


@pytest.mark.parametrize("share", [1, 0.5, 0.2, 0.01])
def test_a_plan_has_the_slices_that_training_makes_and_keeps_to_the_budget(share):
  (group,) = resolved(restart=base.restarts(24)).groups
  whole = dry_run.plan(group, mesh(), PLENTY)
  assert (whole.n_slices, whole.per_slice) == (1, 24)
  budget = int(share * whole.memory)
  plan = dry_run.plan(group, mesh(), budget)
  assert plan.memory <= budget or plan.per_slice == MESH  # no slice is smaller
  assert plan.n_slices * plan.per_slice >= 24 > (plan.n_slices - 1) * plan.per_slice
  slices = []
  next(
    train.run(
      dry_run.problem.make(group.spec),
      plan.group,
      [1],
      mesh=mesh(),
      memory_budget=budget,
      on_compiled=lambda program, n: slices.append(n),
    )
  )
  assert slices == [plan.n_slices]
  assert len(dry_run.first_slice(plan).instances.index) == plan.per_slice


def test_steps_are_timed_until_they_have_taken_long_enough():
  (group,) = resolved({"train.steps": 1000}).groups
  plan = dry_run.plan(group, mesh(), PLENTY)
  timing = dry_run.timed(plan, mesh(), seconds=0.0)
  assert timing.steps == 1
  assert timing.step_seconds > 0 and timing.compile_seconds > 0
  assert dry_run.timed(plan, mesh(), seconds=1e9).steps == 256  # from 256 to 512


def test_a_dry_run_tells_groups_instances_slices_memory_and_an_estimate_and_where_it_is_from(
  tmp_path, monkeypatch
):
  monkeypatch.chdir(tmp_path)
  monkeypatch.setattr(dry_run, "SECONDS", 600.0)  # time for both groups, on a busy machine too
  what = resolved(n=base.points("model.n_features", (3, 4)), restart=base.restarts(5))
  text = dry_run.dry_run(what, mesh(), PLENTY)
  assert "test: 10 models (n 2 × restart 5) in 2 groups" in text
  header, _, first, second = text.split("\n\n")[1].splitlines()
  for word in ("instances", "slices", "memory", "compiled", "ms/step", "training"):
    assert word in header
  assert "3, 2" in first and "4, 2" in second and "autodiff" in first
  assert "estimate: " in text and "2 of 2 groups on this machine" in " ".join(text.split())
  assert os.listdir(tmp_path) == []


def test_groups_without_time_left_are_estimated_by_their_size_and_marked(monkeypatch):
  monkeypatch.setattr(dry_run, "SECONDS", 0.0)
  what = resolved(n=base.points("model.n_features", (2, 8, 4)))
  text = dry_run.dry_run(what, mesh(), PLENTY)
  small, large, middle = text.split("\n\n")[1].splitlines()[2:]
  assert "~" in small and "~" in middle and "~" not in large  # most work comes first
  assert "1 of 3 groups" in " ".join(text.split()) and "not timed" in text


def test_an_estimate_is_proportional_to_steps_and_slices():
  plans = [
    dry_run.plan(resolved({"train.steps": steps}).groups[0], mesh(), PLENTY) for steps in (100, 200)
  ]
  timing = dry_run.Timing(4, 0.5, 1.0)
  assert [dry_run._seconds(plan, timing) for plan in plans] == [50, 100]
  assert dry_run._seconds(plans[0]._replace(n_slices=3), timing) == 150
  assert dry_run._guess(plans[1], {0: timing}, plans) == pytest.approx(100)


def test_nothing_is_timed_where_nothing_is_trained():
  assert "nothing is trained" in dry_run.dry_run(resolved({"train.steps": 0}), mesh(), PLENTY)


def test_a_profile_is_in_its_folder_small_and_its_size_is_told(tmp_path):
  said = trace.profile(resolved(), mesh(), PLENTY, tmp_path / "profile", 10)
  written = [path for path in tmp_path.rglob("*") if path.is_file()]
  assert {path.name.split(".", 1)[1] for path in written} >= {"xplane.pb"}
  total = sum(path.stat().st_size for path in written)
  assert 0 < total < 10 * 2**20
  assert "profile of 10 steps" in said and dry_run._size(total) in said
  assert str(tmp_path / "profile") in said


@pytest.mark.parametrize(("steps", "asked"), [(40, 40), (40, 0), (40, -1), (1, 1), (0, 1)])
def test_a_profile_of_steps_that_there_are_not_is_refused_and_nothing_is_written(
  tmp_path, steps, asked
):
  with pytest.raises(UserError, match=rf"--profile_steps={asked}: allowed: .*{steps}"):
    trace.profile(resolved({"train.steps": steps}), mesh(), PLENTY, tmp_path / "p", asked)
  assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
  ("n_bytes", "text"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (3 * 2**30, "3 GiB")]
)
def test_sizes_are_told_in_units_of_1024(n_bytes, text):
  assert dry_run._size(n_bytes) == text
