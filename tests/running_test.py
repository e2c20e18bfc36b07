"""The program from end to end, as a person uses it: in a process of its own."""

import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from tests.command import (
  LOG_LINE,
  NO_THEORY,
  PATIENCE,
  ROOT,
  TINY,
  assert_same_bits,
  copy,
  in_process,
  last_line,
  metrics,
  only_line,
  reads_configs,
  run,
  sessions,
  succeed,
  tree,
  variables,
)
from toy_superposition import fields
from toy_superposition.records import results
from toy_superposition.records.workdir import Workdir


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> tuple[Path, subprocess.CompletedProcess]:
  """The folder in which the phase change was run, theory, figures and all, without --workdir."""
  folder = tmp_path_factory.mktemp("finished")
  return folder, succeed(*TINY, cwd=folder)


def test_results_go_to_a_folder_of_the_configs_name_by_default(finished):
  folder, done = finished
  assert os.listdir(folder) == ["runs"]
  assert os.listdir(folder / "runs") == ["phase_change_quick"]
  there = {"manifest.json", "metrics.jsonl", "results.nc", "figures", "checkpoints", "report.html"}
  there |= {"journal.jsonl", ".lock"}
  assert there == set(os.listdir(folder / "runs" / "phase_change_quick"))
  assert "writing to runs/phase_change_quick" in done.stdout.splitlines()


def test_a_run_prints_what_it_found_and_every_file_it_wrote(finished):
  folder, done = finished
  assert "8 models, 0 not finite" in done.stdout
  assert "statement" in done.stdout and "verdict" in done.stdout
  written = [line for line in done.stdout.splitlines() if line.startswith("runs/")]
  assert len(written) == 4
  assert all((folder / path).stat().st_size > 1000 for path in written)
  lines = [line for line in done.stderr.splitlines() if "font_manager" not in line]  # matplotlib's
  assert all(LOG_LINE.match(line) for line in lines)


@reads_configs
def test_a_finished_run_is_not_repeated_and_its_figures_are_drawn_again(
  finished, tmp_path, monkeypatch
):
  workdir = copy(finished[0] / "runs" / "phase_change_quick", tmp_path)
  before = tree(workdir)
  shutil.rmtree(workdir / "figures")
  done = in_process(monkeypatch, *TINY, f"--workdir={workdir}")
  assert "this run is finished" in done.stdout
  after = tree(workdir)
  assert len(sessions(workdir)) == 2
  for tells_of_sessions in (before, after):
    del tells_of_sessions["journal.jsonl"], tells_of_sessions["report.html"]
  assert after == before
  assert "statement" in done.stdout


def test_report_draws_and_prints_a_finished_run_again(finished, tmp_path):
  workdir = copy(finished[0] / "runs" / "phase_change_quick", tmp_path)
  before = tree(workdir)
  shutil.rmtree(workdir / "figures")
  done = succeed(f"--workdir={workdir}", module="report")
  assert tree(workdir) == before

  def found(stdout):
    return [line for line in stdout.splitlines() if line and "runs/" not in line]

  assert [line for line in found(finished[1].stdout) if "writing to" not in line] == [
    line for line in found(done.stdout) if str(workdir) not in line
  ]


@reads_configs
def test_overwrite_replaces_a_run_but_not_what_others_put_there(finished, tmp_path, monkeypatch):
  workdir = copy(finished[0] / "runs" / "phase_change_quick", tmp_path)
  theirs = ["notes.txt", "figures/mine.png", "checkpoints/group_0000/notes.txt"]
  for name in theirs:
    (workdir / name).write_text("mine")
  other = [*TINY, *NO_THEORY, "--config.train.steps=20", f"--workdir={workdir}"]
  done = in_process(monkeypatch, *other, "--overwrite")
  assert done.returncode == 0, done.stderr
  assert all((workdir / name).read_text() == "mine" for name in theirs)
  done = in_process(monkeypatch, *other)
  assert "this run is finished" in done.stdout  # by the run before
  assert metrics(workdir)[-1]["step"] == 20
  assert os.listdir(workdir / "figures") == ["mine.png"]
  assert "optimum_loss" not in results.read(Workdir(workdir))["/"]


@reads_configs
def test_print_config_prints_every_field_and_writes_nothing(tmp_path, monkeypatch):
  done = in_process(monkeypatch, *TINY, "--print_config", cwd=tmp_path)
  lines = done.stdout.splitlines()
  assert "train.steps = 40" in lines and "name = 'phase_change_quick'" in lines
  for field in (*fields.fields(), "axis.relative_importance.num"):
    assert any(line.startswith(f"{field} = ") for line in lines), field
  comment = lines[lines.index("train.steps = 40") + 1]
  assert "optimizer steps" in comment and "≥ 0" in comment
  assert done.stderr == ""
  assert list(tmp_path.iterdir()) == []


@reads_configs
def test_list_names_every_experiment_with_its_cost_and_needs_no_config(tmp_path, monkeypatch):
  done = in_process(monkeypatch, "--list", cwd=tmp_path)
  assert done.stderr == ""
  for path in (ROOT / "configs").glob("*.py"):
    line = next((x for x in done.stdout.splitlines() if x.startswith(f"{path.stem}[")), "")
    assert path.stem == "base" or "second" in line or "minute" in line
  assert max(map(len, done.stdout.splitlines())) <= 100


def test_help_has_one_line_per_flag_as_it_is_written_and_is_fast(tmp_path):
  started = time.perf_counter()
  done = succeed("--help", cwd=tmp_path)
  assert time.perf_counter() - started < PATIENCE / 20
  names = re.findall(r"^  --(\w+)", done.stdout, re.MULTILINE)
  assert len(set(names)) == len(names) >= 14
  assert {"config", "workdir", "list", "dry_run", "profile_steps", "nocompilation_cache"} <= set(
    names
  )
  assert max(map(len, done.stdout.splitlines())) <= 100
  assert done.stderr == ""
  assert "--experiments=NAME,NAME" in succeed("--help", module="reproduce").stdout


@reads_configs
def test_a_dry_run_prints_its_size_and_an_estimate_and_writes_nothing(tmp_path, monkeypatch):
  done = in_process(monkeypatch, *TINY, "--dry_run", cwd=tmp_path)
  assert "8 models" in done.stdout and "estimate: " in done.stdout
  assert list(tmp_path.iterdir()) == []


@reads_configs
@pytest.mark.slow
def test_a_dry_run_of_a_shard_prints_its_own_size(tmp_path, monkeypatch):
  part = in_process(monkeypatch, *TINY, "--dry_run", "--shard=0/4", cwd=tmp_path)
  assert "2 models" in part.stdout
  assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_trace_and_event_files_are_written_beside_the_same_results(finished, tmp_path):
  workdir = tmp_path / "run"
  asked = ["--profile_steps=10", "--config.run.tensorboard=true"]
  done = succeed(*TINY, *asked, f"--workdir={workdir}")
  assert f"profile of 10 steps (8 instances, fused): {workdir / 'profile'}" in done.stdout
  assert list((workdir / "profile").rglob("*.xplane.pb"))
  assert {path.name for path in (workdir / "tensorboard").iterdir()} == {"group_0000", "figures"}
  assert_same_bits(workdir, finished[0] / "runs" / "phase_change_quick")
  succeed(*TINY, *NO_THEORY, "--overwrite", f"--workdir={workdir}")
  assert not {"profile", "tensorboard"} & set(os.listdir(workdir))


@pytest.mark.slow
@reads_configs
def test_a_finished_run_is_drawn_again_on_a_machine_that_could_not_run_it(
  finished, tmp_path, monkeypatch
):
  workdir = copy(finished[0] / "runs" / "phase_change_quick", tmp_path)
  small = [*TINY, "--config.run.memory_gib=1e-8", f"--workdir={workdir}"]
  assert "this run is finished" in in_process(monkeypatch, *small).stdout
  refused = in_process(monkeypatch, *small, "--overwrite")
  assert "GiB in training" in last_line(refused)
  assert (workdir / "results.nc").exists()


def test_the_end_of_the_output_is_a_summary(finished):
  lines = finished[1].stdout.splitlines()
  at = next(i for i, line in enumerate(lines) if "8 models, 0 not finite" in line)
  summary = next(line for line in lines[at:] if line.startswith("statements:"))
  verdicts = re.findall(r"(\d+) (confirmed|contradicted|reported|not decided)", summary)
  statements = [x for x in lines[: at - 1] if re.search(r"(confirmed|ted|not decided at this)$", x)]
  assert sum(int(n) for n, _ in verdicts) == len(statements) > 0
  assert re.fullmatch(r"time: \d+ s, without start-up", lines[-5])
  assert [Path(line).suffix for line in lines[-4:]] == [".nc", ".png", ".pdf", ".html"]


@pytest.mark.slow
def test_compiled_programs_are_kept_for_the_next_run_unless_told_not_to(tmp_path):
  cache = tmp_path / "cache"
  # All of them: how long one takes to compile differs.
  env = {"XDG_CACHE_HOME": str(cache), "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
  run_here = [*TINY, *NO_THEORY, "--overwrite", f"--workdir={tmp_path / 'run'}"]
  succeed(*run_here, "--nocompilation_cache", env=env)
  assert not (cache / "toy_superposition").exists()

  def entries() -> set[Path]:
    return set((cache / "toy_superposition").glob("xla-*/*-cache"))

  succeed(*run_here, env=env)
  kept = entries()
  assert kept
  before = results.load(tmp_path / "run")[0]
  succeed(*run_here, env=env)
  assert entries() == kept  # nothing was compiled anew
  assert results.load(tmp_path / "run")[0].equals(before)


@pytest.mark.slow
def test_a_cache_that_cannot_be_written_is_done_without(tmp_path):
  occupied = tmp_path / "file"
  occupied.touch()
  env = {"XDG_CACHE_HOME": str(occupied), "MPLCONFIGDIR": str(tmp_path)}
  done = succeed(*TINY, *NO_THEORY, f"--workdir={tmp_path / 'run'}", env=env)
  lines = [line for line in done.stderr.splitlines() if "font_manager" not in line]  # matplotlib's
  assert all(LOG_LINE.match(line) for line in lines)


@pytest.mark.slow
def test_devices_that_share_features_make_the_run_that_one_device_makes(tmp_path):
  shared = ["--cpu_devices=4", "--config.run.feature_devices=2"]
  done = succeed(*TINY, *NO_THEORY, *shared, f"--workdir={tmp_path / 'shared'}")
  assert "4 device(s), 2 to an instance" in done.stderr
  one = ["--cpu_devices=1", "--config.train.estimator=autodiff"]
  succeed(*TINY, *NO_THEORY, *one, f"--workdir={tmp_path / 'alone'}")
  found, expected = (results.load(tmp_path / name)[0] for name in ("shared", "alone"))
  for name, values in expected.data_vars.items():
    np.testing.assert_allclose(found[name], values, rtol=1e-5, atol=1e-6, err_msg=name)


@pytest.mark.slow
def test_shards_run_separately_are_collected_into_the_full_run(tmp_path):
  workdir = tmp_path / "run"
  arguments = [*TINY, *NO_THEORY, f"--workdir={workdir}"]

  def collect() -> subprocess.CompletedProcess:
    return run(f"--workdir={workdir}", module="collect")

  assert "holds no shards" in only_line(collect())
  succeed(*arguments, "--shard=1/2")
  assert "1 of 2 shards missing: 0; " in only_line(collect())
  other = run(*arguments, "--shard=0/2", "--config.seed=5")
  assert "shard of another config (seed 0 → 5)" in last_line(other)
  assert "is finished" in succeed(*arguments, "--shard=1/2").stdout
  succeed(*arguments, "--shard=0/2")
  done = collect()
  assert done.returncode == 0, done.stderr
  page = (workdir / "report.html").read_text()
  assert "--shard=i/2" in page and "for every i from 0 to 1" in page
  full = tmp_path / "full"
  succeed(*TINY, *NO_THEORY, f"--workdir={full}")
  ours, theirs = variables(workdir), variables(full)
  assert ours.keys() == theirs.keys()
  np.testing.assert_allclose(ours["/ loss"], theirs["/ loss"], rtol=1e-5)
  np.testing.assert_allclose(ours["/ W"], theirs["/ W"], rtol=1e-5, atol=1e-6)
