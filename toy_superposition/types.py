"""The nouns of the package: what an instance is, what is static, what training carries.

A field of `Spec` changes the compiled program, one of `Instance` does not.
"""

import dataclasses
from typing import Any, NamedTuple

import jax
import numpy as np
from flax import struct
from jaxtyping import Float, Int

from toy_superposition import declare

Key = jax.Array  # a typed PRNG key
Params = Any  # a model's parameters: a struct of arrays, such as models.AutoencoderParams
# A leaf of a struct: an array on the device, on the host, or abstract. JAX also fills these structs
# with placeholders (tree_unflatten), which run-time type checks must accept: hence `| Any`.
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
  # Frozen arrays that the instance is trained on (a dictionary, trained weights …) by name, with
  # the same leading axes; None without any.
  given: Any = None
  # Other swept fields that have an effect (λ, k …): dotted name → Float[Leaf, "*instance"].
  numbers: Any = struct.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Spec:
  """What is compiled into the program: two groups of instances differ in their Spec.

  Frozen and hashable. Each attribute declares the config field of its `of`; the fields of the rows
  that are chosen (an optimizer's decay rates …) are declared in the rows and reached by `row`.
  """

  seed: int = declare.integer(0, "≥ 0", "root of all random streams", of="seed")
  model: str = declare.choice("relu_output", "architecture, a row of MODELS", of="model.name")
  n_features: int = declare.integer(5, "≥ 1", "n, features", of="model.n_features")
  n_hidden: int = declare.integer(2, "≥ 1", "m, hidden dimensions", of="model.n_hidden")
  init_scheme: str = declare.choice(
    "xavier", "rule for the standard deviation of the initial weights", of="init.scheme"
  )
  init_scale: float = declare.number(
    1.0, "> 0", "factor on that standard deviation", of="init.scale"
  )
  distribution: str = declare.choice(
    "sparse_uniform", "how features are drawn, a row of DISTRIBUTIONS", of="data.distribution"
  )
  generator: str = declare.choice(
    "threefry", "of uniform numbers; hash is several times cheaper", of="data.generator"
  )
  examples: str = declare.choice(
    "fresh",
    "of training: fresh ones in every step for every model, common to all models of a method, or "
    "those of a fixed set",
    of="data.examples",
  )
  inputs: str = declare.choice(
    "identity",
    "what the model sees of the features x, a row of INPUTS: identity (x), dictionary (A x), "
    "hidden (hidden activations of the trained models of config.source)",
    of="data.input",
  )
  target: str = declare.choice(
    "identity",
    "what the output is compared with, a row of TARGETS: identity (x), absolute (|x|), input (what "
    "the model sees, without noise) …",
    of="data.target",
  )
  loss: str = declare.choice(
    "squared", "of an output against its target, a row of LOSSES", of="loss.name"
  )
  reduction: str = declare.choice(
    "sum",
    "of the features' losses: sum (the paper's equation) or mean (its notebook)",
    of="loss.reduction",
  )
  attack: float = declare.number(
    0.0,
    "≥ 0",
    "adversarial training: L2 norm of the perturbation of every training input along a "
    "random row of WᵀW, as a share of the root mean square norm of inputs",
    of="loss.attack",
  )
  steps: int = declare.integer(
    10_000, "≥ 0", "optimizer steps (notebook: 10 000); 0: nothing is trained", of="train.steps"
  )
  batch_size: int = declare.integer(
    1024, "≥ 1", "fresh examples per step (notebook: 1024)", of="train.batch_size"
  )
  estimator: str = declare.choice(
    "auto",
    "of the gradient: auto is the fastest of autodiff (the reference), fused (tiny models), "
    "blocked (matrix products) and sparse (large n, few active); sampled is sparse with a share of "
    "the inactive outputs, faster and noisier; exact differentiates the expected loss of few "
    "features, without sampling",
    of="train.estimator",
    names=("auto",),
  )
  precision: str = declare.choice(
    "float32", "of matrix products; bfloat16 with estimator blocked only", of="train.precision"
  )
  optimizer: str = declare.choice(
    "adamw",
    "a row of OPTIMIZERS (notebook: AdamW); bfgs with estimator exact only",
    of="train.optimizer",
  )
  # (dotted field, value) of the rows chosen above; where absent, the declared default holds.
  hyperparameters: tuple[tuple[str, Any], ...] = ()
  # Whether any instance of the group has features so rare that draws need more bits: no field of a
  # config but a consequence of its densities (sweeps.py). Groups without pay nothing for it.
  rare: bool = False
  # Penalties and perturbations whose number is not 0 in all instances of the group, by field: also
  # a consequence. Groups without pay nothing for them.
  active: tuple[str, ...] = ()
  source: "Spec | None" = None  # of the models that made what these are trained on, if any

  def row(self, field: str, instance: Instance | None = None) -> Any:
    """Returns the row that a config field chose, such as "train.optimizer", with its own fields.

    Its swept fields are the instance's numbers, and None without an instance.
    """
    values = dict(self.hyperparameters) | (instance.numbers if instance else {})
    name = getattr(self, _ATTRIBUTES[field]) if field in _ATTRIBUTES else values[field]
    return declare.build(field, name, values)


# Dotted config field → attribute of Spec.
_ATTRIBUTES = {one.of: attribute for attribute, one in declare.declared(Spec)}


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
