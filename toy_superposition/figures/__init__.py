"""Figures: each is a function of a stored dataset and draws on nothing else."""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from matplotlib.figure import Figure

from toy_superposition.figures import (
  demonstration,
  feature_benefit,
  introduction,
  local_bases,
  phase_diagram,
  uniform_geometry,
)

if TYPE_CHECKING:
  import xarray as xr


class Drawing(NamedTuple):
  """A figure and the analysis whose variables it draws ("" for none)."""

  draw: Callable[["xr.Dataset"], Figure]
  analysis: str


FIGURES: dict[str, Drawing] = {
  "introduction": Drawing(introduction.draw, "introduction"),
  "demonstration": Drawing(demonstration.draw, "demonstration"),
  "feature_benefit": Drawing(feature_benefit.draw, "feature_benefit"),
  "phase_diagram": Drawing(phase_diagram.draw, "phase_change"),
  "uniform_geometry": Drawing(uniform_geometry.draw, "uniform_geometry"),
  "local_bases": Drawing(local_bases.draw, "local_bases"),
}
