"""The end of every run: its figures, its page, and what was found, on the terminal."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from toy_superposition import report, runner, terminal
from toy_superposition.records.workdir import Workdir, seconds

if TYPE_CHECKING:
  import xarray as xr


def present(
  workdir: Workdir, figures: Sequence[str], analysis: str, datasets: "Mapping[str, xr.Dataset]"
) -> None:
  """Draws the figures, writes report.html and prints the summary of stored results.

  Args:
    workdir: of the finished run.
    figures: rows of FIGURES.
    analysis: row of ANALYSES, or "none".
    datasets: the run's results.

  Raises:
    UserError: the disk is full or cannot be written.
  """
  drawn = list(runner.draw(figures, datasets, workdir))
  claims = runner.claims(analysis, datasets)
  written = [workdir.results, *drawn, report.write_run(workdir, datasets, claims)]
  terminal.report(datasets, claims, written, seconds(workdir))
