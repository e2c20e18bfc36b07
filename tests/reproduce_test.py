"""The whole paper by one command: failures stay alone, and what is finished is kept."""

import ast
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from toy_superposition import reproduce

ROOT = Path(__file__).parent.parent
PATIENCE = 120  # seconds
# Configs beside the paper's list: on remarks without a figure, and too long for the whole paper.
BESIDE = {"feature_count"}


def test_every_config_is_an_experiment_of_the_paper():
  there = {path.stem for path in (ROOT / "configs").glob("*.py")} - {"base"}
  assert there == {*reproduce.EXPERIMENTS, *BESIDE}
  assert len(reproduce.EXPERIMENTS) + len(BESIDE) == len(there)


@pytest.mark.parametrize("name", reproduce.EXPERIMENTS)
def test_an_experiment_is_described_in_one_line(name):
  line = reproduce.about(name)
  assert line.endswith(".")
  assert ast.get_docstring(ast.parse((ROOT / "configs" / f"{name}.py").read_text())) != line


def start(*arguments) -> subprocess.Popen:
  return subprocess.Popen(
    [sys.executable, "-m", "toy_superposition.reproduce", *map(str, arguments)],
    cwd=ROOT,
    env=os.environ | {"PYTHONPATH": str(ROOT)},
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
  )


def test_an_unknown_experiment_is_one_line():
  stdout, stderr = (process := start("--workdir=x", "--experiments=introducton")).communicate()
  assert (process.returncode, stdout) == (1, "")
  assert stderr.count("\n") == 1
  assert "did you mean 'introduction'?" in stderr


@pytest.mark.slow
def test_one_failing_experiment_does_not_stop_the_others_and_a_finished_one_is_kept(tmp_path):
  (tmp_path / "introduction").write_text("a file in the way")
  chosen = "--experiments=introduction,phase_change"
  stdout, stderr = (first := start(f"--workdir={tmp_path}", "--quick", chosen)).communicate()
  assert first.returncode == 1, stderr
  assert "failed: introduction" in stdout
  results = tmp_path / "phase_change" / "results.nc"
  before = results.stat().st_mtime_ns
  assert "phase_change" in (tmp_path / "report.html").read_text()
  (tmp_path / "introduction").unlink()
  stdout, stderr = (second := start(f"--workdir={tmp_path}", "--quick", chosen)).communicate()
  assert second.returncode == 0, stderr
  assert results.stat().st_mtime_ns == before
  names = {row["experiment"] for row in json.loads((tmp_path / "claims.json").read_text())}
  assert names == {"introduction", "phase_change"}


@pytest.mark.slow
def test_a_signal_reaches_the_experiment_which_saves_and_the_same_command_continues(tmp_path):
  process = start(f"--workdir={tmp_path}", "--experiments=phase_change")
  metrics, deadline = tmp_path / "phase_change" / "metrics.jsonl", time.monotonic() + PATIENCE
  while not (metrics.exists() and metrics.read_text()):
    assert time.monotonic() < deadline
    assert process.poll() is None
    time.sleep(0.1)
  process.send_signal(signal.SIGINT)
  _, stderr = process.communicate(timeout=PATIENCE)
  assert process.returncode == 130
  assert "SIGINT: stopped; the same command continues" in stderr
  assert "SIGINT: stopped" in (tmp_path / "logs" / "phase_change.txt").read_text()
  assert list((tmp_path / "phase_change" / "checkpoints").glob("*/*"))
