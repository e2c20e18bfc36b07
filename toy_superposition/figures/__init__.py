"""Figures: each is a function of a stored dataset and draws on nothing else."""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from matplotlib.figure import Figure

from toy_superposition.figures import (
  activation_functions,
  compressed_sensing,
  cross_entropy_neuron,
  introduction,
  l1_superposition,
  nonlinear_compression,
  phase_diagram,
  thomson,
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
  "thomson": Drawing(thomson.draw, "thomson"),
  "l1_superposition": Drawing(l1_superposition.draw, "l1_superposition"),
  "activation_functions": Drawing(activation_functions.draw, "activation_functions"),
  "cross_entropy_neuron": Drawing(cross_entropy_neuron.draw, "cross_entropy_neuron"),
  "nonlinear_compression": Drawing(nonlinear_compression.draw, "nonlinear_compression"),
  "compressed_sensing": Drawing(compressed_sensing.draw, "compressed_sensing"),
}
