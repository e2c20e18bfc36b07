"""One neuron for two features with unequal weights, and another that inhibits the mistake.

Paper, section "Computation in Superposition", "The Asymmetric Superposition Motif".
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from toy_superposition.experiments import restarts
from toy_superposition.experiments.experiment import (
  REPORTED,
  Analysis,
  Claim,
  require,
  require_axes,
  verdict,
)
from toy_superposition.geometry.neurons import asymmetric_motifs
from toy_superposition.types import Group

if TYPE_CHECKING:
  import xarray as xr

ENOUGH = 16  # restarts
SHARE = 0.5  # least share of restarts with the motif


def check(values: Mapping[str, Any], axes: Sequence[str], groups: Sequence[Group]) -> None:
  """Raises UserError where the experiment is not the one that shows the motif."""
  del axes, groups
  wanted = {
    "model.name": "absolute_value",
    "model.n_features": 6,
    "model.n_hidden": 10,
    "data.distribution": "sparse_signed_uniform",
    "data.target": "absolute",
    "density.base": 0.2,
    "importance.profile": "geometric",
    "importance.ratio": 0.7,
  }
  require(values, "asymmetric_superposition", wanted)
  require_axes(values, "asymmetric_superposition", {})


def claims(dataset: "xr.Dataset") -> list[Claim]:
  """Returns how often the motif is found, and whether in the best restart."""
  losses = np.atleast_1d(restarts.ranked_loss(dataset).values)
  W1 = dataset["W1"].values.reshape(len(losses), *dataset["W1"].shape[-2:])
  W2 = dataset["W2"].values.reshape(len(losses), *dataset["W2"].shape[-2:])
  counts = np.array([len(asymmetric_motifs(a, b)) for a, b in zip(W1, W2, strict=True)])
  decided = len(losses) >= ENOUGH
  share, best = (counts > 0).mean(), counts[losses.argmin()]
  with_motif, without = losses[counts > 0], losses[counts == 0]
  return [
    Claim(
      "the asymmetric motif with its inhibitor is found",
      f"in {share:.0%} of {len(losses)} restarts",
      f"≥ {SHARE:.0%} (verified: 88%)",
      verdict(share >= SHARE, decided),
    ),
    Claim(
      "the restart of least loss contains the motif",
      f"{best} times",
      "at least once (paper's model: twice; verified: twice)",
      verdict(best > 0, decided),
    ),
    Claim(
      "median loss of restarts with the motif, and without",
      f"{_median(with_motif)}, {_median(without)}",
      "",
      REPORTED,
    ),
  ]


def _median(losses: np.ndarray) -> str:
  return f"{np.median(losses):.4f}" if len(losses) else "–"


ANALYSIS = Analysis("Computation in Superposition", (), check, claims)
