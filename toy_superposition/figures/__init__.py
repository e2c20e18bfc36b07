"""Figures: each is a function of a stored dataset and draws on nothing else."""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from matplotlib.figure import Figure

from toy_superposition.figures import (
  introduction,
  phase_diagram,
  privileged_basis,
)

if TYPE_CHECKING:
  import xarray as xr


class Drawing(NamedTuple):
  """A figure and the analysis whose variables it draws ("" for none)."""

  draw: Callable[["xr.Dataset"], Figure]
  analysis: str


FIGURES: dict[str, Drawing] = {
  "introduction": Drawing(introduction.draw, "introduction"),
  "phase_diagram": Drawing(phase_diagram.draw, "phase_change"),
  "privileged_basis": Drawing(privileged_basis.draw, "privileged_basis"),
}
