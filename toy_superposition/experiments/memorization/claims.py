"""Whether few examples are stored as features are, and whether the test loss descends twice."""

import json
from typing import TYPE_CHECKING

import numpy as np

from toy_superposition.experiments.dictionaries import all_finite
from toy_superposition.experiments.experiment import REPORTED, Claim, verdict
from toy_superposition.experiments.memorization import theory
from toy_superposition.experiments.memorization.analysis import DECAY, EXAMPLES

if TYPE_CHECKING:
  import xarray as xr

MIN_RESTARTS, MIN_STEPS = 10, 1000
SMALL_DECAY, LARGE_DECAY = 0.01, 1.0
PENTAGON, DIGITS = 0.397, 0.01  # dimensionality of five examples, verified independently
REGULAR = 10.0  # degrees
FILLED = 0.03  # relative: what the pentagon's number allows
FEW, ZERO_MODEL = 10, 0.05  # examples up to which the test loss is the zero model's, within
STORED = 0.01  # training loss up to which examples count as stored
PEAK = (100, 1000)  # where the peak is verified to be, and how high at least: "several times" 1
SEVERAL = 2.0
BELOW_FROM = 1000  # examples from which on the test loss is verified to be below the zero model's
REMOVED = 1.05  # test loss without a peak


def claims(dataset: "xr.Dataset") -> list[Claim]:
  """Returns the verdicts on memorization."""
  steps = int(json.loads(dataset.attrs["config"])["train.steps"])
  enough = dataset.sizes["restart"] >= MIN_RESTARTS and steps >= MIN_STEPS
  decided = enough and all_finite(dataset)
  usual = dataset.isel(case=np.isclose(dataset[DECAY], SMALL_DECAY))
  decayed = dataset.isel(case=np.isclose(dataset[DECAY], LARGE_DECAY))
  return [
    *_pentagon_claims(usual, decided),
    _filled_claim(dataset, decided),
    *_descent_claims(usual, decided),
    *_decay_claim(usual, decayed, decided),
    _features_claim(usual),
  ]


def at(dataset: "xr.Dataset", n: int) -> "xr.Dataset | None":
  """Returns the models trained on n examples, None without any."""
  cases = np.flatnonzero(dataset[EXAMPLES].values == n)
  return dataset.isel(case=int(cases[0])) if len(cases) else None


def spread(values: "xr.DataArray") -> str:
  """Returns "mean ± standard deviation" over restarts."""
  deviation = float(values.std(ddof=1)) if values.size > 1 else 0.0
  return f"{float(values.mean()):.4g} ± {deviation:.1g}"


def _pentagon_claims(usual: "xr.Dataset", decided: bool) -> list[Claim]:
  """Five examples: about trainings, beside an optimum of zero loss."""
  if (five := at(usual, 5)) is None:
    return []
  hidden = five["example_hidden"].transpose("restart", "hidden", "example").values[:, :, :5]
  turns = np.array([theory.largest_turn(h) for h in hidden])
  own = five["example_dimensionality"].isel(example=slice(5)).mean("example")
  n = len(turns)
  stored = int((five["train_loss"] <= STORED).sum())
  return [
    Claim(
      "five examples are stored as a regular pentagon of hidden vectors: largest deviation of the "
      "angle between neighbours from 72°",
      f"median {np.median(turns):.1f}°; {int((turns <= REGULAR).sum())} of {n} models within "
      f"{REGULAR:g}°",
      f"within {REGULAR:g}° in at least half of the models",
      verdict(bool((turns <= REGULAR).sum() >= n / 2), decided),
    ),
    Claim(
      "dimensionality of the examples, if there are five: mean over them",
      spread(own),
      f"{PENTAGON:g} ± {DIGITS:g}, near 2/5",
      verdict(abs(float(own.mean()) - PENTAGON) <= DIGITS, decided),
    ),
    Claim(
      "training stores five examples at the optimum, zero loss, which a pentagon reaches if no "
      "feature is active in two of them",
      f"{stored} of {n} models have a training loss ≤ {STORED:g}; "
      f"mean {float(five['train_loss'].mean()):.2g}",
      "at least half of the models",
      verdict(stored >= n / 2, decided),
    ),
  ]


def _filled_claim(dataset: "xr.Dataset", decided: bool) -> Claim:
  """Whether examples fill the plane, whatever their number."""
  total = dataset["example_dimensionality_sum"]
  m = dataset.sizes["hidden"]
  return Claim(
    "dimensionalities of all examples of training add up to the number of dimensions, for every "
    "number of examples",
    f"least {float(total.min()):.3f}, mean {float(total.mean()):.3f}",
    f"at least {1 - FILLED:.0%} of {m} in every model (no more than {m} in any)",
    verdict(bool((total >= (1 - FILLED) * m).all()), decided),
  )


def _descent_claims(usual: "xr.Dataset", decided: bool) -> list[Claim]:
  """The test loss over the number of examples, in units of the zero model's."""
  few = usual.isel(case=usual[EXAMPLES].values <= FEW)["loss"]
  mean = usual["loss"].mean("restart")
  highest = int(np.argmax(mean.values))
  n_highest = int(usual[EXAMPLES][highest])
  peak = usual["loss"].isel(case=highest)
  many = usual.isel(case=usual[EXAMPLES].values >= BELOW_FROM)
  listed = ", ".join(
    f"{int(n)}: {spread(many['loss'].isel(case=k))}" for k, n in enumerate(many[EXAMPLES].values)
  )
  below = usual[EXAMPLES].values[mean.values < 1]
  per_feature = float(usual["feature_density"].values.flat[0])
  onset = f"{below.min()} examples" if len(below) else "none"
  alone = theory.alone(usual.sizes["feature"], usual.sizes["hidden"])
  return [
    Claim(
      f"test loss of models of at most {FEW} examples, in units of the zero model's",
      spread(few),
      f"mean 1 ± {ZERO_MODEL:g}",
      verdict(abs(float(few.mean()) - 1) <= ZERO_MODEL, decided and few.size > 0),
    ),
    Claim(
      "the test loss has a peak at a few hundred examples, several times the zero model's",
      f"highest mean {spread(peak)} at {n_highest} examples; in every restart > 1: "
      f"{bool((peak > 1).all())}",
      f"mean ≥ {SEVERAL:g}, at {PEAK[0]} to {PEAK[1]} examples",
      verdict(
        float(peak.mean()) >= SEVERAL and PEAK[0] <= n_highest <= PEAK[1],
        decided and len(usual[EXAMPLES]) > 2,
      ),
    ),
    Claim(
      f"mean test losses are below the zero model's from {BELOW_FROM} examples on",
      listed or "–",
      f"each mean < 1 ({alone:g} for as many features alone as there are dimensions)",
      verdict(bool((many["loss"].mean("restart") < 1).all()), decided and bool(listed)),
    ),
    Claim(
      "smallest number of examples with a mean test loss below the zero model's",
      f"{onset}; every feature is active in {per_feature * below.min():.0f} of them"
      if len(below)
      else onset,
      "",
      REPORTED,
    ),
  ]


def _decay_claim(usual: "xr.Dataset", decayed: "xr.Dataset", decided: bool) -> list[Claim]:
  """What weight decay does to the peak."""
  both = sorted(set(usual[EXAMPLES].values.tolist()) & set(decayed[EXAMPLES].values.tolist()))
  if not both:
    return []
  pairs = []
  for n in both:
    small, large = at(usual, n), at(decayed, n)
    assert small is not None and large is not None
    pairs.append((n, small["loss"], large["loss"]))
  highest = max(float(large.mean()) for _, _, large in pairs)
  there = max(float(small.mean()) for _, small, _ in pairs) > REMOVED
  return [
    Claim(
      "weight decay of 1 removes the peak of the test loss",
      "; ".join(f"{n} examples: {spread(s)} to {spread(large)}" for n, s, large in pairs),
      f"means ≤ {REMOVED:g}, where decay of {SMALL_DECAY:g} leaves more",
      verdict(highest <= REMOVED, decided and there),
    )
  ]


def _features_claim(usual: "xr.Dataset") -> Claim:
  """The largest dimensionality of a feature."""
  largest = usual["feature_dimensionality"].max("feature")
  listed = ", ".join(
    f"{int(n)}: {float(largest.isel(case=k).mean()):.2f}"
    for k, n in enumerate(usual[EXAMPLES].values)
  )
  return Claim(
    "largest dimensionality of a feature, mean over restarts, by number of examples",
    listed,
    "",
    REPORTED,
  )
