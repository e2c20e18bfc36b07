"""Whether a ring loses nothing, what a random amplitude costs, and where restarts miss the ring."""

from typing import TYPE_CHECKING

import numpy as np

from toy_superposition.experiments.dictionaries import all_finite
from toy_superposition.experiments.experiment import REPORTED, Claim, identity, verdict
from toy_superposition.experiments.feature_circle.theory import ideal_ring_share

if TYPE_CHECKING:
  import xarray as xr

MIN_RESTARTS = 10
ZERO = 1e-5  # share of the variance up to which a loss is round-off
LINEAR, LINEAR_TOLERANCE = 0.345, 0.001  # share that the best linear code of a plane leaves, ℓ = 1
IDEAL = 5e-4  # share of the mean square that a ring leaves at one amplitude and every ℓ, as stated
MISSED = 0.01  # share of the variance by which restarts end above a ring that they missed
REGULAR, DISCRETE = 0.05, 0.25  # variation of the angles between neighbours


def claims(dataset: "xr.Dataset") -> list[Claim]:
  """Returns the verdicts, of all n and m together."""
  decided = dataset.sizes["restart"] >= MIN_RESTARTS and all_finite(dataset)
  dataset = dataset.sortby("resolution", ascending=False)
  rows = []
  if 2 in dataset["m"].values:
    plane = dataset.sel(m=2)
    if np.isclose(plane["resolution"].values, 0.5).any():
      rows += _smooth_claims(plane.sel(resolution=0.5), decided)
    rows += _amplitude_claims(plane, decided)
    if "one" in plane["amplitude"].values:
      rows += _discrete_claims(plane.sel(amplitude="one"), decided)
  return [*rows, _dimensions_claim(dataset)]


def _smooth_claims(plane: "xr.Dataset", decided: bool) -> list[Claim]:
  """A plane at ℓ = 1, where features are rectified cosines."""
  rows = []
  for n in plane["n"].values.tolist():
    part = plane.sel(n=n)
    plain, least, worst = (
      float(x) for x in (part["plain_ring_fvu"].max(), part["fvu"].min(), part["fvu"].max())
    )
    listed = f"ring {plain:.1e}; trained {least:.1e} to {worst:.1e} of the variance"
    rows.append(
      Claim(
        f"ℓ = 1, m = 2: a ring of {n} features without bias loses nothing at any amplitude",
        listed,
        "0: features are the rectified first harmonic",
        (identity if not n % 2 else verdict)(plain <= ZERO),
      )
    )
    best = part["fvu"].min("restart")
    rows.append(
      Claim(
        f"ℓ = 1, m = 2, {n} features: the best of the restarts is at least as good as the ring",
        f"{listed}; {float(part['found_share'].mean()):.0%} of the restarts end at the best loss",
        "at most the ring's loss, at both amplitudes",
        verdict(bool((best <= part["plain_ring_fvu"] + ZERO).all()), decided),
      )
    )
  share = plane["linear_share"].values.ravel()
  rows.append(
    Claim(
      "ℓ = 1, m = 2: the best linear code without a bias leaves a third of the mean square",
      f"{share.min():.4f} to {share.max():.4f}",
      f"{LINEAR:g} ± {LINEAR_TOLERANCE:g}",
      identity(bool((abs(share - LINEAR) <= LINEAR_TOLERANCE).all())),
    )
  )
  return rows


def _amplitude_claims(plane: "xr.Dataset", decided: bool) -> list[Claim]:
  """What costs dimensions below ℓ = 1."""
  narrow = plane.sel(resolution=plane["resolution"] < 0.499)
  if not narrow.sizes["resolution"]:
    return []
  widths = (2 * narrow["resolution"].values).tolist()
  ideal = [ideal_ring_share(width) for width in widths]
  rows = [
    Claim(
      "m = 2, one amplitude: a ring of infinitely many features leaves almost nothing at any ℓ",
      ", ".join(f"ℓ = {x:g}: {share:.5f}" for x, share in zip(widths, ideal, strict=True)),
      f"below {IDEAL:g} of the mean square",
      identity(max(ideal) < IDEAL),
    )
  ]
  if narrow.sizes["amplitude"] == 2:
    best = _best(narrow)
    one, random = (best.sel(amplitude=name).transpose("n", ...) for name in ("one", "uniform"))
    listed = "; ".join(
      f"n = {n}: "
      + ", ".join(
        f"{a:.3f} → {b:.3f}"
        for a, b in zip(one.sel(n=n).values, random.sel(n=n).values, strict=True)
      )
      for n in one["n"].values.tolist()
    )
    rows.append(
      Claim(
        "m = 2, ℓ < 1: a random amplitude costs more than one amplitude, at every ℓ; unexplained "
        f"share of the best code at ℓ = {', '.join(f'{x:g}' for x in widths)}",
        listed,
        "larger with a random amplitude at every ℓ: a bias cannot scale with it",
        verdict(bool((random > one).all()), decided),
      )
    )
  return rows


def _discrete_claims(one: "xr.Dataset", decided: bool) -> list[Claim]:
  """Whether codes of one amplitude become discrete as ℓ falls, and whether restarts miss a ring."""
  narrowest = one.isel(resolution=-1)
  width = 2 * float(narrowest["resolution"])
  rows = []
  for n in one["n"].values.tolist():
    part = narrowest.sel(n=n)
    best, ring = float(part["fvu"].min()), float(part["ring_fvu"])
    rows.append(
      Claim(
        f"ℓ = {width:g}, m = 2, one amplitude, {n} features: optimisation fails; every descent "
        "from random weights ends above the one from a ring",
        f"best of {one.sizes['restart']} restarts {best:.3f}, mean {float(part['fvu'].mean()):.3f}"
        f" ± {float(part['fvu'].std(ddof=1)):.3f}; from the ring {ring:.3f}",
        f"above it by more than {MISSED:.0%} of the variance",
        verdict(best > ring + MISSED, decided and width < 0.5),
      )
    )
    uneven = one["irregularity"].sel(n=n).transpose("resolution", "restart").values
    order = one["fvu"].sel(n=n).transpose("resolution", "restart").values.argmin(axis=1)
    chosen = np.take_along_axis(uneven, order[:, None], axis=1)[:, 0]
    span = f"from ℓ = {2 * float(one['resolution'][0]):g} to {width:g}"
    rows.append(
      Claim(
        f"m = 2, one amplitude, {n} features: the best code from random weights becomes discrete "
        f"as ℓ falls; variation of the angles between neighbours, {span}",
        ", ".join(f"{x:.2f}" for x in chosen),
        f"at most {REGULAR:g} at ℓ = 1, at least {DISCRETE:g} at the smallest ℓ",
        verdict(chosen[0] <= REGULAR and chosen[-1] >= DISCRETE, decided and width < 0.5),
      )
    )
    other = one.sel(n=n).transpose("resolution", ...)
    lower = other["ring_fvu"].values <= other["fvu"].min("restart").values + ZERO
    known = np.where(lower, other["ring_irregularity"].values, chosen)
    rows.append(
      Claim(
        f"m = 2, one amplitude, {n} features: the best code known, of random weights and of the "
        f"ring, is even at every ℓ; variation of the angles between neighbours, {span}",
        ", ".join(f"{x:.2f}" for x in known),
        f"at most {REGULAR:g}: a code is discrete where optimisation failed",
        verdict(bool((known <= REGULAR).all()), decided and width < 0.5),
      )
    )
  return rows


def _dimensions_claim(dataset: "xr.Dataset") -> Claim:
  """How many dimensions the hardest problem of the sweep needs."""
  best = _best(dataset).isel(resolution=-1)
  listed = "; ".join(
    f"{n} features, {amplitude} amplitude: "
    + ", ".join(
      f"{m}: {float(best.sel(n=n, m=m, amplitude=amplitude)):.4f}"
      for m in sorted(best["m"].values.tolist())
    )
    for n in best["n"].values.tolist()
    for amplitude in best["amplitude"].values.tolist()
  )
  return Claim(
    f"unexplained share at ℓ = {2 * float(dataset['resolution'][-1]):g}, by m", listed, "", REPORTED
  )


def _best(dataset: "xr.Dataset") -> "xr.DataArray":
  """Returns the unexplained share of the best code, of random weights or of the ring."""
  best, ring = dataset["fvu"].min("restart"), dataset["ring_fvu"]
  return best.where(best < ring, ring)
