"""Whether dropout spreads features over hidden units, gathers them there, or removes them."""

import json
from typing import TYPE_CHECKING

import numpy as np

from toy_superposition.experiments.dictionaries import all_finite, spread
from toy_superposition.experiments.dropout_basis import theory
from toy_superposition.experiments.experiment import REPORTED, Claim, verdict

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
VERIFIED_AT = (4, 0.05)  # dimensions, density


def claims(dataset: "xr.Dataset") -> list[Claim]:
  """Returns the verdicts on bases and features per dimension, of all numbers of features."""
  values = json.loads(dataset.attrs["config"])
  enough = dataset.sizes["restart"] >= MIN_RESTARTS and values["train.steps"] >= MIN_STEPS
  decided = enough and all_finite(dataset)
  m, density = values["model.n_hidden"], values["density.base"]
  rows = [*_without_claims(dataset, m, decided), *_spread_claims(dataset, m, decided)]
  if (m, density) == VERIFIED_AT:
    rows += [*_gathered_claims(dataset, decided), *_number_claims(dataset, decided)]
  return [*rows, *_aligned_claims(dataset, m, density, decided), _reached_claim(dataset)]


def best(part: "xr.Dataset") -> "xr.Dataset":
  """Returns the restart with the least loss under dropout, exact over masks, for each dropout."""
  return part.isel(restart=part["dropout_loss"].argmin("restart"))


def _listed(part: "xr.Dataset", name: str) -> str:
  """Returns the best restart's number for each dropout, and mean and deviation of all restarts."""
  own = best(part)[name].values
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
    moment = best(part)["fourth_moment"]
    rows.append(
      Claim(
        f"at the optimum dropout spreads each of {n} features over all {m} hidden units: mean Σ ŵ⁴ "
        f"of unit columns for q ≥ {FROM:g}, of the best restart (of all)",
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
    off = abs(best(part)["fourth_moment"] - expected)
    rows.append(
      Claim(
        f"at the optimum dropout gathers {n} features in four dimensions on fewer hidden units "
        "than random directions use: mean Σ ŵ⁴ of unit columns, of the best restart (of all)",
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
    mean = best(part)["per_dimension"].values
    at_last = float(mean[np.isclose(part["dropout"].values, last)][0])
    falls = bool((np.diff(mean) < 0).all()) and abs(at_last - after) <= within
    known = abs(mean[0] - before) <= within
    represented = int(best(part)["n_represented"][-1])
    rows.append(
      Claim(
        f"features per dimension ‖W‖²_F / m of {n} features fall steadily with dropout, and all "
        "stay represented, in the best restart (of all)",
        f"{_listed(part, 'per_dimension')}; {represented} represented at the last",
        f"falling, {before:g} to {after:g} ± {within:g} at q = {last:g}, {n} represented",
        verdict(falls and known and represented == n, decided),
      )
    )
  n, before, after, within = GROWS
  if (part := _at(dataset, n)) is not None:
    mean = best(part)["per_dimension"].values
    grows = abs(mean[0] - before) <= within and abs(mean.max() - after) <= within
    rows.append(
      Claim(
        f"the {n // 2} pairs of {n} features grow longer under dropout: ‖W‖²_F / m of the best "
        "restart (of all)",
        _listed(part, "per_dimension"),
        f"{before:g} ± {within:g} without, {after:g} ± {within:g} at most",
        verdict(grows, decided),
      )
    )
  return rows


def _reached_claim(dataset: "xr.Dataset") -> Claim:
  """How many trainings are near the best of their cell."""
  loss = dataset["dropout_loss"]
  near = loss <= loss.min("restart") * (1 + NEAR)
  listed = "; ".join(
    f"n = {int(n)}: {float(near.isel(n=k).mean()):.0%}" for k, n in enumerate(dataset["n"].values)
  )
  return Claim(
    f"trainings whose loss under dropout is within {NEAR:.0%} of the best of their cell",
    listed,
    "",
    REPORTED,
  )


def _aligned_claims(dataset: "xr.Dataset", m: int, density: float, decided: bool) -> list[Claim]:
  """As many features as dimensions, where a code with a unit each has a closed form."""
  if (part := _at(dataset, m)) is None:
    return []
  part = part.isel(dropout=part["dropout"].values > 0)
  q = part["dropout"].values.tolist()
  aligned = np.array([theory.aligned_loss(m, density, one) for one in q])
  bound = np.array([theory.bound(m, m, density, one) for one in q])
  mean = part["dropout_loss"].mean("restart").values
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
