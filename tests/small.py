"""Small groups of instances that several tests train."""

import numpy as np

from toy_superposition import declare, estimators, fields, problem, train
from toy_superposition.devices import meshes, setup
from toy_superposition.devices.plan import Plan, make_plan
from toy_superposition.types import Group, Instance, Snapshot, Spec

# What differs from the defaults of a config.
CHANGES = {
  "seed": 3,
  "train.optimizer": "adam",
  "train.schedule": "cosine",
  "train.warmup_steps": 5,
  "train.steps": 30,
  "train.batch_size": 32,
}
PLENTY = 2**30  # bytes: no slicing


def field_of(name: str) -> str:
  """Returns the config field of an attribute of Spec, or of a row's field by its last name."""
  for attribute, declaration in declare.declared(Spec):
    if attribute == name:
      return declaration.of
  (field,) = [field for field in fields.fields() if field.rpartition(".")[2] == name]
  return field


def spec(**changes) -> Spec:
  """Returns a Spec: the defaults, CHANGES, and fields by the names that `field_of` takes."""
  named = {field_of(name): value for name, value in changes.items()}
  return fields.make_spec(fields.defaults() | CHANGES | named)


SPEC = spec()


def group(n_instances: int, index=None, of: Spec = SPEC) -> Group:
  """Returns instances of different densities, importances and learning rates."""
  i = np.arange(n_instances) if index is None else np.asarray(index)
  n = of.n_features
  density = 0.05 + 0.9 * ((7 * i[:, None] + 3 * np.arange(n)) % 11) / 11
  importance = 0.5 + ((i[:, None] + np.arange(n)) % 4) / 2
  instances = Instance(
    index=i.astype(np.int32),
    density=density.astype(np.float32),
    importance=importance.astype(np.float32),
    learning_rate=(1e-2 / (1 + i % 3)).astype(np.float32),
    numbers={"train.weight_decay": np.full(len(i), 0.01, np.float32)},
  )
  return Group(of, instances, i[:, None])


def plan(group: Group, n_devices: int = 1, budget: int = PLENTY, feature_devices: int = 0) -> Plan:
  """Returns the plan of a group on the first `n_devices` devices, its estimator fixed."""
  group = estimators.fixed(group, "cpu", shared=feature_devices > 1)
  mesh = meshes.make_mesh(setup.devices(n_devices))
  return make_plan(group, mesh, budget=budget, limit=2**62, feature_devices=feature_devices)


def run(
  group: Group, segment_ends=(30,), n_devices: int = 1, budget: int = PLENTY, **keywords
) -> list[Snapshot]:
  """Returns the snapshots of a run on the first `n_devices` devices."""
  made = plan(group, n_devices, budget)
  return list(train.run(problem.make(group.spec), made, segment_ends, **keywords))
