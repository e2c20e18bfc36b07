"""The one exception that a user is meant to read."""


class UserError(Exception):
  """A mistake or a circumstance that the user can mend.

  The message is one line that names the field or file, the value found and what is allowed.
  Entry points print it to stderr and exit with code 1; nothing else is printed.
  """


def not_allowed(field: str, value: object, allowed: str) -> UserError:
  """Returns the error for a config's field that holds what it may not."""
  return UserError(f"config.{field}: {value!r} is not allowed; allowed: {allowed}")
