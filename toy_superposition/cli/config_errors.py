"""Parsing of --config and its overrides: every mistake becomes one line."""

import difflib
import itertools
from collections.abc import Sequence
from pathlib import Path

from absl import flags

from toy_superposition import terminal


def parse_flags(argv: Sequence[str], options: flags.FlagValues = flags.FLAGS) -> list[str]:
  """Parses the flags of an entry point that takes --config; a config is needed unless with --list.

  Args:
    argv: program and flags, as in sys.argv.
    options: the flags' definitions, which receive the values.
  """
  try:
    rest = terminal.parse_flags(argv, options)
    if options.list:
      return rest
    config = options.config
    if config is not None:
      config.to_dict()  # a file that could not be read raises only when it is used
  except BrokenPipeError:  # whoever read the help has seen enough
    raise SystemExit(1) from None
  except OSError:
    terminal.fail(f"--config: {_missing(_config_path(argv))}")
  except SyntaxError as error:
    terminal.fail(f"--config: {error.filename}, line {error.lineno}: {error.msg}")
  except Exception as error:  # a config is code, and may raise anything
    terminal.fail(_wrong_field(error, argv))
  if config is None:
    terminal.fail(
      "--config is missing; for example --config=configs/phase_change.py (--list shows all)"
    )
  return rest


def _config_path(argv: Sequence[str]) -> str:
  """Returns the file that --config names, written with "=" or as a word of its own."""
  path = ""
  for word, following in itertools.zip_longest(argv, argv[1:], fillvalue=""):
    name, _, value = word.lstrip("-").partition("=")
    if word.startswith("-") and name == "config":
      path = (value or following).split(":")[0]  # the last one counts
  return path


def _missing(path: str) -> str:
  """Returns the message for a config file that cannot be read."""
  folder = Path(path).parent
  known = [str(p) for p in sorted(folder.glob("*.py"))] if folder.is_dir() else []
  known += [str(p) for p in sorted(Path("configs").glob("*.py"))]
  close = difflib.get_close_matches(path, known, n=1)
  return f"cannot read {path!r}" + (f"; did you mean {close[0]!r}?" if close else "")


def _wrong_field(error: BaseException, argv: Sequence[str]) -> str:
  """Returns the message for an override of an unknown field, or for a file that raises."""
  message: object = error
  while isinstance(message, BaseException):
    message = message.args[0] if message.args else repr(message)
  lines = str(message).splitlines()
  name = lines[0].strip("'\"") if lines else type(error).__name__
  override = next((a for a in argv if a.startswith("--config.") and name in a), None)
  if override is None:
    return f"--config: {type(error).__name__}: {message}"
  return f"{override}: there is no field {name!r}. {' '.join(lines[1:])}"
