"""How often random codes are read: by matched filter, by pursuit, and at their worst supports."""

from typing import TYPE_CHECKING

import numpy as np
from jax.sharding import Mesh

from toy_superposition.experiments.access import theory

if TYPE_CHECKING:
  import xarray as xr

ACTIVE = (2, 3, 4, 6, 8, 12)  # k
FIRST, PER_OCTAVE = 32, 16  # dimensions at which supports are read: 32 · 2^(j/16)
COARSE, MOST = 4, 1024  # every fourth of them up to 1 024 for random supports
REACH = 2.0  # times 8 k² ln n: dimensions up to which worst supports are read
N_EXAMPLES, N_PURSUED = 1000, 16  # random supports by code: read by filter, by pursuit
EFFORTS = (
  0.35,
  0.5,
  0.7,
  0.85,
  1.0,
  1.2,
  1.5,
  2.0,
)  # dimensions of pursuit, in statistical dimensions
PUBLISHED_ACTIVE, PUBLISHED, N_PUBLISHED = 4, (24, 32), 40  # k, m, and supports by code


def grid(most: float) -> np.ndarray:
  """Returns the dimensions 32 · 2^(j/16) up to `most`."""
  j = np.arange(int(PER_OCTAVE * np.log2(most / FIRST)) + 1)
  return np.unique(np.round(FIRST * 2 ** (j / PER_OCTAVE)).astype(int))


def run(dataset: "xr.Dataset", mesh: Mesh, memory_budget: int) -> "xr.Dataset":
  """Returns the dataset with wrong features and shares of supports that are read, by dimensions;
  restarts are other codes and supports."""
  del mesh, memory_budget
  n, n_seeds = dataset.sizes["feature"], dataset.sizes["restart"]
  all_dimensions = grid(REACH * theory.quadratic(n=n, k=max(ACTIVE)))
  coarse = all_dimensions[::COARSE]
  coarse = coarse[coarse <= MOST]
  efforts = [theory.statistical_dimension(n=n, k=k) for k in ACTIVE]
  pursued_in = np.round(np.outer(efforts, EFFORTS)).astype(int)
  wrong, exact = np.zeros((2, n_seeds, len(ACTIVE), len(coarse)))
  worst = np.zeros((n_seeds, len(ACTIVE), len(all_dimensions)), bool)
  recovered, normal, hard = np.zeros((3, n_seeds, *pursued_in.shape))
  published = np.zeros((n_seeds, len(PUBLISHED)))
  for seed in range(n_seeds):
    rng = np.random.default_rng([256, seed])
    rows = rng.normal(size=(all_dimensions[-1], n))
    wrong[seed], exact[seed] = _filtered(rng, rows, coarse)
    worst[seed] = _all_read(rows, all_dimensions)
    for i, k in enumerate(ACTIVE):
      for j, m in enumerate(pursued_in[i].tolist()):
        W = theory.code(rows, m)
        recovered[seed, i, j] = _share(rng, W, k, N_PURSUED)
        normal[seed, i, j] = _share(rng, rows[:m], k, N_PURSUED)
        hard[seed, i, j] = theory.pursued(W, theory.worst_support(W.T @ W, k))
    for j, m in enumerate(PUBLISHED):
      published[seed, j] = _share(rng, theory.code(rows, m), PUBLISHED_ACTIVE, N_PUBLISHED)
  by_seed = ("restart", "active")

  def halves(shares: np.ndarray) -> np.ndarray:
    of_seed = [[crossing(*pair) for pair in zip(pursued_in, one, strict=True)] for one in shares]
    return np.array(of_seed)

  return dataset.assign_coords(
    active=list(ACTIVE),
    dimensions=coarse,
    effort=list(EFFORTS),
    published_dimensions=list(PUBLISHED),
    pursuit_dimensions=(("active", "effort"), pursued_in),
  ).assign(
    wrong=((*by_seed, "dimensions"), wrong, {"long_name": "wrong features per example"}),
    read=((*by_seed, "dimensions"), exact, {"long_name": "share of examples without an error"}),
    recovered=((*by_seed, "effort"), recovered, {"long_name": "share that pursuit recovers"}),
    recovered_worst=(
      (*by_seed, "effort"),
      hard,
      {"long_name": "whether pursuit recovers the filter's worst support"},
    ),
    published_recovered=(("restart", "published_dimensions"), published),
    needed_filter=(
      by_seed,
      np.array([[crossing(coarse, share) for share in shares] for shares in exact]),
      {"long_name": "dimensions in which the filter reads half of the supports"},
    ),
    needed_pursuit=(
      by_seed,
      halves(recovered),
      {"long_name": "dimensions in which pursuit recovers half of the supports"},
    ),
    needed_normal=(
      by_seed,
      halves(normal),
      {"long_name": "the same for columns of normal numbers, not of norm 1"},
    ),
    needed_worst=(
      by_seed,
      np.array([[settled(all_dimensions, ok) for ok in of_k] for of_k in worst]),
      {"long_name": "dimensions from which on the filter reads every support"},
    ),
  )


def _filtered(
  rng: np.random.Generator, rows: np.ndarray, dimensions: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
  """Returns wrong features per example and shares of examples without any, (active, dimension)."""
  n = rows.shape[1]
  chosen = [theory.supports(rng, n=n, k=k, n_examples=N_EXAMPLES) for k in ACTIVE]
  mean, none = np.zeros((2, len(ACTIVE), len(dimensions)))
  for j, m in enumerate(dimensions.tolist()):
    W = theory.code(rows, m)
    cosines = (W.T @ W).astype(np.float32)
    for i, of_k in enumerate(chosen):
      number = theory.wrong(cosines, of_k)
      mean[i, j], none[i, j] = number.mean(), (number == 0).mean()
  return mean, none


def _all_read(rows: np.ndarray, dimensions: np.ndarray) -> np.ndarray:
  """Returns whether the filter reads every support, (active, dimension); rows are added to the sums
  of products block by block."""
  products, before = np.zeros((rows.shape[1],) * 2), 0
  ok = np.zeros((len(ACTIVE), len(dimensions)), bool)
  for j, m in enumerate(dimensions.tolist()):
    products += rows[before:m].T @ rows[before:m]
    before = m
    norm = np.sqrt(np.diag(products))
    cosines = products / np.outer(norm, norm)
    values = theory.ranked(cosines)[1]
    ok[:, j] = [theory.reads_all(values, k) for k in ACTIVE]
  return ok


def _share(rng: np.random.Generator, W: theory.Code, k: int, n_examples: int) -> float:
  """Returns the share of random supports that pursuit recovers."""
  chosen = theory.supports(rng, n=W.shape[1], k=k, n_examples=n_examples)
  return float(np.mean([theory.pursued(W, active) for active in chosen]))


def crossing(dimensions: np.ndarray, share: np.ndarray) -> float:
  """Returns the dimensions at which a share first reaches ½, between points linear in ln m; NaN if
  it starts there or never does."""
  above = np.flatnonzero(share >= 0.5)
  if not len(above) or above[0] == 0:
    return float("nan")
  at = above[0]
  low, high = share[at - 1], share[at]
  part = (0.5 - low) / (high - low)
  return float(dimensions[at - 1] * (dimensions[at] / dimensions[at - 1]) ** part)


def settled(dimensions: np.ndarray, ok: np.ndarray) -> float:
  """Returns the dimensions from which on all is read, NaN if it is not at the last ones."""
  failing = np.flatnonzero(~ok)
  at = failing[-1] + 1 if len(failing) else 0
  return float(dimensions[at]) if at < len(dimensions) else float("nan")
