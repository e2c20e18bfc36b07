"""Circuits that share blocks of neurons: their overlaps, and two ways to go on to the next layer.

Each of T circuits owns S of B blocks, and two circuits share at most one: blocks are the points of
a finite plane, circuits its lines. A circuit writes its neurons' values into all its blocks, and
reads their mean. An active circuit has the indicator 1 and a vector of length 1, which every layer
turns by the circuit's own angle; an inactive one has 0.
"""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

if TYPE_CHECKING:
  from scipy import sparse

BLOCKS, OWN = 250, 6  # B and S of the published example: 1 000 neurons in blocks of 4
STEP = 0.5  # above which an indicator that was read counts as on
# The indicator's two neurons: ReLU(2a − ½) − ReLU(2a − 3/2), a ramp from a = ¼ to ¾.
SLOPE, RAMP = 2.0, (0.5, 1.5)
# The vector's neurons hold v + 1 ≥ 0; the bias silences them where the indicator is 0.
GATE, SILENCE = 2.0, 1.0
Blocks = Int[np.ndarray, "circuit own"]
Values = Float[np.ndarray, "..."]
Active = Float[np.ndarray, "example circuit"]


def prime(most: int) -> int:
  """Returns the largest prime number up to `most`, at least 2."""
  return next(q for q in range(most, 1, -1) if all(q % k for k in range(2, int(q**0.5) + 1)))


def n_lines(n_blocks: int, n_own: int) -> int:
  """Returns q², the number of circuits that the plane offers: q is prime, and S q ≤ B."""
  return prime(n_blocks // n_own) ** 2


def most_circuits(n_blocks: int, n_own: int) -> int:
  """Returns B(B − 1) / (S(S − 1)): a pair of blocks belongs to one circuit at most."""
  return n_blocks * (n_blocks - 1) // (n_own * (n_own - 1))


def lines(rng: np.random.Generator, *, n_circuits: int, n_blocks: int, n_own: int) -> Blocks:
  """Returns the blocks of circuits, different random lines: line (a, b) has in group s the block
  a + b s mod q.

  Two lines meet in at most one group, as a − a′ = −(b − b′) s has one solution s mod q.
  """
  q = prime(n_blocks // n_own)
  a, b = np.divmod(rng.permutation(q * q)[:n_circuits], q)
  group = np.arange(n_own)
  return group * q + (a[:, None] + b[:, None] * group) % q


def owners(blocks: Blocks, n_blocks: int) -> "sparse.csr_array":
  """Returns 1 where a circuit (row) owns a block (column)."""
  from scipy import sparse

  n_circuits, n_own = blocks.shape
  ones, starts = np.ones(blocks.size, np.float32), np.arange(n_circuits + 1) * n_own
  return sparse.csr_array((ones, blocks.ravel(), starts), shape=(n_circuits, n_blocks))


def written(matrix: "sparse.csr_array", values: Values) -> Values:
  """Returns what circuits write into blocks: the sum over a block's owners of their values.

  Sparse products need no threads, which wait for each other on matrices as small as these.
  """
  flat = values.reshape(-1, values.shape[-1])
  return (matrix.T @ flat.T).T.reshape(*values.shape[:-1], -1)


def read(matrix: "sparse.csr_array", held: Values) -> Values:
  """Returns what circuits read from blocks: the mean over their own."""
  flat = held.reshape(-1, held.shape[-1])
  n_own = matrix.nnz // matrix.shape[0]
  return (matrix @ flat.T).T.reshape(*held.shape[:-1], -1) / n_own


def overlap(blocks: Blocks, n_blocks: int) -> tuple[float, float, int]:
  """Returns for pairs of circuits: the share that have a block in common, the mean square of the
  common share of blocks, and the largest number of common blocks."""
  matrix = owners(blocks, n_blocks)
  common = (matrix @ matrix.T).toarray()
  pairs = common[np.triu_indices(len(blocks), 1)]
  square = float(((pairs / blocks.shape[1]) ** 2).mean())
  return float((pairs > 0).mean()), square, int(pairs.max())


def meeting(n_blocks: int, n_own: int) -> float:
  """Returns S / (q + 1), the probability that two random lines share a block; about S² / B."""
  return n_own / (prime(n_blocks // n_own) + 1)


def read_out(n_blocks: int, n_own: int, n_active: int) -> float:
  """Returns the root mean square of the indicator that an inactive circuit reads.

  Each of z active ones adds 1/S with the probability p of meeting: (z p + z (z − 1) p²) / S²,
  nearly z / B.
  """
  p, z = meeting(n_blocks, n_own), n_active
  return ((z * p + z * (z - 1) * p**2) / n_own**2) ** 0.5


def active(rng: np.random.Generator, *, n_examples: int, n_circuits: int, n_active: int) -> Active:
  """Returns 1 where a circuit is active: z of T in every example."""
  order = rng.random((n_examples, n_circuits)).argsort(axis=1)
  return (order < n_active).astype(np.float32)


def stepped(
  rng: np.random.Generator, on: Active, *, n_blocks: int, n_own: int, n_layers: int
) -> Float[np.ndarray, "layer"]:
  """Returns the share of circuits that are wrongly on or off after every layer, if every circuit
  applies a step at ½ to what it reads before it writes again."""
  state, wrong = on, []
  for _ in range(n_layers):
    blocks = lines(rng, n_circuits=on.shape[1], n_blocks=n_blocks, n_own=n_own)
    matrix = owners(blocks, n_blocks)
    found = read(matrix, written(matrix, state))
    state = (found > STEP + 1e-6).astype(np.float32)
    wrong.append(float((state != on).mean()))
  return np.array(wrong)


def propagated(
  rng: np.random.Generator,
  on: Active,
  *,
  n_blocks: int,
  n_own: int,
  n_layers: int,
  step: bool,
  inhibition: bool,
) -> Float[np.ndarray, "error layer"]:
  """Returns the errors of a network of 4 B neurons before and after every layer.

  What circuits write into a block adds up before the block's thresholds: W = Σ_t E_t w_t U_t. The
  rows are the root mean square of the indicator that inactive circuits read, and of the error of
  the vector that active ones read.

  Args:
    rng: of blocks, angles and vectors.
    on: active circuits.
    n_blocks: B.
    n_own: S.
    n_layers: of the network.
    step: whether indicators pass the ramp; else they are ReLU(a), and vectors are not silenced.
    inhibition: whether each indicator is lowered by the mean that all blocks' indicators add to it,
      T S / B² of their sum.
  """
  n, T = on.shape

  def drawn() -> "sparse.csr_array":
    return owners(lines(rng, n_circuits=T, n_blocks=n_blocks, n_own=n_own), n_blocks)

  # Vectors are complex numbers, which a circuit turns by a factor. Indicators, real and imaginary
  # parts are the three layers of one array, (3, example, …).
  turn = np.exp(2j * np.pi * rng.random(T)).astype(np.complex64)
  truth = np.exp(2j * np.pi * rng.random((n, T))).astype(np.complex64) * on
  matrix = drawn()
  held = written(matrix, np.stack([on, truth.real + on, truth.imag + on]))
  errors = []
  for layer in range(n_layers + 1):
    indicator, real, imaginary = read(matrix, held)
    vector = (real - indicator) + 1j * (imaginary - indicator)
    wrong = np.abs(vector - truth)[on == 1]
    errors.append([(indicator[on == 0] ** 2).mean() ** 0.5, (wrong**2).mean() ** 0.5])
    if layer == n_layers:
      break
    matrix, truth, turned = drawn(), truth * turn, vector * turn
    mean = held[0].sum(axis=1, keepdims=True) * (T * n_own / n_blocks**2) if inhibition else 0
    total, *parts = written(matrix, np.stack([indicator, turned.real, turned.imag]))
    held = _through(total - mean, np.stack(parts), step)
  return np.array(errors, float).T


def _through(total: np.ndarray, parts: np.ndarray, step: bool) -> np.ndarray:
  """Returns the neurons' values from the sums that circuits write: indicators, and vectors + 1."""
  gate = GATE * total - SILENCE if step else total
  vectors = np.maximum(parts + gate, 0)
  if not step:
    return np.concatenate([np.maximum(total, 0)[None], vectors])
  low, high = (np.maximum(SLOPE * total - end, 0) for end in RAMP)
  return np.concatenate([(low - high)[None], vectors])
