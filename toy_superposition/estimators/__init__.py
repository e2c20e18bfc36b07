"""Ways to the loss and gradient of one step.

autodiff, fused and blocked see the same random numbers and agree to round-off; sparse draws others
from the same distribution; exact needs none. The rules of `choose` stand here and nowhere else; the
measurements behind them are in BUILD_NOTES.md.
"""

import dataclasses

import numpy as np

from toy_superposition.estimators.autodiff import AUTODIFF
from toy_superposition.estimators.blocked import BLOCKED
from toy_superposition.estimators.estimator import Estimator
from toy_superposition.estimators.exact import EXACT
from toy_superposition.estimators.fused import FUSED, n_outputs
from toy_superposition.estimators.sparse import SPARSE
from toy_superposition.types import Group, Instance, Spec

ESTIMATORS: dict[str, Estimator] = {
  "autodiff": AUTODIFF,
  "fused": FUSED,
  "blocked": BLOCKED,
  "sparse": SPARSE,
  "exact": EXACT,
}

FUSED_OUTPUTS = 250
SPARSE_FEATURES, SPARSE_DENSITY = 4096, 0.005


def choose(spec: Spec, instances: Instance, platform: str, shared: bool = False) -> str:
  """Returns the row of ESTIMATORS that trains a group: the Spec's own, or for "auto" the fastest.

  The choice is the group's, and the platform's: a sweep with a denser instance, or another kind of
  device, may be trained in another way. `shared` says that devices share each instance's features;
  then the whole batch is one product, whose sum over devices is one message.
  """
  if spec.estimator != "auto":
    return spec.estimator
  if shared or platform != "cpu":
    return "autodiff"  # nothing else was measured there yet
  if n_outputs(spec) <= FUSED_OUTPUTS and not FUSED.refuses(spec, instances):
    return "fused"
  rare = np.max(instances.density) <= np.float32(SPARSE_DENSITY)
  if spec.n_features >= SPARSE_FEATURES and rare and not SPARSE.refuses(spec, instances):
    return "sparse"
  return "blocked"


def settled(group: Group, platform: str, shared: bool = False) -> Group:
  """Returns the group with its estimator chosen: a part that chose for itself might draw other
  numbers than the whole."""
  name = choose(group.spec, group.instances, platform, shared)
  return group._replace(spec=dataclasses.replace(group.spec, estimator=name))
