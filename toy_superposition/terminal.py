"""How entry points speak: one line for a mistake, a short summary of a run."""

import collections
import json
import logging
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from absl import app, flags
from absl import logging as absl_logging

from toy_superposition import text
from toy_superposition.errors import UserError

if TYPE_CHECKING:
  import xarray as xr

  from toy_superposition.config.catalogue import Entry
  from toy_superposition.experiments.experiment import Claim

MAX_WIDTHS = (52, 44, 36, 24)  # characters of the columns of a table of claims
# Flag → placeholder of its value, unless it is a number or VALUE.
PLACEHOLDERS = {
  "config": "FILE[:VARIANT]",
  "workdir": "FOLDER",
  "shard": "i/N",
  "coordinator": "HOST:PORT",
  "experiments": "NAME,NAME",
  "claims_page": "FILE.md",
}
# absl's message about a value of the wrong type → what is allowed.
WRONG_TYPES = {
  "invalid literal for int()": "an integer, written without exponent or point",
  "could not convert string to float": "a number",
  "Non-boolean argument": "true or false",
}


def show_log(quiet: bool = False) -> None:
  """Shows this package's messages on stderr as plain lines, and those of no other package.

  `quiet` leaves warnings only, for a process beside the one that reports.
  """
  handler = logging.StreamHandler(sys.stderr)
  handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
  logger = logging.getLogger("toy_superposition")
  logger.handlers, logger.propagate = [handler], False
  logger.setLevel(logging.WARNING if quiet else logging.INFO)
  # Orbax logs tracebacks of exceptions that it also raises. It leaves asyncio tasks that warn when
  # garbage-collected; its exceptions are reported in one line by the caller.
  absl_logging.set_verbosity(absl_logging.FATAL)
  sys.unraisablehook = lambda unraisable: None


def fail(message: object, code: int = 1) -> NoReturn:
  """Prints one line on stderr and ends the process with a non-zero code."""
  print(" ".join(str(message).split()), file=sys.stderr, flush=True)
  raise SystemExit(code)


def parse_flags(argv: Sequence[str], values: flags.FlagValues = flags.FLAGS) -> list[str]:
  """Parses flags as absl does, with one line on stderr and exit code 1 for a mistake.

  Args:
    argv: program and flags, as in sys.argv.
    values: the flags' definitions, which receive the values.
  """
  try:
    if {"--help", "-help", "--helpshort", "-helpshort", "-h"} & set(argv[1:]):
      print(help_text(argv[0], values))
      raise SystemExit(0)
    rest = app.parse_flags_with_usage(list(argv)) if _asks_help(argv) else values(list(argv))
  except flags.Error as error:
    fail(_explain(str(error)))
  if len(rest) > 1:
    fail(f"unexpected argument {rest[1]!r}; flags are written --name=value")
  return rest


def help_text(program: str, values: flags.FlagValues = flags.FLAGS) -> str:
  """Returns the docstring of an entry point and its own flags, one per line, as they are typed."""
  rows = []
  for flag in values.get_key_flags_for_module(program):
    placeholder = PLACEHOLDERS.get(flag.name, "N" if flag.flag_type() == "int" else "VALUE")
    if flag.boolean:
      rows.append((f"--{'no' * bool(flag.default)}{flag.name}", flag.help))
    else:
      rows.append((f"--{flag.name}={placeholder}", flag.help))
  width = max(len(name) for name, _ in rows) + 4
  lines = [text.filled(f"  {name:<{width - 2}}{about}", width) for name, about in rows]
  about = (sys.modules["__main__"].__doc__ or "").strip()
  return "\n".join([about, "", *lines])


def _explain(message: str) -> str:
  """Returns absl's message with what is allowed, and without the traceback in it."""
  if "Traceback" in message:
    message = message.split(":", 1)[0] + ": " + message.strip().splitlines()[-1]
  for sign, allowed in WRONG_TYPES.items():
    if sign in message:
      return f"{message.split(': ', 1)[0]}: allowed: {allowed}"
  return message


def _asks_help(argv: Sequence[str]) -> bool:
  return any(word.lstrip("-").startswith("help") for word in argv[1:])


def guarded(main: Callable[..., Any], *arguments: Any) -> int:
  """Returns the exit code of an entry point; UserError and Ctrl-C end it in one line.

  A broken pipe or a full terminal is not a mistake of the run and ends it without a message.
  """
  try:
    return main(*arguments) or 0
  except UserError as error:
    fail(error)
  except KeyboardInterrupt:
    fail("interrupted", 130)
  except MemoryError as error:
    fail(f"out of memory: {error}; config.run.memory_gib limits a slice of instances")
  except BrokenPipeError:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1


def run(main: Callable[[list[str]], Any], parser: Callable[[Sequence[str]], list[str]]) -> None:
  """Runs an entry point and ends the process with its exit code."""
  app.run(lambda argv: guarded(main, argv), flags_parser=parser)


def claims_table(claims: Sequence["Claim"]) -> str:
  """Returns claims as aligned text, long cells on several lines."""
  return text.table([("statement", "measured", "expected", "verdict"), *claims], MAX_WIDTHS)


def catalogue(entries: Sequence["Entry"]) -> str:
  """Returns the list of experiments with their subjects, variants and costs."""
  heads = [
    f"configs/{entry.name}.py[{','.join(f':{name}' for name in entry.variants)}]"
    for entry in entries
  ]
  width = max(len(head) for head in heads) + 2
  lines = []
  for head, entry in zip(heads, entries, strict=True):
    lines.append(text.filled(f"{head:<{width}}{entry.cost}", width))
    lines.append(text.filled(f"  {entry.about}", 2))
  return "\n".join(lines)


def print_summary(
  datasets: Mapping[str, "xr.Dataset"],
  claims: Sequence["Claim"],
  written: Sequence[Path],
  seconds: float,
) -> None:
  """Prints the claims, and after them a summary: models, verdicts, time and files.

  Args:
    datasets: of the run.
    claims: about them.
    written: files of the run.
    seconds: total time of the run's sessions.
  """
  from toy_superposition.experiments.experiment import CONTRADICTED
  from toy_superposition.records.results import SWEEP

  if claims:
    print("\n" + claims_table(claims))
  print()
  for name, dataset in datasets.items():
    if name == SWEEP or json.loads(dataset.attrs["config"])["train.steps"] == 0:
      continue  # the others' models again, or untrained ones
    finite = dataset["finite"].values
    losses = dataset["loss"].values[finite == 1]
    title = f"{dataset.attrs['title']} {name.strip('/')}".strip()
    median = f"{sorted(losses.ravel())[losses.size // 2]:.4g}" if losses.size else "none finite"
    print(f"{title}: {finite.size} models, {int((finite == 0).sum())} not finite, ", end="")
    print(f"median loss {median} ({dataset['loss'].attrs['reduction']} over features)")
  if claims:
    verdicts = collections.Counter(claim.verdict for claim in claims)
    print("statements: " + ", ".join(f"{n} {verdict}" for verdict, n in verdicts.most_common()))
    for claim in claims:
      if claim.verdict == CONTRADICTED:
        print(text.filled(f"  {claim.verdict}: {claim.statement}: {claim.measured}", 4))
  print(f"time: {seconds:.0f} s, without start-up")
  for path in written:
    print(path)
