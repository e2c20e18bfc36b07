"""The end of every run: its figures, its page, and a summary on the terminal."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from toy_superposition import report, runner, terminal
from toy_superposition.records.workdir import Workdir, seconds

if TYPE_CHECKING:
  import xarray as xr


def present(workdir: Workdir, experiment: str, datasets: "Mapping[str, xr.Dataset]") -> None:
  """Draws the figures, writes report.html and prints the summary of stored results.

  Args:
    workdir: of the finished run.
    experiment: a name in experiments.NAMES, or "none".
    datasets: the run's results.

  Raises:
    UserError: the disk is full or cannot be written.
  """
  pictures = list(runner.draw(experiment, datasets, workdir))
  claims = runner.claims(experiment, datasets)
  written = [workdir.results, *pictures, report.write_run(workdir, datasets, claims)]
  terminal.print_summary(datasets, claims, written, seconds(workdir))
