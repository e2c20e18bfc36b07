"""How often the asymmetric superposition motif is found, and whether the best restart has it."""

from typing import TYPE_CHECKING

import numpy as np

from toy_superposition.experiments import restarts
from toy_superposition.experiments.experiment import REPORTED, Claim, verdict
from toy_superposition.geometry.neurons import asymmetric_motifs

if TYPE_CHECKING:
  import xarray as xr

ENOUGH = 16  # minimum number of restarts that decides a claim
SHARE = 0.5  # minimum share of restarts with the motif


def claims(dataset: "xr.Dataset") -> list[Claim]:
  """Returns the verdicts on the motif's share of restarts and on the best restart."""
  losses = np.atleast_1d(restarts.ranked_loss(dataset).values)
  W1 = dataset["W1"].values.reshape(len(losses), *dataset["W1"].shape[-2:])
  W2 = dataset["W2"].values.reshape(len(losses), *dataset["W2"].shape[-2:])
  counts = np.array([len(asymmetric_motifs(a, b)) for a, b in zip(W1, W2, strict=True)])
  decided = len(losses) >= ENOUGH
  share, best = (counts > 0).mean(), counts[losses.argmin()]
  with_motif, without = losses[counts > 0], losses[counts == 0]
  return [
    Claim(
      "trained models contain the asymmetric superposition motif with its inhibitor",
      f"{share:.0%} of {len(losses)} restarts",
      f"≥ {SHARE:.0%} of restarts (independently verified: 88%)",
      verdict(share >= SHARE, decided),
    ),
    Claim(
      "the restart of lowest loss contains the asymmetric superposition motif",
      f"{best} times",
      "at least once (paper's model: twice; independently verified: twice)",
      verdict(best > 0, decided),
    ),
    Claim(
      "median loss of restarts with the asymmetric superposition motif, and of those without it",
      f"{_median(with_motif)}, {_median(without)}",
      "",
      REPORTED,
    ),
  ]


def _median(losses: np.ndarray) -> str:
  return f"{np.median(losses):.4f}" if len(losses) else "–"
