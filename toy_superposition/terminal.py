"""How entry points speak: one line for a mistake, a short summary of a run."""

import collections
import contextlib
import json
import logging
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from absl import app, flags
from absl import logging as absl_logging

from toy_superposition import interrupts, text
from toy_superposition.errors import UserError

if TYPE_CHECKING:
  import xarray as xr

  from toy_superposition.config.catalogue import Entry
  from toy_superposition.experiments.experiment import Claim

MAX_WIDTHS = (52, 44, 36, 24)  # characters of the columns of a table of claims
# Parts of the paths of source files whose messages are known: Orbax logs tracebacks of exceptions
# that it also raises, which are reported in one line; matplotlib, that it lists the fonts.
KNOWN = ("/orbax/", "/asyncio/", "/font_manager.py")
# Flag → placeholder of its value, unless it is a number or VALUE.
PLACEHOLDERS = {
  "config": "FILE[:VARIANT]",
  "workdir": "FOLDER",
  "shard": "i/N",
  "coordinator": "HOST:PORT",
  "experiments": "NAME,NAME",
  "suite": "NAME",
  "claims_page": "FILE.md",
}
# JAX's message about an environment variable of its own, which it reads when it is imported.
JAX_VARIABLE = re.compile("for (environment|JAX flag) .?JAX_", re.IGNORECASE)
# absl's message about a value of the wrong type → what is allowed.
WRONG_TYPES = {
  "invalid literal for int()": "an integer, written without exponent or point",
  "could not convert string to float": "a number",
  "Non-boolean argument": "true or false",
}


class _OneLine(logging.Formatter):
  """Formats the first line of a message, without a traceback."""

  def format(self, record: logging.LogRecord) -> str:
    """Returns the line."""
    record.message = text.visible(next(iter(record.getMessage().splitlines()), ""))
    record.asctime = self.formatTime(record, self.datefmt)
    return self.formatMessage(record)


def show_log(quiet: bool = False) -> None:
  """Shows this package's messages on stderr as plain lines, and warnings of others but KNOWN.

  `quiet` leaves warnings only, for a process beside the one that reports.
  """
  handler = logging.StreamHandler(sys.stderr)
  handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
  logger = logging.getLogger("toy_superposition")
  logger.handlers, logger.propagate = [handler], False
  logger.setLevel(logging.WARNING if quiet else logging.INFO)
  others = logging.StreamHandler(sys.stderr)
  others.setFormatter(_OneLine("%(asctime)s %(name)s: %(message)s", "%H:%M:%S"))
  others.addFilter(lambda record: not any(part in record.pathname for part in KNOWN))
  logging.root.handlers = [others]
  logging.root.setLevel(logging.WARNING)
  absl_logging.set_verbosity(absl_logging.WARNING)
  # Orbax leaves asyncio tasks that warn when garbage-collected.
  sys.unraisablehook = lambda unraisable: None


def fail(message: object, code: int = 1) -> NoReturn:
  """Prints one line on stderr and ends the process with a non-zero code."""
  line = text.visible(" ".join(str(message).split()))
  for stream, words in ((sys.stdout, ""), (sys.stderr, f"{line}\n")):
    try:
      print(words, end="", file=stream, flush=True)
    except OSError:
      _abandon(stream)
  raise SystemExit(code)


def _abandon(stream: Any) -> None:
  """Lets what a stream still holds go nowhere: Python would try again to write it at the end."""
  with contextlib.suppress(OSError):
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def parse_flags(argv: Sequence[str], values: flags.FlagValues = flags.FLAGS) -> list[str]:
  """Parses flags as absl does, with one line on stderr and exit code 1 for a mistake.

  Args:
    argv: program and flags, as in sys.argv.
    values: the flags' definitions, which receive the values.
  """
  with flag_errors():
    if {"--help", "-help", "--helpshort", "-helpshort", "-h"} & set(argv[1:]):
      print(help_text(argv[0], values), flush=True)
      raise SystemExit(0)
    rest = app.parse_flags_with_usage(list(argv)) if _asks_help(argv) else values(list(argv))
  if len(rest) > 1:
    fail(f"unexpected argument {rest[1]!r}; flags are written --name=value")
  for name in (name for name in values if "." not in name):  # those of a config are checked there
    if values[name].present and values[name].value in ("", []):
      fail(f"--{name}: it is empty; allowed: --{name}={PLACEHOLDERS.get(name, 'VALUE')}")
  return rest


@contextlib.contextmanager
def flag_errors() -> Iterator[None]:
  """Ends the process with one line if absl finds a mistake in the flags."""
  try:
    yield
  except flags.CantOpenFlagFileError as error:
    fail(f"--flagfile: {str(error).removeprefix('ERROR:: Unable to open flagfile: ')}")
  except UnicodeDecodeError as error:
    fail(f"--flagfile: not a text file: {error.reason}")
  except flags.Error as error:
    fail(_explain(str(error)))


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


def guarded(main: Callable[..., Any], *arguments: Any) -> Any:
  """Returns what an entry point, or its parser of flags, returns; 0 instead of None.

  A UserError, Ctrl-C, and a standard output that cannot be written end the process in one line. If
  whoever read the output has seen enough, it ends without one.
  """
  try:
    outcome = main(*arguments) or 0
    sys.stdout.flush()  # a full disk behind it shows here at the latest
    return outcome
  except UserError as error:
    fail(error)
  except interrupts.Interrupted as stopped:
    interrupts.end(stopped)
    fail(stopped, stopped.exit_code)
  except KeyboardInterrupt:
    fail("interrupted", 130)
  except MemoryError as error:
    fail(f"out of memory: {error}; config.run.memory_gib limits a slice of instances")
  except BrokenPipeError:
    _abandon(sys.stdout)
    raise SystemExit(1) from None
  except ValueError as error:
    if not JAX_VARIABLE.search(str(error)):
      raise
    fail(error)
  except OSError as error:  # those of files are UserErrors
    fail(f"{error.filename or 'standard output'}: {error.strerror or error}")


def run(main: Callable[[list[str]], Any], parser: Callable[[Sequence[str]], list[str]]) -> None:
  """Runs an entry point and ends the process with its exit code."""
  app.run(lambda argv: guarded(main, argv), flags_parser=lambda argv: guarded(parser, argv))


def claims_table(claims: Sequence["Claim"]) -> str:
  """Returns claims as aligned text, long cells on several lines."""
  return text.table([("statement", "measured", "expected", "verdict"), *claims], MAX_WIDTHS)


def catalogue(entries: Sequence["Entry"]) -> str:
  """Returns the list of experiments by suite, with their subjects, variants and costs."""
  from toy_superposition.config.catalogue import HEADINGS, suite

  heads = [f"{entry.name}[{','.join(f':{name}' for name in entry.variants)}]" for entry in entries]
  width = max(len(head) for head in heads) + 2
  lines: list[str] = []
  for k, (head, entry) in enumerate(zip(heads, entries, strict=True)):
    if k == 0 or suite(entry.name) != suite(entries[k - 1].name):
      lines += [*[""] * bool(lines), f"{HEADINGS[suite(entry.name)]}:"]
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
  from toy_superposition.experiments import excess
  from toy_superposition.experiments.experiment import CONTRADICTED
  from toy_superposition.records import remote
  from toy_superposition.records.results import SWEEP

  if claims:
    print("\n" + claims_table(claims))
  print()
  for name, dataset in datasets.items():
    if name == SWEEP or json.loads(dataset.attrs["config"])["train.steps"] == 0:
      continue  # the others' models again, or untrained ones
    title = text.visible(f"{dataset.attrs['title']} {name.strip('/')}".strip())
    print(f"{title}: {excess.losses(dataset)}")
    if above := excess.sentence(dataset):
      print(text.filled(f"  {above}", 4))
  if claims:
    verdicts = collections.Counter(claim.verdict for claim in claims)
    print("statements: " + ", ".join(f"{n} {verdict}" for verdict, n in verdicts.most_common()))
    for claim in claims:
      if claim.verdict == CONTRADICTED:
        print(text.filled(f"  {claim.verdict}: {claim.statement}: {claim.measured}", 4))
  print(f"time: {seconds:.0f} s, without start-up")
  for path in written:
    print(remote.shown(path))
