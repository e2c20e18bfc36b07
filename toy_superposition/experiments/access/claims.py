"""Counts of random codes against exact laws and bounds, and how dimensions grow with k."""

from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import binomtest

from toy_superposition.experiments.access import theory
from toy_superposition.experiments.access.analysis import (
  N_PUBLISHED,
  PUBLISHED,
  PUBLISHED_ACTIVE,
)
from toy_superposition.experiments.experiment import REPORTED, Claim, identity, verdict
from toy_superposition.theory import sensing

if TYPE_CHECKING:
  import xarray as xr

MIN_SEEDS = 6  # of 5, the interval of none includes ½
# Dimensions → wrong features per example, of n = 256, k = 4: an independent count.
COUNTED = {64: 6.2, 128: 0.47, 256: 0.007}
COUNTED_N = 256
STANDARD_ERRORS = 4.0  # over codes, of which each is one number
PURSUED = {24: 0.92, 32: 0.99}  # m → least share that pursuit recovers; "all" of few examples
CONFIDENCE = 0.95
# Relative errors of thresholds. Counts of the filter's errors are nearly Poisson: what the norm of
# y adds is of the order 1/m. The statistical dimension is a law of many dimensions.
NEAR = 0.10
LINEAR, QUADRATIC = 0.1, 1.5  # exponent of k: within 0.1 of 1, and from the middle of 1 and 2
FACTOR = 2.0  # "about"


def claims(dataset: "xr.Dataset") -> list[Claim]:
  """Returns the verdicts; all are about random codes, and none about training."""
  enough = dataset.sizes["restart"] >= MIN_SEEDS
  return [
    *_filter_claims(dataset, enough),
    *_pursuit_claims(dataset, enough),
    *_worst_claims(dataset, enough),
    *_growth_claims(dataset, enough),
  ]


def spread(values: "xr.DataArray", digits: int = 3) -> str:
  """Returns "mean ± standard deviation" over codes."""
  deviation = float(values.std("restart", ddof=1)) if values.sizes["restart"] > 1 else 0.0
  return f"{float(values.mean(skipna=False)):.{digits}g} ± {deviation:.1g}"


def by_active(values: "xr.DataArray", digits: int = 3) -> str:
  """Returns mean and deviation for every number of active features."""
  return "; ".join(
    f"k = {k}: {spread(values.sel(active=k), digits)}" for k in values["active"].values.tolist()
  )


def listed(numbers: list[float]) -> str:
  """Returns numbers with three digits."""
  return ", ".join(f"{number:.3g}" for number in numbers)


def exponent(values: "xr.DataArray") -> "xr.DataArray":
  """Returns the fitted exponents a of dimensions ∝ kᵃ, one for each code."""
  logs = values.copy(data=np.log(values.values)).assign_coords(active=np.log(values["active"]))
  return logs.polyfit("active", 1, skipna=False)["polyfit_coefficients"].sel(degree=1)


def mean(values: "xr.DataArray") -> "xr.DataArray":
  """Returns the mean over codes, NaN if any is: no threshold was found on the grid."""
  return values.mean("restart", skipna=False)


def predicted(dataset: "xr.Dataset", law: str) -> "xr.DataArray":
  """Returns dimensions by a function of theory.py, for every number of active features."""
  n, active = dataset.sizes["feature"], dataset["active"]
  return active.copy(data=[getattr(theory, law)(n=n, k=k) for k in active.values.tolist()])


def _filter_claims(dataset: "xr.Dataset", enough: bool) -> list[Claim]:
  """Wrong features of the matched filter, on average over supports."""
  n, k = dataset.sizes["feature"], PUBLISHED_ACTIVE
  counted = dataset["wrong"].sel(active=k, dimensions=list(COUNTED))
  exact = np.array([theory.expected_wrong(n=n, k=k, m=m) for m in COUNTED])
  error = counted.std("restart", ddof=1).values / counted.sizes["restart"] ** 0.5
  near = np.abs(counted.mean("restart").values - exact) <= STANDARD_ERRORS * error
  normal = [theory.normal_wrong(n=n, k=k, m=float(m)) for m in COUNTED]
  told = f"; counted independently: {listed(list(COUNTED.values()))}" if n == COUNTED_N else ""
  needed, expected = dataset["needed_filter"], predicted(dataset, "typical")
  ratio = mean(needed) / expected
  return [
    Claim(
      f"wrong features per example that a matched filter reads, with {k} of {n} active, in "
      f"{', '.join(map(str, COUNTED))} dimensions",
      "; ".join(spread(counted.sel(dimensions=m)) for m in COUNTED),
      f"{listed(exact.tolist())} (exact mean over codes and supports), within "
      f"{STANDARD_ERRORS:g} standard errors over codes{told}",
      identity(bool(near.all()), enough),
    ),
    Claim(
      "(n − k) Q(½√(m/k)) + k Q(½√(m/(k − 1))) exceeds the exact number of wrong features per "
      f"example, with {k} of {n} active, in {', '.join(map(str, COUNTED))} dimensions: cosines "
      "have lighter tails than normal numbers",
      listed(normal),
      f"more than {listed(exact.tolist())}",
      identity(bool((np.array(normal) > exact).all())),
    ),
    Claim(
      "average supports: dimensions in which a matched filter reads half of the examples without "
      "an error",
      by_active(needed),
      f"{listed(expected.values.tolist())}, at which ln 2 features per example are wrong, each "
      f"within {NEAR:.0%}",
      identity(bool((np.abs(ratio - 1) <= NEAR).all()), enough),
    ),
  ]


def _pursuit_claims(dataset: "xr.Dataset", enough: bool) -> list[Claim]:
  """Basis pursuit, on average over supports and at the filter's worst."""
  n, k, seeds = dataset.sizes["feature"], PUBLISHED_ACTIVE, dataset.sizes["restart"]
  tried = seeds * N_PUBLISHED
  hits = (dataset["published_recovered"].sum("restart") * N_PUBLISHED).round().astype(int)
  limits = [binomtest(hit, tried).proportion_ci(CONFIDENCE) for hit in hits.values.tolist()]
  reached = all(limit.high >= PURSUED[m] for limit, m in zip(limits, PUBLISHED, strict=True))
  expected = predicted(dataset, "statistical_dimension")
  hard = dataset["recovered_worst"].mean("restart")
  return [
    Claim(
      f"basis pursuit with x ≥ 0 recovers {k} active features of {n} from "
      f"{' and '.join(map(str, PUBLISHED))} dimensions",
      "; ".join(
        f"{hit / tried:.3f} ({limit.low:.3f} to {limit.high:.3f}) of {tried} examples"
        for hit, limit in zip(hits.values.tolist(), limits, strict=True)
      ),
      f"at least .92, and all: the {CONFIDENCE:.0%} intervals reach "
      f"{' and '.join(f'{share:g}' for share in PURSUED.values())}",
      verdict(reached, enough and n == COUNTED_N),
    ),
    *(
      Claim(
        f"average supports: dimensions in which basis pursuit recovers half of the "
        f"examples, {columns}",
        by_active(dataset[name]),
        f"{listed(expected.values.tolist())} (statistical dimension, for columns of normal "
        f"numbers), each within {NEAR:.0%}",
        found(bool((np.abs(mean(dataset[name]) / expected - 1) <= NEAR).all()), enough),
      )
      for name, columns, found in (
        ("needed_normal", "if the entries of W are normal numbers", identity),
        ("needed_pursuit", "if columns have norm 1", verdict),
      )
    ),
    Claim(
      "share of codes whose worst support for the matched filter is recovered by basis pursuit, in "
      f"{', '.join(f'{e:g}' for e in dataset['effort'].values)} statistical dimensions",
      "; ".join(
        f"k = {k}: {listed(hard.sel(active=k).values.tolist())}" for k in hard["active"].values
      ),
      "",
      REPORTED,
    ),
  ]


def _worst_claims(dataset: "xr.Dataset", enough: bool) -> list[Claim]:
  """The matched filter, at every support."""
  n, needed = dataset.sizes["feature"], dataset["needed_worst"]
  union, least = predicted(dataset, "union"), predicted(dataset, "any_code")
  quadratic = predicted(dataset, "quadratic")
  ratio = mean(needed) / quadratic
  seeds = needed.sizes["restart"]
  within = (needed <= union).sum("restart").values.tolist()
  reached = [binomtest(hit, seeds).proportion_ci(CONFIDENCE).high >= 0.5 for hit in within]
  inside = all(reached) and bool((needed >= least).all())
  fewer = needed["active"].values[(needed < n).all("restart").values]
  return [
    Claim(
      "every support: dimensions from which on a matched filter of a random code reads them all, "
      "divided by 8k² ln n",
      "; ".join(
        f"k = {k}: {r:.2f}" for k, r in zip(ratio["active"].values, ratio.values, strict=True)
      ),
      f"1 within a factor of {FACTOR:g}",
      verdict(bool(((ratio <= FACTOR) & (ratio >= 1 / FACTOR)).all()), enough),
    ),
    Claim(
      "every support: dimensions from which on a matched filter of a random code reads them all, "
      "between what no unit code can do without and a union bound over supports",
      f"{by_active(needed)}; {', '.join(map(str, within))} of {seeds} codes within the union bound",
      f"at least {listed(least.values.tolist())} in every code; at most "
      f"{listed(union.values.tolist())} in half of all codes",
      identity(inside, enough),
    ),
    Claim(
      f"largest k of which every support can be read in fewer dimensions than the {n} features, by "
      "a matched filter of a random code",
      f"k = {fewer.max()}" if len(fewer) else "none",
      f"{n} dimensions of orthogonal features read every support of any size",
      REPORTED,
    ),
  ]


def _growth_claims(dataset: "xr.Dataset", enough: bool) -> list[Claim]:
  """How the three numbers of dimensions grow with the number of active features."""
  n, active = dataset.sizes["feature"], dataset["active"]
  pursuit, average, worst = (dataset[f"needed_{name}"] for name in ("pursuit", "filter", "worst"))
  linear, steep = exponent(average), exponent(worst)
  expected = {
    law: f"{float(exponent(predicted(dataset, law))):.2f}"
    for law in ("typical", "union", "statistical_dimension")
  }
  p = active / n
  product = n / mean(pursuit) / sensing.sensing_bound(p.values)
  low, high = sensing.ORDER_ONE
  ordered = (pursuit < average) & (average < worst)
  holds = int(ordered.sum())
  ends = f"k = {int(active.min())} to {int(active.max())}"
  return [
    Claim(
      f"average supports: exponent of k in the dimensions that a matched filter needs, {ends}",
      spread(linear),
      f"mean 1 ± {LINEAR:g} ({expected['typical']} by the formula for normal cosines)",
      verdict(abs(float(mean(linear)) - 1) <= LINEAR, enough),
    ),
    Claim(
      f"every support: exponent of k in the dimensions that a matched filter needs, {ends}",
      spread(steep),
      f"mean ≥ {QUADRATIC:g}: 2 by 8k² ln n, {expected['union']} by the union "
      "bound, in which ln n becomes ln(n/k)",
      verdict(float(mean(steep)) >= QUADRATIC, enough),
    ),
    Claim(
      "basis pursuit needs fewer dimensions than a matched filter for average supports, and that "
      "fewer than a matched filter for every support",
      f"{holds} of {ordered.size} cases",
      "for every k and code",
      verdict(holds == ordered.size, enough),
    ),
    Claim(
      "features per dimension that basis pursuit recovers, times −p ln p with p = k/n",
      f"{listed(product.values.tolist())} for k = {', '.join(map(str, active.values))}",
      f"of order 1: {low:g} to {high:g}",
      verdict(bool(((product >= low) & (product <= high)).all()), enough),
    ),
    Claim(
      f"exponent of k in the dimensions that basis pursuit needs, {ends}",
      spread(exponent(pursuit)),
      f"{expected['statistical_dimension']} by the statistical dimension",
      REPORTED,
    ),
  ]
