"""Text for a terminal: tables, filled lines, sizes and durations in words."""

import textwrap
import unicodedata
from collections.abc import Sequence

LINE = 100  # characters per line of running text
# Unicode classes of the characters that set the direction of the text after them.
TURNS = frozenset({"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"})


def table(rows: Sequence[Sequence[str]], max_widths: Sequence[int] = ()) -> str:
  """Returns rows as aligned text; the first row is the header.

  Args:
    rows: of cells, all of one length.
    max_widths: characters of each column, beyond which a cell continues, indented, on the next
      line. Without any, cells stay on one line.
  """
  from tabulate import tabulate

  if max_widths:
    # Not by tabulate, which does not indent: continued rows would look like rows of their own.
    rows = [
      [
        textwrap.fill(cell, width, subsequent_indent="  ")
        for cell, width in zip(row, max_widths, strict=True)
      ]
      for row in rows
    ]
  return tabulate(rows, headers="firstrow", disable_numparse=True)


def filled(text: str, indent: int) -> str:
  """Returns text on lines of LINE characters, all but the first indented."""
  return textwrap.fill(
    text, LINE, subsequent_indent=" " * indent, break_on_hyphens=False, break_long_words=False
  )


def size(n_bytes: int) -> str:
  """Returns bytes in units of 1024, such as "1.5 KiB"."""
  value = float(n_bytes)
  for unit in ("B", "KiB", "MiB"):
    if value < 1024:
      return f"{value:.3g} {unit}" if value < 999.5 else f"{value:.0f} {unit}"
    value /= 1024
  return f"{value:.3g} GiB"


def duration(seconds: float) -> str:
  """Returns seconds in seconds, minutes or hours of two digits or more, such as "1.9 min"."""
  if seconds < 90:
    return f"{seconds:.2g} s"
  minutes = seconds / 60
  if minutes < 90:
    return f"{minutes:.2g} min" if minutes < 10 else f"{minutes:.0f} min"
  return f"{seconds / 3600:.1f} h"


def visible(text: str) -> str:
  """Returns text with its control characters as escapes such as \\x1b.

  Text that comes from a file could otherwise change what a terminal shows: by colours, by moving
  the cursor, or by turning the direction of writing around.
  """
  if text.isprintable():
    return text
  return "".join(_escape(c) if _is_control(c) else c for c in text)


def _is_control(character: str) -> bool:
  category = unicodedata.category(character)
  turns = unicodedata.bidirectional(character) in TURNS
  return category in ("Cc", "Cs", "Zl", "Zp") or turns


def _escape(character: str) -> str:
  return character.encode("unicode_escape").decode()
