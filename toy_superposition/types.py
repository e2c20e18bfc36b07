"""The nouns of the package: what an instance is, what is static, what training carries."""

import dataclasses
from typing import Any, NamedTuple

import jax
import numpy as np
from flax import struct
from jaxtyping import Float, Int

Key = jax.Array  # a typed PRNG key
Params = Any  # a model's parameters: TiedParams or UntiedParams
# A leaf of a struct: an array on the device, on the host, or abstract. Structs say `| Any` beside
# its shape because jax also builds them of placeholders, which a run-time check must let pass.
Leaf = Any


@struct.dataclass
class Instance:
  """One toy model's numbers; batched by leading axes, one element per model.

  Everything here is data to the compiled program: changing it never recompiles.
  """

  index: Int[Leaf, "*instance"] | Any  # unique in the experiment; names the random stream
  density: Float[Leaf, "*instance feature"] | Any  # 1 − S, probability of being active, in [0, 1]
  importance: Float[Leaf, "*instance feature"] | Any  # I_i ≥ 0, weight of each squared error
  learning_rate: Float[Leaf, "*instance"] | Any  # peak, per optimizer step; the schedule scales it


@dataclasses.dataclass(frozen=True)
class Spec:
  """What is compiled into the program: two groups of instances differ in their Spec.

  Frozen and hashable. The config fields of the same meaning are documented in configs/base.py.
  """

  model: str
  n_features: int
  n_hidden: int
  distribution: str
  set_size: int
  generator: str
  target: str
  reduction: str
  hidden_l1: float
  attack: float
  init_scheme: str
  init_scale: float
  init_n_instances: int
  optimizer: str
  b1: float
  b2: float
  epsilon: float
  momentum: float
  weight_decay: float
  schedule: str
  warmup_steps: int
  steps: int
  batch_size: int
  estimator: str
  precision: str
  seed: int


@struct.dataclass
class TrainState:
  """All that training carries from step to step: arrays only, no keys and no functions."""

  params: Params
  opt_state: Any  # optax's state


class Group(NamedTuple):
  """Instances that share one Spec, and so one compiled program."""

  spec: Spec
  instances: Instance  # leaves on the host, leading axis `instance`
  cells: np.ndarray  # (instance, axis): position of each instance on each axis of the sweep


class Snapshot(NamedTuple):
  """One group of instances after `step` optimizer steps."""

  step: int
  state: TrainState  # on the host, leading axis `instance`
  losses: np.ndarray  # (instance,): loss of these parameters on the batch of the next step
  finite: np.ndarray  # (instance,): True where the parameters and the loss are finite
  estimator: str = ""  # which way to the gradient was taken since the snapshot before
