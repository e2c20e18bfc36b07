"""The style of all figures, and figures as the content of files."""

import contextlib
import io
import logging
from collections.abc import Iterator
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

FORMATS = ("png", "pdf")
BELOW = "below"  # id of a legend that takes the place of a line of text there
FEW_COLOURS = 4096  # of a picture that a palette of 256 shows as well
METADATA: dict[str, dict[str, Any]] = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}
# Where matplotlib's own defaults stand; what a user has set in rcParams or a style sheet is kept.
# Sizes of text are relative to font.size, here and in all figures.
STYLE: dict[Any, Any] = {
  "figure.dpi": 100,
  "savefig.dpi": 200,
  "font.size": 9,
  "axes.titlesize": "medium",
  "axes.spines.top": False,
  "axes.spines.right": False,
  "legend.frameon": False,
  "pdf.fonttype": 42,  # TrueType: text stays text
  "ps.fonttype": 42,
  "svg.fonttype": "none",
}


@contextlib.contextmanager
def style() -> Iterator[None]:
  """Draws with the package's style, except for settings that the user has changed; matplotlib's
  settings are restored afterwards."""
  with mpl.rc_context({name: value for name, value in STYLE.items() if _is_default(name)}):
    yield


@contextlib.contextmanager
def _saving() -> Iterator[None]:
  """Saves with the package's style, without fontTools' messages about every font that it embeds."""
  logger = logging.getLogger("fontTools")
  before = logger.level
  logger.setLevel(logging.ERROR)
  try:
    with style():
      yield
  finally:
    logger.setLevel(before)


def _is_default(name: Any) -> bool:
  return bool(mpl.rcParams[name] == mpl.rcParamsDefault[name])


class StyledFigure(Figure):
  """A figure that is saved in the style in which it was drawn, whoever saves it."""

  def savefig(self, *args: Any, **kwargs: Any) -> None:
    """Saves as matplotlib does, with fonts that keep text as text, at the package's resolution."""
    with _saving():
      super().savefig(*args, **kwargs)


def figure(width: int | float, height: int | float) -> Figure:
  """Returns an empty figure of this size in inches, or of rcParams["figure.figsize"] if the user
  has changed that."""
  size = (width, height) if _is_default("figure.figsize") else mpl.rcParams["figure.figsize"]
  return StyledFigure(figsize=size, layout="constrained")


def given(axes: Axes | None) -> Axes:
  """Returns the Axes, or those of a new pyplot figure, which a notebook displays."""
  if axes is not None:
    return axes
  from matplotlib import pyplot

  with style():
    return pyplot.subplots(layout="constrained", FigureClass=StyledFigure)[1]


def legend_below(figure: Figure, *args: Any, **kwargs: Any) -> None:
  """Draws a legend below all plots; the arguments are those of `Figure.legend`."""
  figure.legend(*args, loc="outside lower center", **kwargs).set_gid(BELOW)


def css(colour: Any) -> str:
  """Returns a colour as #rrggbb."""
  return to_hex(colour)


def content(figure: Figure, suffix: str) -> bytes:
  """Returns a figure as a file: png, pdf or svg. Equal figures give equal bytes."""
  buffer = io.BytesIO()
  with _saving(), mpl.rc_context({"svg.hashsalt": "toy_superposition"}):
    figure.savefig(buffer, format=suffix, metadata=METADATA.get(suffix, {}), bbox_inches="tight")
  return _small(buffer.getvalue()) if suffix == "png" else buffer.getvalue()


def _small(png: bytes) -> bytes:
  """Returns a picture with a palette, a third of the size, if it has few colours.

  Most of its colours are the edges of letters and lines; a change of a few units of 255 in some of
  them cannot be seen.
  """
  from PIL import Image

  picture: Any = Image.open(io.BytesIO(png))
  plain = picture.convert("RGB")
  if picture.convert("RGBA").getextrema()[3][0] < 255 or not plain.getcolors(FEW_COLOURS):
    return png
  buffer = io.BytesIO()
  palette = plain.quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
  palette.save(buffer, "png", optimize=True, dpi=picture.info["dpi"])
  return buffer.getvalue()
