"""How the cosine within pairs grows with correlation, and whether training beats known codes."""

from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from toy_superposition.experiments import restarts
from toy_superposition.experiments.dictionaries import all_finite
from toy_superposition.experiments.experiment import REPORTED, Claim, verdict

if TYPE_CHECKING:
  import xarray as xr

MIN_RESTARTS = 10
BASE = 0.05  # density at which the source states numbers
APART, TOGETHER = 0.34, 0.97  # its mean |cosine| within pairs at ρ = 0 and 1
TOLERANCE = 0.05  # of either: its number of trainings is not stated
CONFIDENCE = 0.95
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
  rhos = part["correlation"].values
  rows = []
  if 0.0 in rhos:
    rows += _apart_claims(part.sel(correlation=0.0), decided)
  if 1.0 in rhos:
    one = part.sel(correlation=1.0)
    best, each = float(restarts.best(one, "restart")["within"]), one["within"]
    rows.append(
      Claim(
        f"p = {BASE:g}, ρ = 1: mean |cosine| within pairs of the best training",
        f"{best:.3f}; all trainings {float(each.mean()):.3f} ± {float(each.std(ddof=1)):.3f}",
        f"{TOGETHER:g} ± {TOLERANCE:g}; {float(part['chance']):.2f} of random directions",
        verdict(abs(best - TOGETHER) <= TOLERANCE, decided),
      )
    )
  return [*rows, _rise_claim(part, decided)]


def _apart_claims(part: "xr.Dataset", decided: bool) -> list[Claim]:
  """Without correlation features are exchangeable: which of them are called a pair is arbitrary.

  So |cosine| within pairs has the expectation of that of all 120 pairs of features, and a number
  from one training's eight pairs has a standard error that the deviation over all pairs tells.
  """
  best, n_pairs = restarts.best(part, "restart"), part.sizes["feature"] // 2
  error = float(best["between_deviation"]) / n_pairs**0.5
  each = part["between"].values
  low, high = _interval(each)
  chance = float(part["chance"])
  certain = bool(high < chance or low > chance)
  return [
    Claim(
      f"p = {BASE:g}, ρ = 0: mean |cosine| within pairs of the best training",
      f"{float(best['within']):.3f} ± {error:.3f} (standard error of {n_pairs} pairs)",
      f"{APART:g} ± {TOLERANCE:g}, decided if both ends of two standard errors are on one side",
      _of_interval(
        abs(float(best["within"]) - APART), 2 * error, TOLERANCE, decided and bool(error > 0)
      ),
    ),
    Claim(
      f"p = {BASE:g}, ρ = 0: directions of trained features are further apart than random ones: "
      "mean |cosine| of all pairs of features, over trainings",
      f"{each.mean():.3f}, {low:.3f} to {high:.3f} ({CONFIDENCE:.0%})",
      f"interval below {chance:.3f}",
      verdict(high < chance, decided and certain),
    ),
  ]


def _of_interval(off: float, half: float, tolerance: float, decided: bool) -> str:
  """Returns the verdict on a distance that is at most the tolerance, known up to ± half."""
  near, far = off + half <= tolerance, off - half > tolerance
  return verdict(near, decided and (near or far))


def _interval(values: np.ndarray) -> tuple[float, float]:
  """Returns the t interval of the mean."""
  n = len(values)
  half = stats.t.ppf((1 + CONFIDENCE) / 2, max(n - 1, 1)) * values.std(ddof=1) / n**0.5
  return float(values.mean() - half), float(values.mean() + half)


def _rise_claim(part: "xr.Dataset", decided: bool) -> Claim:
  """Each step in ρ has an interval (Welch); one with 0 inside leaves the statement undecided.

  At ρ = 0 the mean over all pairs of features has the same expectation, and is more certain.
  """
  rhos = part["correlation"].values
  chosen = part["within"].where(part["correlation"] != 0, part["between"])
  within = chosen.transpose("correlation", "restart").values
  mean, n = within.mean(axis=1), within.shape[1]
  steps = np.diff(mean)
  error = (within.var(axis=1, ddof=1) / n) ** 0.5
  both = np.hypot(error[1:], error[:-1])
  # Welch's degrees of freedom for equal numbers of trainings.
  power = error[1:] ** 4 + error[:-1] ** 4
  degrees = np.maximum((n - 1) * both**4 / np.where(power > 0, power, 1), 1)
  half = stats.t.ppf((1 + CONFIDENCE) / 2, degrees) * both
  rises, falls = bool((steps > half).all()), bool((steps < -half).any())
  listed = ", ".join(f"{x:+.2f} ± {h:.2f}" for x, h in zip(steps, half, strict=True))
  return Claim(
    f"p = {BASE:g}: the mean |cosine| within pairs rises with their correlation",
    ", ".join(f"ρ = {rho:g}: {x:.2f}" for rho, x in zip(rhos, mean, strict=True))
    + f"; steps {listed} ({CONFIDENCE:.0%})",
    "every step's interval above 0; contradicted by one below (ρ = 0: of all pairs of features)",
    verdict(rises, decided and len(mean) > 2 and (rises or falls)),
  )


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
