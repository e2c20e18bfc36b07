"""What a model sees of an example's features: the features, or a frozen function of them.

A row of INPUTS is a class with declared fields. Its frozen arrays are data of the instance
(`Instance.given`), stored with the results: a program serves any dictionary.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from toy_superposition import declare, models, streams
from toy_superposition.declare import choice, flag, integer
from toy_superposition.types import Instance, Spec

Feature = Float[Array, "feature"]
Seen = Float[Array, "input"]
Arrays = dict[str, np.ndarray]

SOURCE = "source_"  # before the names of the source's parameters
REPULSION_STEPS, REPULSION_RATE = 100, 0.1


class Input:
  """What a row of INPUTS inherits."""

  # Trailing axes of its frozen arrays, for labelling results.
  DIMS: ClassVar[Mapping[str, tuple[str, ...]]] = {}
  needs_source: ClassVar[bool] = False  # whether config.source must name trained models

  def size(self, spec: Spec) -> int:
    """Returns how many numbers the model sees."""
    return spec.n_features

  def given(self, spec: Spec, numbers: Mapping[str, np.ndarray]) -> Arrays | None:
    """Returns frozen arrays with a leading instance axis, made on the host.

    Args:
      spec: of the group.
      numbers: swept fields of the group's instances, each of shape (instance,).
    """
    del spec, numbers
    return None

  def seen(self, spec: Spec, instance: Instance, x: Feature) -> Seen:
    """Returns what the model sees of one example."""
    raise NotImplementedError


@dataclass(frozen=True)
class Identity(Input):
  """The features themselves, as in the paper."""

  def seen(self, spec: Spec, instance: Instance, x: Feature) -> Seen:
    """Returns x."""
    del spec, instance
    return x


@dataclass(frozen=True)
class Dictionary(Input):
  """A x, with a frozen matrix A of one unit column per feature."""

  DIMS: ClassVar[Mapping[str, tuple[str, ...]]] = {"dictionary": ("input", "feature")}

  n_dimensions: int = integer(20, "≥ 1", "m, numbers that the model sees: rows of the dictionary")
  directions: str = choice(
    "random",
    "columns of the dictionary: random, independent on the unit sphere; repelled, pushed apart "
    f"in {REPULSION_STEPS} steps down the sum of their squared cosines; orthonormal, for at most "
    "as many features as dimensions",
    names=("random", "repelled", "orthonormal"),
  )
  dictionary: Any = integer(
    0, "≥ 0", "number of the random dictionary: models with the same one share it", swept=True
  )

  def size(self, spec: Spec) -> int:
    """Returns m."""
    del spec
    return self.n_dimensions

  def given(self, spec: Spec, numbers: Mapping[str, np.ndarray]) -> Arrays:
    """Returns the dictionaries of the group, one per instance."""
    chosen = numbers["data.dictionary"].astype(int)
    made = [
      numbered(spec.seed, number, self.n_dimensions, spec.n_features, self.directions)
      for number in chosen.tolist()
    ]
    return {"dictionary": np.stack(made)}

  def seen(self, spec: Spec, instance: Instance, x: Feature) -> Seen:
    """Returns A x."""
    del spec
    return instance.given["dictionary"] @ x

  def refuses(self, spec: Spec, instances: Instance) -> str:
    """Returns what is allowed instead of more orthonormal columns than dimensions, or nothing."""
    del instances
    if self.directions == "orthonormal" and spec.n_features > self.n_dimensions:
      return (
        f"config.data.directions: 'orthonormal' is not allowed for {spec.n_features} features in "
        f"{self.n_dimensions} dimensions; allowed: random, repelled"
      )
    return ""


@dataclass(frozen=True)
class HiddenActivations(Input):
  """Hidden activations of frozen models that were trained before: config.source.

  Their hidden dimensions are the inputs here.
  """

  DIMS: ClassVar[Mapping[str, tuple[str, ...]]] = {
    f"{SOURCE}{name}": tuple("input" if dim == "hidden" else dim for dim in dims)
    for name, dims in models.PARAM_DIMS.items()
  }
  needs_source: ClassVar[bool] = True

  def size(self, spec: Spec) -> int:
    """Returns the number of hidden dimensions of the source."""
    assert spec.source is not None  # checked when the config is resolved
    return spec.source.n_hidden

  def seen(self, spec: Spec, instance: Instance, x: Feature) -> Seen:
    """Returns the hidden activations of x."""
    assert spec.source is not None
    kind = models.params_class(spec.source.model)
    frozen = {n.removeprefix(SOURCE): leaf for n, leaf in instance.given.items()}
    return models.of(spec.source).encode(kind(**frozen), x)


@functools.lru_cache(maxsize=16)  # the groups of a sweep have the same ones
def numbered(
  seed: int, number: int, n_dimensions: int, n_features: int, kind: str
) -> Float[np.ndarray, "input feature"]:
  """Returns the columns of a config's dictionary with this number."""
  generator = streams.host(seed, streams.Stream.DICTIONARY, number)
  return directions(generator, n_dimensions, n_features, kind)


def directions(
  generator: np.random.Generator, n_dimensions: int, n_features: int, kind: str
) -> Float[np.ndarray, "input feature"]:
  """Returns unit columns of a kind that `Dictionary.directions` names.

  Repelled ones are those of Chanin et al. (SynthSAEBench): gradient descent on the sum of squared
  cosines, on the sphere.
  """
  A = generator.standard_normal((n_dimensions, n_features))
  if kind == "orthonormal":
    return np.linalg.qr(A)[0].astype(np.float32)
  A /= np.linalg.norm(A, axis=0)
  for _ in range(REPULSION_STEPS if kind == "repelled" else 0):
    A -= REPULSION_RATE * ((A @ A.T) @ A - A)  # A times the cosines of different columns
    A /= np.linalg.norm(A, axis=0)
  return A.astype(np.float32)


INPUTS: dict[str, Any] = declare.table(
  "data.input",
  {"identity": Identity, "dictionary": Dictionary, "hidden": HiddenActivations},
)


@dataclass(frozen=True)
class Fresh:
  """Every step of training draws examples of its own, different ones for every model."""


@dataclass(frozen=True)
class Common:
  """Every step of training draws examples of its own, the same ones for all models of a method.

  They are drawn once, which matters where drawing costs more than training; and differences between
  models are not those of their examples. Error bars over seeds then leave out the chance of which
  examples are drawn.
  """

  def refuses(self, spec: Spec, instances: Instance) -> str:
    """Returns why examples of different models cannot be the same ones, or nothing."""
    if (instances.density != instances.density[:1]).any():
      return "config.data.examples: 'common' is not allowed with several densities; allowed: fresh"
    row = declare.TABLES["data.distribution"][spec.distribution]
    for name, declaration in declare.declared(row):
      values = instances.numbers.get(f"data.{name}") if declaration.swept else None
      if values is not None and (values != values[:1]).any():
        return (
          f"config.data.examples: 'common' is not allowed with several values of config.data.{name}"
          "; allowed: fresh"
        )
    return ""


@dataclass(frozen=True)
class Fixed:
  """Training draws its batches, with replacement, from a set of T examples.

  They are T fixed counters of one random stream: a smaller set is the beginning of a larger one,
  and none takes memory. Evaluation draws fresh examples.

  With `whole`, a batch of which T is a divisor is the set itself, repeated: full-batch descent.
  """

  n_examples: Any = integer(5000, "≥ 1", "T, examples to train on", swept=True)
  whole: bool = flag(
    False, "whether a batch is the whole set, repeated, if T divides train.batch_size"
  )

  def columns(self, u: Float[Array, "example"], first: Array | int = 0, of: int = 0) -> Array:
    """Returns which examples of the set a part of a batch consists of.

    Args:
      u: uniform numbers on [0, 1), one for each example of the part.
      first: position of the part in the batch.
      of: size of the batch, needed with `whole`.
    """
    drawn = jnp.minimum(jnp.floor(u * self.n_examples), self.n_examples - 1).astype(jnp.uint32)
    if not self.whole:
      return drawn
    size = jnp.asarray(self.n_examples).astype(jnp.uint32)
    in_order = (jnp.asarray(first, jnp.uint32) + jnp.arange(len(u), dtype=jnp.uint32)) % size
    return jnp.where(jnp.uint32(of) % size == 0, in_order, drawn)

  def refuses(self, spec: Spec, instances: Instance) -> str:
    """Returns what is allowed instead of more examples than uniform numbers can choose from."""
    del spec
    largest = int(instances.numbers["data.n_examples"].max())
    return f"config.data.n_examples: {largest}; allowed: 1 to 2²⁰" if largest > 2**20 else ""


EXAMPLES: dict[str, Any] = declare.table(
  "data.examples", {"fresh": Fresh, "common": Common, "fixed": Fixed}
)
