"""Named random streams and the one formula that makes a key.

A key is a function of (seed, stream, instance index, step). Nothing else enters: not the number
of instances, not their order, not the device they live on. So resuming needs no random state,
and an instance draws the same numbers whatever runs beside it.
"""

import enum

import jax

from toy_superposition.types import Key


class Stream(enum.IntEnum):
  """One number for each use of randomness; never renumber, results depend on it."""

  INIT = 0
  TRAIN = 1
  EVALUATE = 2


def root(seed: int) -> Key:
  """Returns the experiment's root key (Threefry, whatever jax's default generator is)."""
  return jax.random.key(seed, impl="threefry2x32")


def key(root: Key, stream: Stream, instance_index: jax.Array | int, step: jax.Array | int) -> Key:
  """Returns the key of one instance at one step of one stream."""
  for number in (int(stream), instance_index, step):
    root = jax.random.fold_in(root, number)
  return root
