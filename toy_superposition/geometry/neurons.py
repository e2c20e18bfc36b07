"""Features represented by single neurons, in hidden layers whose basis is privileged.

Paper, sections "Superposition in a Privileged Basis" and "Computation in Superposition". A neuron
is a row of the weights into the hidden layer.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from toy_superposition.geometry.definitions import (
  MONOSEMANTIC,
  SILENT,
  is_monosemantic,
  is_represented,
  purity,
)

Weights = Float[np.ndarray, "neuron feature"]


def primary(W: Weights) -> Int[np.ndarray, "neuron"]:
  """Returns the feature of each neuron's largest weight."""
  return np.abs(W).argmax(axis=1)


def monosemantic(W: Weights, nonnegative: bool = False) -> int:
  """Returns the number of monosemantic neurons, as defined by definitions.is_monosemantic."""
  return int(is_monosemantic(W, nonnegative).sum())


def shared(W: Weights) -> tuple[int, int]:
  """Returns the number of represented features without a monosemantic neuron, and the number of
  neurons that are neither monosemantic nor silent."""
  alone = is_monosemantic(W)
  features = is_represented(W)
  features[primary(W)[alone]] = False
  return int(features.sum()), int((~alone & (purity(W) > 0)).sum())


def rescaled(
  W1: Weights, W2: Float[np.ndarray, "feature neuron"]
) -> tuple[Weights, Float[np.ndarray, "feature neuron"]]:
  """Returns the weights of the same function with every neuron's largest |W₁| at 1 (paper,
  footnote 15).

  A ReLU lets a positive factor move from a neuron's input to its output. Silent neurons stay.
  """
  largest = np.abs(W1).max(axis=1)
  scale = np.where(largest > SILENT, largest, 1)
  return W1 / scale[:, None], W2 * scale


def has_binary_code(W: Weights) -> bool:
  """Returns whether two neurons store three features as (+,+), (+,−) and (−,+).

  These two must be the only neurons that are not monosemantic, and the three the only features
  whose weight is above half of the neuron's largest in both.
  """
  mixed = W[purity(W) <= MONOSEMANTIC]
  if len(mixed) != 2:
    return False
  shared = np.all(np.abs(mixed) > 0.5 * np.abs(mixed).max(), axis=0)
  patterns = {tuple(signs) for signs in np.sign(mixed[:, shared]).T.astype(int).tolist()}
  return bool(shared.sum() == 3 and patterns == {(1, 1), (1, -1), (-1, 1)})


def pair_code(W: Weights) -> int:
  """Returns the number of features with a pair of neurons that no other feature has.

  A feature has the neurons in which its weight is positive and above half of its largest.
  """
  chosen = np.maximum(0.5 * W.max(axis=0), 0) < W
  codes = [tuple(np.flatnonzero(column)) for column in chosen.T]
  return sum(len(code) == 2 and codes.count(code) == 1 for code in codes)


class Motif(NamedTuple):
  """A neuron with two features, and a second neuron that inhibits the second feature.

  Paper, "Computation in Superposition", asymmetric superposition and inhibition.
  """

  neuron: int
  first: int  # its primary feature: large input weight, moderate output weight
  second: int  # small input weight, large output weight
  inhibitor: int  # another neuron of `first`, which silences `second`


SECOND_INPUT = (0.08, 0.7)  # |w| of the second feature, relative to the first's
SECOND_OUTPUT = 1.3  # minimum ratio of its output weight to the first's
INHIBITION = -0.3  # maximum output weight of the inhibitor to the second feature


def asymmetric_motifs(W1: Weights, W2: Float[np.ndarray, "feature neuron"]) -> list[Motif]:
  """Returns every occurrence of the motif in a model's weights, which are rescaled first.

  A neuron stores a first feature with input weight ±1 and a second one with a weight of either sign
  in SECOND_INPUT; its output weight to the second is at least SECOND_OUTPUT times that to the
  first. The second output is therefore wrong whenever the first feature is active alone, unless a
  neuron that responds to the first with the same sign inhibits it.
  """
  W1, W2 = rescaled(W1, W2)
  low, high = SECOND_INPUT
  first = primary(W1)
  motifs = []
  for k, i in enumerate(first):
    for j in np.flatnonzero((np.abs(W1[k]) >= low) & (np.abs(W1[k]) <= high)):
      inhibitors = [
        other
        for other in range(len(W1))
        if other != k and W1[other, i] * W1[k, i] > low and W2[j, other] < INHIBITION
      ]
      if inhibitors and W2[i, k] > 0 and W2[j, k] > SECOND_OUTPUT * W2[i, k]:
        strongest = min(inhibitors, key=lambda other: W2[j, other] * abs(W1[other, i]))
        motifs.append(Motif(k, int(i), int(j), strongest))
  return motifs
