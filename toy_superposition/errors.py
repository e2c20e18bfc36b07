"""The one exception that a user is meant to read."""

import difflib
from collections.abc import Collection


class UserError(Exception):
  """A mistake or a circumstance that the user can mend.

  The message is one line that names the field or file, the value found and what is allowed.
  Entry points print it to stderr and exit with code 1; nothing else is printed.
  """


def not_allowed(field: str, value: object, allowed: str) -> UserError:
  """Returns the error for a config's field that holds what it may not."""
  return UserError(f"config.{field}: {value!r} is not allowed; allowed: {allowed}")


def nearest(name: object, allowed: Collection[str]) -> str:
  """Returns "; did you mean 'x'?" with the allowed name nearest to `name`, or nothing."""
  close = difflib.get_close_matches(str(name), list(allowed), n=1)
  return f"; did you mean {close[0]!r}?" if close else ""
