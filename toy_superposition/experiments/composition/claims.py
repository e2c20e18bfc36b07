"""Numbers of selectable sets, which codes lose nothing, and what left-out combinations show."""

from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import binomtest

from toy_superposition.experiments.composition import theory
from toy_superposition.experiments.dictionaries import all_finite
from toy_superposition.experiments.experiment import REPORTED, Claim, identity, verdict

if TYPE_CHECKING:
  import xarray as xr

MIN_RESTARTS = 10
CONFIDENCE = 0.999  # of the binomial intervals of sampled linear programmes
# Independently computed: sets of 16 objects in a code of a neuron per object, per attribute's
# value, and of four bits; and on a ring in a plane.
KNOWN = {"local": 65_536, "compositional": 6_902, "dense": 1_882, "ring": 242}
BOUNDS = {2: 242, 4: 3_882}  # Cover's, by dimensions
RANDOM, RANDOM_TOLERANCE = 0.05, 0.005  # chance of a colour in a random code of four bits
ZERO = 1e-4  # share of the variance up to which training has found zero loss
ROUND_OFF = 1e-12
DECODED = 0.95  # of the left-out combinations, "decodes them"


def claims(dataset: "xr.Dataset") -> list[Claim]:
  """Returns the verdicts, of all n and m together."""
  decided = dataset.sizes["restart"] >= MIN_RESTARTS and all_finite(dataset)
  rows = _exact_claims(dataset)
  for code in dataset["code"].values:
    rows.append(_zero_claim(dataset.sel(code=code), str(code), decided))
  rows += _trained_claims(dataset, decided)
  return [*rows, *_held_out_claims(dataset, decided)]


def _exact_claims(dataset: "xr.Dataset") -> list[Claim]:
  """Numbers that need no model."""
  first = dataset.isel(n=0, m=0)
  found = {
    str(name): int(first["fixed_selectable"].sel(fixed=name)) for name in first["fixed"].values
  }
  bounds = {m: theory.cover(theory.OBJECTS, m) for m in BOUNDS}
  chance = theory.random_attribute()
  sizes = [n for n in dataset["n"].values.tolist() if n >= 6]
  losses = [theory.closed_form_loss(code, n) for n in sizes for code in ("objects", "attributes")]
  losses = losses or [0.0]
  inside, listed = [], []
  for name in first["fixed"].values:
    one = first.sel(fixed=name)
    hits, tried = int(one["fixed_selected"]), int(one["fixed_tried"])
    low, high = interval(hits, tried)
    inside.append(low <= found[str(name)] / theory.SETS <= high)
    listed.append(f"{name} {hits}/{tried} ({theory.SETS * low:.0f} to {theory.SETS * high:.0f})")
  return [
    Claim(
      "sets of 16 objects that one linear unit selects in Thorpe's codes, of 65 536",
      ", ".join(f"{name} {number}" for name, number in found.items()),
      ", ".join(f"{name} {number}" for name, number in KNOWN.items()),
      identity(all(found[name] == number for name, number in KNOWN.items())),
    ),
    Claim(
      "closed forms: n objects on a circle lose nothing in two dimensions, and two attributes of "
      "n/2 values on a circle each nothing in four",
      f"loss at most {max(losses):.0e}, for {', '.join(map(str, sizes))} features",
      "0",
      identity(max(losses) <= ROUND_OFF),
    ),
    Claim(
      "no code of m dimensions selects more sets of 16 objects than Cover's bound",
      ", ".join(f"m = {m}: {number}" for m, number in bounds.items()),
      ", ".join(f"m = {m}: {number}" for m, number in BOUNDS.items()),
      identity(bounds == BOUNDS),
    ),
    Claim(
      "linear programmes on random sets agree with the exact numbers of selectable sets",
      ", ".join(listed),
      f"exact numbers within the binomial intervals of {CONFIDENCE:.1%}",
      identity(all(inside)),
    ),
    Claim(
      "16 objects at random on the corners of the four-dimensional cube: probability that a given "
      "colour is selectable",
      f"{chance:.4f}",
      f"{RANDOM:g} ± {RANDOM_TOLERANCE:g}",
      identity(abs(chance - RANDOM) <= RANDOM_TOLERANCE),
    ),
  ]


def _zero_claim(part: "xr.Dataset", code: str, decided: bool) -> Claim:
  """Whether training finds zero loss exactly where theory knows it."""
  best = part["fvu"].min("restart").transpose("n", "m")
  zero = best.values <= ZERO
  exists = part["loses_nothing"].transpose("n", "m").values.astype(bool)
  share = (part["fvu"] <= ZERO).mean("restart").transpose("n", "m").values
  listed = "; ".join(
    f"n = {n}: "
    + ", ".join(
      f"{m}: {x:.0e} ({s:.0%})" if x > ZERO else f"{m}: 0 ({s:.0%})"
      for m, x, s in zip(best["m"].values.tolist(), row, of, strict=True)
    )
    for n, row, of in zip(best["n"].values.tolist(), best.values, share, strict=True)
  )
  words = {
    "objects": "one active feature: the best training has zero loss from two dimensions on",
    "attributes": "one feature of each of two attributes: the best training has zero loss from "
    "four dimensions on, and in fewer for attributes of two values alone",
  }
  any_k = (
    "every subset of {} can be active: the best training has zero loss from n − 1 dimensions on"
  )
  number = {"any_two": "two", "any_three": "three"}.get(code, "")
  return Claim(
    f"{words.get(code, any_k.format(number))}; its unexplained share by m (share of trainings)",
    listed,
    f"at most {ZERO:g} exactly where theory has a model of zero loss",
    verdict(bool((zero == exists).all()), decided),
  )


def _trained_claims(dataset: "xr.Dataset", decided: bool) -> list[Claim]:
  """What a linear unit selects in trained codes of the 16 objects."""
  rows = []
  for code, n in (("objects", theory.OBJECTS), ("attributes", 2 * theory.VALUES)):
    if code not in dataset["code"].values or n not in dataset["n"].values:
      continue
    part = dataset.sel(code=code, n=n)
    listed, below = [], []
    for m in part["m"].values.tolist():
      one = part["selectable"].sel(m=m)
      bound = theory.cover(theory.OBJECTS, m)
      below.append(float(one.max()) <= bound)
      listed.append(f"m = {m}: {float(one.mean()):.0f} ± {float(one.std()):.0f} of {bound}")
    rows.append(
      Claim(
        f"trained codes of {code}: sets of the 16 objects that one linear unit selects stay within "
        "Cover's bound",
        "; ".join(listed),
        "at most Cover's bound at every m",
        identity(all(below)),
      )
    )
    singles, attributes = (
      ", ".join(
        f"m = {m}: {float(part[name].sel(m=m).isel(restart=0)):.0%}"
        for m in part["m"].values.tolist()
      )
      for name in ("singles", "attributes")
    )
    whole = part.sel(m=part["m"].max()).isel(restart=0)
    if code == "attributes":
      rows.append(
        Claim(
          "best trained code of attributes: one linear unit selects every single object and every "
          "attribute's value",
          f"objects {singles}; attributes {attributes}",
          f"all of them at m = {int(part['m'].max())}",
          verdict(
            bool(whole["singles"] == 1 and whole["attributes"] == 1),
            decided and int(part["m"].max()) >= 4,
          ),
        )
      )
    else:
      rows.append(
        Claim(
          "best trained code of objects: single objects, and values of attributes, that one linear "
          "unit selects",
          f"objects {singles}; attributes {attributes}",
          "",
          REPORTED,
        )
      )
  return rows


def _held_out_claims(dataset: "xr.Dataset", decided: bool) -> list[Claim]:
  """What models make of four (colour, shape) that training has left out."""
  rows = []
  chance = 1 / theory.OBJECTS
  for code, n, m in (("objects", theory.OBJECTS, 2), ("attributes", 2 * theory.VALUES, 4)):
    there = code in dataset["code"].values and n in dataset["n"].values
    if not there or m not in dataset["m"].values:
      continue
    part = dataset.sel(code=code, n=n, m=m)
    left, seen = part["held_out_right"].values, part["seen_right"].values
    error = left.std(ddof=1) / left.size**0.5 if left.size > 1 else np.nan
    measured = (
      f"{left.mean():.2f} ± {error:.2f} (standard error) of the left-out ones, {seen.mean():.2f} "
      "of the others"
    )
    attributes = code == "attributes"
    holds = left.mean() >= DECODED if attributes else left.mean() <= chance + 3 * error
    rows.append(
      Claim(
        f"trained without four of 16 combinations, a code of {code} in {m} dimensions "
        + ("decodes them" if attributes else "does not decode them"),
        measured,
        f"at least {DECODED:g}" if attributes else f"chance, {chance:g}, or less",
        verdict(bool(holds), decided),
      )
    )
  return rows


def interval(hits: int, tried: int) -> tuple[float, float]:
  """Returns the exact binomial interval of a share; of all sets the share itself."""
  if tried >= theory.SETS:
    return hits / tried, hits / tried
  found = binomtest(hits, tried).proportion_ci(CONFIDENCE)
  return float(found.low), float(found.high)
