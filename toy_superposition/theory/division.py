"""The best division of the hidden dimensions among polytopes, and where one gives way to the next.

Given what every block saves (blocks.py), the division is a knapsack problem: whole blocks that fill
m dimensions with the largest saving. With far more features than dimensions its linear relaxation
fills all of them with the frame that saves most per dimension. That changes at the densities
of `transitions`, whose uncertainty is that of the losses: their grid's, since nothing is sampled.
"""

import functools
import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from toy_superposition.theory.blocks import (
  FRAMES,
  STEP,
  best_block,
  saving,
  size,
  variance,
)

Column = Float[np.ndarray, "density"]
ROOT_ERROR = 1e-4  # of 1/(1 − S) at a transition
SEARCHED = tuple(np.geomspace(1.02, 10, 40).tolist())  # 1/(1 − S) between which changes are sought


class Division(NamedTuple):
  """The best use of the hidden dimensions at every density."""

  saving: Float[np.ndarray, "density frame"]  # per dimension, in variances of a feature
  total_saving: Column  # of the best division, likewise
  blocks: Int[np.ndarray, "density frame"]  # how many of every frame
  margin: Column  # of the frame that saves most per dimension over the second
  runner_up: Int[np.ndarray, "density"]  # that second frame, by number in FRAMES
  loss: Column  # of all features, absent ones included: no optimum is above it
  dimensions_per_feature: Column  # D* = m / ‖W‖_F²


class Transition(NamedTuple):
  """Where one frame gives way to another as features become sparser."""

  before: str
  after: str
  inverse: float  # 1/(1 − S) at which both save the same
  error: float  # of `inverse`: the root's tolerance, and what doubling the grid's step changes


@functools.cache
def curves() -> Float[np.ndarray, "searched frame"]:
  """Returns what every frame saves per dimension at SEARCHED densities, in variances."""
  return np.array([[saving(frame, 1 / x) for frame in FRAMES] for x in SEARCHED])


@functools.cache
def transitions() -> tuple[Transition, ...]:
  """Returns the changes of the frame that saves most per dimension, between SEARCHED densities."""
  best = np.array(list(FRAMES))[curves().argmax(axis=1)].tolist()
  found = []
  for k, (one, other) in enumerate(itertools.pairwise(best)):
    if one != other:
      x = crossing(one, other, SEARCHED[k : k + 2])
      found.append(Transition(one, other, x, ROOT_ERROR + _grid_error(one, other, x)))
  return tuple(found)


def crossing(one: str, other: str, between: Sequence[float]) -> float:
  """Returns 1/(1 − S) at which two frames save the same, between two at which they do not."""
  from scipy.optimize import brentq  # takes a fifth of a second to import

  found = brentq(lambda x: _lead(one, other, x), *between, xtol=ROOT_ERROR)
  return float(found)


def _lead(one: str, other: str, x: float, step: float = STEP) -> float:
  return saving(one, 1 / x, step) - saving(other, 1 / x, step)


def _grid_error(one: str, other: str, x: float) -> float:
  """Returns by how much doubling the grid's step moves a crossing. The error is of second order in
  the step, so that of the crossing itself is a third of it."""
  change = _lead(one, other, x, 2 * STEP) - _lead(one, other, x)
  slope = (_lead(one, other, 1.01 * x) - _lead(one, other, x / 1.01)) / (1.01 * x - x / 1.01)
  return abs(change / slope)


def divide(densities: Sequence[float], *, n_features: int, n_hidden: int) -> Division:
  """Returns the best division of the hidden dimensions among FRAMES at every density.

  Features that are left over are absent. There have to be enough for any division.
  """
  assert all(n_features * size(f)[1] >= n_hidden * size(f)[0] for f in FRAMES)
  ranks = [size(frame)[1] for frame in FRAMES]
  saved = np.array([[saving(frame, p) for frame in FRAMES] for p in densities])
  gains = saved * ranks  # of a block, in variances
  count = np.array([knapsack(gain, ranks, n_hidden) for gain in gains.tolist()])
  order = np.argsort(-saved, axis=1)
  ranked = np.take_along_axis(saved, order, axis=1)
  squares = [[size(f)[0] * best_block(f, p).square_norm for f in FRAMES] for p in densities]
  total = np.sum(count * gains, axis=1)
  return Division(
    saving=saved,
    total_saving=total / n_hidden,
    blocks=count,
    margin=ranked[:, 0] - ranked[:, 1],
    runner_up=order[:, 1],
    loss=(n_features - total) * np.array([variance(p) for p in densities]),
    dimensions_per_feature=n_hidden / np.sum(count * np.array(squares), axis=1),
  )


def lowest_loss(density: float, *, n_features: int, n_hidden: int) -> float:
  """Returns the loss of the best division, summed over features, however few of them there are.

  Some model has it, so the optimum is not above it.
  """
  sizes = [size(frame) for frame in FRAMES]
  gains = [saving(frame, density) * rank for frame, (_, rank) in zip(FRAMES, sizes, strict=True)]
  if all(n_features * rank >= n_hidden * n for n, rank in sizes):
    counts = knapsack(gains, [rank for _, rank in sizes], n_hidden)
    saved = float(counts @ np.array(gains))
  else:
    saved = _limited(gains, sizes, n_features=n_features, n_hidden=n_hidden)
  return (n_features - saved) * variance(density)


def _limited(
  gains: Sequence[float], sizes: Sequence[tuple[int, int]], *, n_features: int, n_hidden: int
) -> float:
  """Returns the largest gain of blocks that take at most this many features and dimensions."""
  # best[m, n] of at most m dimensions and n features.
  best = np.zeros((n_hidden + 1, n_features + 1))
  for m in range(1, n_hidden + 1):
    best[m] = best[m - 1]
    for gain, (n, rank) in zip(gains, sizes, strict=True):
      if rank <= m and n <= n_features:
        best[m, n:] = np.maximum(best[m, n:], best[m - rank, : n_features + 1 - n] + gain)
  return float(best[-1, -1])


def knapsack(
  gains: Sequence[float], ranks: Sequence[int], n_hidden: int
) -> Int[np.ndarray, "frame"]:
  """Returns how many blocks of every kind fill `n_hidden` dimensions with the largest gain."""
  best = [(0.0, np.zeros(len(gains), int))]
  for m in range(1, n_hidden + 1):
    options = [best[m - 1]]
    for k, (gain, rank) in enumerate(zip(gains, ranks, strict=True)):
      if rank <= m:
        value, counts = best[m - rank]
        more = counts.copy()
        more[k] += 1
        options.append((value + gain, more))
    best.append(max(options, key=lambda option: option[0]))
  return best[n_hidden][1]
