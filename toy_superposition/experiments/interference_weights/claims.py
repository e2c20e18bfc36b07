"""Whether rankings find the real weights of an easy, of a hard and of a frozen set-up."""

from typing import TYPE_CHECKING

import numpy as np

from toy_superposition.experiments.experiment import REPORTED, Claim, identity, verdict

if TYPE_CHECKING:
  import xarray as xr

EASY, HARD, FROZEN = "a: easy", "b: hard", "c: frozen"
MIN_SEEDS = 5
# Of an independent computation for (a) and (b), and of another replication for the agreement.
REAL_SHARE = (0.0065, 0.0085)  # "about .7 to .8 % of the weights", rounded
REAL_AGREEMENT, OTHER_AGREEMENT = (0.91, 0.978), (0.07, 0.16)
NEAR = 0.05  # of correlations of 100 weights, two standard errors at .9
NOT_LEARNED = 1 / 3
FULL_RECALL = 0.4  # up to which the best rankings are said to be perfect
USELESS = 0.25  # share of the best attribution's mean precision
SIGNED = "weight U"
SAME = 0.9  # r²: all but a tenth of the variance of one definition's interference is the other's


def claims(dataset: "xr.Dataset") -> list[Claim]:
  """Returns the verdicts on all three set-ups."""
  enough = dataset.sizes["restart"] >= MIN_SEEDS and bool((dataset["finite"] == 1).all())
  parts = {str(name): dataset.sel(setup=name) for name in dataset["setup"].values}
  rows = []
  if EASY in parts:
    rows += _easy_claims(parts[EASY], enough)
  if HARD in parts:
    rows += _hard_claims(parts[HARD], enough) + _ranking_claims(parts[HARD], enough)
  if FROZEN in parts:
    rows += _frozen_claims(parts[FROZEN], enough)
  return rows + _definition_claims(parts, enough) + _loss_claims(dataset)


def spread(values: "xr.DataArray", digits: int = 3) -> str:
  """Returns mean and standard deviation over seeds as text."""
  return f"{float(values.mean()):.{digits}f} ± {float(values.std(ddof=1)):.{digits}f}"


def _easy_claims(part: "xr.Dataset", enough: bool) -> list[Claim]:
  n = int(part["n_circuit"])
  exact = (part["n_real"] == n) & (part["n_outside"] == 0) & (part["learned_share"] == 1)
  worst = part["precision"].min(("restart", "recall"))
  others = part["agreement_none"]
  return [
    Claim(
      f"(a) easy: the real weights of the tied model are exactly the {n} of the diagonal",
      f"{int(exact.sum())} of {exact.size} seeds; real weights {_range(part['n_real'])}",
      f"{n} in every seed, 1 % of all weights",
      verdict(bool(exact.all()), enough),
    ),
    Claim(
      "(a) easy: every ranking of the weights is perfect at every recall",
      ", ".join(f"{name} {float(worst.sel(ranking=name)):.3f}" for name in worst["ranking"].values),
      "lowest precision 1.000 for each",
      verdict(bool((worst == 1).all()), enough),
    ),
    Claim(
      "(a) easy: off-diagonal weights of two seeds are uncorrelated",
      spread(others),
      f"−.01, within {NEAR:g}",
      verdict(abs(float(others.mean()) + 0.01) <= NEAR, enough),
    ),
  ]


def _range(values: "xr.DataArray") -> str:
  return f"{int(values.min())} to {int(values.max())}"


def _hard_claims(part: "xr.Dataset", enough: bool) -> list[Claim]:
  share = part["n_real"] / part["n_weights"]
  outside, missing = int(part["n_outside"].sum()), 1 - part["learned_share"]
  error = float(missing.std(ddof=1)) / missing.size**0.5
  certain = abs(float(missing.mean()) - NOT_LEARNED) > 2 * error
  both, none = part["agreement_both"], part["agreement_none"]
  low, high = REAL_AGREEMENT[0] - NEAR, OTHER_AGREEMENT[1] + NEAR
  return [
    Claim(
      "(b) hard: share of virtual weights that are real (ΔL > 1e-4)",
      f"{spread(100 * share, 2)} %; {_range(part['n_unsure'])} weights a seed are within two "
      "standard errors of 1e-4",
      f".7 to .8 %: mean between {100 * REAL_SHARE[0]:g} and {100 * REAL_SHARE[1]:g} %",
      verdict(REAL_SHARE[0] <= float(share.mean()) <= REAL_SHARE[1], enough),
    ),
    Claim(
      "(b) hard: all real weights are weights of the circuit A",
      f"{outside} weights outside of A, of {int(part['n_real'].sum())} real ones",
      "none above 1e-4 by five standard errors, in any seed",
      verdict(outside == 0, enough),
    ),
    Claim(
      "(b) hard: more than a third of the circuit's weights are not learned",
      f"{spread(missing)}, mean ± {error:.3f}",
      "> .333 by two standard errors of the mean",
      verdict(float(missing.mean()) > NOT_LEARNED, enough and certain),
    ),
    Claim(
      "(b) hard: real weights agree between seeds, and the others do not: correlations",
      f"real in both {spread(both)}, in one at least {spread(part['agreement_either'])}, in none "
      f"{spread(none)}",
      f"two replications: real .91 and .978, others .07 and .16: ≥ {low:g} and ≤ {high:g}",
      verdict(float(both.mean()) >= low and abs(float(none.mean())) <= high, enough),
    ),
    Claim(
      "(b) hard: real weights are smaller than the circuit's: median of U / A",
      spread(part["shrinkage"]),
      "",
      REPORTED,
    ),
  ]


def _above(
  part: "xr.Dataset",
  first: str,
  second: str,
  equal: bool = False,
  name: str = "average_precision",
) -> bool:
  """Returns whether a ranking has the higher mean precision than another in every seed, or on
  average with `equal`; `name` is the variable of mean precisions."""
  score = part[name]
  difference = score.sel(ranking=first) - score.sel(ranking=second)
  return bool(difference.mean() >= 0) if equal else bool((difference > 0).all())


def _ranking_claims(part: "xr.Dataset", enough: bool) -> list[Claim]:
  """The order of rankings, with the size of weights read in two ways."""
  score, rows = part["average_precision"], []
  listed = ", ".join(f"{r} {spread(score.sel(ranking=r))}" for r in score["ranking"].values)
  share = float((part["n_real"] / part["n_weights"]).mean())
  low = (
    part["precision"].sel(recall=part["recall"] <= FULL_RECALL + 1e-6).min(("restart", "recall"))
  )
  for size, reading in (("size |U|", "their size |U|"), (SIGNED, "U with its sign")):
    order = (
      _above(part, "expected attribution", size, equal=True)
      and _above(part, size, "target-weighted")
      and _above(part, "target-weighted", "frequency")
    )
    perfect = {name: float(low.sel(ranking=name)) for name in ("expected attribution", size)}
    rows += [
      Claim(
        "(b) hard: expected attribution finds real weights at least as well as "
        f"{reading}, better than target-weighted attribution, far better than frequency",
        f"mean precision: {listed}; chance {share:.3f}",
        "in this order, the last two steps in every seed",
        verdict(order, enough),
      ),
      Claim(
        f"(b) hard: expected attribution and {reading} are perfect up to recall {FULL_RECALL:g}",
        ", ".join(f"{name} {value:.3f}" for name, value in perfect.items()),
        "lowest precision 1.000 over seeds",
        verdict(min(perfect.values()) == 1, enough),
      ),
    ]
  largest = part["largest_negative"]
  rows.append(
    Claim(
      "(b) hard: the largest interference weight is negative, and larger than any weight of A",
      spread(largest),
      "",
      REPORTED,
    )
  )
  return rows


def _frozen_claims(part: "xr.Dataset", enough: bool) -> list[Claim]:
  score = part["average_precision"]
  best, weighted = score.sel(ranking="expected attribution"), score.sel(ranking="target-weighted")
  size = score.sel(ranking="size |U|")
  share = float((part["n_real"] / part["n_weights"]).mean())
  return [
    Claim(
      "(c) frozen columns: precision falls faster in the order of |U| than of expected attribution",
      f"mean precision {spread(size)} (with its sign {spread(score.sel(ranking=SIGNED))}) against "
      f"{spread(best)}",
      "lower in every seed",
      verdict(_above(part, "expected attribution", "size |U|"), enough),
    ),
    Claim(
      "(c) frozen columns: target-weighted attribution is useless",
      f"mean precision {spread(weighted)}; expected attribution {spread(best)}; chance {share:.3f}",
      f"below {USELESS:g} of expected attribution in every seed",
      verdict(bool((weighted < USELESS * best).all()), enough),
    ),
  ]


def _definition_claims(parts: "dict[str, xr.Dataset]", enough: bool) -> list[Claim]:
  """The second definition of interference, U − U*, beside the first, ΔL ≤ 1e-4."""
  rows = []
  if EASY in parts:
    part = parts[EASY]
    differ = part["definitions_first"] + part["definitions_second"]
    rows.append(
      Claim(
        "(a) easy: the two definitions call the same weights interference: share of weights that "
        "only one of them does",
        f"{spread(100 * differ)} %; Cohen's κ {spread(part['definitions_kappa'])}",
        "0 in every seed",
        verdict(bool((differ == 0).all()), enough),
      )
    )
  if HARD in parts:
    rows += _hard_definition_claims(parts[HARD], enough)
  listed = [
    f"{name}: by both {spread(100 * part['definitions_both'], 2)} %, by ΔL alone "
    f"{spread(100 * part['definitions_first'], 2)} %, by U* = 0 alone "
    f"{spread(100 * part['definitions_second'], 2)} %, κ {spread(part['definitions_kappa'])}, "
    f"correlation {spread(part['definitions_correlation'])}"
    for name, part in parts.items()
  ]
  rows.append(
    Claim(
      "weights that are interference by both definitions, and by one of them alone, of outputs "
      "that can fire",
      "; ".join(listed),
      "",
      REPORTED,
    )
  )
  return rows


def _hard_definition_claims(part: "xr.Dataset", enough: bool) -> list[Claim]:
  square = part["definitions_correlation"] ** 2
  score, chance = part["second_precision"], float(part["second_chance"])
  order = (
    _above(part, "expected attribution", SIGNED, equal=True, name="second_precision")
    and _above(part, SIGNED, "target-weighted", name="second_precision")
    and _above(part, "target-weighted", "frequency", name="second_precision")
  )
  return [
    Claim(
      "(b) hard: the two definitions give the same interference: r² of U where ΔL ≤ 1e-4, and 0 "
      f"elsewhere, with U − U*, over the weights of {int(part['n_firing'])} outputs that can fire",
      spread(square),
      f"≥ {SAME:g} in every seed",
      verdict(bool((square >= SAME).all()), enough),
    ),
    Claim(
      "(b) hard: rankings have the same order by the second definition: expected attribution finds "
      "weights with U* ≠ 0 at least as well as U with its sign, better than target-weighted "
      "attribution, better than frequency",
      "mean precision: "
      + ", ".join(f"{r} {spread(score.sel(ranking=r))}" for r in score["ranking"].values)
      + f"; chance {chance:.3f}",
      "in this order, the last two steps in every seed",
      verdict(order, enough),
    ),
  ]


def _loss_claims(dataset: "xr.Dataset") -> list[Claim]:
  """The optimum without a bottleneck, and all interference removed at once."""
  rows = []
  oracle = dataset["oracle_loss"].values
  rows.append(
    Claim(
      "the circuit's own weights, U = A (a: the identity), have no loss: optimum of n dimensions",
      f"largest loss {float(np.abs(oracle).max()):.1g}",
      "0",
      identity(bool(np.abs(oracle).max() <= 1e-6)),
    )
  )
  listed = [
    f"{name}: {spread(part['model_loss'])} → {spread(part['pruned_loss'])}, best constant "
    f"{float(part['best_constant_loss']):.3f}"
    for name, part in ((n, dataset.sel(setup=n)) for n in dataset["setup"].values)
  ]
  rows.append(
    Claim(
      "loss of the models, and with all weights that are not real removed at once",
      "; ".join(listed),
      "",
      REPORTED,
    )
  )
  return rows
