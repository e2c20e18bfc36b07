"""Theory put beside trained results: a dataset in, the same dataset with more variables out.

An analysis runs once, after training, and its variables are stored with the results, so that
figures and claims are drawn from results alone.
"""

from toy_superposition.analyses import (
  absolute_value,
  adversarial,
  asymmetric_superposition,
  introduction,
  optimizer_basis,
  phase_change,
  privileged_basis,
  rotation_invariance,
)
from toy_superposition.analyses.analysis import Analysis

# In the paper's order.
ANALYSES: dict[str, Analysis] = {
  "introduction": introduction.ANALYSIS,
  "phase_change": phase_change.ANALYSIS,
  "adversarial": adversarial.ANALYSIS,
  "privileged_basis": privileged_basis.ANALYSIS,
  "rotation_invariance": rotation_invariance.ANALYSIS,
  "optimizer_basis": optimizer_basis.ANALYSIS,
  "absolute_value_small": absolute_value.SMALL,
  "absolute_value": absolute_value.ANALYSIS,
  "asymmetric_superposition": asymmetric_superposition.ANALYSIS,
}
