"""The style of all figures, and writing them to files."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

FORMATS = ("png", "pdf")
STYLE: dict[Any, Any] = {
  "figure.dpi": 100,
  "savefig.dpi": 200,
  "font.size": 9,
  "axes.titlesize": 9.5,
  "axes.labelsize": 9,
  "axes.spines.top": False,
  "axes.spines.right": False,
  "legend.frameon": False,
  "pdf.fonttype": 42,  # TrueType: text stays text
  "mathtext.fontset": "dejavusans",
}


@contextlib.contextmanager
def style() -> Iterator[None]:
  """Draws with the package's style; matplotlib's settings are restored afterwards."""
  with mpl.rc_context(STYLE):
    yield


def given(axes: Axes | None) -> Axes:
  """Returns the Axes, or those of a new pyplot figure, which a notebook displays."""
  if axes is not None:
    return axes
  from matplotlib import pyplot

  with style():
    return pyplot.subplots(layout="constrained")[1]


def css(colour: Any) -> str:
  """Returns a colour as #rrggbb."""
  return to_hex(colour)


def save(figure: Figure, stem: Path) -> list[Path]:
  """Writes a figure in every format and returns the paths.

  Files appear complete or not at all. Equal figures give equal bytes.
  """
  written = []
  for suffix in FORMATS:
    path = stem.with_name(f"{stem.name}.{suffix}")  # a stem may contain dots
    temporary = path.with_name(f".{path.name}.tmp")
    metadata = {"CreationDate": None} if suffix == "pdf" else {}
    try:
      figure.savefig(temporary, format=suffix, metadata=metadata, bbox_inches="tight")
      temporary.replace(path)
    finally:
      temporary.unlink(missing_ok=True)
    written.append(path)
  return written
