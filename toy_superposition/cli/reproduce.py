"""Runs the experiments of a suite one after another, each in a process of its own.

The child processes are supervised by hand: subprocess.run kills its child at an interrupt, and an
experiment has to hear of a signal once, and then the time to save its state.
"""

import contextlib
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import jax
from absl import flags

from toy_superposition import interrupts, report, terminal
from toy_superposition.cli import claims_page
from toy_superposition.config.catalogue import EXPERIMENTS, SUITES, about
from toy_superposition.errors import UserError, nearest
from toy_superposition.records import files, lock, remote
from toy_superposition.records.workdir import Workdir

TITLE = "Toy Models of Superposition"
ALL = "all"
# --suite → what stands behind the page's title.
TITLES = {
  "paper": "every experiment of the paper",
  "follow_ups": "follow-ups",
  ALL: "every experiment of the paper and the follow-ups",
}


def main(options: flags.FlagValues) -> int:
  """Runs the chosen experiments, prints the claims and writes the pages; returns the exit code.

  Raises:
    UserError: a flag is not as it must be, or a file cannot be written.
  """
  # Accelerators are left to the experiments; claims are a little arithmetic.
  jax.config.update("jax_platforms", "cpu")
  names = _chosen(options)
  page = Path(os.path.expanduser(options.claims_page)) if options.claims_page else None
  if page:
    _check_page(page, options)
  with opened(options) as root:
    return _run_all(names, root, page, options)


@contextlib.contextmanager
def opened(options: flags.FlagValues) -> Iterator[Path]:
  """Yields the locked folder of many runs, or a copy of a remote one that is sent at the end.

  The experiments write to the remote folder themselves.

  Raises:
    UserError: --workdir is not one that a process for each experiment can write to.
  """
  text = options.workdir
  if (text or "").startswith("memory://"):
    raise UserError(
      f"--workdir={text}: allowed: a folder, or object storage that other processes reach, such as "
      "gs://bucket/paper; each experiment is a process of its own"
    )
  with remote.opened(text, lambda name: False, example="runs/paper") as root, lock.held(root):
    with files.disk_errors(root):
      (root / "logs").mkdir(exist_ok=True)
    yield root


def _run_all(names: Sequence[str], root: Path, page: Path | None, options: flags.FlagValues) -> int:
  """Runs experiments and writes about them as `main` says; returns the exit code."""
  started = time.perf_counter()
  without = ", without --overwrite," if options.overwrite else ""
  with interrupts.raised(f"the same command{without} continues"):
    runs = [
      run_one(name, root, f"[{i}/{len(names)}]", options) for i, name in enumerate(names, start=1)
    ]
  for run in runs:
    if run.claims:
      print(f"\n{run.name}\n{terminal.claims_table(run.claims)}")
  written = _write(root, page, runs, options)
  print(f"\n{len(runs)} experiments in {time.perf_counter() - started:.0f} s: ", end="")
  print(report.runs.total(runs).removesuffix("."))
  for path in written:
    print(remote.shown(path))
  return 1 if any(run.problem for run in runs) else 0


def _chosen(options: flags.FlagValues) -> list[str]:
  """Returns the experiments to run, in the catalogue's order.

  Raises:
    UserError: one of the names, or the suite's, is unknown, or both flags are given.
  """
  if options.suite not in (None, *TITLES):
    allowed = ", ".join(TITLES) + nearest(options.suite, TITLES)
    raise UserError(f"--suite: {options.suite!r} is not allowed; allowed: {allowed}")
  if options.experiments is None:
    return list(EXPERIMENTS if options.suite == ALL else SUITES[options.suite or "paper"])
  if options.suite is not None:
    raise UserError("--experiments chooses from every suite; leave --suite out")
  for name in options.experiments:
    if name not in EXPERIMENTS:
      allowed = ", ".join(EXPERIMENTS) + nearest(name, EXPERIMENTS)
      raise UserError(f"--experiments: {name!r} is not allowed; allowed: {allowed}")
  return [name for name in EXPERIMENTS if name in options.experiments]


def _title(options: flags.FlagValues) -> str:
  """Returns the title of the report."""
  which = "chosen experiments" if options.experiments else TITLES[options.suite or "paper"]
  return f"{TITLE}: {which}{', quick sizes' if options.quick else ''}"


def _check_page(page: Path, options: flags.FlagValues) -> None:
  """Raises UserError for a page of claims that could not be written after hours of runs."""
  if options.experiments is not None:
    raise UserError("--claims_page has the claims of all experiments; leave --experiments out")
  if options.suite != ALL:
    raise UserError(f"--claims_page has the claims of all experiments; add --suite={ALL}")
  claims_page.check(page)


def command(name: str, folder: Path | str, quick: bool) -> list[str]:
  """Returns the command that runs an experiment in a folder, at its quick size or at its own."""
  variant = ":quick" if quick else ""
  options = [f"--config={name}{variant}", f"--workdir={folder}"]
  return [sys.executable, "-m", "toy_superposition.main", *options]


def run_one(name: str, root: Path, label: str, options: flags.FlagValues) -> report.Run:
  """Runs one experiment, prints a line about it and returns its part of the report."""
  print(f"{label} {name} ", end="", flush=True)
  clock, folder = time.perf_counter(), root / name
  full_command = command(name, remote.shown(folder), options.quick)
  overwrite = ["--overwrite"] if options.overwrite else []
  try:
    problem = _supervise([*full_command, *overwrite], root / "logs" / f"{name}.txt")
  except interrupts.Interrupted:
    print()
    raise
  remote.send(root)  # its log
  run = _read(name, folder, shlex.join(["python", *full_command[1:]]), problem)
  outcome = f"failed: {problem}" if problem else report.summary(run.claims)
  print(f"({time.perf_counter() - clock:.0f} s): {outcome}", flush=True)
  return run


def _supervise(full_command: Sequence[str], log: Path) -> str:
  """Runs a command and returns the last line of its output if it failed, "" otherwise.

  Raises:
    Interrupted: a signal came; it was passed on, and the command has ended.
  """
  # In a session of its own: it hears of Ctrl-C from here, once, and saves its state. It hears
  # through a pipe, which the kernel closes if this process is killed.
  reading, writing = os.pipe()
  with (
    open(log, "w") as output,
    open(writing, "wb", buffering=0) as pipe,
    interrupts.deferred() as stop,
  ):
    child = subprocess.Popen(
      full_command,
      stdout=output,
      stderr=subprocess.STDOUT,
      start_new_session=True,
      pass_fds=[reading],
      env=os.environ | {interrupts.PARENT: str(reading)},
    )
    os.close(reading)
    passed_on = None
    while child.poll() is None:
      if passed_on is None and (passed_on := stop()):
        pipe.write(bytes([passed_on]))
      with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(timeout=0.2)
  interrupts.check()
  if child.returncode == 0:
    return ""
  lines = log.read_text().strip().splitlines() or [f"exit code {child.returncode}"]
  return f"{lines[-1]} ({remote.shown(log)})"


def _read(name: str, folder: Path, shown: str, problem: str) -> report.Run:
  """Returns what the report shows of one experiment.

  Args:
    name: of its config.
    folder: of its run.
    shown: the command that reproduces it.
    problem: the error that its process ended with, or "".
  """
  if not problem:
    try:
      remote.receive(folder)
      return report.read(Workdir(folder), name=name, about=about(name), command=shown)
    except UserError as error:
      problem = str(error)
    except Exception as error:  # an error in one experiment's claims must not hide the others
      problem = f"{type(error).__name__}: {files.one_line(error)}"
  return report.Run(name, about(name), command=shown, problem=problem)


def _write(
  root: Path, page: Path | None, runs: Sequence[report.Run], options: flags.FlagValues
) -> list[Path]:
  """Writes the report and the claims of all runs; returns the files.

  The page of claims is left as it is if a run failed: its claims would be missing.
  """
  written = [root / file for file in ("report.html", "claims.json", "claims.md")]
  report.write(written[0], _title(options), runs)
  report.write_claims(written[1], runs)
  report.write_markdown(written[2], runs)
  if page and not any(run.problem for run in runs):
    claims_page.write(page, runs)
    written.append(page)
  return written
