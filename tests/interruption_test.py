"""A run that is killed, stopped or damaged continues to the same bits."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.command import (
  CONFIG,
  LOG_EVERY,
  LOG_LINE,
  LONG,
  NO_THEORY,
  STEPS,
  TINY,
  assert_same_bits,
  copy,
  end,
  in_process,
  last_line,
  metrics,
  only_line,
  reads_configs,
  report_in_process,
  run,
  sessions,
  start,
  succeed,
  tree,
  until_checkpoint,
  variables,
)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory) -> Path:
  """The folder of a long run that nothing disturbed."""
  workdir = tmp_path_factory.mktemp("uninterrupted") / "run"
  succeed(*LONG, f"--workdir={workdir}")
  return workdir


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory) -> dict[signal.Signals, tuple[Path, subprocess.CompletedProcess]]:
  """The folders of runs ended by signals in the middle, and what the program said."""
  folder = tmp_path_factory.mktemp("interrupted")
  started = {}
  for number in (signal.SIGINT, signal.SIGTERM):
    workdir = folder / number.name
    started[number] = workdir, start(*LONG, f"--workdir={workdir}")
  for number, (workdir, process) in started.items():
    until_checkpoint(process, workdir)
    process.send_signal(number)
  return {number: (workdir, end(process)) for number, (workdir, process) in started.items()}


def test_a_killed_run_continues_to_the_same_bits(uninterrupted, tmp_path):
  workdir = tmp_path / "run"
  process = start(*LONG, f"--workdir={workdir}")
  until_checkpoint(process, workdir)
  process.kill()
  assert end(process).returncode == -signal.SIGKILL
  assert not (workdir / "results.nc").exists()
  assert metrics(workdir)[-1]["step"] < STEPS
  done = succeed(*LONG, f"--workdir={workdir}")
  assert "continuing after step" in done.stderr
  assert_same_bits(workdir, uninterrupted)
  assert metrics(workdir) == metrics(uninterrupted)
  assert len(sessions(workdir)) == 2


@pytest.mark.slow
def test_a_whole_experiment_killed_in_training_and_in_its_theory_ends_with_the_same_bits(tmp_path):
  expected, workdir = tmp_path / "expected", tmp_path / "run"
  arguments = [CONFIG, "--config.run.checkpoint_seconds=0"]
  succeed(*arguments, f"--workdir={expected}")
  for sign in ("compiled in", "theory:"):  # in the log, just before what is to be killed
    process = start(*arguments, f"--workdir={workdir}")
    assert process.stderr is not None
    assert any(sign in line for line in process.stderr)
    if sign == "compiled in":
      until_checkpoint(process, workdir)
    process.kill()
    assert end(process).returncode == -signal.SIGKILL
    assert not (workdir / "results.nc").exists()
  succeed(*arguments, f"--workdir={workdir}")
  assert "/ optimum_loss" in variables(workdir)
  assert_same_bits(workdir, expected)
  assert metrics(workdir) == metrics(expected)


def test_a_signal_ends_a_run_with_its_code_and_says_how_to_go_on(interrupted):
  for number, (workdir, done) in interrupted.items():
    line = last_line(done, 128 + number)
    assert number.name in line and "the same command continues" in line and str(workdir) in line
    assert not (workdir / "results.nc").exists()
    assert 0 < metrics(workdir)[-1]["step"] < STEPS
    (session,) = sessions(workdir)
    assert session["seconds"] > 0


def test_a_signal_before_the_first_step_ends_the_run_in_one_line_too(tmp_path):
  process = start(*LONG, f"--workdir={tmp_path / 'run'}")
  assert process.stdout is not None
  assert "writing to" in process.stdout.readline()
  process.send_signal(signal.SIGTERM)
  assert "SIGTERM" in last_line(end(process), 128 + signal.SIGTERM)


def test_a_run_ended_by_a_signal_is_saved_where_it_was_stopped(interrupted):
  for workdir, _ in interrupted.values():
    steps = {int(name) for name in os.listdir(workdir / "checkpoints" / "group_0000")}
    last = metrics(workdir)[-1]["step"]
    assert last <= max(steps) < last + LOG_EVERY


@pytest.mark.slow
@pytest.mark.parametrize(
  "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
)
def test_the_same_command_continues_after_a_signal_to_the_same_bits(
  interrupted, uninterrupted, tmp_path, number
):
  workdir = copy(interrupted[number][0], tmp_path)
  succeed(*LONG, f"--workdir={workdir}")
  assert_same_bits(workdir, uninterrupted)
  assert metrics(workdir) == metrics(uninterrupted)


@pytest.mark.slow
def test_a_run_continues_on_another_number_of_devices(interrupted, uninterrupted, tmp_path):
  workdir = copy(interrupted[signal.SIGTERM][0], tmp_path)
  succeed(*LONG, "--cpu_devices=4", f"--workdir={workdir}")
  assert [len(session["devices"]) for session in sessions(workdir)] == [1, 4]
  found, expected = variables(workdir), variables(uninterrupted)
  assert found.keys() == expected.keys()
  for name in found:
    np.testing.assert_allclose(found[name], expected[name], rtol=1e-5, atol=1e-5, err_msg=name)


@pytest.mark.slow
def test_truncated_results_are_reported_in_one_line_and_made_anew(
  uninterrupted, tmp_path, monkeypatch
):
  workdir = copy(uninterrupted, tmp_path)
  content = (workdir / "results.nc").read_bytes()
  (workdir / "results.nc").write_bytes(content[: len(content) // 2])
  line = only_line(report_in_process(monkeypatch, f"--workdir={workdir}"))
  assert str(workdir / "results.nc") in line and "damaged" in line
  done = succeed(*LONG, f"--workdir={workdir}")
  assert [str(workdir / "results.nc") in line for line in done.stderr.splitlines()].count(True) == 1
  lines = [line for line in done.stderr.splitlines() if "font_manager" not in line]  # matplotlib's
  assert all(LOG_LINE.match(line) for line in lines)
  assert_same_bits(workdir, uninterrupted)
  assert metrics(workdir) == metrics(uninterrupted)


@pytest.mark.slow
def test_a_damaged_checkpoint_costs_a_line_and_some_training(uninterrupted, tmp_path):
  workdir = copy(uninterrupted, tmp_path)
  (workdir / "results.nc").unlink()
  for path in (workdir / "checkpoints" / "group_0000" / f"{STEPS}").rglob("d/*"):
    path.write_bytes(b"")
  done = succeed(*LONG, f"--workdir={workdir}")
  assert_same_bits(workdir, uninterrupted)
  assert metrics(workdir) == metrics(uninterrupted)
  assert f"step {STEPS}" in done.stderr
  assert f"continuing after step {STEPS - LOG_EVERY}" in done.stderr
  assert [line for line in done.stderr.splitlines() if not LOG_LINE.match(line)] == []


@reads_configs
def test_another_config_in_the_same_folder_is_refused_naming_the_field(
  uninterrupted, tmp_path, monkeypatch
):
  workdir = copy(uninterrupted, tmp_path)
  before = tree(workdir)
  other = [*LONG, "--config.train.b1=0.5", f"--workdir={workdir}"]
  line = only_line(in_process(monkeypatch, *other))
  assert "train.b1 0.9 → 0.5" in line and str(workdir) in line and "--overwrite" in line
  assert tree(workdir) == before


@reads_configs
def test_nothing_is_deleted_for_a_config_that_is_refused(uninterrupted, tmp_path, monkeypatch):
  workdir = copy(uninterrupted, tmp_path)
  before = tree(workdir)
  bad = [*LONG, "--config.train.steps=-1", "--overwrite", f"--workdir={workdir}"]
  line = only_line(in_process(monkeypatch, *bad))
  assert "config.train.steps" in line
  assert tree(workdir) == before


def test_report_of_an_unfinished_run_is_one_line(interrupted, monkeypatch):
  workdir = interrupted[signal.SIGINT][0]
  before = tree(workdir)
  line = only_line(report_in_process(monkeypatch, f"--workdir={workdir}"))
  assert str(workdir / "results.nc") in line and "finished" in line
  assert tree(workdir) == before


@pytest.mark.skipif(sys.platform != "linux", reason="lets a write fail by limiting files' sizes")
@pytest.mark.quick("300-9000-checkpoint")
@pytest.mark.parametrize(
  ("n_restarts", "limit", "what"),
  [
    (2, 2000, "manifest.json"),
    (2, 9000, "metrics.jsonl"),
    (300, 9000, "checkpoint"),
    (2, 12_000, "results.nc"),
  ],
)
def test_a_full_disk_is_one_line_and_the_same_command_continues(tmp_path, n_restarts, limit, what):
  workdir = tmp_path / "run"
  arguments = [*TINY, *NO_THEORY, f"--config.axis.restart.num={n_restarts}"]
  # Without the cache of compiled programs, whose files are limited too.
  env = {"JAX_ENABLE_COMPILATION_CACHE": "false"}
  arguments += ["--config.train.estimator=autodiff", "--config.data.generator=hash"]  # fast
  arguments += [f"--workdir={workdir}"]
  every = "--config.run.log_every=1" if what == "metrics.jsonl" else "--config.run.log_every=40"
  done = run(*arguments, every, limits=[("RLIMIT_FSIZE", limit)], env=env)
  line = last_line(done)
  assert what in line
  assert not (workdir / "results.nc").exists()
  if what == "results.nc":
    succeed(*arguments)
    assert variables(workdir)["/ loss"].shape == (2, 2, 2)
