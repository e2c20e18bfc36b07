"""Finished runs as one page: what they show, which claims hold, and how to reproduce them.

The page is one file that opens from disk and needs no network. It is interactive if plotly is
installed; otherwise it shows the static figures alone.
"""

from toy_superposition.report.document import write, write_run
from toy_superposition.report.runs import Run, counts, read, summary, write_claims, write_markdown

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
