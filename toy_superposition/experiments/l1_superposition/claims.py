"""The paper's statements on a penalty on hidden activations, decided by trained models."""

from typing import TYPE_CHECKING

import numpy as np

from toy_superposition.experiments.experiment import REPORTED, Claim, identity, verdict
from toy_superposition.experiments.l1_superposition.analysis import best

if TYPE_CHECKING:
  import xarray as xr

MIN_POINTS = 6  # penalties that can show a trend
ERRORS = 2  # standard errors by which an objective must be below that of no weights at all
PAIRED = 0.95  # minimum share of represented features in pairs that counts as all


def claims(dataset: "xr.Dataset") -> list[Claim]:
  """Returns the verdicts on the paper's remark."""
  chosen = best(dataset)
  decided = dataset.sizes["penalty"] >= MIN_POINTS
  # Elsewhere, what is still represented is a local minimum: no weights at all would be better.
  highest = chosen["judged_objective"] + ERRORS * chosen["judged_error"]
  worth = highest.values < chosen["empty_objective"].values
  alive = worth & (chosen["n_represented"].values > 0)
  return [
    _trend_claim(
      dataset,
      "features_per_dimension",
      -1,
      "features per dimension ‖W‖²_F / m fall with the penalty λ on hidden activations",
      decided,
    ),
    _trend_claim(
      dataset,
      "loss",
      1,
      "the loss without the penalty rises with the penalty λ on hidden activations",
      decided,
    ),
    *_removal_claims(chosen, alive, decided),
    _paired_claim(chosen, alive),
  ]


def _trend_claim(
  dataset: "xr.Dataset", name: str, sign: int, statement: str, decided: bool
) -> Claim:
  """Whether the restarts' mean rises (sign 1) or falls (sign −1) with the penalty."""
  values = dataset[name].where(dataset["finite"] == 1)
  mean, spread = values.mean("restart").values, values.std("restart").values
  listed = zip(dataset["penalty"].values, mean, spread, strict=True)
  return Claim(
    f"{statement}, mean of {dataset.sizes['restart']} restarts",
    ", ".join(f"{x:g}: {m:.3g} ± {s:.1g}" for x, m, s in listed),
    f"monotonically {'rising' if sign > 0 else 'falling'}",
    verdict(bool(np.all(sign * np.diff(mean) > 0)), decided),
  )


def _removal_claims(chosen: "xr.Dataset", alive: np.ndarray, decided: bool) -> list[Claim]:
  """Whether superposition ends, and whether features outlast it."""
  penalty = chosen["penalty"].values
  last = chosen.isel(penalty=-1)
  alone = alive & (chosen["n_shared"].values == 0)
  left = f"λ = {penalty[alone][0]:g}" if alone.any() else "at no λ"
  counts = ", ".join(f"{x:g}: {int(k)}" for x, k in zip(penalty, chosen["n_shared"], strict=True))
  return [
    Claim(
      "a large enough penalty λ on hidden activations leaves no superposition "
      f"(λ = {penalty[-1]:g})",
      f"{int(last['n_shared'])} in superposition, {int(last['n_represented'])} represented",
      "0 in superposition",
      identity(bool(last["n_shared"] == 0), decided),
    ),
    Claim(
      "at some penalty λ on hidden activations features are worth representing and none is in "
      "superposition",
      f"{left}; worth it up to λ = {penalty[alive].max(initial=0):g}; in superposition, by λ: "
      f"{counts}",
      "some λ (paper: L1 on h gets rid of superposition)",
      verdict(bool(alone.any()), decided),
    ),
  ]


def _paired_claim(chosen: "xr.Dataset", alive: np.ndarray) -> Claim:
  """A feature in an antipodal pair costs no more Σ|h| than a feature alone."""
  share = chosen["n_paired"].values / np.maximum(chosen["n_represented"].values, 1)
  paired = chosen["penalty"].values[alive & (share >= PAIRED)]
  return Claim(
    "penalties λ on hidden activations at which all superposition that is left is antipodal pairs, "
    "which cost no more Σ|h| than single features",
    ", ".join(f"{x:g}" for x in paired) or "none",
    f"≥ {PAIRED:.0%} of the represented features",
    REPORTED,
  )
