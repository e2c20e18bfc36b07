"""Whether descents, trainings and the posterior are at the polygons that theory says."""

import itertools
from typing import TYPE_CHECKING

import numpy as np

from toy_superposition.experiments.experiment import REPORTED, Claim, identity, verdict
from toy_superposition.experiments.kgon_phases import analysis, theory
from toy_superposition.experiments.kgon_phases.theory import NAMES, POLYGONS

if TYPE_CHECKING:
  import xarray as xr

VERIFIED = {"6": 0.04819, "5+": 0.06180, "5": 0.06874, "4": 0.11111}  # computed independently
DIGITS = 1e-5
N_LEVELS = 9  # at which 400 descents ended, computed independently
MIN_DESCENTS = 400
HEXAGON = 17 / 2
# Of a sampled coefficient: chains of 15 000 steps differ by .2 or .3, and sixteen are averaged.
SAMPLED = 0.25
# Two medians of an estimate that differs by about half from chain to chain.
CLEAN = 0.5
RARE = 0.5  # share of trainings, below which a clean step is rare
CROSSING = 0.25  # relative; neighbouring numbers of examples differ by a factor of 1.43
N_ERRORS = 3  # standard errors of a difference, of fourteen that are looked at


def claims(dataset: "xr.Dataset") -> list[Claim]:
  """Returns the verdicts on polygons."""
  finite = bool((dataset["finite"] == 1).all())
  decided = dataset.sizes["restart"] >= analysis.MIN_RESTARTS and finite
  return [
    *_level_claims(dataset),
    *_coefficient_claims(dataset, decided),
    *_training_claims(dataset, decided),
    *_posterior_claims(dataset, decided),
  ]


def _level_claims(dataset: "xr.Dataset") -> list[Claim]:
  """About minima: which losses descents end at."""
  ends = dataset["descent_loss"].values
  decided = len(ends) >= MIN_DESCENTS and bool(np.isfinite(ends).all())
  rows = []
  for name, expected in VERIFIED.items():
    own = float(dataset["kind_loss"].sel(kind=name))
    near = np.abs(ends - expected) <= analysis.EXACT
    rows.append(
      Claim(
        f"{_words(name)} is a minimum of the exact loss, H = {expected:.5f}",
        f"{own:.5f}; {near.sum()} of {len(ends)} descents end there",
        f"{expected:.5f} ± {DIGITS:g}, and at least one descent",
        verdict(abs(own - expected) <= DIGITS and near.any(), decided),
      )
    )
  found = analysis.kinds(ends, dataset["kind_loss"].values, analysis.EXACT)
  levels = [NAMES[k] for k in np.unique(found[found >= 0])]
  stray = int((found < 0).sum()) + int((found >= N_LEVELS).sum())
  rows.append(
    Claim(
      "descents of the exact loss from random starts end at nine levels only: six polygons with "
      "and without features that their mean replaces, and three, two or one direction",
      f"{stray} of {len(ends)} descents elsewhere; levels that were found: {', '.join(levels)}",
      f"none elsewhere, of the {N_LEVELS} levels {', '.join(NAMES[:N_LEVELS])}",
      verdict(not stray, decided),
    )
  )
  least = float(ends.min())
  rows.append(
    Claim(
      "no descent of the exact loss ends below the hexagon: it is the optimum of six features in a "
      "plane, one active at a time",
      f"least {least:.5f}",
      f"≥ {VERIFIED['6']:.5f} − {DIGITS:g}",
      verdict(least >= VERIFIED["6"] - DIGITS, decided),
    )
  )
  return rows


def _words(name: str) -> str:
  """Returns a kind of minimum in words."""
  corners = {"6": "hexagon", "5": "pentagon", "4": "square"}[name[0]]
  if plus := name.count("+"):
    number = {1: "one feature", 2: "two features"}[plus]
    return f"the {corners} with {number} replaced by the mean (a positive bias)"
  return f"the regular {corners}"


def _coefficient_claims(dataset: "xr.Dataset", decided: bool) -> list[Claim]:
  """About minima: learning coefficients from Hessians and from chains."""
  exact, sampled = dataset["kind_coefficient"], dataset["sampled_coefficient"]
  own = float(exact.sel(kind="6"))
  rows = [
    Claim(
      "learning coefficient of the hexagon: half the number of positive eigenvalues of the Hessian",
      f"{own:g}",
      f"{HEXAGON:g}",
      identity(own == HEXAGON),
    )
  ]
  for level in POLYGONS:
    chains = sampled.sel(kind=level.name).values
    value = float(exact.sel(kind=level.name))
    rows.append(
      Claim(
        f"sampled learning coefficient around {_words(level.name)} agrees with the Hessian's",
        f"{chains.mean():.2f} ± {chains.std(ddof=1):.2f} over {len(chains)} chains",
        f"{value:g} ± {SAMPLED:g}",
        verdict(abs(chains.mean() - value) <= SAMPLED, decided),
      )
    )
  return rows


def _training_claims(dataset: "xr.Dataset", decided: bool) -> list[Claim]:
  """About trainings: where they end, and whether they pass through stages."""
  kind = dataset["history_kind"].transpose("restart", "step").values
  sampled = dataset["history_coefficient"].transpose("restart", "step").values
  exact = dataset["kind_coefficient"].values
  ends = kind[:, -1]
  counts = {name: int((ends == k).sum()) for k, name in enumerate(NAMES)}
  listed = ", ".join(f"{name}: {count}" for name, count in counts.items() if count)
  n = len(ends)
  clean = several = 0
  for own, coefficient in zip(kind, sampled, strict=True):
    stages = analysis.stages(own)
    pairs = list(itertools.pairwise(stages))
    several += bool(pairs)
    clean += any(analysis.is_clean(*pair, coefficient, exact, CLEAN) for pair in pairs)
  return [
    Claim(
      "every training with stochastic gradient descent ends at the loss of a known minimum",
      f"{n - int((ends < 0).sum())} of {n} trainings ({listed})",
      f"all, within {analysis.NEAR:.0%}",
      verdict(bool((ends >= 0).all()), decided),
    ),
    Claim(
      "trainings that end at the optimum, the hexagon",
      f"{counts['6']} of {n}",
      "",
      REPORTED,
    ),
    Claim(
      "trainings with a clean step of the learning coefficient are rare: two stages at known "
      "minima, between which the sampled coefficient goes from one exact value to another",
      f"{clean} of {n} trainings; {several} have two or more stages",
      f"less than {RARE:.0%} of trainings",
      verdict(clean < RARE * n, decided),
    ),
  ]


def _posterior_claims(dataset: "xr.Dataset", decided: bool) -> list[Claim]:
  """About the posterior: which polygons it is at, by the number of examples."""
  at, error = analysis.sampled_crossing(dataset)
  loss, coefficient = dataset["kind_loss"], dataset["kind_coefficient"]
  gap = float(loss.sel(kind="5") - loss.sel(kind="6"))
  difference = float(coefficient.sel(kind="6") - coefficient.sel(kind="5"))
  leading = theory.leading_crossing(gap, difference)
  examples = dataset["examples"].values
  better = analysis.crossing(examples, dataset["hexagon_share"].values)
  corners, steps, errors = _corners(dataset)
  measured = f"{at:.0f} ± {error:.0f} examples"
  known = decided and bool(np.isfinite([at, leading, better]).all())
  return [
    Claim(
      "polygons of the posterior gain corners with the number of examples: mean number of corners",
      f"{corners[0]:.2f} at {examples[0]:.0f} examples to {corners[-1]:.2f} at {examples[-1]:.0f}; "
      f"largest fall between neighbours {max(-steps.min(), 0):.2f}",
      f"6 at last, and no fall by more than {N_ERRORS} standard errors",
      verdict(corners[-1] > 5.95 and bool((steps >= -N_ERRORS * errors).all()), decided),
    ),
    Claim(
      "hexagons outnumber pentagons in the posterior from where free energies are equal to leading "
      "order: N / log N = 2σ² Δλ / ΔH",
      measured,
      f"{leading:.0f} ± {CROSSING:.0%} (Δλ = {difference:g}, ΔH = {gap:.5f}, σ = 1)",
      verdict(abs(at / leading - 1) <= CROSSING, known),
    ),
    Claim(
      "hexagons outnumber pentagons in the posterior from where free energies with their constants "
      "are equal: Laplace for the corners, the integral for a pentagon's sixth feature",
      measured,
      f"{better:.0f} ± {CROSSING:.0%}",
      verdict(abs(at / better - 1) <= CROSSING, known),
    ),
  ]


def _corners(dataset: "xr.Dataset") -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """Returns the mean number of corners for each number of examples, and its differences between
  neighbours with their standard errors over chains."""
  number = np.array([int(name[0]) for name in NAMES])
  own = dataset["occupancy"].transpose("chain", "examples", "kind").values @ number
  steps = np.diff(own, axis=1)
  error = steps.std(axis=0, ddof=1) / np.sqrt(len(steps)) if len(steps) > 1 else 0 * steps[0]
  return own.mean(axis=0), steps.mean(axis=0), error
