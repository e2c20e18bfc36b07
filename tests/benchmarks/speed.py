"""Measures training speed: python -m tests.benchmarks.speed

Every way to the gradient that applies to a workload is timed in turn with the paper's notebook's
loop in PyTorch, in one process, round after round; then both sides are trained to see that they
reach the same loss. Ten minutes on two cores. Exits with 1 if the losses differ.
"""

import importlib.util
import os
import platform
import sys
import types
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from absl import flags

from toy_superposition import terminal
from toy_superposition.errors import UserError

if TYPE_CHECKING:
  from tests.benchmarks import machine

FLAGS = flags.FLAGS
flags.DEFINE_list(
  "workloads",
  None,
  "Which to time, of intro, W1, W2, W2x10, W3, W4, W5, W5rare, exact (the phase diagram without "
  "sampling), fused_crossover, sparse_crossover, saturation (speed by number of instances); by "
  "default all but the last three, and saturation on accelerators; `none` times none.",
)
flags.DEFINE_enum(
  "platform",
  None,
  ["cpu", "gpu", "tpu"],
  "Where to train; JAX's choice by default. On gpu and tpu the report is written to speed_gpu.md "
  "or speed_tpu.md, with a .json beside it, unless --output names another path: to be mailed.",
)
flags.DEFINE_integer("rounds", 5, "Visits of every way of training.", lower_bound=1)
flags.DEFINE_float("patience", 60.0, "Seconds, in all, to wait for other programs to be quiet.")
flags.DEFINE_bool("torch", True, "Compare with the notebook's loop in PyTorch.")
flags.DEFINE_bool("losses", True, "Check that both sides reach the same loss.")
flags.DEFINE_bool("scaling", False, "Also double instances, batch and steps, and the sweep's axes.")
flags.DEFINE_bool("overhead", False, "Also compare an experiment with its bare compiled steps.")
flags.DEFINE_bool("startup", False, "Also time --help, and the way to the first step.")
flags.DEFINE_string("output", None, "Write the numbers to this path, as .md and as .json.")

EXACT = "exact"
# Large blocks stay with the process: page faults would be most of PyTorch's time in virtual
# machines. For both sides alike.
TUNABLES = "glibc.malloc.mmap_threshold=4294967296:glibc.malloc.trim_threshold=4294967296"


def restart_with_tunables() -> None:
  """Replaces this process by one with TUNABLES, where the C library is glibc."""
  if platform.libc_ver()[0] != "glibc" or os.environ.get("GLIBC_TUNABLES") == TUNABLES:
    return
  sys.stdout.flush()
  environment = os.environ | {"GLIBC_TUNABLES": TUNABLES}
  os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)


def main(argv: Sequence[str]) -> int:
  """Measures what the flags ask for and returns the exit code."""
  del argv
  restart_with_tunables()
  from tests.benchmarks import machine, report, timing, workloads

  terminal.show_log()
  names = _names(workloads)
  found = machine.configure(FLAGS.platform)
  output = FLAGS.output or ("" if found["platform"] == "cpu" else f"speed_{found['platform']}")
  with_torch = _has_torch(found)
  print(report.about(found), flush=True)
  blocks, notes, patience = [], [], machine.Patience(FLAGS.patience)
  timed = [name for name in names if name != EXACT]
  if timed:
    rates = timing.machine_rates()
    print(f"\n{report.LEGEND}\n\n{report.line(report.COLUMNS)}", flush=True)
  for name in timed:
    workload = workloads.ALL[name]
    blocks.append(timing.measure(name, workload, FLAGS.rounds, with_torch, rates, patience))
    print(report.text(blocks[-1]), flush=True)
  same = True
  for note in _notes(names, with_torch, patience):
    same &= not note.startswith("DIFFERENT")
    notes.append(note)
    print(note, flush=True)
  if output:
    print(*report.write(Path(output), found, blocks, notes), sep="\n")
  return 0 if same else 1


def _names(workloads: types.ModuleType) -> list[str]:
  """Returns the workloads that the flag names, collections opened."""
  known = [*workloads.ALL, *workloads.COLLECTIONS, EXACT]
  wanted = FLAGS.workloads
  if wanted is None:
    accelerated = FLAGS.platform in ("gpu", "tpu")
    wanted = [*workloads.WORKLOADS, EXACT, *(["saturation"] if accelerated else [])]
  names = []
  for name in wanted:
    if name == "none":
      continue
    if name not in known:
      raise UserError(f"--workloads: there is no {name!r}; allowed: {', '.join(known)}")
    names += workloads.COLLECTIONS.get(name, [name])
  return names


def _has_torch(found: Mapping[str, Any]) -> bool:
  """Returns whether to compare with PyTorch, and gives it all cores."""
  if not FLAGS.torch:
    return False
  if found["platform"] != "cpu":
    print("the notebook's loop is compared with on CPU only: no ratios")
    return False
  if importlib.util.find_spec("torch") is None:
    print('PyTorch is missing (pip install -e ".[benchmark]"): no ratios')
    return False
  import torch

  torch.set_num_threads(found["cores"])
  return True


def _notes(names: Sequence[str], with_torch: bool, patience: "machine.Patience") -> Iterator[str]:
  """Yields the lines of what is no row of the table."""
  from tests.benchmarks import agreement, growth, whole

  if EXACT in names:
    yield whole.exact_diagram()
  if with_torch and FLAGS.losses:
    for name in filter(agreement.TRAININGS.__contains__, names):
      yield str(agreement.compare(name))
  if FLAGS.scaling:
    yield from growth.report(FLAGS.rounds)
  if FLAGS.overhead:
    yield from whole.overhead(patience)
  if FLAGS.startup:
    yield from whole.startup()


if __name__ == "__main__":
  terminal.run(main, terminal.parse_flags)
