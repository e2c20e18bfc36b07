"""Overlaps and steps against their derivations, and whether networks stay stable."""

from typing import TYPE_CHECKING

import numpy as np

from toy_superposition.experiments.circuits_in_superposition import theory
from toy_superposition.experiments.experiment import REPORTED, Claim, identity, verdict

if TYPE_CHECKING:
  import xarray as xr

MIN_SEEDS = 5
NEAR = 0.15  # relative: S² / B counts blocks that the lines leave over, up to a tenth
MEASURED = 0.03  # relative error of a root mean square over 60 examples and all seeds
SIGNAL = 1.0  # an active circuit's indicator
SMALL = 0.25  # of an indicator: below the ramp of the step


def claims(dataset: "xr.Dataset") -> list[Claim]:
  """Returns the verdicts on overlaps, steps and networks."""
  enough = dataset.sizes["restart"] >= MIN_SEEDS
  return [*_overlap_claims(dataset), *_step_claims(dataset), *_network_claims(dataset, enough)]


def _spread(values: np.ndarray, digits: int = 3) -> str:
  return f"{values.mean():.{digits}f} ± {values.std(ddof=1):.{digits}f}"


def _overlap_claims(dataset: "xr.Dataset") -> list[Claim]:
  B, sizes = theory.BLOCKS, dataset["own"].values.tolist()
  square = dataset["mean_square"].mean("restart").values * B
  chance = dataset["meeting"].mean("restart").values
  most = int(dataset["most_common"].max())
  T, S = dataset.sizes["feature"], theory.OWN
  bound, made = theory.most_circuits(B, S), theory.n_lines(B, S)
  return [
    Claim(
      "mean square of the share of blocks that two circuits have in common is 1/B whatever S: "
      f"times B, at S = {', '.join(map(str, sizes))}",
      ", ".join(f"{value:.2f}" for value in square),
      f"1 within {NEAR:.0%}",
      identity(bool((np.abs(square - 1) <= NEAR).all())),
    ),
    Claim(
      "probability that two circuits share a block, times B / S², at "
      f"S = {', '.join(map(str, sizes))}",
      ", ".join(f"{p * B / s**2:.2f}" for p, s in zip(chance, sizes, strict=True)),
      f"1 within {NEAR:.0%}",
      identity(bool((np.abs(chance * B / np.square(sizes) - 1) <= NEAR).all())),
    ),
    Claim(
      f"circuits of S = {S} of B = {B} blocks of which no two share more than one block",
      f"{made} lines of a plane, {T} of them used; most common blocks {most}",
      f"at most B(B − 1)/(S(S − 1)) = {bound}",
      identity(T <= made <= bound and most <= 1),
    ),
  ]


def _step_claims(dataset: "xr.Dataset") -> list[Claim]:
  S, active = theory.OWN, dataset["step_active"].values
  total = dataset["wrong"].mean("restart").transpose("step_active", "step_layer").values
  few, layers = active <= S / 2, dataset.sizes["step_layer"]
  T = dataset.sizes["feature"]
  p = theory.meeting(theory.BLOCKS, S)
  many = [int(z) for z in active if z > S / 2]
  expected = [tail(z, S // 2 + 1, p) * T for z in many]
  return [
    Claim(
      f"with a step at 1/2 for each of {T} circuits none errs in {layers} layers while at most "
      f"S/2 = {S // 2} are active",
      f"largest share of wrong circuits {total[few].max():.1g}",
      "0: an inactive circuit reads at most z/S",
      identity(bool((total[few] == 0).all())),
    ),
    Claim(
      "circuits an example that are wrong after one layer with such a step, with "
      f"{', '.join(map(str, many))} active",
      ", ".join(f"{value * T:.2g}" for value in total[~few, 0]),
      f"{', '.join(f'{value:.2g}' for value in expected)} if circuits met independently",
      REPORTED,
    ),
  ]


def tail(n: int, least: int, p: float) -> float:
  """Returns the probability that a binomial number of n trials is at least `least`."""
  from scipy import stats

  return float(stats.binom.sf(least - 1, n, p))


def _network_claims(dataset: "xr.Dataset", enough: bool) -> list[Claim]:
  """Networks in which what circuits write adds up before the thresholds."""
  B, S, active = theory.BLOCKS, theory.OWN, dataset["active"].values.tolist()
  off, vector = dataset["off_error"], dataset["vector_error"]
  before = off.isel(layer=0).sel(circuits=off["circuits"][-1])
  first = before.mean(("restart", "variant")).values
  predicted = np.array([theory.read_out(B, S, z) for z in active])
  T = int(off["circuits"][-1])
  rows = [
    Claim(
      "indicator that inactive circuits read before the first layer (read-out interference), root "
      f"mean square for z = {', '.join(map(str, active))}",
      ", ".join(f"{value:.4f}" for value in first),
      f"{', '.join(f'{value:.4f}' for value in predicted)}, within {MEASURED:.0%}",
      identity(bool((np.abs(first / predicted - 1) <= MEASURED).all())),
    )
  ]
  after = f"after {dataset.sizes['layer'] - 1} layers"
  for name, statement, expected in (
    ("no step", "are unstable: inactive ones read more than an active one's indicator, 1, ", "> 1"),
    ("step", "let inactive ones read as their indicator, root mean square, ", ""),
  ):
    last = off.sel(variant=name, circuits=T).isel(layer=-1)
    told = "; ".join(f"z = {z}: {_spread(last.sel(active=z).values, 2)}" for z in active)
    found = verdict(bool((last > SIGNAL).all()), enough) if expected else REPORTED
    expected = f"{expected} in every seed" if expected else ""
    what = f"{name}, no inhibition: {T} circuits in {4 * B} neurons {statement}{after}"
    rows.append(Claim(what, told, expected, found))
  counts = off["circuits"].values.tolist()
  last = off.sel(variant="step and inhibition", active=1).isel(layer=-1)
  turned = vector.sel(variant="step and inhibition", active=1).isel(layer=-1)
  rows.append(
    Claim(
      "step and inhibition, z = 1, after the last layer: what inactive circuits read as indicator, "
      "and error of the active one's vector, by number of circuits",
      "; ".join(
        f"T = {n}: {_spread(last.sel(circuits=n).values, 2)}, "
        f"{_spread(turned.sel(circuits=n).values, 2)}"
        for n in counts
      ),
      "",
      REPORTED,
    )
  )
  few, all_of_them = last.sel(circuits=counts[0]), last.sel(circuits=T)
  rows.append(
    Claim(
      f"step and inhibition, z = 1: {counts[0]} circuits stay below the step's ramp for "
      f"{dataset.sizes['layer'] - 1} layers, {T} do not",
      f"{_spread(few.values, 2)}; {_spread(all_of_them.values, 2)}",
      f"indicator that inactive circuits read below and above {SMALL:g} in every seed",
      verdict(bool((few < SMALL).all() & (all_of_them > SMALL).all()), enough),
    )
  )
  return rows
