"""Figures: each is a function of a stored dataset and draws on nothing else."""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from matplotlib.figure import Figure

from toy_superposition.figures import (
  correlated,
  correlated_collapse,
  introduction,
  learning_dynamics_geometry,
  learning_dynamics_jumps,
  nonuniform_density,
  phase_diagram,
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
  "nonuniform_density": Drawing(nonuniform_density.draw, "nonuniform_density"),
  "correlated": Drawing(correlated.draw, "correlated"),
  "correlated_collapse": Drawing(correlated_collapse.draw, "correlated_collapse"),
  "learning_dynamics_geometry": Drawing(
    learning_dynamics_geometry.draw, "learning_dynamics_geometry"
  ),
  "learning_dynamics_jumps": Drawing(learning_dynamics_jumps.draw, "learning_dynamics_jumps"),
}
