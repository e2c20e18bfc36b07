"""Experiments: one folder each."""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from matplotlib.figure import Figure

from toy_superposition.experiments.absolute_value import claims as absolute_value
from toy_superposition.experiments.absolute_value import figure as absolute_value_figure
from toy_superposition.experiments.activation_functions import claims as activation_functions
from toy_superposition.experiments.activation_functions import figure as activation_functions_figure
from toy_superposition.experiments.adversarial import claims as adversarial
from toy_superposition.experiments.adversarial import figure as adversarial_figure
from toy_superposition.experiments.adversarial_training import claims as adversarial_training
from toy_superposition.experiments.adversarial_training import figure as adversarial_training_figure
from toy_superposition.experiments.asymmetric_superposition import (
  claims as asymmetric_superposition,
)
from toy_superposition.experiments.asymmetric_superposition import (
  figure as asymmetric_superposition_figure,
)
from toy_superposition.experiments.compressed_sensing import claims as compressed_sensing
from toy_superposition.experiments.compressed_sensing import figure as compressed_sensing_figure
from toy_superposition.experiments.correlated import claims as correlated
from toy_superposition.experiments.correlated import figure as correlated_figure
from toy_superposition.experiments.correlated_collapse import claims as correlated_collapse
from toy_superposition.experiments.correlated_collapse import figure as correlated_collapse_figure
from toy_superposition.experiments.cross_entropy_neuron import claims as cross_entropy_neuron
from toy_superposition.experiments.cross_entropy_neuron import figure as cross_entropy_neuron_figure
from toy_superposition.experiments.demonstration import claims as demonstration
from toy_superposition.experiments.demonstration import figure as demonstration_figure
from toy_superposition.experiments.experiment import Analysis
from toy_superposition.experiments.feature_benefit import claims as feature_benefit
from toy_superposition.experiments.feature_benefit import figure as feature_benefit_figure
from toy_superposition.experiments.feature_count import claims as feature_count
from toy_superposition.experiments.feature_count import figure as feature_count_figure
from toy_superposition.experiments.introduction import claims as introduction
from toy_superposition.experiments.introduction import figure as introduction_figure
from toy_superposition.experiments.l1_superposition import claims as l1_superposition
from toy_superposition.experiments.l1_superposition import figure as l1_superposition_figure
from toy_superposition.experiments.learning_dynamics_geometry import (
  claims as learning_dynamics_geometry,
)
from toy_superposition.experiments.learning_dynamics_geometry import (
  figure as learning_dynamics_geometry_figure,
)
from toy_superposition.experiments.learning_dynamics_jumps import claims as learning_dynamics_jumps
from toy_superposition.experiments.learning_dynamics_jumps import (
  figure as learning_dynamics_jumps_figure,
)
from toy_superposition.experiments.local_bases import claims as local_bases
from toy_superposition.experiments.local_bases import figure as local_bases_figure
from toy_superposition.experiments.nonlinear_compression import claims as nonlinear_compression
from toy_superposition.experiments.nonlinear_compression import (
  figure as nonlinear_compression_figure,
)
from toy_superposition.experiments.nonuniform_density import claims as nonuniform_density
from toy_superposition.experiments.nonuniform_density import figure as nonuniform_density_figure
from toy_superposition.experiments.optimizer_basis import claims as optimizer_basis
from toy_superposition.experiments.optimizer_basis import figure as optimizer_basis_figure
from toy_superposition.experiments.phase_change import claims as phase_change
from toy_superposition.experiments.phase_change import figure as phase_change_figure
from toy_superposition.experiments.privileged_basis import claims as privileged_basis
from toy_superposition.experiments.privileged_basis import figure as privileged_basis_figure
from toy_superposition.experiments.rotation_invariance import claims as rotation_invariance
from toy_superposition.experiments.rotation_invariance import figure as rotation_invariance_figure
from toy_superposition.experiments.thomson import claims as thomson
from toy_superposition.experiments.thomson import figure as thomson_figure
from toy_superposition.experiments.uniform_geometry import claims as uniform_geometry
from toy_superposition.experiments.uniform_geometry import figure as uniform_geometry_figure

if TYPE_CHECKING:
  import xarray as xr

# In the paper's order.
ANALYSES: dict[str, Analysis] = {
  "introduction": introduction.ANALYSIS,
  "demonstration": demonstration.ANALYSIS,
  "feature_benefit": feature_benefit.ANALYSIS,
  "phase_change": phase_change.ANALYSIS,
  "activation_functions": activation_functions.ANALYSIS,
  "uniform_geometry": uniform_geometry.ANALYSIS,
  "feature_count": feature_count.ANALYSIS,
  "thomson": thomson.ANALYSIS,
  "nonuniform_density": nonuniform_density.ANALYSIS,
  "correlated": correlated.ANALYSIS,
  "local_bases": local_bases.ANALYSIS,
  "correlated_collapse": correlated_collapse.ANALYSIS,
  "learning_dynamics_jumps": learning_dynamics_jumps.ANALYSIS,
  "learning_dynamics_geometry": learning_dynamics_geometry.ANALYSIS,
  "adversarial": adversarial.ANALYSIS,
  "adversarial_training": adversarial_training.ANALYSIS,
  "privileged_basis": privileged_basis.ANALYSIS,
  "rotation_invariance": rotation_invariance.ANALYSIS,
  "optimizer_basis": optimizer_basis.ANALYSIS,
  "absolute_value_small": absolute_value.SMALL,
  "absolute_value": absolute_value.ANALYSIS,
  "asymmetric_superposition": asymmetric_superposition.ANALYSIS,
  "l1_superposition": l1_superposition.ANALYSIS,
  "nonlinear_compression": nonlinear_compression.ANALYSIS,
  "compressed_sensing": compressed_sensing.ANALYSIS,
  "cross_entropy_neuron": cross_entropy_neuron.ANALYSIS,
}


class Drawing(NamedTuple):
  """A figure and the analysis whose variables it draws ("" for none)."""

  draw: Callable[["xr.Dataset"], Figure]
  analysis: str


FIGURES: dict[str, Drawing] = {
  "introduction": Drawing(introduction_figure.draw, "introduction"),
  "demonstration": Drawing(demonstration_figure.draw, "demonstration"),
  "feature_benefit": Drawing(feature_benefit_figure.draw, "feature_benefit"),
  "phase_diagram": Drawing(phase_change_figure.draw, "phase_change"),
  "activation_functions": Drawing(activation_functions_figure.draw, "activation_functions"),
  "uniform_geometry": Drawing(uniform_geometry_figure.draw, "uniform_geometry"),
  "feature_count": Drawing(feature_count_figure.draw, "feature_count"),
  "thomson": Drawing(thomson_figure.draw, "thomson"),
  "nonuniform_density": Drawing(nonuniform_density_figure.draw, "nonuniform_density"),
  "correlated": Drawing(correlated_figure.draw, "correlated"),
  "local_bases": Drawing(local_bases_figure.draw, "local_bases"),
  "correlated_collapse": Drawing(correlated_collapse_figure.draw, "correlated_collapse"),
  "learning_dynamics_jumps": Drawing(
    learning_dynamics_jumps_figure.draw, "learning_dynamics_jumps"
  ),
  "learning_dynamics_geometry": Drawing(
    learning_dynamics_geometry_figure.draw, "learning_dynamics_geometry"
  ),
  "adversarial": Drawing(adversarial_figure.draw, "adversarial"),
  "adversarial_training": Drawing(adversarial_training_figure.draw, "adversarial_training"),
  "privileged_basis": Drawing(privileged_basis_figure.draw, "privileged_basis"),
  "rotation_invariance": Drawing(rotation_invariance_figure.draw, "rotation_invariance"),
  "optimizer_basis": Drawing(optimizer_basis_figure.draw, "optimizer_basis"),
  "absolute_value_small": Drawing(absolute_value_figure.draw, "absolute_value_small"),
  "absolute_value": Drawing(absolute_value_figure.draw, "absolute_value"),
  "asymmetric_superposition": Drawing(
    asymmetric_superposition_figure.draw, "asymmetric_superposition"
  ),
  "l1_superposition": Drawing(l1_superposition_figure.draw, "l1_superposition"),
  "nonlinear_compression": Drawing(nonlinear_compression_figure.draw, "nonlinear_compression"),
  "compressed_sensing": Drawing(compressed_sensing_figure.draw, "compressed_sensing"),
  "cross_entropy_neuron": Drawing(cross_entropy_neuron_figure.draw, "cross_entropy_neuron"),
}
