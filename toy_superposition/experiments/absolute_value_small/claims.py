"""Whether |x| of three features is computed exactly, and by which neurons."""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from toy_superposition.experiments import restarts, rotations
from toy_superposition.experiments.experiment import Claim, verdict
from toy_superposition.geometry import definitions, neurons

if TYPE_CHECKING:
  import xarray as xr

SOLVED = 1e-5  # loss below which |x| counts as computed exactly; 1 if the output is always 0
PRODUCT = 0.03  # |W₁ W₂ − 1| of a feature's own neurons, at most


def has_two_neurons_each(
  W1: Float[np.ndarray, "neuron feature"], W2: Float[np.ndarray, "feature neuron"]
) -> bool:
  """Returns whether each feature has two neurons to itself, of opposite signs, that add up to |x|.

  Every neuron is then monosemantic, and |W₁ W₂| of its feature is 1 within PRODUCT.
  """
  first = neurons.primary(W1)
  weight = W1[np.arange(len(W1)), first]
  gain = weight * W2[first, np.arange(len(W1))]
  pairs = all(sorted(np.sign(weight[first == i]).tolist()) == [-1, 1] for i in range(W1.shape[1]))
  alone = definitions.is_monosemantic(W1)
  return bool(pairs and alone.all() and np.all(np.abs(np.abs(gain) - 1) <= PRODUCT))


def claims(dataset: "xr.Dataset") -> list[Claim]:
  """Returns the verdicts on the best restart, with the share of restarts that are like it.

  `loss` decides which restart is the best and which compute |x| exactly; their losses are those on
  the examples of the rotations.
  """
  losses = np.atleast_1d(restarts.ranked_loss(dataset).values)
  W1 = dataset["W1"].values.reshape(len(losses), *dataset["W1"].shape[-2:])
  W2 = dataset["W2"].values.reshape(len(losses), *dataset["W2"].shape[-2:])
  paired = np.array([has_two_neurons_each(a, b) for a, b in zip(W1, W2, strict=True)])
  judged = np.atleast_1d(dataset["unrotated_loss"].values)
  best, solved = losses.argmin(), losses < SOLVED
  others = ""
  if (missed := np.flatnonzero(~solved & np.isfinite(losses))).size:
    others = f", the best of the others {judged[missed[losses[missed].argmin()]]:.3g}"
  return [
    Claim(
      "|x| of three features is computed exactly: loss of the best restart",
      f"{judged[best]:.1e}; {solved.sum()} of {len(losses)} restarts{others}",
      f"< {SOLVED:.0e}",
      verdict(judged[best] < SOLVED),
    ),
    Claim(
      "each feature has two neurons of opposite sign with W₁ W₂ = 1 in the best restart",
      f"{'yes' if paired[best] else 'no'}; in {(paired & solved).sum()} of {solved.sum()} "
      "restarts that compute |x| exactly",
      f"yes, |W₁ W₂ − 1| ≤ {PRODUCT}",
      verdict(paired[best], decided=bool(solved.any())),
    ),
    rotations.claim(restarts.best(dataset), "model absolute_value", matters=True),
  ]
