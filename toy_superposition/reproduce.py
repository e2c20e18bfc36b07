"""Runs every experiment of the paper: python -m toy_superposition.reproduce --workdir=runs/paper

Each experiment is a process of its own, so one that fails never stops the others; what is finished
is skipped, and what was interrupted continues. At the end every claim stands in one table and,
with panels and figures in the paper's order, on one page.
"""

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from absl import flags

from toy_superposition.config.catalogue import CONFIGS, EXPERIMENTS, about
from toy_superposition.errors import UserError, nearest

FLAGS = flags.FLAGS


def define_flags() -> None:
  """Defines this entry point's flags."""
  flags.DEFINE_string("workdir", None, "Where results go, such as runs/paper: a folder for each.")
  flags.DEFINE_bool("quick", False, "Run the :quick sizes: whether all runs, not what it shows.")
  flags.DEFINE_list("experiments", None, "Which to run, by the names of their configs; all if not.")
  flags.DEFINE_bool("overwrite", False, "Run afresh what is finished or begun.")


def _chosen() -> list[str]:
  """Returns the experiments to run, in the paper's order.

  Raises:
    UserError: one of the names is unknown.
  """
  if FLAGS.experiments is None:
    return list(EXPERIMENTS)
  for name in FLAGS.experiments:
    if name not in EXPERIMENTS:
      allowed = ", ".join(EXPERIMENTS) + nearest(name, EXPERIMENTS)
      raise UserError(f"--experiments: {name!r} is not allowed; allowed: {allowed}")
  return [name for name in EXPERIMENTS if name in FLAGS.experiments]


def command(name: str, folder: Path) -> list[str]:
  """Returns the command that runs one experiment."""
  variant = ":quick" if FLAGS.quick else ""
  config = os.path.relpath(CONFIGS / f"{name}.py")
  options = [f"--config={config}{variant}", f"--workdir={folder}"]
  return [sys.executable, "-m", "toy_superposition.main", *options]


def _run(name: str, folder: Path, log: Path) -> str:
  """Runs one experiment and returns what went wrong, or nothing.

  Raises:
    Interrupted: a signal came; the experiment was told, and has ended.
  """
  from toy_superposition import interrupts

  overwrite = ["--overwrite"] if FLAGS.overwrite else []
  with open(log, "w") as output:
    # In a session of its own: of Ctrl-C it learns from here, once, and saves where it is.
    child = subprocess.Popen(
      [*command(name, folder), *overwrite],
      stdout=output,
      stderr=subprocess.STDOUT,
      start_new_session=True,
    )
    stopped = None
    while child.returncode is None:
      try:
        child.wait()
      except interrupts.Interrupted as received:
        child.send_signal(received.number)
        stopped = received
  if stopped is not None:
    raise stopped
  if child.returncode == 0:
    return ""
  lines = log.read_text().strip().splitlines() or [f"exit code {child.returncode}"]
  return f"{lines[-1]} ({log})"


def main(argv: Sequence[str]) -> int:
  """Runs the chosen experiments, prints the claims and writes the page; returns the exit code."""
  import jax

  from toy_superposition import interrupts, report, terminal
  from toy_superposition.records import files

  del argv
  # Accelerators are the experiments'; claims are a little arithmetic.
  jax.config.update("jax_platforms", "cpu")
  if not FLAGS.workdir:
    terminal.fail("--workdir is missing; for example --workdir=runs/paper")
  names, root = _chosen(), Path(FLAGS.workdir)
  with files.disk_errors(root):
    (root / "logs").mkdir(parents=True, exist_ok=True)
  started, runs = time.perf_counter(), []
  try:
    with interrupts.raised():
      for i, name in enumerate(names, start=1):
        print(f"[{i}/{len(names)}] {name} ", end="", flush=True)
        clock = time.perf_counter()
        problem = _run(name, root / name, root / "logs" / f"{name}.txt")
        runs.append(read(name, root / name, problem))
        said = f"failed: {problem}" if problem else report.summary(runs[-1].claims)
        print(f"({time.perf_counter() - clock:.0f} s): {said}", flush=True)
  except interrupts.Interrupted as signal:
    print()
    without = ", without --overwrite," if FLAGS.overwrite else ""
    terminal.fail(f"{signal}: stopped; the same command{without} continues", signal.exit_code)
  for run in runs:
    if run.claims:
      print(f"\n{run.name}\n{terminal.table(run.claims)}")
  title = "Toy Models of Superposition: every experiment" + (", quick sizes" if FLAGS.quick else "")
  report.write(root / "report.html", title, runs)
  report.write_claims(root / "claims.json", runs)
  report.write_markdown(root / "claims.md", runs)
  everything = [claim for run in runs for claim in run.claims]
  failed = [run.name for run in runs if run.problem]
  print(f"\n{len(runs)} experiments in {time.perf_counter() - started:.0f} s: ", end="")
  print(report.summary(everything) + (f"; failed: {', '.join(failed)}" if failed else ""))
  for file in ("report.html", "claims.json", "claims.md"):
    print(root / file)
  return 1 if failed else 0


def read(name: str, folder: Path, problem: str):
  """Returns what the page says of one experiment; `problem` is what its process ended with."""
  from toy_superposition import report
  from toy_superposition.records import files
  from toy_superposition.records.workdir import Workdir

  said, shown = about(name), shlex.join(["python", *command(name, folder)[1:]])
  if not problem:
    try:
      return report.read(Workdir(folder), name=name, about=said, command=shown)
    except UserError as error:
      problem = str(error)
    except Exception as error:  # a claim's own mistake must not hide the other experiments
      problem = f"{type(error).__name__}: {files.one_line(error)}"
  return report.Run(name, said, command=shown, problem=problem)


if __name__ == "__main__":
  from toy_superposition import terminal

  define_flags()
  terminal.run(main, terminal.parse_flags)
