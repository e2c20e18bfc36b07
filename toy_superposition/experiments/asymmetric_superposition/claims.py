"""How often the asymmetric superposition motif is found, and whether the best restart has it."""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool

from toy_superposition.experiments import restarts
from toy_superposition.experiments.experiment import REPORTED, Claim, verdict
from toy_superposition.geometry.neurons import asymmetric_motifs

if TYPE_CHECKING:
  import xarray as xr

ENOUGH = 16  # minimum number of restarts that decides a claim
SHARE = 0.5  # minimum share of restarts with the motif


def claims(dataset: "xr.Dataset") -> list[Claim]:
  """Returns the verdicts on the motif's share of restarts and on the best restart."""
  ranked = np.atleast_1d(restarts.ranked_loss(dataset).values)
  losses = np.atleast_1d(dataset["loss"].values)
  W1 = dataset["W1"].values.reshape(len(losses), *dataset["W1"].shape[-2:])
  W2 = dataset["W2"].values.reshape(len(losses), *dataset["W2"].shape[-2:])
  counts = np.array([len(asymmetric_motifs(a, b)) for a, b in zip(W1, W2, strict=True)])
  enough, has = len(losses) >= ENOUGH, counts > 0
  share, best = has.mean(), int(ranked.argmin())
  return [
    Claim(
      "trained models contain the asymmetric superposition motif with its inhibitor",
      f"{share:.0%} of {len(losses)} restarts",
      f"≥ {SHARE:.0%} of restarts (independently verified: 88%)",
      verdict(share >= SHARE, enough),
    ),
    Claim(
      "the restart of lowest loss contains the asymmetric superposition motif",
      f"{counts[best]} times{_tied(dataset, has)}",
      "at least once (paper's model: twice; independently verified: twice)",
      verdict(has[best], enough and restarts.ahead(dataset, has != has[best])),
    ),
    Claim(
      "median loss of restarts with the asymmetric superposition motif, and of those without it",
      f"{_median(losses[has])}, {_median(losses[~has])}",
      "",
      REPORTED,
    ),
  ]


def _tied(dataset: "xr.Dataset", has: Bool[np.ndarray, "restart"]) -> str:
  """Returns in words how many of the restarts that may be the best contain the motif."""
  if "shortlist_round" not in dataset:
    return ""
  limit = restarts.TIE * dataset["difference_error"].values
  tied = dataset["judged_difference"].values <= limit  # of the best itself, 0 ≤ 0
  return (
    f"; in {(has & tied).sum()} of the {tied.sum()} restarts whose loss is the lowest or within "
    f"{restarts.TIE} standard errors of it"
  )


def _median(losses: np.ndarray) -> str:
  return f"{np.median(losses):.4f}" if len(losses) else "–"
