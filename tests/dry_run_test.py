"""A dry run and a trace: they describe what training does, and leave nothing else."""

import dataclasses
import functools
import os
import time

import jax
import numpy as np
import pytest

from configs import base
from toy_superposition import dry_run, problem, rehearsal, runner, text, trace, train
from toy_superposition.config import source as sources
from toy_superposition.config.resolve import ResolvedConfig, resolve
from toy_superposition.devices import mapping, meshes, setup
from toy_superposition.devices.plan import Plan, make_plans
from toy_superposition.errors import UserError
from toy_superposition.experiments import introduction
from toy_superposition.records.workdir import Workdir

N_DEVICES = 2


def resolved(fields=(), **axes) -> ResolvedConfig:
  settings = base.get_config()
  settings.name = "test"
  settings.train.steps, settings.train.batch_size = 40, 8
  settings.train.estimator = "autodiff"
  for field, value in dict(fields).items():
    settings.update_from_flattened_dict({field: value})
  base.set_axes(settings, **(axes or {"restart": base.restarts(5)}))
  return resolve(settings)


def mesh():
  return meshes.make_mesh(setup.devices(N_DEVICES))


def plan_of(what: ResolvedConfig) -> Plan:
  """Returns the plan of a config with one group."""
  (plan,) = make_plans(what, mesh())
  return plan


def estimate_of(what: ResolvedConfig) -> str:
  return dry_run.estimate(what, make_plans(what, mesh()), mesh()).text


def test_what_is_timed_is_the_first_slice_of_training():
  large = {"train.batch_size": 4096}  # takes more than evaluation
  full = plan_of(resolved(large, restart=base.restarts(24)))
  assert (len(full.slices), full.slice_length) == (1, 24)
  gibibytes = 0.3 * full.bytes_per_slice / 2**30
  plan = plan_of(resolved({**large, "run.memory_gib": gibibytes}, restart=base.restarts(24)))
  assert len(plan.slices) > 3
  (snapshot,) = train.run(problem.make(plan.group.spec), plan.first_slice(), [1])
  assert len(snapshot.losses) == plan.slice_length
  table = dry_run._table([plan], {0: dry_run.Timing(1, 1.0, 1.0)})
  n_instances, n_slices = table.splitlines()[-1].split()[6:8]
  assert (int(n_instances), int(n_slices)) == (24, len(plan.slices))


def test_steps_are_timed_until_they_have_taken_long_enough():
  plan = plan_of(resolved({"train.steps": 1000}))
  timing = dry_run.time_steps(plan, seconds=0.0)
  assert timing.steps == 1
  assert timing.step_seconds > 0 and timing.compile_seconds > 0
  assert dry_run.time_steps(plan, seconds=1e9).steps == 256  # from 256 to 512


def test_a_dry_run_names_groups_instances_slices_memory_an_estimate_and_its_source(
  tmp_path, monkeypatch
):
  monkeypatch.chdir(tmp_path)
  monkeypatch.setattr(dry_run, "SECONDS", 600.0)  # time for both groups, on a busy machine too
  what = resolved(n=base.points("model.n_features", (3, 4)), restart=base.restarts(5))
  said = estimate_of(what)
  assert "test: 10 models (n 2 × restart 5) in 2 groups" in said
  header, _, first, second = said.split("\n\n")[1].splitlines()
  for word in ("instances", "slices", "memory/device", "compiled", "ms/step", "training"):
    assert word in header
  assert "3, 2" in first and "4, 2" in second and "autodiff" in first
  words = " ".join(said.split())
  assert "estimate: " in words and "of 2 of 2 groups" in words.partition("measured: ")[2]
  for stage in dry_run.Costs._fields:
    assert f"{dry_run.LABELS.get(stage, stage)} " in words.partition("estimate: ")[2]
  assert "checkpoints of one group" in words and "not in it" not in words
  assert os.listdir(tmp_path) == []


@pytest.mark.slow
def test_groups_without_time_left_are_estimated_by_their_size_and_marked(monkeypatch):
  monkeypatch.setattr(dry_run, "SECONDS", 0.0)
  what = resolved(n=base.points("model.n_features", (2, 8, 4)))
  said = estimate_of(what)
  small, large, middle = said.split("\n\n")[1].splitlines()[2:]
  assert "~" in small and "~" in middle and "~" not in large  # most work comes first
  words = " ".join(said.split())
  assert "of 1 of 3 groups" in words and "not timed" in words


def test_an_estimate_is_proportional_to_steps_and_slices():
  plans = [plan_of(resolved({"train.steps": steps})) for steps in (100, 200)]
  timing = dry_run.Timing(4, 0.5, 1.0)
  assert [dry_run._seconds(plan, timing) for plan in plans] == [50, 100]
  assert dry_run._seconds(plans[0]._replace(slices=3 * plans[0].slices), timing) == 150
  assert dry_run._guess(plans[1], {0: timing}, plans) == pytest.approx(100)


def test_scoring_is_timed_also_if_nothing_is_trained():
  said = estimate_of(resolved({"train.steps": 0}))
  assert "nothing is trained" in said and "training 0 s" in said and "evaluation" in said


def test_a_rehearsal_computes_the_first_slice_and_counts_the_others():
  calls = []

  def double(x):
    jax.debug.callback(lambda: calls.append(1))
    return 2 * x

  rows, one = np.arange(6.0, dtype=np.float32), meshes.make_mesh(setup.devices(1))
  doubled = functools.partial(mapping.map_slices, double, rows, mesh=one, bytes_each=1, budget=2)
  assert doubled().tolist() == [0, 2, 4, 6, 8, 10]
  assert len(calls) == 3
  with mapping.rehearsed(60.0) as rehearsal:
    assert doubled().tolist() == [0, 2, 0, 2, 0, 2]
  assert len(calls) == 4
  assert (rehearsal.timed, rehearsal.untimed) == (1, 0)
  assert rehearsal.skipped_seconds > 0 and rehearsal.compile_seconds > 0
  with mapping.rehearsed(0.0) as late:
    assert doubled().tolist() == [0] * 6
  assert len(calls) == 4 and (late.timed, late.untimed) == (0, 1)
  assert doubled().tolist() == [0, 2, 4, 6, 8, 10]  # as before


@pytest.mark.parametrize("seconds", [60.0, 0.0])
def test_what_is_rehearsed_has_the_variables_of_a_run(seconds):
  what = resolved({"history.num": 3, "evaluation.n_samples": 3000, "train.steps": 4})
  (plan,) = make_plans(what, mesh())
  (outcome,) = runner.outcomes(what, None, [plan])
  stage, rehearsed = rehearsal.score(what, plan, rehearsal.initial(plan), seconds)
  assert stage.timed == (seconds > 0)
  assert {k: (v.shape, v.dtype) for k, v in rehearsed.items()} == {
    k: (v.shape, v.dtype) for k, v in outcome.items()
  }


def test_theory_is_rehearsed_and_one_that_fails_is_named(monkeypatch):
  what = dataclasses.replace(resolved(), experiment="introduction")
  experiment, asked = introduction.EXPERIMENT, []

  def analysis(dataset, mesh, budget):
    asked.append(dataset["loss"].shape)
    time.sleep(0.2)
    return dataset

  def failing(dataset, mesh, budget):
    raise ValueError("of models that are not trained")

  def of(run):
    row = dataclasses.replace(experiment, run=run, figure=None)
    monkeypatch.setattr(introduction, "EXPERIMENT", row)
    plans = make_plans(what, mesh())
    outcomes = [rehearsal.score(what, plan, rehearsal.initial(plan), 0.0)[1] for plan in plans]
    with rehearsal.folder(what, 0) as workdir:
      return rehearsal.theory(what, plans, outcomes, mesh(), 60.0, workdir, pages)

  written: list[str] = []

  def pages(workdir, datasets, claims):
    written.extend(path.name for path in workdir.path.iterdir())

  theory, figures = of(analysis)
  assert asked == [(5,)] and theory.timed and theory.seconds > 0.2 and figures.timed
  assert "results.nc" in written
  assert of(failing) == (rehearsal.SKIPPED, rehearsal.SKIPPED)
  costs = dry_run.Costs(*(1.0 for _ in dry_run.Costs._fields))
  skipped = rehearsal.SKIPPED
  said = " ".join(dry_run._summary([], {}, {}, skipped, figures, skipped, costs).split())
  assert "not in it: theory, which was not timed and checkpoints" in said


def test_samples_are_computed_again_for_every_batch_and_traced_once(monkeypatch):
  what = resolved({"evaluation.n_samples": 3000})
  (plan,) = make_plans(what, mesh())
  monkeypatch.setattr(rehearsal, "_n_batches", lambda what, spec: 1)
  state = rehearsal.initial(plan)
  once, _ = rehearsal.score(what, plan, state, 60.0)
  monkeypatch.setattr(rehearsal, "_n_batches", lambda what, spec: 1000)
  often, _ = rehearsal.score(what, plan, state, 60.0)
  assert often.seconds > 10 * once.seconds  # a thousand batches of 3 samples, each one computation
  assert often.compile_seconds < 10 * once.compile_seconds


def test_what_a_run_writes_is_timed_in_a_folder_that_is_removed():
  what = resolved({"history.num": 3, "run.checkpoint_seconds": 10.0})
  (plan,) = make_plans(what, mesh())
  state = rehearsal.initial(plan)
  with rehearsal.folder(what, 0) as workdir:
    assert workdir is not None
    short = rehearsal.recording(what, plan, state, workdir, 0.0)
    assert {p.name for p in (workdir.path / "checkpoints" / "group_0000").iterdir()} == {"0", "1"}
  assert not workdir.path.exists()
  with rehearsal.folder(what, 0) as again:
    long = rehearsal.recording(what, plan, state, again, 10_000.0)  # a thousand checkpoints
  assert 0 < 20 * short.seconds < long.seconds
  with rehearsal.folder(what, rehearsal.LARGE + 1) as none:  # too large to be written on trial
    assert none is None
    assert not rehearsal.recording(what, plan, state, none, 0.0).timed


def test_a_source_that_is_trained_before_counts_and_has_weights_of_which_theory_can_be_made():
  first = resolved()
  plans = make_plans(first, mesh())
  before = dry_run.estimate(first, plans, mesh(), start_up=2.0)
  assert before.costs.start_up == 2.0
  source = sources.from_dataset(before.dataset(first, plans))
  assert source.params["W"].shape == (5, 2, 5) and source.params["W"].std() > 0
  said = dry_run.together(before.costs, before.costs, "toys")  # one process starts up once
  assert text.duration(2 * before.costs.total - 2.0) in said and "of toys before" in said


def test_shards_divide_the_models_work_and_repeat_compilation_and_no_theory():
  plans = [plan_of(resolved(restart=base.restarts(64)))]
  costs = dry_run.Costs(0.0, 640.0, 0.0, 64.0, 30.0, 10.0, 5.0)
  rows = dry_run._shards(plans, costs).splitlines()[3:]
  assert [row.split()[0] for row in rows] == ["2", "4", "8", "16", "32", "64"]
  assert "6 min" in rows[0] and rows[0].endswith("13 min")  # 352 + 5 each; 714 + 40 in all
  # A device without a model of its own makes a shard no faster.
  assert rows[-1].split()[1:3] == rows[-2].split()[1:3]


def test_only_a_busy_machine_is_called_so():
  timings = {0: dry_run.Timing(8, 0.1, 1.0, cores=0.5)}
  costs = dry_run.Costs(0.0, 80.0, 0.0, 20.0, 0.0, 0.0, 0.0)
  cores = setup.cores()
  assert dry_run._busy(timings, costs, 0.5 * cores, mesh()) == ""
  said = " ".join(dry_run._busy(timings, costs, 3.0 * cores, mesh()).split())
  assert f"load {3 * cores:.1f} on {cores} core(s)" in said
  assert f"about {text.duration(100 * 0.5 / min(cores, N_DEVICES))}" in said


def test_a_trace_is_in_its_folder_and_small_and_its_size_is_reported(tmp_path):
  workdir = Workdir(tmp_path)
  said = trace.write(plan_of(resolved()), workdir, 10)
  written = [path for path in workdir.profile.rglob("*") if path.is_file()]
  assert workdir.journal.files == {path.relative_to(tmp_path).as_posix() for path in written}
  assert {path.name.split(".", 1)[1] for path in written} >= {"xplane.pb"}
  total = sum(path.stat().st_size for path in written)
  assert 0 < total < 10 * 2**20
  assert "profile of 10 steps" in said and text.size(total) in said
  assert str(tmp_path / "profile") in said


@pytest.mark.parametrize(("steps", "asked"), [(40, 40), (40, 0), (40, -1), (1, 1), (0, 1)])
def test_a_trace_of_more_steps_than_there_are_is_refused(steps, asked):
  with pytest.raises(UserError, match=rf"--profile_steps={asked}: allowed: .*{steps}"):
    trace.check_steps(resolved({"train.steps": steps}), asked)


@pytest.mark.parametrize(
  ("n_bytes", "expected"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (3 * 2**30, "3 GiB")]
)
def test_sizes_are_in_units_of_1024(n_bytes, expected):
  assert text.size(n_bytes) == expected
