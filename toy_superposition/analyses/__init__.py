"""Theory put beside trained results: a dataset in, the same dataset with more variables out.

An analysis runs once, after training, and its variables are stored with the results, so that
figures and claims are drawn from results alone.
"""

from toy_superposition.analyses import (
  activation_functions,
  compressed_sensing,
  cross_entropy_neuron,
  introduction,
  l1_superposition,
  nonlinear_compression,
  phase_change,
  thomson,
)
from toy_superposition.analyses.analysis import Analysis

# In the paper's order.
ANALYSES: dict[str, Analysis] = {
  "introduction": introduction.ANALYSIS,
  "phase_change": phase_change.ANALYSIS,
  "thomson": thomson.ANALYSIS,
  "l1_superposition": l1_superposition.ANALYSIS,
  "activation_functions": activation_functions.ANALYSIS,
  "cross_entropy_neuron": cross_entropy_neuron.ANALYSIS,
  "nonlinear_compression": nonlinear_compression.ANALYSIS,
  "compressed_sensing": compressed_sensing.ANALYSIS,
}
