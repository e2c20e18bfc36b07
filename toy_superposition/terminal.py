"""How the entry points speak: one line for a mistake, a short table for a result."""

import collections
import itertools
import json
import logging
import os
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from absl import app, flags
from absl import logging as absl_logging

from toy_superposition.errors import UserError

if TYPE_CHECKING:
  import xarray as xr

  from toy_superposition.config.catalogue import Entry
  from toy_superposition.experiments.experiment import Claim

WIDTHS = (52, 44, 36, 24)  # most, of a table of claims
WIDTH = 100  # of text that is not a table
# Flag → what its value looks like, where it is neither a number nor anything.
VALUES = {
  "config": "FILE[:VARIANT]",
  "workdir": "FOLDER",
  "shard": "i/N",
  "coordinator": "HOST:PORT",
  "experiments": "NAME,NAME",
}
# What the parsers of flags say of a value of the wrong type → what is allowed.
WRONG_TYPES = {
  "invalid literal for int()": "an integer, written without exponent or point",
  "could not convert string to float": "a number",
  "Non-boolean argument": "true or false",
}


def show_log(quiet: bool = False) -> None:
  """Shows this package's messages on stderr as plain lines, and those of no other package.

  `quiet` leaves warnings alone, for a process beside the one that reports.
  """
  handler = logging.StreamHandler(sys.stderr)
  handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
  logger = logging.getLogger("toy_superposition")
  logger.handlers, logger.propagate = [handler], False
  logger.setLevel(logging.WARNING if quiet else logging.INFO)
  # Orbax logs tracebacks of what it also raises, and leaves tasks behind that complain when they
  # are collected; what it raises is told in one line.
  absl_logging.set_verbosity(absl_logging.FATAL)
  sys.unraisablehook = lambda unraisable: None


def fail(message: object, code: int = 1) -> NoReturn:
  """Prints one line on stderr and ends the process with a non-zero code."""
  print(" ".join(str(message).split()), file=sys.stderr, flush=True)
  raise SystemExit(code)


def parse_flags(argv: Sequence[str]) -> list[str]:
  """Parses flags as absl does, with one line on stderr and exit code 1 for a mistake."""
  try:
    if {"--help", "-help", "--helpshort", "-helpshort", "-h"} & set(argv[1:]):
      print(help_text(argv[0]))
      raise SystemExit(0)
    rest = app.parse_flags_with_usage(list(argv)) if _asks_help(argv) else flags.FLAGS(list(argv))
  except flags.Error as error:
    fail(_explain(str(error)))
  if len(rest) > 1:
    fail(f"unexpected argument {rest[1]!r}; flags are written --name=value")
  return rest


def help_text(program: str) -> str:
  """Returns what an entry point does and its own flags, one a line, as they are written."""
  rows = []
  for flag in flags.FLAGS.get_key_flags_for_module(program):
    value = VALUES.get(flag.name, "N" if flag.flag_type() == "int" else "VALUE")
    if flag.boolean:
      rows.append((f"--{'no' * bool(flag.default)}{flag.name}", flag.help))
    else:
      rows.append((f"--{flag.name}={value}", flag.help))
  width = max(len(name) for name, _ in rows) + 4
  lines = [filled(f"  {name:<{width - 2}}{text}", width) for name, text in rows]
  about = (sys.modules["__main__"].__doc__ or "").strip()
  return "\n".join([about, "", *lines])


def _explain(message: str) -> str:
  """Returns absl's message with what is allowed, and without a traceback within it."""
  if "Traceback" in message:
    message = message.split(":", 1)[0] + ": " + message.strip().splitlines()[-1]
  for sign, allowed in WRONG_TYPES.items():
    if sign in message:
      return f"{message.split(': ', 1)[0]}: allowed: {allowed}"
  return message


def _asks_help(argv: Sequence[str]) -> bool:
  return any(word.lstrip("-").startswith("help") for word in argv[1:])


def run(main: Callable[[list[str]], Any], parser: Callable[[Sequence[str]], list[str]]) -> None:
  """Runs an entry point; UserError and Ctrl-C end it in one line.

  A broken pipe or a full terminal is not a mistake of the experiment and ends it quietly.
  """

  def guarded(argv: list[str]) -> int:
    try:
      return main(argv) or 0
    except UserError as error:
      fail(error)
    except KeyboardInterrupt:
      fail("interrupted", 130)
    except MemoryError as error:
      fail(f"out of memory: {error}; config.run.memory_gib limits a slice of instances")
    except BrokenPipeError:
      os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
      return 1

  app.run(guarded, flags_parser=parser)


def table(claims: Sequence["Claim"]) -> str:
  """Returns the claims as aligned text, long cells on several lines."""
  return columns([("statement", "measured", "expected", "verdict"), *claims], WIDTHS)


def columns(rows: Sequence[tuple[str, ...]], most: Sequence[int] = ()) -> str:
  """Returns rows as aligned text, a line below the first of them.

  Args:
    rows: of cells, as many in each.
    most: characters of each column, beyond which a cell continues on the next line; any without.
  """
  longest = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
  widths = [min(pair) for pair in zip(longest, most or longest, strict=True)]
  lines: list[str] = []
  for row in rows:
    wrapped = [
      textwrap.wrap(cell, width, subsequent_indent="  ") or [""]
      for cell, width in zip(row, widths, strict=True)
    ]
    for cells in itertools.zip_longest(*wrapped, fillvalue=""):
      padded = (f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True))
      lines.append("  ".join(padded).rstrip())
    if len(lines) == 1:
      lines.append("-" * (sum(widths) + 2 * (len(widths) - 1)))
  return "\n".join(lines)


def catalogue(entries: Sequence["Entry"]) -> str:
  """Returns the list of experiments: what each is about, its variants, and what it costs."""
  heads = [
    f"configs/{one.name}.py[{','.join(f':{name}' for name in one.variants)}]" for one in entries
  ]
  width = max(len(head) for head in heads) + 2
  lines = []
  for head, one in zip(heads, entries, strict=True):
    lines.append(filled(f"{head:<{width}}{one.cost or 'not measured'}", width))
    lines.append(filled(f"  {one.about}", 2))
  return "\n".join(lines)


def filled(text: str, indent: int) -> str:
  """Returns text on lines of WIDTH, all but the first indented."""
  return textwrap.fill(
    text, WIDTH, subsequent_indent=" " * indent, break_on_hyphens=False, break_long_words=False
  )


def report(
  datasets: Mapping[str, "xr.Dataset"],
  claims: Sequence["Claim"],
  written: Sequence[Path],
  seconds: float,
) -> None:
  """Prints what was found, in numbers, and at the end a summary: models, verdicts, files.

  Args:
    datasets: of the run.
    claims: that its analysis decided.
    written: the files.
    seconds: that the run took, all its sessions together.
  """
  from toy_superposition.experiments.experiment import CONTRADICTED
  from toy_superposition.records.results import SWEEP

  if claims:
    print("\n" + table(claims))
  print()
  for name, dataset in datasets.items():
    if name == SWEEP or json.loads(dataset.attrs["config"])["train.steps"] == 0:
      continue  # the others' numbers again, or nothing was trained
    finite = dataset["finite"].values
    loss = dataset["loss"].values[finite == 1]
    title = f"{dataset.attrs['title']} {name.strip('/')}".strip()
    median = f"{sorted(loss.ravel())[loss.size // 2]:.4g}" if loss.size else "none finite"
    print(f"{title}: {finite.size} models, {int((finite == 0).sum())} not finite, ", end="")
    print(f"median loss {median} ({dataset['loss'].attrs['reduction']} over features)")
  if claims:
    verdicts = collections.Counter(claim.verdict for claim in claims)
    print("statements: " + ", ".join(f"{n} {verdict}" for verdict, n in verdicts.most_common()))
    for claim in claims:
      if claim.verdict == CONTRADICTED:
        print(filled(f"  {claim.verdict}: {claim.statement}: {claim.measured}", 4))
  print(f"time: {seconds:.0f} s, start-up apart")
  for path in written:
    print(path)
