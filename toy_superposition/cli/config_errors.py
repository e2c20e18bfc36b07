"""Parsing of --config and its overrides: every mistake becomes one line."""

from collections.abc import Sequence

from absl import flags

from toy_superposition import terminal
from toy_superposition.errors import UserError, nearest


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
  except UserError as error:  # of the config's file
    terminal.fail(f"--config: {error}")
  except OSError:  # of standard output, by --help
    raise
  except Exception as error:  # of an override
    terminal.fail(_wrong_field(error, argv))
  if config is None:
    terminal.fail("--config is missing; for example --config=phase_change (--list shows all)")
  return rest


def _wrong_field(error: BaseException, argv: Sequence[str]) -> str:
  """Returns the message for an override of an unknown field."""
  from toy_superposition import fields

  known = fields.fields()
  message: object = error
  while isinstance(message, BaseException):
    message = message.args[0] if message.args else repr(message)
  lines = str(message).splitlines() or [type(error).__name__]
  for word in argv:
    name = word.partition("=")[0].lstrip("-")
    field = name.removeprefix("config.")
    if field == name or field in known:
      continue
    if not field.startswith("axis."):
      return f"{word}: there is no such field{nearest(field, known)}"
    if lines[0].strip("'\"") in field:  # the config's own names, which ml_collections suggests
      return f"{word}: there is no such field. {' '.join(lines[1:])}"
  return f"--config: {type(error).__name__}: {message}"
