"""Small groups of instances that several tests train."""

import dataclasses

import numpy as np

from toy_superposition import problem, train
from toy_superposition.devices import meshes, setup
from toy_superposition.types import Group, Instance, Snapshot, Spec

SPEC = Spec(
  model="relu_output",
  n_features=5,
  n_hidden=2,
  distribution="sparse_uniform",
  set_size=1,
  generator="threefry",
  target="identity",
  reduction="sum",
  hidden_l1=0.0,
  attack=0.0,
  init_scheme="xavier",
  init_scale=1.0,
  init_n_instances=10,
  optimizer="adam",
  b1=0.9,
  b2=0.999,
  epsilon=1e-8,
  momentum=0.9,
  weight_decay=0.01,
  schedule="cosine",
  warmup_steps=5,
  steps=30,
  batch_size=32,
  estimator="auto",
  precision="float32",
  seed=3,
)
PLENTY = 2**30  # bytes: no slicing


def spec(**changes) -> Spec:
  """Returns SPEC with some fields changed."""
  return dataclasses.replace(SPEC, **changes)


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
  )
  return Group(of, instances, i[:, None])


def run(
  group: Group, borders=(30,), n_devices: int = 1, budget: int = PLENTY, **keywords
) -> list[Snapshot]:
  """Returns the snapshots of a run on the first `n_devices` devices."""
  mesh = meshes.make_mesh(setup.devices(n_devices))
  one = problem.make(group.spec)
  return list(train.run(one, group, borders, mesh=mesh, memory_budget=budget, **keywords))
