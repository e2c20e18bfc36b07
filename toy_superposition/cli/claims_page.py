"""The page of all claims: a part of a Markdown file between two markers, generated."""

from collections.abc import Sequence
from pathlib import Path

from toy_superposition.errors import UserError
from toy_superposition.records import files
from toy_superposition.report import runs as reports

BEGIN, END = "<!-- claims: begin -->", "<!-- claims: end -->"


def check(path: Path) -> None:
  """Checks that a file has both markers, in their order.

  Raises:
    UserError: it cannot be read, or a marker is missing or there twice.
  """
  _around(path)


def write(path: Path, runs: Sequence[reports.Run]) -> None:
  """Replaces the text between the markers by the totals and a table for each run.

  Raises:
    UserError: as `check`, or the file cannot be written.
  """
  before, after = _around(path)
  text = f"{reports.total(runs)}\n\n{reports.markdown(runs).strip()}"
  with files.replacing(path) as temporary:
    temporary.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")


def _around(path: Path) -> tuple[str, str]:
  """Returns the file's text before the first marker and after the second one."""
  try:
    text = path.read_text(encoding="utf-8")
  except (OSError, UnicodeDecodeError) as error:
    reason = getattr(error, "strerror", None) or files.one_line(error)
    raise UserError(f"--claims_page={path}: {reason}") from error
  before, begin, rest = text.partition(BEGIN)
  _, end, after = rest.partition(END)
  if not begin or not end or BEGIN in rest or END in before + after:
    raise UserError(f"--claims_page={path}: needs a line {BEGIN} and after it a line {END}, once")
  return before, after
