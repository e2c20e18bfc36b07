"""Estimators: ways to the loss and gradient of one step.

autodiff, fused and blocked use the same random numbers and agree to round-off; sparse draws others
from the same distribution, and sampled evaluates a share of the outputs; exact needs none. The
rules of `choose` are here and nowhere else; the measurements behind them are in BUILD_NOTES.md.
"""

import dataclasses

import numpy as np

from toy_superposition import declare, sizes
from toy_superposition.estimators.autodiff import AUTODIFF
from toy_superposition.estimators.blocked import BLOCKED
from toy_superposition.estimators.estimator import Estimator
from toy_superposition.estimators.exact import EXACT
from toy_superposition.estimators.fused import FUSED
from toy_superposition.estimators.sampled import Sampled
from toy_superposition.estimators.sparse import SPARSE
from toy_superposition.types import Group, Instance, Spec

ESTIMATORS: dict[str, Estimator | type[Sampled]] = declare.table(
  "train.estimator",
  {
    "autodiff": AUTODIFF,
    "fused": FUSED,
    "blocked": BLOCKED,
    "sparse": SPARSE,
    "sampled": Sampled,
    "exact": EXACT,
  },
)

FUSED_PARAMS = {"cpu": 250, "gpu": 32}  # by platform; none on others, where nothing was measured
SPARSE_FEATURES, SPARSE_DENSITY = 4096, 0.005


def choose(spec: Spec, instances: Instance, platform: str, shared: bool = False) -> str:
  """Returns the estimator of a group, a row of ESTIMATORS.

  It is the one that the Spec names, or for "auto" the fastest for these instances on this platform:
  a denser instance or another kind of device can lead to another estimator. Never "sampled": its
  gradient is noisier than the batch's.

  Args:
    spec: of the group.
    instances: of the group, with a leading axis.
    platform: of its devices, such as "cpu".
    shared: whether devices share the features of an instance. The full batch is then one product,
      whose sum over devices is one message.
  """
  if spec.estimator != "auto":
    return spec.estimator
  if shared or spec.examples == "common":
    return "autodiff"  # one product for all devices; common examples are drawn once
  few = sizes.n_params(spec) <= FUSED_PARAMS.get(platform, 0)
  if few and not FUSED.refuses(spec, instances):
    return "fused"
  if platform != "cpu":
    return "autodiff"  # one block after another leaves an accelerator idle
  rare = np.max(instances.density) <= np.float32(SPARSE_DENSITY)
  if spec.n_features >= SPARSE_FEATURES and rare and not SPARSE.refuses(spec, instances):
    return "sparse"
  return "blocked"


def fixed(group: Group, platform: str, shared: bool = False) -> Group:
  """Returns the group with its estimator fixed.

  Chosen for the full group: a shard that chose for itself could pick another estimator, and so
  other random numbers.
  """
  name = choose(group.spec, group.instances, platform, shared)
  return group._replace(spec=dataclasses.replace(group.spec, estimator=name))
