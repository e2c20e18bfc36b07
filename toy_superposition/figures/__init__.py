"""Figures: each is a function of a stored dataset and draws on nothing else."""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from matplotlib.figure import Figure

from toy_superposition.figures import (
  absolute_value,
  activation_functions,
  adversarial,
  adversarial_training,
  asymmetric_superposition,
  compressed_sensing,
  correlated,
  correlated_collapse,
  cross_entropy_neuron,
  demonstration,
  feature_benefit,
  feature_count,
  introduction,
  l1_superposition,
  learning_dynamics_geometry,
  learning_dynamics_jumps,
  local_bases,
  nonlinear_compression,
  nonuniform_density,
  optimizer_basis,
  phase_diagram,
  privileged_basis,
  rotation_invariance,
  thomson,
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
  "activation_functions": Drawing(activation_functions.draw, "activation_functions"),
  "uniform_geometry": Drawing(uniform_geometry.draw, "uniform_geometry"),
  "feature_count": Drawing(feature_count.draw, "feature_count"),
  "thomson": Drawing(thomson.draw, "thomson"),
  "nonuniform_density": Drawing(nonuniform_density.draw, "nonuniform_density"),
  "correlated": Drawing(correlated.draw, "correlated"),
  "local_bases": Drawing(local_bases.draw, "local_bases"),
  "correlated_collapse": Drawing(correlated_collapse.draw, "correlated_collapse"),
  "learning_dynamics_jumps": Drawing(learning_dynamics_jumps.draw, "learning_dynamics_jumps"),
  "learning_dynamics_geometry": Drawing(
    learning_dynamics_geometry.draw, "learning_dynamics_geometry"
  ),
  "adversarial": Drawing(adversarial.draw, "adversarial"),
  "adversarial_training": Drawing(adversarial_training.draw, "adversarial_training"),
  "privileged_basis": Drawing(privileged_basis.draw, "privileged_basis"),
  "rotation_invariance": Drawing(rotation_invariance.draw, "rotation_invariance"),
  "optimizer_basis": Drawing(optimizer_basis.draw, "optimizer_basis"),
  "absolute_value_small": Drawing(absolute_value.draw, "absolute_value_small"),
  "absolute_value": Drawing(absolute_value.draw, "absolute_value"),
  "asymmetric_superposition": Drawing(asymmetric_superposition.draw, "asymmetric_superposition"),
  "l1_superposition": Drawing(l1_superposition.draw, "l1_superposition"),
  "nonlinear_compression": Drawing(nonlinear_compression.draw, "nonlinear_compression"),
  "compressed_sensing": Drawing(compressed_sensing.draw, "compressed_sensing"),
  "cross_entropy_neuron": Drawing(cross_entropy_neuron.draw, "cross_entropy_neuron"),
}
