"""The rows of the page of claims."""

import re
from pathlib import Path

from toy_superposition.experiments.experiment import VERDICTS

PAGE = Path(__file__).parent.parent / "toy_superposition/experiments/CLAIMS.md"


def claims() -> list[list[str]]:
  """Returns (experiment, statement, measured, expected, verdict) of every row of the page."""
  rows, name = [], ""
  for line in PAGE.read_text().splitlines():
    if line.startswith("### "):
      name = line.removeprefix("### ").partition(":")[0]
    cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("|"))]
    if line.startswith("|") and cells[-1] in VERDICTS:
      rows.append([name, *cells])
  return rows
