"""How the cosine within pairs grows with correlation, and whether training beats known codes."""

from typing import TYPE_CHECKING

import numpy as np

from toy_superposition.experiments import restarts
from toy_superposition.experiments.dictionaries import all_finite
from toy_superposition.experiments.experiment import REPORTED, Claim, verdict

if TYPE_CHECKING:
  import xarray as xr

MIN_RESTARTS = 10
BASE = 0.05  # density at which the source states numbers
APART, TOGETHER = 0.34, 0.97  # its mean |cosine| within pairs at ρ = 0 and 1
TOLERANCE = 0.05  # of either: its number of trainings is not stated
DENSE, CORRELATED, MERGED = 0.1, 0.5, 0.9  # from which p and ρ on pairs are merged, |cos| ≥ .9
WORSE = 0.01  # share by which a sampled loss may exceed an exact one


def claims(dataset: "xr.Dataset") -> list[Claim]:
  """Returns the verdicts on merging."""
  decided = dataset.sizes["restart"] >= MIN_RESTARTS and all_finite(dataset)
  dataset = dataset.sortby("density").sortby("correlation")
  best = restarts.best(dataset, "restart")["within"]
  rows = []
  there = np.isclose(dataset["density"].values, BASE)
  if there.any():
    rows += _base_claims(dataset.isel(density=int(there.argmax())), decided)
  merged = best.sel(
    density=best["density"] >= DENSE - 1e-9, correlation=best["correlation"] >= CORRELATED
  )
  if merged.size:
    rows.append(
      Claim(
        f"p ≥ {DENSE:g} and ρ ≥ {CORRELATED:g}: the two features of a pair are merged",
        f"mean |cosine| within pairs of the best training {float(merged.min()):.3f} to "
        f"{float(merged.max()):.3f}; {int((merged >= MERGED).sum())} of {merged.size} p and ρ",
        f"at least {MERGED:g} at every such p and ρ",
        verdict(bool((merged >= MERGED).all()), decided),
      )
    )
  rows += [_certificate(dataset, decided), _table(dataset)]
  return rows


def _base_claims(part: "xr.Dataset", decided: bool) -> list[Claim]:
  """The numbers that the source states at its density."""
  within = part["within"]
  rhos = within["correlation"].values
  rows = []
  for rho, expected in ((0.0, APART), (1.0, TOGETHER)):
    if rho in rhos:
      one = part.sel(correlation=rho)
      best = float(restarts.best(one, "restart")["within"])
      each = one["within"]
      rows.append(
        Claim(
          f"p = {BASE:g}, ρ = {rho:g}: mean |cosine| within pairs of the best training",
          f"{best:.3f}; all trainings {float(each.mean()):.3f} ± {float(each.std(ddof=1)):.3f}",
          f"{expected:g} ± {TOLERANCE:g}; {float(part['chance']):.2f} of random directions",
          verdict(abs(best - expected) <= TOLERANCE, decided),
        )
      )
  mean = within.mean("restart").values
  rows.append(
    Claim(
      f"p = {BASE:g}: the mean |cosine| within pairs rises with their correlation",
      ", ".join(f"ρ = {rho:g}: {x:.2f}" for rho, x in zip(rhos, mean, strict=True)),
      "each larger than the one before",
      verdict(bool((np.diff(mean) > 0).all()), decided and len(mean) > 2),
    )
  )
  return rows


def _certificate(dataset: "xr.Dataset", decided: bool) -> Claim:
  """The best training of every cell against the best of the known codes."""
  best = dataset["loss"].min("restart")
  known = dataset["code_loss"].min("code")
  excess = (best / known - 1).transpose("density", "correlation").values
  return Claim(
    "the best training is at least as good as principal components, as merged pairs and as one "
    "feature of each pair, at every p and ρ",
    f"{excess.max():+.2%} at worst and {excess.min():+.2%} at best, of the best of the three",
    f"at most {WORSE:.0%} above: losses are sampled",
    verdict(bool((excess <= WORSE).all()), decided),
  )


def _table(dataset: "xr.Dataset") -> Claim:
  """The whole phase diagram in numbers."""
  within = dataset["within"]
  listed = "; ".join(
    f"p = {p:g}: "
    + ", ".join(
      f"{float(within.sel(density=p, correlation=rho).mean()):.2f}"
      for rho in within["correlation"].values
    )
    for p in within["density"].values
  )
  return Claim(
    "mean |cosine| within pairs, by ρ = "
    + ", ".join(f"{rho:g}" for rho in within["correlation"].values),
    listed,
    "",
    REPORTED,
  )
