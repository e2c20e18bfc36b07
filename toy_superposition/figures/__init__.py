"""Figures: each is a function of a stored dataset and draws on nothing else."""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from matplotlib.figure import Figure

from toy_superposition.figures import (
  absolute_value,
  adversarial,
  asymmetric_superposition,
  introduction,
  optimizer_basis,
  phase_diagram,
  privileged_basis,
  rotation_invariance,
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
  "adversarial": Drawing(adversarial.draw, "adversarial"),
  "privileged_basis": Drawing(privileged_basis.draw, "privileged_basis"),
  "rotation_invariance": Drawing(rotation_invariance.draw, "rotation_invariance"),
  "optimizer_basis": Drawing(optimizer_basis.draw, "optimizer_basis"),
  "absolute_value_small": Drawing(absolute_value.draw, "absolute_value_small"),
  "absolute_value": Drawing(absolute_value.draw, "absolute_value"),
  "asymmetric_superposition": Drawing(asymmetric_superposition.draw, "asymmetric_superposition"),
}
