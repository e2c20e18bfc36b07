"""The end of every run: its figures, its page, and a summary on the terminal."""

import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from toy_superposition import report, runner, terminal
from toy_superposition.errors import UserError
from toy_superposition.records import files, lock, netcdf, overwriting, results
from toy_superposition.records.workdir import Workdir, read_values, seconds

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


def present_again(workdir: Workdir) -> None:
  """Draws a finished run again, perhaps one of another version of this package or of a stranger.

  Args:
    workdir: of the run.

  Raises:
    UserError: there are no results, or none that this version can draw; or as `present`.
  """
  experiment = read_values(workdir)["experiment"]
  overwriting.refuse_links(workdir.path)
  with lock.held(workdir.path):
    datasets = results.read(workdir)
    try:
      present(workdir, experiment, datasets)
    except (UserError, MemoryError, OSError):
      raise
    except Exception as error:  # a variable that the experiment stored may be missing, of any shape
      at = traceback.extract_tb(error.__traceback__)[-1]
      reason = f"{type(error).__name__} in {Path(at.filename).name}:{at.lineno}"
      raise netcdf.not_ours(
        workdir.results, f"experiment {experiment}: {files.one_line(error)}, {reason}"
      ) from error
