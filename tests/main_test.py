"""The program from end to end, as a person uses it: in a process of its own, bad input apart."""

import contextlib
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
from absl import flags

from toy_superposition import fields, main, terminal
from toy_superposition.cli import config_errors
from toy_superposition.cli import run as cli_run
from toy_superposition.devices import setup
from toy_superposition.records import results
from toy_superposition.records.workdir import Workdir

ROOT = Path(__file__).parent.parent
CONFIG = f"--config={ROOT / 'configs' / 'phase_change.py'}:quick"
GRID = [f"--config.axis.{name}.num=2" for name in ("density", "relative_importance", "restart")]
TINY = [CONFIG, *GRID, "--config.train.batch_size=16", "--config.train.steps=40"]
NO_THEORY = ["--config.experiment=none"]
# Long enough to be stopped in the middle: 40 segments, a checkpoint at the end of each.
LONG = [CONFIG, *GRID, *NO_THEORY, "--config.train.batch_size=16", "--config.train.steps=20000"]
# The reference: on other devices, 20 000 steps carry the round-off of reordered sums far.
LONG += ["--config.train.estimator=autodiff"]
LONG += ["--config.run.log_every=500", "--config.run.checkpoint_seconds=0", "--cpu_devices=1"]
LOG_LINE = re.compile(r"\d\d:\d\d:\d\d ")
CACHE = tempfile.TemporaryDirectory()  # of compiled programs, instead of the user's
PATIENCE = 120  # seconds; a run here takes some seconds on an idle machine


def start(*arguments, cwd=ROOT, module="main", limits=(), env=None) -> subprocess.Popen:
  """Starts the program; `limits` are (resource, number) to be set before it does anything.

  With an `env` of its own it does not see the tests' cache of compiled programs.
  """
  inherited = {k: v for k, v in os.environ.items() if k != "JAX_COMPILATION_CACHE_DIR"}
  process = subprocess.Popen(
    [sys.executable, "-m", f"toy_superposition.{module}", *map(str, arguments)],
    cwd=cwd,
    env=inherited | {"PYTHONPATH": str(ROOT)} | (env or {"JAX_COMPILATION_CACHE_DIR": CACHE.name}),
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
  )
  for name, number in limits:
    import resource

    resource.prlimit(process.pid, getattr(resource, name), (number, number))
  return process


def end(process: subprocess.Popen) -> subprocess.CompletedProcess:
  """Waits for the program and returns its outcome."""
  try:
    stdout, stderr = process.communicate(timeout=PATIENCE)
  except subprocess.TimeoutExpired:
    process.kill()
    raise
  return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)


def run(*arguments, **keywords) -> subprocess.CompletedProcess:
  return end(start(*arguments, **keywords))


def succeed(*arguments, **keywords) -> subprocess.CompletedProcess:
  done = run(*arguments, **keywords)
  assert done.returncode == 0, done.stderr
  return done


def last_line(done: subprocess.CompletedProcess, code: int = 1) -> str:
  """Returns the one line that ends the program; asserts that all others are of the log."""
  *before, last = done.stderr.splitlines()
  assert [line for line in before if not LOG_LINE.match(line)] == []
  assert done.returncode == code, done.stderr
  return last


def only_line(done: subprocess.CompletedProcess) -> str:
  """Returns the one line of a refusal; asserts that nothing else was printed."""
  assert len(done.stderr.splitlines()) == 1, done.stderr
  assert done.stdout == ""
  return last_line(done)


def until_checkpoint(process: subprocess.Popen, workdir: Path) -> None:
  """Waits until the program has saved its first checkpoint, somewhere in its middle."""
  group = workdir / "checkpoints" / "group_0000"
  deadline = time.monotonic() + PATIENCE
  while not (group.is_dir() and any(name.isdigit() for name in os.listdir(group))):
    assert process.poll() is None, process.communicate()
    assert time.monotonic() < deadline
    time.sleep(0.005)


def tree(path: Path) -> dict[str, bytes | None]:
  """Returns every file below a folder with its content, and every folder with None."""
  return {
    str(p.relative_to(path)): p.read_bytes() if p.is_file() else None for p in path.rglob("*")
  }


def variables(workdir: Path) -> dict[str, np.ndarray]:
  """Returns every variable and coordinate of a finished run."""
  datasets = results.read(Workdir(workdir))
  return {f"{g} {n}": v.values for g, ds in datasets.items() for n, v in ds.variables.items()}


def assert_same_bits(found: Path, expected: Path) -> None:
  a, b = variables(found), variables(expected)
  assert a.keys() == b.keys()
  for name in a:
    assert (a[name].dtype, a[name].shape) == (b[name].dtype, b[name].shape), name
    assert a[name].tobytes() == b[name].tobytes(), name


def metrics(workdir: Path) -> list[dict]:
  """Returns the records of a run without what depends on the machine."""
  records = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
  for record in records:
    del record["instance_steps_per_second"]
  return records


def sessions(workdir: Path) -> list[dict]:
  return json.loads((workdir / "manifest.json").read_text())["sessions"]


def copy(workdir: Path, to: Path) -> Path:
  return Path(shutil.copytree(workdir, to / "run"))


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


def test_a_finished_run_is_not_repeated_and_its_figures_are_drawn_again(finished, tmp_path):
  workdir = copy(finished[0] / "runs" / "phase_change_quick", tmp_path)
  before = tree(workdir)
  shutil.rmtree(workdir / "figures")
  done = succeed(*TINY, f"--workdir={workdir}")
  assert "this run is finished" in done.stdout
  after = tree(workdir)
  assert len(sessions(workdir)) == 2
  for tells_of_sessions in (before, after):
    del tells_of_sessions["manifest.json"], tells_of_sessions["report.html"]
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


def test_a_killed_run_continues_to_the_same_bits(uninterrupted, tmp_path):
  workdir = tmp_path / "run"
  process = start(*LONG, f"--workdir={workdir}")
  until_checkpoint(process, workdir)
  process.kill()
  assert end(process).returncode == -signal.SIGKILL
  assert not (workdir / "results.nc").exists()
  assert metrics(workdir)[-1]["step"] < 20_000
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
    assert 0 < metrics(workdir)[-1]["step"] < 20_000
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
    assert max(steps) == metrics(workdir)[-1]["step"]


def test_the_same_command_continues_after_a_signal_to_the_same_bits(
  interrupted, uninterrupted, tmp_path
):
  copies = {
    number: copy(workdir, tmp_path / number.name) for number, (workdir, _) in interrupted.items()
  }
  started = [start(*LONG, f"--workdir={workdir}") for workdir in copies.values()]
  for process, workdir in zip(started, copies.values(), strict=True):
    done = end(process)
    assert done.returncode == 0, done.stderr
    assert_same_bits(workdir, uninterrupted)
    assert metrics(workdir) == metrics(uninterrupted)


def test_a_run_continues_on_another_number_of_devices(interrupted, uninterrupted, tmp_path):
  workdir = copy(interrupted[signal.SIGTERM][0], tmp_path)
  succeed(*LONG, "--cpu_devices=4", f"--workdir={workdir}")
  assert [len(session["devices"]) for session in sessions(workdir)] == [1, 4]
  found, expected = variables(workdir), variables(uninterrupted)
  assert found.keys() == expected.keys()
  for name in found:
    np.testing.assert_allclose(found[name], expected[name], rtol=1e-5, atol=1e-5, err_msg=name)


def test_truncated_results_are_reported_in_one_line_and_made_anew(uninterrupted, tmp_path):
  workdir = copy(uninterrupted, tmp_path)
  content = (workdir / "results.nc").read_bytes()
  (workdir / "results.nc").write_bytes(content[: len(content) // 2])
  report = start(f"--workdir={workdir}", module="report")
  line = only_line(end(report))
  assert str(workdir / "results.nc") in line and "damaged" in line
  done = succeed(*LONG, f"--workdir={workdir}")
  assert [str(workdir / "results.nc") in line for line in done.stderr.splitlines()].count(True) == 1
  lines = [line for line in done.stderr.splitlines() if "font_manager" not in line]  # matplotlib's
  assert all(LOG_LINE.match(line) for line in lines)
  assert_same_bits(workdir, uninterrupted)
  assert metrics(workdir) == metrics(uninterrupted)


def test_a_damaged_checkpoint_costs_a_line_and_some_training(uninterrupted, tmp_path):
  workdir = copy(uninterrupted, tmp_path)
  (workdir / "results.nc").unlink()
  for path in (workdir / "checkpoints" / "group_0000" / "20000").rglob("d/*"):
    path.write_bytes(b"")
  done = succeed(*LONG, f"--workdir={workdir}")
  assert_same_bits(workdir, uninterrupted)
  assert metrics(workdir) == metrics(uninterrupted)
  assert "step 20000" in done.stderr and "continuing after step 19500" in done.stderr
  assert [line for line in done.stderr.splitlines() if not LOG_LINE.match(line)] == []


def test_another_config_in_the_same_folder_is_refused_naming_the_field(uninterrupted, tmp_path):
  workdir = copy(uninterrupted, tmp_path)
  before = tree(workdir)
  line = only_line(run(*LONG, "--config.train.b1=0.5", f"--workdir={workdir}"))
  assert "train.b1 0.9 → 0.5" in line and str(workdir) in line and "--overwrite" in line
  assert tree(workdir) == before


def test_overwrite_replaces_a_run_but_not_what_others_put_there(finished, tmp_path):
  workdir = copy(finished[0] / "runs" / "phase_change_quick", tmp_path)
  theirs = ["notes.txt", "figures/mine.png", "checkpoints/group_0000/notes.txt"]
  for name in theirs:
    (workdir / name).write_text("mine")
  succeed(*TINY, *NO_THEORY, "--config.train.steps=20", "--overwrite", f"--workdir={workdir}")
  assert all((workdir / name).read_text() == "mine" for name in theirs)
  done = succeed(*TINY, *NO_THEORY, "--config.train.steps=20", f"--workdir={workdir}")
  assert "this run is finished" in done.stdout  # by the run before
  assert metrics(workdir)[-1]["step"] == 20
  assert os.listdir(workdir / "figures") == ["mine.png"]
  assert "optimum_loss" not in results.read(Workdir(workdir))["/"]


def test_nothing_is_deleted_for_a_config_that_is_refused(uninterrupted, tmp_path):
  workdir = copy(uninterrupted, tmp_path)
  before = tree(workdir)
  line = only_line(run(*LONG, "--config.train.steps=-1", "--overwrite", f"--workdir={workdir}"))
  assert "config.train.steps" in line
  assert tree(workdir) == before


def test_print_config_prints_every_field_and_writes_nothing(tmp_path):
  done = succeed(*TINY, "--print_config", cwd=tmp_path)
  lines = done.stdout.splitlines()
  assert "train.steps = 40" in lines and "name = 'phase_change_quick'" in lines
  for field in (*fields.fields(), "axis.relative_importance.num"):
    assert any(line.startswith(f"{field} = ") for line in lines), field
  comment = lines[lines.index("train.steps = 40") + 1]
  assert "optimizer steps" in comment and "≥ 0" in comment
  assert done.stderr == ""
  assert list(tmp_path.iterdir()) == []


def test_list_names_every_experiment_with_its_cost_and_needs_no_config(tmp_path):
  done = succeed("--list", cwd=tmp_path)
  assert done.stderr == ""
  for path in (ROOT / "configs").glob("*.py"):
    line = next((x for x in done.stdout.splitlines() if f"configs/{path.name}[" in x), "")
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


def test_a_dry_run_prints_its_size_and_an_estimate_and_writes_nothing(tmp_path):
  done = succeed(*TINY, "--dry_run", cwd=tmp_path)
  assert "8 models" in done.stdout and "estimate: " in done.stdout
  assert list(tmp_path.iterdir()) == []
  part = succeed(*TINY, "--dry_run", "--shard=0/4", cwd=tmp_path)
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


def test_a_finished_run_is_drawn_again_on_a_machine_that_could_not_run_it(finished, tmp_path):
  workdir = tmp_path / "run"
  shutil.copytree(finished[0] / "runs" / "phase_change_quick", workdir)
  small = [*TINY, "--config.run.memory_gib=1e-8"]
  assert "this run is finished" in succeed(*small, f"--workdir={workdir}").stdout
  refused = run(*small, "--overwrite", f"--workdir={workdir}")
  assert "GiB in training" in last_line(refused)
  assert (workdir / "results.nc").exists()


def test_the_end_of_the_output_is_a_summary(finished):
  lines = finished[1].stdout.splitlines()
  at = next(i for i, line in enumerate(lines) if "8 models, 0 not finite" in line)
  verdicts = re.findall(r"(\d+) (confirmed|contradicted|reported|not decided)", lines[at + 1])
  statements = [x for x in lines[: at - 1] if re.search(r"(confirmed|ted|not decided at this)$", x)]
  assert sum(int(n) for n, _ in verdicts) == len(statements) > 0
  assert re.fullmatch(r"time: \d+ s, without start-up", lines[-5])
  assert [Path(line).suffix for line in lines[-4:]] == [".nc", ".png", ".pdf", ".html"]


@pytest.mark.skipif(sys.platform != "linux", reason="lets a write fail by limiting files' sizes")
@pytest.mark.parametrize(
  ("n_restarts", "limit", "what"),
  [
    (2, 2000, "manifest.json"),
    (2, 5200, "metrics.jsonl"),
    (300, 7000, "checkpoint"),
    (2, 12_000, "results.nc"),
  ],
)
def test_a_full_disk_is_one_line_and_the_same_command_continues(tmp_path, n_restarts, limit, what):
  workdir = tmp_path / "run"
  arguments = [*TINY, *NO_THEORY, f"--config.axis.restart.num={n_restarts}"]
  # Without the cache of compiled programs, whose files are limited too.
  env = {"JAX_ENABLE_COMPILATION_CACHE": "false"}
  arguments += [f"--workdir={workdir}"]
  every = "--config.run.log_every=1" if what == "metrics.jsonl" else "--config.run.log_every=40"
  done = run(*arguments, every, limits=[("RLIMIT_FSIZE", limit)], env=env)
  line = last_line(done)
  assert what in line
  assert not (workdir / "results.nc").exists()
  if what == "results.nc":
    succeed(*arguments)
    assert variables(workdir)["/ loss"].shape == (2, 2, 2)


CONFIGS = {
  "syntax.py": "def get_config(:\n",
  "empty.py": "",
  "wrong.py": "def get_config():\n  return 3\n",
  "imports.py": "import no_such_module\n",
  "raises.py": "def get_config():\n  return 1 / 0\n",
  "foreign.py": "import ml_collections\n\n\n"
  "def get_config():\n  return ml_collections.ConfigDict({'name': 'x'})\n",
}
GIB = 2**30
# Name → (arguments after the config's own, or all of them if they hold a config; fragments).
BAD: dict[str, tuple[list[str], list[str]]] = {
  "mistyped_config": ([CONFIG.replace("change", "chnage")], ["phase_chnage", "phase_change.py'?"]),
  "no_config": (["--workdir=x"], ["--config is missing"]),
  "folder_as_config": ([f"--config={ROOT}"], ["--config", "cannot read"]),
  "unknown_variant": ([CONFIG.replace("quick", "quik")], ["'quik'", "quick, full"]),
  "syntax_error": (["--config=FILES/syntax.py"], ["--config", "syntax.py, line 1"]),
  "empty_config": (["--config=FILES/empty.py"], ["--config", "get_config"]),
  "config_of_another_kind": (["--config=FILES/wrong.py"], ["--config"]),
  "missing_import": (["--config=FILES/imports.py"], ["--config", "no_such_module"]),
  "mistyped_field": (["--config.train.stesp=40"], ["--config.train.stesp=40", '"steps"']),
  "wrong_type": (["--config.train.steps=many"], ["--config.train.steps=many", "an integer"]),
  "devices_that_cannot_share": (
    ["--config.run.feature_devices=2", "--cpu_devices=3"],
    ["config.run.feature_devices=2", "3 device(s)", "2 features", "allowed: 1, or 0"],
  ),
  "shared_by_an_estimator_that_cannot": (
    ["--config.run.feature_devices=2", "--config.train.estimator=fused"],
    ["config.run.feature_devices", "0 or 1 for fused"],
  ),
  "pairs_that_are_too_many": (
    [*NO_THEORY, "--config.evaluation.method=sampled", "--config.model.n_features=1000000"],
    ["config.measures", "superposition", "1000000 features", "GiB", "leave them out"],
  ),
  "too_large_even_alone": (
    ["--config.run.memory_gib=1e-7"],
    ["n_features=2", "n_hidden=1", "1.49e-07 GiB in training", "config.run.memory_gib"],
  ),
  "unknown_model": (["--config.model.name=relu"], ["config.model.name", "'relu'", "relu_output"]),
  "unknown_distribution": (
    ["--config.data.distribution=sparse"],
    ["config.data.distribution", "'sparse'", "sparse_uniform"],
  ),
  "unknown_measure": (
    ["--config.measures=('norm',)"],
    ["config.measures", "'norm'", "feature_norm"],
  ),
  "unknown_experiment": (
    ["--config.experiment=phase_chnage"],
    ["config.experiment", "'phase_chnage'", "did you mean 'phase_change'?"],
  ),
  "unknown_optimizer": (["--config.train.optimizer=adan"], ["'adan'", "did you mean 'adam'?"]),
  "density_above_1": (["--config.axis.density.start=1.5"], ["density.base", "1.5", "[0, 1]"]),
  "negative_density": (["--config.density.base=-0.5"], ["config.density.base", "-0.5", "[0, 1]"]),
  "mistyped_config_after_a_space": (
    ["--overwrite", "--config", CONFIG.replace("--config=", "").replace("change", "chnage")],
    ["phase_chnage", "phase_change.py'?"],
  ),
  "config_without_the_base": (["--config=FILES/foreign.py"], ["missing", "configs/base.py"]),
  "config_that_raises": (["--config=FILES/raises.py"], ["--config", "ZeroDivisionError"]),
  "endless_workdir": (["--workdir=" + 300 * "x"], ["File name too long"]),
  "negative_importance": (["--config.importance.base=-1"], ["config.importance.base", "-1.0"]),
  "nan_importance": (["--config.importance.base=nan"], ["config.importance.base", "nan"]),
  "no_features": (["--config.model.n_features=0"], ["config.model.n_features", "0", "≥ 1"]),
  "no_hidden": (["--config.model.n_hidden=0"], ["config.model.n_hidden", "0", "≥ 1"]),
  "empty_axis": (["--config.axis.density.num=0"], ["config.axis.density.num", "0", "one point"]),
  "endless_axis": (["--config.axis.restart.num=2147483648"], ["config.ax", "2147483648"]),
  "no_steps": (["--config.train.steps=0"], ["config.train.steps", "0", "≥ 1", "phase_change"]),
  "no_such_shard": (["--shard=3/2"], ["--shard=3/2", "i from 0 to N − 1"]),
  "more_shards_than_instances": (["--shard=0/999"], ["--shard=0/999", "allowed: N up to"]),
  "no_batch": (["--config.train.batch_size=0"], ["config.train.batch_size", "0", "≥ 1"]),
  "overflow": (
    ["--config.importance.base=1e39", *NO_THEORY],
    ["config.importance", "finite"],
  ),
  "workdir_is_a_file": (["--workdir=a_file"], ["a_file"]),
  "workdir_under_a_file": (["--workdir=a_file/run"], ["a_file"]),
  "no_profile_steps": (["--profile_steps=0"], ["--profile_steps=0", "positive integer"]),
  "all_profile_steps": (["--profile_steps=40"], ["--profile_steps=40", "1 to 39"]),
  "too_many_devices": (["--devices=99", "--cpu_devices=2"], ["--devices=99", "1 to 2"]),
  "unknown_flag": (["--no_such_flag=1"], ["no_such_flag"]),
  "stray_argument": (["stray"], ["'stray'", "--name=value"]),
}
BAD_REPORTS: dict[str, tuple[list[str], list[str]]] = {
  "report_without_workdir": ([], ["--workdir is missing"]),
  "report_of_no_folder": (["--workdir=missing"], ["missing/manifest.json", "No such file"]),
  "report_of_no_run": (["--workdir=."], ["manifest.json", "No such file"]),
}


# Those that test what a process does: its limits, its devices, its exit. All others are refused by
# the same functions within this process.
AS_PROCESS = (
  *("mistyped_config", "config_that_raises", "unknown_flag", "unknown_model", "endless_axis"),
  *("devices_that_cannot_share", "too_many_devices", "workdir_is_a_file", *BAD_REPORTS),
)


def files_of(name: str, files: Path, folder: Path) -> list[str]:
  """Returns the arguments of a bad input, and puts a file of somebody else's into its folder."""
  for config, content in CONFIGS.items():
    (files / config).write_text(content)
  (folder / "a_file").write_text("mine")
  arguments = [a.replace("FILES", str(files)) for a in (BAD | BAD_REPORTS)[name][0]]
  own = name in BAD_REPORTS or name == "no_config" or arguments[0].startswith("--config=")
  return arguments if own else [*TINY, *arguments]


def in_process(arguments: list[str]) -> subprocess.CompletedProcess:
  """Returns the outcome of main, called in this process and with its devices."""
  options = flags.FlagValues()
  main.define_flags(options)
  stdout, stderr = io.StringIO(), io.StringIO()
  with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
    try:
      config_errors.parse_flags(["toy_superposition", *arguments], options)
      code = terminal.guarded(cli_run.main, options)
    except SystemExit as ended:
      code = int(ended.code or 0)
  return subprocess.CompletedProcess(arguments, code, stdout.getvalue(), stderr.getvalue())


@pytest.mark.filterwarnings("ignore:the load_module")  # ml_collections reads configs so
@pytest.mark.parametrize("name", [*BAD, *BAD_REPORTS])
def test_bad_input_is_one_line_and_nothing_is_written(
  name, tmp_path, tmp_path_factory, monkeypatch
):
  arguments = files_of(name, tmp_path_factory.mktemp("files"), tmp_path)
  if name in AS_PROCESS:
    limits = [("RLIMIT_AS", 8 * GIB)] if sys.platform == "linux" else []
    module = "report" if name in BAD_REPORTS else "main"
    done = run(*arguments, cwd=tmp_path, module=module, limits=limits)
  else:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(setup, "configure", lambda *options: None)  # jax has its devices already
    monkeypatch.setattr(terminal, "show_log", lambda quiet=False: None)
    monkeypatch.setattr(sys, "argv", ["main", *arguments])  # where ml_collections finds overrides
    # It would load this config into the module of the last one.
    monkeypatch.delitem(sys.modules, "config_config", raising=False)
    done = in_process(arguments)
  line = only_line(done)
  for fragment in (BAD | BAD_REPORTS)[name][1]:
    assert fragment in line
  assert tree(tmp_path) == {"a_file": b"mine"}


def test_report_of_an_unfinished_run_is_one_line(interrupted):
  workdir = interrupted[signal.SIGINT][0]
  before = tree(workdir)
  line = only_line(run(f"--workdir={workdir}", module="report"))
  assert str(workdir / "results.nc") in line and "finished" in line
  assert tree(workdir) == before


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
