"""The style of all figures, and figures as the content of files."""

import contextlib
import io
from collections.abc import Iterator
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


def content(figure: Figure, suffix: str) -> bytes:
  """Returns a figure as a file of one of FORMATS. Equal figures give equal bytes."""
  buffer = io.BytesIO()
  metadata = {"CreationDate": None} if suffix == "pdf" else {}
  figure.savefig(buffer, format=suffix, metadata=metadata, bbox_inches="tight")
  return buffer.getvalue()
