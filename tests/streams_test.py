"""A key is a function of seed, stream, instance and step, and of nothing else."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from toy_superposition import draws, streams
from toy_superposition.streams import Stream

LARGEST = 2**31 - 1  # seeds, indices and steps are int32
NUMBERS = (0, 1, 2, 1000, LARGEST)
# Of seed 0, Stream.TRAIN, instance 1, step 2, as it came out once: stored results depend on it.
RECORDED = (3127791325, 625995221)


def at_step(root, stream, i, step):
  """Returns the words of a key as training makes them."""
  return draws.fold_in(streams.words(root, stream, i), step)


def test_keys_differ_whenever_seed_stream_instance_or_step_differ():
  i, step = np.array(list(itertools.product(NUMBERS, NUMBERS)), np.int32).T
  of_steps = jax.jit(jax.vmap(at_step, (None, None, 0, 0)), static_argnums=1)
  of_instances = jax.jit(jax.vmap(streams.words, (None, None, 0)), static_argnums=1)
  keys = []
  for seed, stream in itertools.product(NUMBERS, Stream):
    keys.append(of_steps(streams.root(seed), stream, i, step))
    keys.append(of_instances(streams.root(seed), stream, np.array(NUMBERS, np.int32)))
  different = np.unique(np.concatenate(keys), axis=0)
  assert len(different) == len(NUMBERS) ** 2 * len(Stream) * (1 + len(NUMBERS))


def test_a_key_is_the_same_alone_under_vmap_and_under_jit_beside_any_neighbours():
  alone = np.asarray(at_step(streams.root(5), Stream.TRAIN, 7, 11))

  @jax.jit
  def beside(i, step):
    return jax.vmap(at_step, (None, None, 0, None))(streams.root(5), Stream.TRAIN, i, step)

  for indices in ([7], [7, 8], [3, 1, 7]):
    keys = np.asarray(beside(jnp.array(indices), jnp.int32(11)))
    np.testing.assert_array_equal(keys[indices.index(7)], alone)


@pytest.mark.parametrize("default", ["threefry2x32", "rbg"])
def test_a_key_does_not_depend_on_the_default_generator(default):
  with jax.default_prng_impl(default):
    root = streams.root(0)
    words = at_step(root, Stream.TRAIN, 1, 2)
  assert jax.random.key_impl(root) == "threefry2x32"
  np.testing.assert_array_equal(words, RECORDED)


def test_a_key_s_words_are_its_data():
  root = streams.root(3)
  key = streams.key(root, Stream.EVALUATE, 4)
  np.testing.assert_array_equal(
    streams.words(root, Stream.EVALUATE, 4), np.asarray(jax.random.key_data(key))
  )


def test_streams_keep_their_numbers():
  assert {s.name: s.value for s in Stream} == {
    "INIT": 0,
    "TRAIN": 1,
    "EVALUATE": 2,
    "DICTIONARY": 3,
    "EXAMPLES": 4,
    "SAMPLE": 5,
    "DECOMPOSE": 6,
  }
