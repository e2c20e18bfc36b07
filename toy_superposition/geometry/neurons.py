"""What single neurons stand for, in hidden layers whose basis is privileged.

Paper, sections "Superposition in a Privileged Basis" and "Computation in Superposition". A neuron
is a row of the weights into the hidden layer.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

Weights = Float[np.ndarray, "neuron feature"]
MONOSEMANTIC = 0.9  # least share of one feature in a neuron's squared weights
SILENT = 1e-6  # a neuron whose largest weight is below stands for nothing


def purity(W: Weights) -> Float[np.ndarray, "neuron"]:
  """Returns the share of the largest w² in each neuron's sum of squares; 0 for a silent one."""
  squared = np.asarray(W, float) ** 2
  alive = np.abs(W).max(axis=1) > SILENT
  return np.where(alive, squared.max(axis=1) / np.where(alive, squared.sum(axis=1), 1), 0)


def primary(W: Weights) -> Int[np.ndarray, "neuron"]:
  """Returns the feature of each neuron's largest weight."""
  return np.abs(W).argmax(axis=1)


def monosemantic(W: Weights, nonnegative: bool = False) -> int:
  """Returns how many neurons stand for one feature.

  Where inputs are `nonnegative`, its weight must be positive: a feature that only silences a neuron
  is not what the neuron stands for, however large the weight.
  """
  alone = purity(W) > MONOSEMANTIC
  excites = W[np.arange(len(W)), primary(W)] > 0
  return int((alone & (excites | (not nonnegative))).sum())


def rescaled(
  W1: Weights, W2: Float[np.ndarray, "feature neuron"]
) -> tuple[Weights, Float[np.ndarray, "feature neuron"]]:
  """Returns the same function with the largest |W₁| of every neuron at 1 (paper, footnote 15).

  A ReLU lets a positive factor move from a neuron's input to its output. Silent neurons stay.
  """
  largest = np.abs(W1).max(axis=1)
  scale = np.where(largest > SILENT, largest, 1)
  return W1 / scale[:, None], W2 * scale


def has_binary_code(W: Weights) -> bool:
  """Returns whether two neurons store three features as (+,+), (+,−) and (−,+).

  The two are all that are not monosemantic, and the three all features with a weight above half
  of their largest in both.
  """
  mixed = W[purity(W) <= MONOSEMANTIC]
  if len(mixed) != 2:
    return False
  shared = np.all(np.abs(mixed) > 0.5 * np.abs(mixed).max(), axis=0)
  patterns = {tuple(signs) for signs in np.sign(mixed[:, shared]).T.astype(int).tolist()}
  return bool(shared.sum() == 3 and patterns == {(1, 1), (1, -1), (-1, 1)})


def pair_code(W: Weights) -> int:
  """Returns how many features have a pair of neurons that no other feature has.

  A feature has the neurons in which its weight is positive and above half of its largest.
  """
  chosen = np.maximum(0.5 * W.max(axis=0), 0) < W
  sets = [tuple(np.flatnonzero(column)) for column in chosen.T]
  return sum(len(one) == 2 and sets.count(one) == 1 for one in sets)


class Motif(NamedTuple):
  """One feature's neuron that also stores a second one, and a neuron that guards the second.

  Paper, "Computation in Superposition", asymmetric superposition and inhibition.
  """

  neuron: int
  first: int  # its primary feature: large input weight, moderate output weight
  second: int  # small input weight, large output weight
  inhibitor: int  # another neuron of `first`, which silences `second`


SECOND_INPUT = (0.08, 0.7)  # |w| of the second feature, where that of the first is 1
SECOND_OUTPUT = 1.3  # least ratio of its output weight to the first's
INHIBITION = -0.3  # largest output weight of the inhibitor to the second feature


def asymmetric_motifs(W1: Weights, W2: Float[np.ndarray, "feature neuron"]) -> list[Motif]:
  """Returns every occurrence of the motif in a model's rescaled weights.

  A neuron stores a first feature with weight ±1 and a second one with a weight in SECOND_INPUT of
  the opposite sign or the same, and gives the second SECOND_OUTPUT times as much in its output as
  the first. Where the first is active alone, the second's output is therefore wrong, unless a
  neuron that responds to the first with the same sign inhibits it.
  """
  W1, W2 = rescaled(W1, W2)
  low, high = SECOND_INPUT
  first = primary(W1)
  found = []
  for k, i in enumerate(first):
    for j in np.flatnonzero((np.abs(W1[k]) >= low) & (np.abs(W1[k]) <= high)):
      guards = [
        other
        for other in range(len(W1))
        if other != k and W1[other, i] * W1[k, i] > low and W2[j, other] < INHIBITION
      ]
      if guards and W2[i, k] > 0 and W2[j, k] > SECOND_OUTPUT * W2[i, k]:
        strongest = min(guards, key=lambda other: W2[j, other] * abs(W1[other, i]))
        found.append(Motif(k, int(i), int(j), strongest))
  return found
