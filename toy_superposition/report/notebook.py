"""The panels of results in a notebook: `ts.explore(results)`.

They are a page in a frame, and not a widget. anywidget would bring ipywidgets and two extensions of
the notebook (3.4 MB of wheels), VS Code and Colab load their front end from the network, and a
notebook that is opened without its kernel shows nothing. The frame needs no package, network or
kernel, and has the panels of report.html as they are. It adds about 2.1 MB to a saved notebook, of
which plotly has 2.0.
"""

import html
from collections.abc import Mapping
from pathlib import Path

import xarray as xr

from toy_superposition.errors import UserError
from toy_superposition.records import files, schema
from toy_superposition.report import document, panels
from toy_superposition.report.runs import Run

HEIGHT = 760  # pixels, until the page in the frame sets its own


class Explorer:
  """Interactive panels of results; the last expression of a notebook's cell shows them."""

  def __init__(self, page: str, titles: tuple[str, ...]):
    """Takes the page, and the panels' titles."""
    self.page, self.titles = page, titles

  def _repr_html_(self) -> str:
    """Returns the page in a frame, as notebooks show it."""
    return (
      f'<iframe srcdoc="{html.escape(self.page)}" title="{html.escape(", ".join(self.titles))}" '
      f'style="width:100%;height:{HEIGHT}px;border:0"></iframe>'
    )

  def __repr__(self) -> str:
    """Returns the panels' titles, which a terminal shows."""
    return f"<panels: {', '.join(self.titles)}; in a notebook, or with .save('page.html')>"

  def save(self, path: Path | str) -> None:
    """Writes the panels as a page, in place of a file that may be there.

    Raises:
      UserError: the file cannot be written.
    """
    path = files.to_write(path)
    with files.disk_errors(path), files.replacing(path) as temporary:
      temporary.write_text(self.page, encoding="utf-8")


def explore(results: xr.Dataset | Mapping[str, xr.Dataset]) -> Explorer:
  """Returns the interactive panels of results, as report.html has them: sliders over the sweep.

  Args:
    results: of `ts.run`, `ts.load` or `ts.weights`, or a selection from them; of `ts.run_shapes`,
      one dataset per shape.

  Raises:
    UserError: no panel shows such results, or plotly was removed.
  """
  groups = {"/": results} if isinstance(results, xr.Dataset) else results
  if (library := document.plotly()) is None:
    raise UserError(f"the panels are drawn by plotly, which is not installed: {document.INSTALL}")
  name = str(schema.config(next(iter(groups.values())))["name"])
  (made,) = panels.make([groups])
  if not made:
    raise UserError(
      "no panel shows these results: needed are the weights W, or W1, of trained models, or the "
      "phases of the phase change"
    )
  run = Run(name, datasets=groups)
  page = document.render("explore.html", name, [document.Section(run, made, ())], library)
  return Explorer(page, tuple(panel.title for panel in made))
