"""Theory put beside trained results: a dataset in, the same dataset with more variables out.

An analysis runs once, after training, and its variables are stored with the results, so that
figures and claims are drawn from results alone.
"""

from toy_superposition.analyses import (
  correlated,
  correlated_collapse,
  introduction,
  learning_dynamics_geometry,
  learning_dynamics_jumps,
  nonuniform_density,
  phase_change,
)
from toy_superposition.analyses.analysis import Analysis

# In the paper's order.
ANALYSES: dict[str, Analysis] = {
  "introduction": introduction.ANALYSIS,
  "phase_change": phase_change.ANALYSIS,
  "nonuniform_density": nonuniform_density.ANALYSIS,
  "correlated": correlated.ANALYSIS,
  "correlated_collapse": correlated_collapse.ANALYSIS,
  "learning_dynamics_geometry": learning_dynamics_geometry.ANALYSIS,
  "learning_dynamics_jumps": learning_dynamics_jumps.ANALYSIS,
}
