"""Uniform random numbers, made from a key and a counter by elementwise arithmetic alone.

A step's numbers are rows, one per draw that an example needs, with one column per example. Every
element is a function of (key, row, column), so a way of training that works on whole arrays, on
blocks of columns or on one row at a time uses the same numbers. jax.random's own generator is not
used because on CPU it is a loop that cannot be fused into a step.

Numbers are multiples of 2⁻²³, which is too coarse for events of a probability near it. Where the
caller passes `rare`, a scalar that may differ from instance to instance, they have all 24 digits of
a float32 however small they are: 64 random bits, of which the first 23 are those of the others.
"""

from collections.abc import Callable, Sequence

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, UInt32

from toy_superposition import declare

Words = UInt32[Array, "..."]
KeyWords = UInt32[Array, "2"]  # a key's two words: jax.random.key_data of a Threefry key
Generator = Callable[[Words, Words, Words, Words], tuple[Words, Words]]
Rare = Bool[Array, ""]  # whether an instance needs small numbers resolved

MAX_WORDS = 2**32  # one counter each
# Folded into a key for the lower 32 bits of its numbers. No counter of the draws themselves has it.
LOWER = np.uint32(2**32 - 1)
_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = 0x1BD11BDA
_GOLDEN_RATIO = 0x9E3779B9  # 2³² / φ, odd
_LOWBIAS = 0x846CA68B  # of Wellons' hash lowbias32 (2018)
_LARGEST = np.float32(1 - 2.0**-24)  # below 1


def threefry(key0: Words, key1: Words, x0: Words, x1: Words) -> tuple[Words, Words]:
  """Returns the Threefry-2x32 block cipher of (x0, x1), 20 rounds (Salmon et al. 2011).

  The same bits as jax's own, which on CPU runs as a loop that cannot be fused into its users.
  """
  keys = (key0, key1, key0 ^ key1 ^ jnp.uint32(_PARITY))
  x0, x1 = x0 + keys[0], x1 + keys[1]
  for group in range(5):
    for rotation in _ROTATIONS[group % 2]:
      x0 = x0 + x1
      x1 = (x1 << jnp.uint32(rotation)) | (x1 >> jnp.uint32(32 - rotation))
      x1 = x0 ^ x1
    x0 = x0 + keys[(group + 1) % 3]
    x1 = x1 + keys[(group + 2) % 3] + jnp.uint32(group + 1)
  return x0, x1


def keyed_hash(key0: Words, key1: Words, x0: Words, x1: Words) -> tuple[Words, Words]:
  """Returns each counter hashed by itself: several times cheaper than Threefry, and not a cipher.

  A Weyl sequence whose starting point is set by the key; the keyed permutation x (2x + k), k odd,
  of the cipher RC6 (Rivest et al. 1998); and a multiplication. Each step less leaves words at some
  distances visibly dependent (tests/draws_test.py).
  """
  odd = key1 | jnp.uint32(1)

  def mix(x: Words) -> Words:
    x = x * jnp.uint32(_GOLDEN_RATIO) + key0
    x = x ^ (x >> jnp.uint32(16))
    x = x * (x + x + odd)
    x = x ^ (x >> jnp.uint32(15))
    return x * jnp.uint32(_LOWBIAS)

  return mix(x0), mix(x1)


GENERATORS: dict[str, Generator] = declare.table(
  "data.generator", {"threefry": threefry, "hash": keyed_hash}
)


def fold_in(key: KeyWords, number: Array | np.uint32 | int) -> KeyWords:
  """Returns jax.random.fold_in(key, number) as words."""
  word = jnp.asarray(number).astype(jnp.uint32)
  words = jnp.stack(threefry(key[0], key[1], jnp.zeros_like(word), word))
  # Made before the loops that draw from it. In a loop over examples LLVM asks of each of its 20
  # rounds, once for each use, whether it is the same in all lanes: with AVX-512 for hours.
  return lax.optimization_barrier(words)


def _to_uniform(bits: Words) -> Float[Array, "..."]:
  """Returns numbers on [0, 1), multiples of 2⁻²³, as jax.random.uniform makes them."""
  one_to_two = (bits >> jnp.uint32(9)) | jnp.uint32(0x3F800000)
  return lax.bitcast_convert_type(one_to_two, jnp.float32) - 1


def _resolved(bits: Words, lower: Words) -> Float[Array, "..."]:
  """Returns the number on [0, 1) of 64 bits, rounded to float32."""
  high = bits.astype(jnp.float32) * np.float32(2.0**-32)
  return jnp.minimum(high + lower.astype(jnp.float32) * np.float32(2.0**-64), _LARGEST)


def _numbers(
  words: Callable[[KeyWords], Sequence[Words]], key: KeyWords, rare: Rare | None
) -> list[Float[Array, "..."]]:
  """Returns the uniform numbers of the words that a key makes."""
  bits = words(key)
  if rare is None:
    return [_to_uniform(x) for x in bits]
  pairs = zip(bits, words(fold_in(key, LOWER)), strict=True)
  return [jnp.where(rare, _resolved(x, lower), _to_uniform(x)) for x, lower in pairs]


def uniform_rows(
  generator: str,
  key: KeyWords,
  n_rows: int,
  n_examples: int,
  rare: Rare | None = None,
  shape: tuple[int, ...] | None = None,
  first: int = 0,
) -> list[Float[Array, "*example"]]:
  """Returns the rows of `uniform` one by one, for a step that is fused into one loop.

  Args:
    generator: a row of GENERATORS.
    key: of the step.
    n_rows: draws of an example.
    n_examples: of the step.
    rare: as `uniform`'s.
    shape: of every row; the default is all examples along one axis.
    first: example at its beginning.
  """
  n_pairs = -(-n_rows // 2)
  shape = shape or (n_examples,)
  example = jnp.full(shape, np.uint32(first))
  for axis in range(len(shape)):
    stride = np.uint32(np.prod(shape[axis + 1 :], dtype=int))
    example = example + lax.broadcasted_iota(jnp.uint32, shape, axis) * stride

  def numbers(pair: int) -> list[Float[Array, "*example"]]:
    x0 = example + np.uint32(pair * n_examples)
    x1 = example + np.uint32((n_pairs + pair) * n_examples)

    def words(key: KeyWords) -> tuple[Words, Words]:
      return GENERATORS[generator](key[0], key[1], x0, x1)

    return _numbers(words, key, rare)

  upper, lower = zip(*map(numbers, range(n_pairs)), strict=True)
  return [*upper, *lower][:n_rows]


def uniform(
  generator: str,
  key: KeyWords,
  n_rows: int,
  n_examples: int,
  first: Array | int = 0,
  n_columns: int | None = None,
  by_row: bool = False,
  rare: Rare | None = None,
) -> Float[Array, "row column"]:
  """Returns uniform numbers on [0, 1), one row per draw and one column per example.

  With Threefry, row-major, they are `jax.random.uniform(key, (n_rows, n_examples))` of the
  generator that `jax_threefry_partitionable=False` selects, for an even number of rows; an odd
  number is one row less of the next even one. Both words of each block are used.

  Args:
    generator: row of GENERATORS.
    key: of this step.
    n_rows: draws that one example needs.
    n_examples: of the whole batch; n_rows · n_examples must not exceed MAX_WORDS.
    first: first column to return.
    n_columns: how many, all from `first` on by default.
    by_row: make each row by itself, for rows that are spread over devices: needs no communication,
      at the price of discarding one of the two words of each block.
    rare: whether small numbers have all their digits; None: they have not, at no cost.
  """
  n_pairs = -(-n_rows // 2)
  shape = (n_rows if by_row else n_pairs, n_examples if n_columns is None else n_columns)
  row = lax.broadcasted_iota(jnp.uint32, shape, 0)
  column = lax.broadcasted_iota(jnp.uint32, shape, 1) + jnp.asarray(first).astype(jnp.uint32)
  second = row >= np.uint32(n_pairs)
  if by_row:
    row = jnp.where(second, row - np.uint32(n_pairs), row)
  counter = row * jnp.uint32(n_examples) + column
  half = np.uint32(n_pairs * n_examples)

  def words(key: KeyWords) -> list[Words]:
    block = GENERATORS[generator](key[0], key[1], counter, counter + half)
    return [jnp.where(second, block[1], block[0]) if by_row else jnp.concatenate(block, axis=0)]

  (numbers,) = _numbers(words, key, rare)
  return numbers[:n_rows]


def uniform_columns(
  generator: str,
  key: KeyWords,
  n_rows: int,
  columns: UInt32[Array, "example"],
  rare: Rare | None = None,
) -> Float[Array, "row example"]:
  """Returns uniform numbers on [0, 1) of any columns of an array of MAX_WORDS // n_rows columns.

  A column does not depend on which others are asked for.
  """
  row = lax.broadcasted_iota(jnp.uint32, (n_rows, columns.shape[0]), 0)
  counter = row * jnp.uint32(MAX_WORDS // n_rows) + columns[None, :]

  def words(key: KeyWords) -> list[Words]:
    return [GENERATORS[generator](key[0], key[1], counter, jnp.zeros_like(counter))[0]]

  (numbers,) = _numbers(words, key, rare)
  return numbers


def uniform_pairs(
  generator: str, key: KeyWords, n_rows: int, n_examples: int, rare: Rare | None = None
) -> tuple[Float[Array, "row example"], Float[Array, "row example"]]:
  """Returns two uniform numbers on [0, 1) for each row and example.

  Unlike those of `uniform`, they do not change when more rows are drawn; n_rows · n_examples must
  not exceed half of MAX_WORDS.
  """
  shape = (n_rows, n_examples)
  row, example = (lax.broadcasted_iota(jnp.uint32, shape, axis) for axis in (0, 1))
  counter = row * jnp.uint32(n_examples) + example

  def words(key: KeyWords) -> tuple[Words, Words]:
    return GENERATORS[generator](key[0], key[1], counter, counter + np.uint32(MAX_WORDS // 2))

  one, other = _numbers(words, key, rare)
  return one, other
