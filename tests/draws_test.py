"""Random numbers: the bits of jax's own generator, and the statistics of every generator."""

import functools
import itertools
from collections.abc import Callable
from typing import Any

import jax
import jax.extend
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from toy_superposition import draws, streams
from toy_superposition.draws import GENERATORS
from toy_superposition.streams import Stream

every_generator = pytest.mark.parametrize("generator", GENERATORS)


def words(instance: int = 0, step: int = 0):
  """Returns a step's key as training makes it."""
  return draws.fold_in(streams.words(streams.root(0), Stream.TRAIN, instance), step)


# As programs use them: compiled, and for every shape once.
uniform = jax.jit(
  draws.uniform, static_argnames=("generator", "n_rows", "n_examples", "n_columns", "by_row")
)
uniform_rows = jax.jit(draws.uniform_rows, static_argnames=("generator", "n_rows", "n_examples"))
uniform_pairs = jax.jit(draws.uniform_pairs, static_argnames=("generator", "n_rows", "n_examples"))


every_precision = pytest.mark.parametrize("rare", [None, True])


def flag(rare: bool | None):
  """None: no instance of a group needs more bits; False: this one does not, and another does."""
  return None if rare is None else jnp.bool_(rare)


# The bits.


@pytest.mark.parametrize(
  ("key", "counter", "block"),
  [  # test vectors of the authors' library Random123, Threefry-2x32 with 20 rounds
    ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
    ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
    ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
  ],
)
def test_threefry_gives_its_authors_test_vectors(key, counter, block):
  given = (np.uint32(word) for word in (*key, *counter))
  assert tuple(map(int, draws.threefry(*map(jnp.asarray, given)))) == block


def test_threefry_is_jax_s_own_bit_by_bit():
  rng = np.random.default_rng(0)
  for _ in range(8):
    key, x = (rng.integers(0, 2**32, size=n, dtype=np.uint32) for n in (2, 2000))
    ours = draws.threefry(*map(jnp.asarray, (key[0], key[1], x[:1000], x[1000:])))
    jax_s = jax.extend.random.threefry_2x32((key[0], key[1]), x)
    np.testing.assert_array_equal(np.concatenate(ours), jax_s)


@pytest.mark.quick("shape1", "shape4")
@pytest.mark.parametrize("shape", [(2, 1), (2, 5), (4, 1000), (6, 33), (64, 16)])
def test_threefry_numbers_are_those_of_jax_random_uniform(shape):
  ours = uniform("threefry", words(1, 2), *shape)
  key = jax.random.fold_in(streams.key(streams.root(0), Stream.TRAIN, 1), 2)
  with jax.threefry_partitionable(False):
    np.testing.assert_array_equal(ours, jax.random.uniform(key, shape))
  with jax.threefry_partitionable(True):  # the other one gives other numbers
    assert np.mean(np.asarray(ours) == jax.random.uniform(jax.random.clone(key), shape)) < 0.5


@pytest.mark.parametrize("number", [0, 1, 7, 2**31 - 1])
def test_fold_in_is_jax_s_own_bit_by_bit(number):
  key = streams.key(streams.root(5), Stream.EVALUATE, 3)
  expected = jax.random.key_data(jax.random.fold_in(key, number))
  data = jax.random.key_data(key)
  np.testing.assert_array_equal(draws.fold_in(data, number), expected)
  np.testing.assert_array_equal(jax.jit(draws.fold_in)(data, jnp.int32(number)), expected)


@pytest.mark.quick("3-hash-None", "3-threefry-True", "8-threefry-None")
@every_precision
@every_generator
@pytest.mark.parametrize("n_rows", [1, 2, 3, 8, 9])
def test_rows_one_by_one_are_the_rows_of_the_whole_bitwise(generator, n_rows, rare):
  rows = uniform_rows(generator, words(), n_rows, 100, flag(rare))
  assert len(rows) == n_rows
  np.testing.assert_array_equal(
    np.stack(rows).reshape(n_rows, -1),
    uniform(generator, words(), n_rows, 100, rare=flag(rare)),
  )


@pytest.mark.quick("7-hash-True", "7-threefry-None")
@every_precision
@every_generator
@pytest.mark.parametrize("n_rows", [1, 2, 7, 8])
def test_rows_for_devices_that_share_them_are_the_same_bitwise(generator, n_rows, rare):
  arguments = (generator, words(), n_rows, 96, 10, 20)
  alone = uniform(*arguments, by_row=True, rare=flag(rare))
  np.testing.assert_array_equal(alone, uniform(*arguments, rare=flag(rare)))


@every_generator
def test_an_odd_number_of_rows_is_one_row_less_of_the_next_even_one(generator):
  even = uniform(generator, words(), 8, 100)
  np.testing.assert_array_equal(uniform(generator, words(), 7, 100), even[:7])


@pytest.mark.quick("7-hash-True", "7-threefry-None")
@every_precision
@every_generator
@pytest.mark.parametrize("n_rows", (4, 7))
def test_blocks_of_columns_are_those_of_the_whole_bitwise(generator, n_rows, rare):
  columns = functools.partial(uniform, generator, words(), n_rows, 96, rare=flag(rare))
  whole = np.asarray(columns())
  blocks = [columns(jnp.int32(first), 32) for first in (0, 32, 64)]
  np.testing.assert_array_equal(np.concatenate(blocks, axis=1), whole)
  np.testing.assert_array_equal(columns(90, 6), whole[:, 90:])


@pytest.mark.quick("threefry")
@every_generator
def test_a_key_s_numbers_are_the_same_beside_other_keys(generator):
  keys = np.stack([words(instance) for instance in range(3)])
  together = jax.jit(jax.vmap(lambda key: draws.uniform(generator, key, 3, 50)))(keys)
  for key, numbers in zip(keys, together, strict=True):
    np.testing.assert_array_equal(uniform(generator, key, 3, 50), numbers)


@pytest.mark.quick("4-hash-None", "4-threefry-True")
@every_precision
@every_generator
@pytest.mark.parametrize("n_rows", [1, 4, 7])
def test_pairs_do_not_change_when_more_rows_are_drawn(generator, n_rows, rare):
  few, many = (uniform_pairs(generator, words(), n, 96, flag(rare)) for n in (n_rows, 9))
  for part, whole in zip(few, many, strict=True):
    assert part.shape == (n_rows, 96)
    np.testing.assert_array_equal(part, whole[:n_rows])


def test_pairs_are_the_two_words_of_their_blocks():
  key, n = words(), 96
  counter = np.arange(3 * n, dtype=np.uint32).reshape(3, n)
  blocks = jax.jit(draws.threefry)(key[0], key[1], counter, counter + np.uint32(2**31))
  for numbers, bits in zip(uniform_pairs("threefry", key, 3, n), blocks, strict=True):
    np.testing.assert_array_equal(numbers, np.floor(np.asarray(bits) / 2**9) / 2**23)


@every_generator
def test_numbers_are_multiples_of_2_to_the_minus_23_on_0_to_1(generator):
  u = np.asarray(uniform(generator, words(), 4, 2**14), np.float64)
  assert u.min() >= 0 and u.max() < 1
  np.testing.assert_array_equal(u * 2**23, np.round(u * 2**23))
  assert np.any(np.round(u * 2**23) % 2 == 1)  # and of no coarser grid


def several(generator: str, rare: bool | None) -> np.ndarray:
  """Returns the numbers of `uniform` and of `uniform_pairs`, in one row."""
  one = uniform(generator, words(), 4, 2**14, rare=flag(rare))
  pairs = uniform_pairs(generator, words(), 2, 2**14, flag(rare))
  return np.concatenate([np.ravel(x) for x in (one, *pairs)])


@pytest.mark.quick("hash")
@every_generator
def test_an_instance_without_rare_features_has_the_same_numbers_beside_others_bitwise(generator):
  np.testing.assert_array_equal(several(generator, False), several(generator, None))


@every_generator
def test_numbers_for_rare_features_are_the_others_with_more_digits(generator):
  coarse, fine = several(generator, None).astype(float), several(generator, True)
  assert fine.dtype == np.float32
  assert fine.min() > 0
  assert fine.max() < 1
  # The digits beyond the 23rd, where a float32 has at least twelve of them.
  small = coarse < 2.0**-12
  digits = (fine.astype(float) - coarse)[small] * 2**23
  assert np.sum(small) > 20
  assert digits.min() >= 0
  assert digits.max() <= 1
  assert stats.kstest(digits, "uniform").pvalue > CHANCE
  np.testing.assert_allclose(fine, coarse, rtol=0, atol=2.0**-23)


@pytest.mark.quick("hash")
@every_generator
def test_the_two_words_of_a_number_are_independent(generator):
  p_values = pair_p_values(lambda key: two_words(generator, key))
  assert p_values.min() * p_values.size > CHANCE


def two_words(generator: str, key):
  """Returns the numbers of a number's upper and of its lower word."""
  both = (key, draws.fold_in(key, draws.LOWER))
  return tuple(draws.uniform(generator, key, 4, 2**15) for key in both)


# The statistics. All draws are fixed: a check that passes once passes always. It passes unless
# what it sees has a chance of less than CHANCE among truly random numbers, as for a number that
# is 4.5 standard errors away from its mean.

CHANCE = 2 * stats.norm.sf(4.5)
SHAPE = (4, 4, 16, 2**15)  # instance, step, row, example: 8 · 10⁶ numbers
AXES = ("instance", "step", "row", "example")
RARE = 1 / 16  # density of the features in one of the checks
Numbers = np.ndarray  # of SHAPE, float64


@functools.lru_cache(maxsize=3)
def numbers(generator: str) -> Numbers:
  n_instances, n_steps, n_rows, n_examples = SHAPE
  keys = np.array([[words(i, step) for step in range(n_steps)] for i in range(n_instances)])
  of_key = functools.partial(draws.uniform, generator, n_rows=n_rows, n_examples=n_examples)
  return np.asarray(jax.jit(jax.vmap(jax.vmap(of_key)))(keys), np.float64)


def of_z(z: np.ndarray) -> np.ndarray:
  """Returns the p-values of independent standard normal numbers and of the sum of their squares."""
  return np.append(2 * stats.norm.sf(np.abs(z)), of_chi_square(np.sum(z**2), z.size))


def of_chi_square(statistic: float, n_degrees: int) -> float:
  """Returns the two-sided p-value: numbers that are too even are not random either."""
  above = stats.chi2.sf(statistic, n_degrees)
  return 2 * min(above, 1 - above)


def of_counts(values: np.ndarray, probability) -> float:
  """Returns the p-value of how often each integer occurs."""
  observed = np.bincount(values.ravel(), minlength=len(probability))
  expected = values.size * np.asarray(probability)
  return of_chi_square(np.sum((observed - expected) ** 2 / expected), len(expected) - 1)


def evenly(n: int) -> np.ndarray:
  return np.full(n, 1 / n)


# Functions of the numbers with mean 0 and mean square 1: what is dependent shows as a correlation
# of one of them. The last two see numbers that differ by a constant, modulo 1.
MOMENTS = (lambda u: (u - 0.5) * 12**0.5, lambda u: ((u - 0.5) ** 2 - 1 / 12) * 180**0.5)
CIRCLES = (lambda u: np.exp(2j * np.pi * u), lambda u: np.exp(4j * np.pi * u))


def of_correlations(sums: np.ndarray, n: int | np.ndarray, real: bool) -> np.ndarray:
  """Returns the p-values of sums of n independent products."""
  if real:
    return 2 * stats.norm.sf(np.abs(sums) / n**0.5)
  return np.exp(-(np.abs(sums) ** 2) / n)


def mean_and_variance(u: Numbers) -> np.ndarray:
  """Of every instance, step and row: ½ and 1/12."""
  scores = [moment(u).mean(axis=-1) * SHAPE[-1] ** 0.5 for moment in MOMENTS]
  return np.concatenate([of_z(z.ravel()) for z in scores])


def uniformity(u: Numbers) -> np.ndarray:
  """Kolmogorov and Smirnov's distance from the uniform distribution, of every instance."""
  return np.array([stats.kstest(part.ravel(), "uniform", method="asymp").pvalue for part in u])


def bits_by_themselves(u: Numbers) -> np.ndarray:
  """Two bytes and the 7 bits that are left of every number."""
  bits = (u * 2**23).astype(np.int64)
  fields = ((bits >> 15, 256), ((bits >> 7) & 255, 256), (bits & 127, 128))
  return np.array([of_counts(field, evenly(size)) for field, size in fields])


def distances(u: Numbers) -> np.ndarray:
  """Correlations within a step at every distance, over rows and examples: by Fourier transform."""
  of_keys = u.reshape(SHAPE[0] * SHAPE[1], -1)  # row-major: in the order of the counters
  n_keys, n = of_keys.shape
  distance = np.arange(1, 3 * n // 4)
  p_values = []
  for wave in (f(of_keys) for f in (*MOMENTS, *CIRCLES)):
    power = (np.abs(np.fft.fft(wave, 2 * n)) ** 2).sum(axis=0)
    sums = np.fft.ifft(power)[distance]
    p_values.append(of_correlations(sums, n_keys * (n - distance), np.isrealobj(wave)))
  return np.concatenate(p_values)


def neighbouring_keys(u: Numbers) -> np.ndarray:
  """Correlations of all instances and steps with each other, number by number."""
  of_keys = u.reshape(SHAPE[0] * SHAPE[1], -1)
  p_values = []
  for wave in (f(of_keys) for f in (*MOMENTS, *CIRCLES)):
    sums = np.array([(a * b.conj()).sum() for a, b in itertools.combinations(wave, 2)])
    p_values.append(of_correlations(sums, wave.shape[1], np.isrealobj(wave)))
  return np.concatenate(p_values)


def joint_bits(axis: int, u: Numbers) -> np.ndarray:
  """The five highest bits of neighbours along one axis, each number in one pair."""
  high = np.moveaxis((u * 32).astype(np.int64), axis, 0)
  return np.array([of_counts(32 * high[0::2] + high[1::2], evenly(1024))])


def number_active(u: Numbers) -> np.ndarray:
  """How many of an example's features are active: binomial; four or more count as four."""
  active = np.minimum((u < RARE).sum(axis=2), 4)
  probability = stats.binom.pmf(np.arange(4), u.shape[2], RARE)
  return np.array([of_counts(active, [*probability, 1 - probability.sum()])])


CHECKS: dict[str, Callable[[Numbers], np.ndarray]] = {
  "mean and variance": mean_and_variance,
  "uniformity": uniformity,
  "bits by themselves": bits_by_themselves,
  "distances": distances,
  "neighbouring keys": neighbouring_keys,
  **{f"joint bits over {name}": functools.partial(joint_bits, i) for i, name in enumerate(AXES)},
  "number active": number_active,
}


def passes(check: str, generator: str) -> bool:
  """Returns whether none of a check's p-values is too small for as many as there are."""
  p_values = CHECKS[check](numbers(generator))
  return bool(p_values.min() * p_values.size > CHANCE)


@pytest.mark.quick("mean and variance-hash", "uniformity-hash", "joint bits over example-hash")
@every_generator
@pytest.mark.parametrize("check", CHECKS)
def test_a_generator_s_numbers_look_random(generator, check):
  assert passes(check, generator)


def pairs_of(generator: str) -> Callable:
  return functools.partial(draws.uniform_pairs, generator, n_rows=4, n_examples=2**15)


def pair_p_values(of_key: Callable) -> np.ndarray:
  """Returns p-values of two arrays of numbers from a key: of correlations of first and second
  numbers, of their difference, and of their highest bits."""
  keys = np.stack([words(0, step) for step in range(16)])
  u, v = (np.asarray(x, np.float64) for x in jax.jit(jax.vmap(of_key))(keys))
  p_values: list[Any] = []
  for moment, other in itertools.product(MOMENTS, repeat=2):
    p_values += [of_correlations((moment(u) * other(v)).sum(), u.size, real=True)]
  for wave in CIRCLES:
    p_values += [of_correlations((wave(u) * wave(v).conj()).sum(), u.size, real=False)]
  u_high, v_high, apart = ((x * 32).astype(np.int64) for x in (u, v, (u - v) % 1))
  p_values += [of_counts(32 * u_high + v_high, evenly(1024))]
  p_values += [of_counts(32 * apart + u_high, evenly(1024))]
  return np.array(p_values)


@pytest.mark.quick("hash")
@every_generator
def test_the_two_numbers_of_a_pair_are_independent(generator):
  p_values = pair_p_values(pairs_of(generator))
  assert p_values.min() * p_values.size > CHANCE


@pytest.mark.slow
def test_pairs_that_are_not_independent_are_found_out(monkeypatch):
  for bad in (one_word, multiplied):
    monkeypatch.setitem(GENERATORS, bad.__name__, bad)
    p_values = pair_p_values(pairs_of(bad.__name__))
    assert p_values.min() * p_values.size < CHANCE


def multiplied(key0, key1, x0, x1):
  """The counters times an odd number, from a place that the key decides."""
  return x0 * jnp.uint32(0x9E3779B1) + key0, x1 * jnp.uint32(0x9E3779B1) + key0


def with_fixed_multipliers(key0, key1, x0, x1):
  """The hash without its keyed permutation: the multipliers of Wellons' lowbias32, with a key word
  before each. Random but for words at some distances."""

  def mix(x):
    x = (x ^ key0) * jnp.uint32(0x7FEB352D)
    x = ((x ^ (x >> jnp.uint32(15))) + key1) * jnp.uint32(0x846CA68B)
    return x ^ (x >> jnp.uint32(16))

  return mix(x0), mix(x1)


def without_multiplication(key0, key1, x0, x1):
  """The hash without its last step."""

  def mix(x):
    x = x * jnp.uint32(0x9E3779B9) + key0
    x = x ^ (x >> jnp.uint32(16))
    x = x * (x + x + (key1 | jnp.uint32(1)))
    return x ^ (x >> jnp.uint32(15))

  return mix(x0), mix(x1)


def without_key(key0, key1, x0, x1):
  """The same numbers for every key."""
  return draws.threefry(jnp.zeros_like(key0), jnp.zeros_like(key1), x0, x1)


def one_word(key0, key1, x0, x1):
  """The second word is the first one's complement."""
  first, _ = draws.threefry(key0, key1, x0, x1)
  return first, ~first


def in_pairs(key0, key1, x0, x1):
  """Every number twice."""
  return draws.threefry(key0, key1, x0 >> 1, x1 >> 1)


def with_a_stuck_bit(key0, key1, x0, x1):
  """One bit of the middle is always set."""
  return tuple(word | jnp.uint32(1 << 15) for word in draws.threefry(key0, key1, x0, x1))


def skewed(key0, key1, x0, x1):
  """One word in 64 is drawn again if its highest bit is set."""
  once, again = (draws.threefry(*key, x0, x1) for key in ((key0, key1), (key1, key0)))
  redrawn = (((a & 63) == 0) & (a >> 31 == 1) for a in once)
  return tuple(jnp.where(r, b, a) for r, a, b in zip(redrawn, once, again, strict=True))


JOINT = [f"joint bits over {name}" for name in AXES]
# A generator that is not random, and some of the checks that find it out.
BAD: dict[Callable, list[str]] = {
  multiplied: ["mean and variance", "distances", "neighbouring keys", *JOINT, "number active"],
  with_fixed_multipliers: ["distances"],
  without_multiplication: ["distances"],
  without_key: ["neighbouring keys", *JOINT[:2]],
  one_word: ["distances", "number active"],
  in_pairs: ["distances", "joint bits over example"],
  with_a_stuck_bit: ["bits by themselves"],
  skewed: ["mean and variance", "uniformity"],
}


@pytest.mark.slow
@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.__name__)
def test_numbers_that_are_not_random_are_found_out(bad, monkeypatch):
  monkeypatch.setitem(GENERATORS, bad.__name__, bad)
  assert [check for check in BAD[bad] if passes(check, bad.__name__)] == []


def test_every_check_finds_something():
  assert set(itertools.chain(*BAD.values())) == CHECKS.keys()
