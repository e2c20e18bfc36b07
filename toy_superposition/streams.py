"""Named random streams and the one formula that makes a key.

A key is a function of (seed, stream, instance index), and of the step where there are steps.
Nothing else enters: not the number of instances, not their order, not the device they live on. So
resuming needs no random state, and an instance draws the same numbers whatever runs beside it.
"""

import enum

import jax
import numpy as np
from jaxtyping import Array, UInt32

from toy_superposition.types import Key


class Stream(enum.IntEnum):
  """One number for each use of randomness; never renumber, results depend on it."""

  INIT = 0
  TRAIN = 1
  EVALUATE = 2
  DICTIONARY = 3  # on the host
  EXAMPLES = 4  # of a finite set
  SAMPLE = 5  # examples for other programs
  DECOMPOSE = 6  # training of decompositions of trained models


def host(seed: int, stream: Stream, number: int) -> np.random.Generator:
  """Returns NumPy's generator for arrays that are made once, before any device is touched."""
  return np.random.default_rng([seed, int(stream), number])


def root(seed: int) -> Key:
  """Returns the experiment's root key (Threefry, whatever jax's default generator is)."""
  return jax.random.key(seed, impl="threefry2x32")


def key(root: Key, stream: Stream, instance_index: jax.Array | int) -> Key:
  """Returns the key of one instance in one stream; its steps' keys are folded out of it."""
  return jax.random.fold_in(jax.random.fold_in(root, int(stream)), instance_index)


def words(root: Key, stream: Stream, instance_index: jax.Array | int) -> UInt32[Array, "2"]:
  """Returns the two words of `key`, for arithmetic on them (draws.py)."""
  return jax.random.key_data(key(root, stream, instance_index))
