"""Ways to the loss and gradient of one step; the same draws give the same gradient.

Which one runs is a matter of speed. The rules of `choose` and the measurements behind them stand
here and nowhere else.
"""

import numpy as np

from toy_superposition.estimators.autodiff import AUTODIFF
from toy_superposition.estimators.blocked import BLOCKED
from toy_superposition.estimators.estimator import Estimator
from toy_superposition.estimators.exact import EXACT
from toy_superposition.estimators.fused import FUSED, n_outputs
from toy_superposition.estimators.sparse import SPARSE
from toy_superposition.types import Instance, Spec

ESTIMATORS: dict[str, Estimator] = {
  "autodiff": AUTODIFF,
  "fused": FUSED,
  "blocked": BLOCKED,
  "sparse": SPARSE,
  "exact": EXACT,
}

FUSED_OUTPUTS = 250
SPARSE_FEATURES, SPARSE_DENSITY = 2048, 0.002


def choose(spec: Spec, instances: Instance, platform: str) -> str:
  """Returns the row of ESTIMATORS that trains a group: the Spec's own, or for "auto" the
  fastest."""
  if spec.estimator != "auto":
    return spec.estimator
  if platform != "cpu":
    return "autodiff"  # nothing was measured there yet
  if n_outputs(spec) <= FUSED_OUTPUTS and not FUSED.refuses(spec, instances):
    return "fused"
  rare = float(np.max(instances.density)) <= SPARSE_DENSITY
  if spec.n_features >= SPARSE_FEATURES and rare and not SPARSE.refuses(spec, instances):
    return "sparse"
  return "blocked"
