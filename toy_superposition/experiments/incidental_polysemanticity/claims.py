"""Numbers of shared units against laws of chance, and whether sharing costs anything."""

import json
from typing import TYPE_CHECKING

import numpy as np

from toy_superposition.certificates import ALLOWANCE
from toy_superposition.experiments.dictionaries import all_finite, spread
from toy_superposition.experiments.experiment import REPORTED, Claim, verdict
from toy_superposition.experiments.incidental_polysemanticity import theory

if TYPE_CHECKING:
  import xarray as xr

MIN_RESTARTS, MIN_SIZES, MIN_STEPS = 5, 3, 5000
FOUND_AT, FOUND, FOUND_WITHIN = 64, 14.0, 2.0  # n = m, and shared units there; spread of few runs
SCALE = 0.25  # relative distance from n(n − 1)/4m that is "right in scale"
ERRORS = 2.0  # standard errors over restarts
SLOPE = 0.15  # of the exponent of m from −1
SETTLED, KEPT = 0.95, 0.5  # shares of features


def claims(dataset: "xr.Dataset") -> list[Claim]:
  """Returns the verdicts; all are about training, beside an exact optimum."""
  values = json.loads(dataset.attrs["config"])
  enough = dataset.sizes["restart"] >= MIN_RESTARTS and values["train.steps"] >= MIN_STEPS
  decided = enough and all_finite(dataset)
  dataset = dataset.sortby("m")
  return [
    *_number_claims(dataset, decided),
    *_optimum_claims(dataset, values["loss.hidden_l1"], decided),
    *_training_claims(dataset, decided),
  ]


def features(dataset: "xr.Dataset") -> int:
  """Returns n; the numbers of all model sizes together have no axis of features."""
  return int(json.loads(dataset.attrs["config"])["model.n_features"])


def by_size(values: "xr.DataArray") -> str:
  """Returns mean and deviation over restarts for every number of units."""
  return "; ".join(f"m = {int(m)}: {spread(values.sel(m=m))}" for m in values["m"].values)


def predicted(dataset: "xr.Dataset", law: str) -> np.ndarray:
  """Returns shared units by a law of theory.py for every number of units."""
  n = features(dataset)
  return np.array([getattr(theory, law)(n, int(m)) for m in dataset["m"].values])


def listed(numbers: np.ndarray) -> str:
  """Returns numbers with three digits."""
  return ", ".join(f"{number:.3g}" for number in numbers)


def _number_claims(dataset: "xr.Dataset", decided: bool) -> list[Claim]:
  """How many units are shared."""
  n, found = features(dataset), dataset["n_shared"].transpose("m", "restart")
  mean = found.mean("restart").values
  error = found.std("restart", ddof=1).values / found.sizes["restart"] ** 0.5
  law = predicted(dataset, "pairs")
  near = np.abs(mean - law) <= np.maximum(SCALE * law, ERRORS * error)
  counted = bool((mean > 0).all()) and len(mean) >= MIN_SIZES
  slope = float(np.polyfit(np.log(dataset["m"].values), np.log(mean), 1)[0]) if counted else np.nan
  rows = [
    Claim(
      f"polysemantic units, shared by two of {n} features, are as many as n(n − 1)/4m",
      by_size(found),
      f"{listed(law)}; within {SCALE:.0%} or {ERRORS:g} standard errors",
      verdict(bool(near.all()), decided),
    ),
    Claim(
      "exponent of m in the mean number of polysemantic units",
      f"{slope:.2f}",
      f"−1 ± {SLOPE:g}",
      verdict(abs(slope + 1) <= SLOPE, decided and counted),
    ),
  ]
  if n in (sizes := dataset["m"].values.tolist()):
    at = sizes.index(n)
    low, high = (predicted(dataset, name)[at] for name in ("independent", "exclusive"))
    apart = ERRORS * error[at]
    rows += [
      Claim(
        f"with as many units as features, {n}, fewer units are polysemantic than n(n − 1)/4m",
        spread(found[at]),
        f"below {law[at]:.4g} by more than {ERRORS:g} standard errors ({high:.4g} if features "
        "exclude each other from places)",
        verdict(mean[at] + apart < law[at], decided),
      ),
      Claim(
        f"with as many units as features, {n}, more units are polysemantic than if features chose "
        "a unit and a sign independently",
        spread(found[at]),
        f"above {low:.4g} by more than {ERRORS:g} standard errors",
        verdict(mean[at] - apart > low, decided),
      ),
    ]
    if n == FOUND_AT:
      rows.append(
        Claim(
          f"polysemantic units of {n} features in {n} units",
          spread(found[at]),
          f"{FOUND:g} ± {FOUND_WITHIN:g} (found independently)",
          verdict(abs(mean[at] - FOUND) <= FOUND_WITHIN, decided),
        )
      )
  return rows


def _optimum_claims(dataset: "xr.Dataset", penalty: float, decided: bool) -> list[Claim]:
  """What sharing costs: nothing at the optimum."""
  optimum = theory.lowest(penalty)
  excess = dataset["objective"] / optimum - 1
  reached = excess <= ALLOWANCE
  sharing = reached & (dataset["n_shared"] > 0)
  return [
    Claim(
      "training reaches the lowest possible loss + λ Σ|h|, which codes with a unit for each "
      "feature have: relative excess",
      by_size(excess),
      f"at most {ALLOWANCE:.0%} in every training (optimum {optimum:.5g})",
      verdict(bool(reached.all()), decided),
    ),
    Claim(
      "polysemantic units cost nothing: trainings within "
      f"{ALLOWANCE:.0%} of the optimum that have some",
      f"{int(sharing.sum())} of {int(reached.sum())}",
      "at least one for every number of units",
      verdict(bool(sharing.any("restart").all()), decided),
    ),
    Claim(
      "no unit has two features of one sign, which would disturb each other",
      f"{int(dataset['n_crowded'].sum())} units of all trainings",
      "0",
      verdict(bool((dataset["n_crowded"] == 0).all()), decided),
    ),
  ]


def _training_claims(dataset: "xr.Dataset", decided: bool) -> list[Claim]:
  """Where features end, and whether the beginning decides it."""
  settled, kept = dataset["settled"], dataset["kept"]
  chance = 1 / dataset["m"].values
  return [
    Claim(
      "share of features that have settled on one unit (Σ ŵ⁴ > "
      f"{theory.SETTLED:g}) when training ends",
      by_size(settled),
      f"mean ≥ {SETTLED:.0%} for every number of units",
      verdict(bool((settled.mean("restart") >= SETTLED).all()), decided),
    ),
    Claim(
      "share of features that end on the unit that had their largest |weight| before training",
      by_size(kept),
      f"mean ≥ {KEPT:g} for every number of units (chance {listed(chance)})",
      verdict(bool((kept.mean("restart") >= KEPT).all()), decided),
    ),
    Claim("units that any feature uses", by_size(dataset["n_used"]), "", REPORTED),
  ]
