"""How fast a step could be: what the machine's matrix products and random numbers cost."""

import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import Mesh

from toy_superposition import draws, train
from toy_superposition.devices import mapping, meshes
from toy_superposition.estimators.fused import FUSED
from toy_superposition.estimators.sparse import n_slots
from toy_superposition.types import Instance, Spec

SIDE = 2048  # of the square matrices
# Random numbers: rows and columns that are summed at once, for so many keys on every device, until
# each has given N_WORDS.
ROWS, EXAMPLES, STREAMS, N_WORDS = (2, 8), 1024, 128, 2**18

Rate = Callable[[], float]  # measures once: floating-point operations or words per second


def rates(mesh: Mesh) -> dict[str, Rate]:
  """Returns the rates that floors are made of, by precision and by generator."""
  precisions = {name: matrix_rate(name, mesh) for name in ("float32", "bfloat16")}
  return precisions | {name: draw_rate(name, mesh) for name in draws.GENERATORS}


def matrix_rate(precision: str, mesh: Mesh) -> Rate:
  """Returns the rate of a SIDE × SIDE product with float32 results, in operations per second.

  On CPU one device's program uses all cores; of accelerators each computes its own product.
  """
  if mesh.devices.flat[0].platform == "cpu":
    mesh = meshes.make_mesh(list(mesh.devices.flat)[:1])
  numbers = np.random.default_rng(0).standard_normal((mesh.size, SIDE, SIDE), np.float32)
  a = jax.device_put(numbers, meshes.sharding(mesh)).astype(precision)

  def product(a, b):
    return lax.dot(a, b, preferred_element_type=jnp.float32)

  compiled = jax.jit(train.over_instances(product, True, mesh)).lower(a, a).compile()
  return _timed(lambda: compiled(a, a), 2 * SIDE**3 * mesh.size)


def draw_rate(generator: str, mesh: Mesh) -> Rate:
  """Returns the rate of uniform numbers that are made, summed and forgotten, in words per second:
  the best of several numbers of rows, since compilers interleave them differently."""
  probes = [_draws_in_rows(generator, n_rows, mesh) for n_rows in ROWS]
  return lambda: max(probe() for probe in probes)


def _draws_in_rows(generator: str, n_rows: int, mesh: Mesh) -> Rate:
  def add(a, b):
    return tuple(x + y for x, y in zip(a, b, strict=True))

  def total(key, _):
    def body(chunk, total):
      rows = draws.uniform_rows(generator, draws.fold_in(key, chunk), n_rows, EXAMPLES)
      sums = lax.reduce(tuple(rows), (jnp.float32(0),) * n_rows, add, (0,))
      return total + sum(sums)

    return lax.fori_loop(0, N_WORDS // n_rows // EXAMPLES, body, jnp.float32(0))

  n_keys = STREAMS * mesh.size
  keys = np.arange(2 * n_keys, dtype=np.uint32).reshape(n_keys, 2)
  keys = jax.device_put(keys, meshes.sharding(mesh))
  lowered = jax.jit(train.over_instances(total, False, mesh)).lower(keys, keys)
  compiled = mapping.compile_for(mesh, lowered, FUSED.cpu_options)
  return _timed(lambda: compiled(keys, keys), N_WORDS * n_keys)


def _timed(run: Callable[[], object], amount: int) -> Rate:
  jax.block_until_ready(run())

  def once() -> float:
    started = time.perf_counter()
    jax.block_until_ready(run())
    return amount / (time.perf_counter() - started)

  return once


def work(spec: Spec, instances: Instance) -> tuple[int, int] | None:
  """Returns the floating-point operations of a step's matrix products and its draws, for all
  instances; None where nothing is drawn.

  Products: forward h = W x and Wᵀ h; backward through Wᵀ h to h, and to W from either. The sparse
  estimator's encoder and its gradient see active features only, of which it draws the slots; the
  sampled one's decoder sees these and a share of the others.
  """
  if spec.estimator == "exact":
    return None
  n, m, batch = spec.n_features, spec.n_hidden, spec.batch_size
  n_instances, highest = len(instances.index), float(np.max(instances.density))
  active = float(np.sum(np.mean(instances.density, axis=0)))
  if spec.estimator == "sparse":
    each = 2 * m * (3 * n + 2 * active), 2 * n_slots(n, highest)
  elif spec.estimator == "sampled":
    share = 1 / spec.row("train.estimator").inactive_every
    each = 2 * m * (3 * n * share + 5 * active), 2 * n_slots(n, highest)
  else:
    each = 2 * m * 5 * n, spec.row("data.distribution").n_draws(n)
  return round(each[0] * batch * n_instances), each[1] * batch * n_instances


def floor(spec: Spec, instances: Instance, measured: dict[str, float]) -> float | None:
  """Returns the seconds that a step's products and draws take at the measured rates."""
  amounts = work(spec, instances)
  if amounts is None:
    return None
  return amounts[0] / measured[spec.precision] + amounts[1] / measured[spec.generator]
