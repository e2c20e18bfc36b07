"""The one exception that a user is meant to read."""

import difflib
from collections.abc import Collection

SHOWN = 160  # characters of a value in a message


class UserError(Exception):
  """A mistake or a circumstance that the user can mend.

  The message is one line that names the field or file, the value found and what is allowed.
  Entry points print it to stderr and exit with code 1; nothing else is printed.
  """


class TransientError(UserError):
  """A circumstance that may be gone when the same command runs again.

  launch/README.md lists all of them.
  """


def not_allowed(field: str, value: object, allowed: str) -> UserError:
  """Returns the error for a config's field that holds what it may not."""
  return UserError(f"config.{field}: {shown(value)} is not allowed; allowed: {allowed}")


def shown(value: object) -> str:
  """Returns a value as Python writes it, on one line, the middle of a long one left out."""
  try:
    text = " ".join(repr(value).splitlines())
  except ValueError:  # Python refuses to write out integers of thousands of digits
    return f"a value of type {type(value).__name__}"
  half = SHOWN // 2
  return text if len(text) <= SHOWN else f"{text[:half]}…{text[-half:]}"


def nearest(name: object, allowed: Collection[str]) -> str:
  """Returns "; did you mean 'x'?" with the allowed name nearest to `name`, or nothing.

  A name is also found by the initials or by a part of its last word: train.lr, train.rate.
  """
  abbreviated = [one for one in allowed if _abbreviates(str(name), one)]
  close = abbreviated or difflib.get_close_matches(str(name), list(allowed), n=1)
  return f"; did you mean {close[0]!r}?" if close else ""


def _abbreviates(name: str, full: str) -> bool:
  """Returns whether a name stands for another one, of the same section if it names any."""
  (section, _, word), (other, _, words) = name.rpartition("."), full.rpartition(".")
  parts = words.split("_")
  initials = "".join(part[:1] for part in parts)
  return len(parts) > 1 and section in ("", other) and (word == initials or word in parts)
