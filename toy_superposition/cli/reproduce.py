"""Runs the experiments of a suite, each in a process of its own."""

import contextlib
import os
import shlex
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import jax
from absl import flags

from toy_superposition import interrupts, report, terminal
from toy_superposition.cli import claims_page
from toy_superposition.cli.child import Child, tidy
from toy_superposition.config.catalogue import EXPERIMENTS, SUITES, about
from toy_superposition.errors import UserError, nearest
from toy_superposition.records import files, lock, remote
from toy_superposition.records.workdir import Workdir

TITLE = "Toy Models of Superposition"
PROGRAM = "toy_superposition.main"  # which runs one experiment
ALL = "all"
POLL_SECONDS = 0.2  # between two looks at what runs
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
    return _run_and_write(names, root, page, options)


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


def _run_and_write(
  names: Sequence[str], root: Path, page: Path | None, options: flags.FlagValues
) -> int:
  """Runs experiments and writes about them as `main` says; returns the exit code."""
  started = time.perf_counter()
  without = ", without --overwrite," if options.overwrite else ""
  with interrupts.raised(f"the same command{without} continues"):
    runs = run_all(names, root, options, options.jobs)
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


def run_all(
  names: Sequence[str], root: Path, options: flags.FlagValues, n_jobs: int = 1
) -> list[report.Run]:
  """Runs experiments and prints a line about each; returns their parts of the report, in order.

  Args:
    names: of their configs.
    root: folder of their folders.
    options: the flags `quick` and `overwrite`.
    n_jobs: how many run at a time.

  Raises:
    Interrupted: a signal came; it was passed on, and every process has ended.
  """
  waiting = [(name, f"[{i}/{len(names)}] {name} ") for i, name in enumerate(names, start=1)]
  running: list[_Running] = []
  runs: dict[str, report.Run] = {}
  with interrupts.deferred() as stop:
    while waiting or running:
      if number := stop():
        waiting.clear()
        for one in running:
          one.child.tell(number)
      while waiting and len(running) < n_jobs:
        name, label = waiting.pop(0)
        print(label * (n_jobs == 1), end="", flush=True)
        running.append(_start(name, label, root, options))
      for one in [one for one in running if one.child.wait(POLL_SECONDS / len(running))]:
        running.remove(one)
        if not stop():
          print(one.label * (n_jobs > 1), end="")
          runs[one.name] = _finish(one, root)
    if stop():
      tidy()
      print(end="\n" * (n_jobs == 1))  # after the line that was begun
  interrupts.check()
  return [runs[name] for name in names]


class _Running(NamedTuple):
  """An experiment that runs."""

  name: str
  label: str  # its place in the list, and its name
  words: list[str]  # its command's flags
  child: Child
  started: float


def _start(name: str, label: str, root: Path, options: flags.FlagValues) -> _Running:
  """Starts an experiment's process, at the experiment's quick size or at its own."""
  variant = ":quick" if options.quick else ""
  words = [f"--config={name}{variant}", f"--workdir={remote.shown(root / name)}"]
  overwrite = ["--overwrite"] if options.overwrite else []
  child = Child(PROGRAM, [*words, *overwrite], root / "logs" / f"{name}.txt")
  return _Running(name, label, words, child, time.perf_counter())


def _finish(one: _Running, root: Path) -> report.Run:
  """Ends the line about an experiment that has ended, and returns its part of the report."""
  seconds, problem = time.perf_counter() - one.started, one.child.problem()
  remote.send(root)  # its log
  run = _read(one.name, root / one.name, shlex.join(["python", "-m", PROGRAM, *one.words]), problem)
  outcome = f"failed: {problem}" if problem else report.summary(run.claims)
  print(f"({seconds:.0f} s): {outcome}", flush=True)
  return run


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
