"""One page of finished runs: what they show, which claims hold, how to make them again.

The page is one file that opens from disk and asks no network for anything. With plotly it is
interactive; without it, it carries the static figures alone.
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
