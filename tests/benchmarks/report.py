"""The benchmark's numbers as aligned text, Markdown and JSON, with the machine they are from."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks import machine
from tests.benchmarks.timing import Block, Row
from toy_superposition.estimators.blocked import PRECISIONS

COLUMNS = (
  "workload",
  "gradient",
  "products",
  "draws",
  "instances",
  "ms/step",
  "instance·steps/s",
  "compile s",
  "memory MiB",
  "× notebook",
  "(over rounds)",
  "of floor",
)
WIDTHS = (11, 8, 8, 8, 9, 9, 16, 9, 10, 10, 15, 8)
N_TEXT = 4  # columns, aligned on the left; numbers on the right
LEGEND = """\
ms/step: of all instances, median over rounds. compile s: training and evaluation programs.
memory: XLA's count of arguments, results and temporaries; of the notebook, the process's growth.
× notebook: the PyTorch loop's ms/step over this row's, lowest and highest round in brackets.
of floor: time of the row's own matrix products at the measured peak, plus that of its draws at the
measured rate, over its time; a fused loop does both at once and may exceed 100 %.
others: share of the cores' time that other programs took meanwhile; it slows PyTorch most."""


def about(found: dict[str, Any]) -> str:
  """Returns the machine in one line."""
  present = ", ".join(k if v else f"no {k}" for k, v in found["instructions"].items())
  versions = ", ".join(f"{k} {v or 'missing'}" for k, v in found["versions"].items())
  return (
    f"{found['cpu']}, {found['cores']} cores ({present}); {found['devices']}; "
    f"Python {found['python']}, {versions}"
  )


def cells(row: Row) -> list[str]:
  """Returns a row as text, "–" for what was not measured."""

  def number(value: float | None, digits: int = 3) -> str:
    if value is None:
      return "–"
    return f"{value:.{digits}g}" if abs(value) < 1000 else f"{value:,.0f}"

  between = f"({number(row.ratio_low)}…{number(row.ratio_high)})" if row.ratio_low else "–"
  share = "–" if row.floor_share is None else f"{row.floor_share:.0%}"
  return [
    row.workload,
    row.way,
    row.precision,
    row.generator,
    str(row.n_instances),
    number(row.milliseconds, 4),
    f"{row.instance_steps_per_second:,.0f}",
    number(row.compile_seconds, 2),
    number(row.mebibytes),
    number(row.ratio),
    between,
    share,
  ]


def line(texts: Sequence[str]) -> str:
  """Returns cells as one aligned line."""
  padded = [
    f"{text:<{width}}" if i < N_TEXT else f"{text:>{width}}"
    for i, (text, width) in enumerate(zip(texts, WIDTHS, strict=True))
  ]
  return "  ".join(padded).rstrip()


def rates(block: Block) -> str:
  """Returns what the machine could do while a block was measured."""
  parts = [
    f"{key} {value / 1e9:.3g} G{'flop/s' if key in PRECISIONS else 'words/s'}"
    for key, value in block.rates.items()
  ]
  disturbed = " (disturbed)" if block.others > machine.QUIET else ""
  return ", ".join([*parts, f"others {block.others:.0%}{disturbed}"])


def text(block: Block) -> str:
  """Returns a block's rows aligned, and the rates behind its floors."""
  return "\n".join([*(line(cells(row)) for row in block.rows), f"  {rates(block)}"])


def markdown(found: dict[str, Any], blocks: Sequence[Block], notes: Sequence[str]) -> str:
  """Returns everything as Markdown."""
  rows = [cells(row) for block in blocks for row in block.rows]
  aligned = ["---" if i < N_TEXT else "---:" for i in range(len(COLUMNS))]
  table = [f"| {' | '.join(row)} |" for row in (COLUMNS, aligned, *rows)] if rows else []
  measured = [f"- {block.rows[0].workload}: {rates(block)}" for block in blocks if block.rows]
  parts = [[about(found)], table, [LEGEND] if rows else [], measured, [f"- {x}" for x in notes]]
  return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def write(
  path: Path, found: dict[str, Any], blocks: Sequence[Block], notes: Sequence[str]
) -> list[Path]:
  """Writes `path` with the suffixes .md and .json and returns the two."""
  content = {
    "machine": found,
    "rows": [dataclasses.asdict(row) for block in blocks for row in block.rows],
    "rates": {block.rows[0].workload: block.rates for block in blocks if block.rows},
    "others": {block.rows[0].workload: block.others for block in blocks if block.rows},
    "notes": list(notes),
  }
  paths = [path.with_suffix(".md"), path.with_suffix(".json")]
  path.parent.mkdir(parents=True, exist_ok=True)
  paths[0].write_text(markdown(found, blocks, notes))
  paths[1].write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")
  return paths
