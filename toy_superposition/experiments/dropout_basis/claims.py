"""Whether dropout spreads features over hidden units, gathers them there, or removes them.

"At the optimum" is at the lowest loss of direct descents, exact over masks, which start at random
and at the best trained model; trained models stand beside it.
"""

import json
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from toy_superposition.experiments.dictionaries import all_finite, spread
from toy_superposition.experiments.dropout_basis import theory
from toy_superposition.experiments.experiment import Claim, verdict

if TYPE_CHECKING:
  import xarray as xr

MIN_RESTARTS, MIN_STEPS = 10, 2000
SPREAD_OVER = 0.28  # Σ ŵ⁴ up to which features are spread, as verified for at most 2m features
FROM = 0.1  # dropout from which on that is looked at
# n → Σ ŵ⁴ verified for every dropout from .02 to .3, at density .05 in four dimensions.
GATHERED = {10: 0.60, 12: 0.59}
GATHERED_FOR, GATHERED_WITHIN = (0.02, 0.3), 0.05
FALLS = (10, 0.5, 3.0, 1.6, 0.2)  # n, dropout, features per dimension without and with it, within
GROWS = (8, 2.0, 2.2, 0.1)  # n, features per dimension without dropout and at most, within
RANDOM = 0.1  # distance of the mean from 3/(m + 2) that is no privileged basis
NEAR = 0.01
CONFIDENCE, NARROW = 0.99, 0.05  # of the control's interval, and its half width that has power
VERIFIED_AT = (4, 0.05)  # dimensions, density


def claims(dataset: "xr.Dataset") -> list[Claim]:
  """Returns the verdicts on bases and features per dimension, of all numbers of features."""
  values = json.loads(dataset.attrs["config"])
  enough = dataset.sizes["restart"] >= MIN_RESTARTS and values["train.steps"] >= MIN_STEPS
  decided = enough and all_finite(dataset)
  m, density = values["model.n_hidden"], values["density.base"]
  dropped, rows = of_noise(dataset, 0.0), []
  if dropped is not None:
    rows += [*_without_claims(dropped, m, decided), *_spread_claims(dropped, m, decided)]
    if (m, density) == VERIFIED_AT:
      rows += [*_gathered_claims(dropped, decided), *_number_claims(dropped, decided)]
    rows += _aligned_claims(dropped, m, density, decided)
  control = of_noise(dataset, 1.0)
  if control is not None:
    rows += _control_claims(control, m, decided)
  if dropped is not None and control is not None:
    rows += _beside_claims(dropped, control, m, decided)
  named = {"dropout": dropped, "normal noise": control}
  reached = [_reached_claim(name, p, decided) for name, p in named.items() if p is not None]
  return [*rows, *reached]


def of_noise(dataset: "xr.Dataset", share: float) -> "xr.Dataset | None":
  """Returns the models trained with dropout (0) or with normal noise (1); None without any."""
  chosen = dataset["noise_model_isotropic_noise"].values == share
  return dataset.isel(noise=int(np.flatnonzero(chosen)[0])) if chosen.any() else None


def _listed(part: "xr.Dataset", name: str) -> str:
  """Returns the minimum's number for each dropout, and mean and deviation of all restarts."""
  own = part[f"minimum_{name}"].values
  return "; ".join(
    f"q = {float(q):g}: {own[k]:.3g} ({spread(part[name].isel(dropout=k))})"
    for k, q in enumerate(part["dropout"].values)
  )


def _at(dataset: "xr.Dataset", n: int) -> "xr.Dataset | None":
  return dataset.sel(n=n).sortby("dropout") if n in dataset["n"].values else None


def _without_claims(dataset: "xr.Dataset", m: int, decided: bool) -> list[Claim]:
  """Trainings without dropout, which no basis is privileged in."""
  without = dataset.isel(dropout=dataset["dropout"].values == 0)
  many = without.isel(n=without["n"].values > 2 * m)["fourth_moment"]
  if not many.size:
    return []
  expected = theory.random_moment(m)
  return [
    Claim(
      "without dropout features of models with more than two per dimension have random directions: "
      "mean Σ ŵ⁴ of unit columns",
      spread(many),
      f"3/(m + 2) = {expected:.2f} ± {RANDOM:g}",
      verdict(abs(float(many.mean()) - expected) <= RANDOM, decided),
    )
  ]


def _spread_claims(dataset: "xr.Dataset", m: int, decided: bool) -> list[Claim]:
  """At most two features per dimension."""
  rows = []
  for n in (m, 2 * m):
    part = _at(dataset, n)
    if part is None:
      continue
    part = part.isel(dropout=part["dropout"].values >= FROM - 1e-6)
    moment = part["minimum_fourth_moment"]
    rows.append(
      Claim(
        f"at the optimum dropout spreads each of {n} features over all {m} hidden units: mean Σ ŵ⁴ "
        f"of unit columns for q ≥ {FROM:g} (of all trainings)",
        _listed(part, "fourth_moment") or "–",
        f"{1 / m:g} (exactly spread) to {SPREAD_OVER:g}",
        verdict(
          bool((moment <= SPREAD_OVER).all()),
          decided and moment.size > 0 and m == 4,
        ),
      )
    )
  return rows


def _gathered_claims(dataset: "xr.Dataset", decided: bool) -> list[Claim]:
  """More than two features per dimension."""
  rows = []
  for n, expected in GATHERED.items():
    part = _at(dataset, n)
    if part is None:
      continue
    q = part["dropout"].values
    low, high = GATHERED_FOR
    part = part.isel(dropout=(q >= low - 1e-6) & (q <= high + 1e-6))
    off = abs(part["minimum_fourth_moment"] - expected)
    rows.append(
      Claim(
        f"at the optimum dropout gathers {n} features in four dimensions on fewer hidden units "
        "than random directions use: mean Σ ŵ⁴ of unit columns (of all trainings)",
        _listed(part, "fourth_moment") or "–",
        f"{expected:g} ± {GATHERED_WITHIN:g} for q = {low:g} to {high:g}; random: "
        f"{theory.random_moment(4):.2f}",
        verdict(bool((off <= GATHERED_WITHIN).all()), decided and off.size > 0),
      )
    )
  return rows


def _number_claims(dataset: "xr.Dataset", decided: bool) -> list[Claim]:
  """Features per dimension."""
  rows = []
  n, last, before, after, within = FALLS
  if (part := _at(dataset, n)) is not None and last in np.round(part["dropout"].values, 6):
    mean = part["minimum_per_dimension"].values
    at_last = float(mean[np.isclose(part["dropout"].values, last)][0])
    falls = bool((np.diff(mean) < 0).all()) and abs(at_last - after) <= within
    known = abs(mean[0] - before) <= within
    represented = int(part["minimum_n_represented"][-1])
    rows.append(
      Claim(
        f"at the optimum features per dimension ‖W‖²_F / m of {n} features fall steadily with "
        "dropout, and all stay represented (of all trainings)",
        f"{_listed(part, 'per_dimension')}; {represented} represented at the last",
        f"falling, {before:g} to {after:g} ± {within:g} at q = {last:g}, {n} represented",
        verdict(falls and known and represented == n, decided),
      )
    )
  n, before, after, within = GROWS
  if (part := _at(dataset, n)) is not None:
    mean = part["minimum_per_dimension"].values
    grows = abs(mean[0] - before) <= within and abs(mean.max() - after) <= within
    rows.append(
      Claim(
        f"at the optimum the {n // 2} pairs of {n} features grow longer under dropout: ‖W‖²_F / m "
        "(of all trainings)",
        _listed(part, "per_dimension"),
        f"{before:g} ± {within:g} without, {after:g} ± {within:g} at most",
        verdict(grows, decided),
      )
    )
  return rows


def _control_claims(part: "xr.Dataset", m: int, decided: bool) -> list[Claim]:
  """Normal noise, whose loss is the same for every rotation of the features' directions."""
  expected, noisy = theory.random_moment(m), part["dropout"].values > 0
  expectation = f"{expected:.2f} = 3/(m + 2) inside an interval of at most ± {NARROW:g}"
  descents = part["descent_moments"].isel(dropout=noisy).mean("dropout").values.ravel()
  # A restart's models start alike, so that a restart is one observation.
  trained = part["fourth_moment"].isel(dropout=noisy).mean("dropout").mean("n").values
  rows = [
    _included_claim(
      "direct descents, which know no axes, under normal noise of dropout's variance that is equal "
      "in all directions: mean Σ ŵ⁴ of unit columns for q > 0",
      *(descents, expected, expectation, decided),
    ),
    _included_claim(
      "training with normal noise of dropout's variance, equal in all directions, privileges no "
      "basis: mean Σ ŵ⁴ of unit columns for q > 0",
      *(trained, expected, expectation, decided),
    ),
  ]
  if (~noisy).any():
    without = part["fourth_moment"].isel(dropout=~noisy).mean(("dropout", "n")).values
    rows.append(
      _included_claim(
        "training with normal noise of dropout's variance, equal in all directions, has the bases "
        "of training without noise: difference of mean Σ ŵ⁴ of unit columns",
        *(trained - without, 0.0, f"0 inside an interval of at most ± {NARROW:g}", decided),
      )
    )
  return rows


def _included_claim(
  statement: str, values: np.ndarray, expected: float, words: str, decided: bool
) -> Claim:
  """Returns the verdict on whether the t interval of a mean includes what theory says, and is
  narrow enough to have power."""
  half = np.nan
  if len(values) > 1:
    quantile = stats.t.ppf((1 + CONFIDENCE) / 2, len(values) - 1)
    half = float(quantile * values.std(ddof=1) / len(values) ** 0.5)
  inside = abs(float(values.mean()) - expected) <= half
  return Claim(
    statement,
    f"{values.mean():.3f} ± {half:.3f} ({CONFIDENCE:.0%}, of {len(values)})",
    words,
    verdict(inside, decided and (half <= NARROW or not inside)),
  )


def _beside_claims(
  dropped: "xr.Dataset", control: "xr.Dataset", m: int, decided: bool
) -> list[Claim]:
  """Trainings with dropout beside those with normal noise."""
  rows = []
  for k, n in enumerate(dropped["n"].values):
    if n not in (m, 2 * m, *GATHERED):
      continue
    means = [
      part["fourth_moment"].isel(n=k, dropout=part["dropout"].values >= FROM - 1e-6).mean("dropout")
      for part in (dropped, control)
    ]
    difference = float(means[0].mean() - means[1].mean())
    error = sum(float(x.var("restart", ddof=1)) / x.sizes["restart"] for x in means) ** 0.5
    sign = -1 if n <= 2 * m else 1
    words = "lower" if sign < 0 else "higher"
    apart = abs(difference) > 3 * error
    rows.append(
      Claim(
        f"trained models of {n} features have a {words} Σ ŵ⁴ with dropout than with normal noise "
        f"of the same variance: difference of means over q ≥ {FROM:g}",
        f"{difference:+.3f} ± {error:.3f} (standard error)",
        f"{'<' if sign < 0 else '>'} 0 by three standard errors",
        verdict(sign * difference > 0, decided and apart),
      )
    )
  return rows


def _reached_claim(name: str, part: "xr.Dataset", decided: bool) -> Claim:
  """Whether and how many trainings are near the lowest loss that descents find."""
  part = part.isel(dropout=part["dropout"].values > 0)  # without it the loss can be 0
  excess = part["noisy_loss"] / part["minimum_loss"] - 1
  best, near = excess.min("restart"), excess <= NEAR
  listed = "; ".join(
    f"n = {int(n)}: {float(best.sel(n=n).max()):.1%}, {float(near.sel(n=n).mean()):.0%} "
    f"within {NEAR:.0%}"
    for n in part["n"].values
  )
  return Claim(
    f"{name}: the best training of each number of features and q > 0 reaches the lowest loss that "
    "direct descents find: its excess at its worst q, and share of trainings that do",
    listed,
    f"≤ {NEAR:.0%}",
    verdict(bool((best <= NEAR).all()), decided),
  )


def _aligned_claims(dataset: "xr.Dataset", m: int, density: float, decided: bool) -> list[Claim]:
  """As many features as dimensions, where a code with a unit each has a closed form."""
  if (part := _at(dataset, m)) is None:
    return []
  part = part.isel(dropout=part["dropout"].values > 0)
  q = part["dropout"].values.tolist()
  aligned = np.array([theory.aligned_loss(m, density, one) for one in q])
  bound = np.array([theory.bound(m, m, density, one) for one in q])
  mean = part["noisy_loss"].mean("restart").values
  shares = ", ".join(f"q = {one:g}: {x:.2f}" for one, x in zip(q, mean / aligned, strict=True))
  bounds = ", ".join(f"{x:.2f}" for x in bound / aligned)
  return [
    Claim(
      f"trained models of {m} features have a lower loss under dropout than the code with a hidden "
      "unit for each: loss as a share of that code's",
      shares or "–",
      f"< 1 for every q > 0 (bound for features that do not disturb each other: {bounds})",
      verdict(bool((mean < aligned).all()), decided and len(q) > 0),
    )
  ]
