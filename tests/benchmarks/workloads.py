"""What is timed: from five features to thousands, trained as the paper's notebook trains."""

import itertools
from collections.abc import Mapping
from typing import Any, NamedTuple

from configs import base
from toy_superposition.config import resolve as config
from toy_superposition.types import Group


class Method(NamedTuple):
  """A way to the gradient: a row of ESTIMATORS, and the precision of its matrix products."""

  estimator: str
  precision: str = "float32"


class Workload(NamedTuple):
  """One size of problem."""

  changes: Mapping[str, Any]  # on COMMON, by dotted config field
  n_instances: int
  densities: tuple[float, float]  # of the first and the last instance; geometric between them
  steps: int  # one timing takes this many, and a multiple of them of what is faster
  methods: tuple[Method, ...]  # to be timed where they are not refused
  notebook: bool = True  # whether PyTorch trains it too


# The notebook's: AdamW, the mean over features; batches of 1024. Importances are 1.
COMMON: dict[str, Any] = {
  "name": "benchmark",
  "init.scheme": "notebook",
  "loss.reduction": "mean",
  "train.batch_size": 1024,
  "train.optimizer": "adamw",
  "train.learning_rate": 1e-3,
  "train.weight_decay": 0.01,
}
GENERATORS = ("threefry", "hash")


def sizes(n_features: int, n_hidden: int) -> dict[str, Any]:
  """Returns the fields of a model's size."""
  return {"model.n_features": n_features, "model.n_hidden": n_hidden}


ABSOLUTE: dict[str, Any] = {
  "model.name": "absolute_value",
  "data.distribution": "sparse_signed_uniform",
  "data.target": "absolute",
}
AUTODIFF, FUSED, EXACT, SPARSE = map(Method, ("autodiff", "fused", "exact", "sparse"))
SAMPLED = Method("sampled")
BLOCKED, ROUNDED = Method("blocked"), Method("blocked", "bfloat16")
TINY = (AUTODIFF, FUSED, BLOCKED)
MANY = (AUTODIFF, FUSED, EXACT)
MIDDLE = (AUTODIFF, BLOCKED, ROUNDED)
LARGE = (AUTODIFF, BLOCKED, ROUNDED, SPARSE, SAMPLED)
NOTEBOOK = (1.0, 1 / 20)  # 20 to the power of −linspace(0, 1, instances)

WORKLOADS: dict[str, Workload] = {
  "intro": Workload(sizes(5, 2), 10, NOTEBOOK, 100, TINY),
  "W1": Workload(sizes(20, 5), 10, NOTEBOOK, 50, TINY),
  "W2": Workload(sizes(2, 1), 1024, NOTEBOOK, 2, MANY),
  "W2x10": Workload(sizes(2, 1), 10240, NOTEBOOK, 1, MANY),
  "W3": Workload(sizes(400, 30), 20, NOTEBOOK, 1, MIDDLE),
  "W4": Workload(sizes(100, 40) | ABSOLUTE, 8, NOTEBOOK, 5, MIDDLE),
  "W5": Workload(sizes(8192, 512), 1, (0.01, 0.01), 1, LARGE),
  "W5rare": Workload(sizes(8192, 512), 1, (0.001, 0.001), 1, LARGE),
}
# Where one way overtakes another: the evidence for the rules of estimators.choose.
FUSED_CROSSOVER = {
  f"n{n}m{m}": Workload(sizes(n, m), 10, NOTEBOOK, 50, TINY, notebook=False)
  for n, m in ((5, 2), (8, 3), (10, 5), (20, 10), (30, 10), (50, 5))
}
SPARSE_CROSSOVER = {
  f"n{n}p{p}": Workload(sizes(n, n // 16), 1, (p, p), 1, (BLOCKED, SPARSE), notebook=False)
  for n, p in itertools.product((2048, 4096, 8192), (0.001, 0.003, 0.01))
}
# How many models fill a device. On a GPU each fused row of W1 compiles for 20 s.
SATURATION = {
  f"W{which}x{n}": Workload(sizes(*of), n, NOTEBOOK, steps, methods, notebook=False)
  for which, of, steps, methods in (
    (1, (20, 5), 10, (AUTODIFF, FUSED)),
    (2, (2, 1), 100, MANY),
  )
  for n in (1, 8, 64, 512, 4096, 32768)
}
# What --workloads takes beside the names of WORKLOADS.
COLLECTIONS = {
  "fused_crossover": FUSED_CROSSOVER,
  "sparse_crossover": SPARSE_CROSSOVER,
  "saturation": SATURATION,
}
ALL = {**WORKLOADS, **FUSED_CROSSOVER, **SPARSE_CROSSOVER, **SATURATION}


def group(
  workload: Workload, changes: Mapping[str, Any] | None = None, n_restarts: int = 1
) -> Group:
  """Returns the instances of a workload, restarts fastest.

  Args:
    workload: row of ALL.
    changes: on the workload's fields, by dotted name.
    n_restarts: repetitions of every instance with random numbers of their own.
  """
  axes = {
    "density": base.log("density.base", *workload.densities, workload.n_instances),
    "restart": base.restarts(n_restarts),
  }
  fields = {"init.n_instances": workload.n_instances, **workload.changes, **(changes or {})}
  return resolve(fields, axes)


def resolve(fields: Mapping[str, Any], axes: Mapping[str, Any]) -> Group:
  """Returns the one group of a sweep of COMMON with other fields, checked as by the main job."""
  fresh = base.get_config()
  fresh.update_from_flattened_dict({**COMMON, **fields})
  base.set_axes(fresh, **axes)
  (only,) = config.resolve(fresh).groups
  return only
