"""Theory put beside trained results: a dataset in, the same dataset with more variables out.

An analysis runs once, after training, and its variables are stored with the results, so that
figures and claims are drawn from results alone.
"""

from toy_superposition.analyses import (
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
  phase_change,
  privileged_basis,
  rotation_invariance,
  thomson,
  uniform_geometry,
)
from toy_superposition.analyses.analysis import Analysis

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
