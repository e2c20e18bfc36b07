"""Finished runs as one page: what they show, which claims hold, and how to reproduce them.

The page is one file that opens from disk and needs no network. Its panels are interactive; without
plotly it shows the static figures alone. Nothing is imported before it is used, as in the package
itself.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
  from toy_superposition.report.document import write, write_run
  from toy_superposition.report.runs import (
    Run,
    counts,
    read,
    summary,
    write_claims,
    write_markdown,
  )

__all__ = (
  "Run",
  "counts",
  "read",
  "summary",
  "write",
  "write_claims",
  "write_markdown",
  "write_run",
)


def __getattr__(name: str) -> Any:
  """Imports a public name when it is first used."""
  if name not in __all__:
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
  home = "document" if name in ("write", "write_run") else "runs"
  return getattr(importlib.import_module(f"{__name__}.{home}"), name)
