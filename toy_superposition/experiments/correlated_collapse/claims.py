"""How many of three correlated pairs are collapsed at each density, and what collapsed pairs store.

Paper, section "Collapsing of Correlated Features".
"""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Int

from toy_superposition.experiments.correlated_collapse import theory
from toy_superposition.experiments.correlated_collapse.analysis import N_PAIRS, best_of
from toy_superposition.experiments.experiment import Claim, verdict
from toy_superposition.geometry import sets
from toy_superposition.geometry.components import cosines

if TYPE_CHECKING:
  import xarray as xr

MIN_RESTARTS = 16  # among which the best is looked for
FINE = 1.35  # largest ratio of neighbouring densities that resolves the bands
NONE_TO, ALL_AT = 0.03, 0.5  # densities without, and with three, collapsed pairs (the paper)
NONE_VERIFIED, ALL_VERIFIED = 0.05, 0.4  # likewise, in an independently verified optimum
COLUMNS_TO = 0.4  # density up to which columns of collapsed pairs are examined
NORM_TOLERANCE = 0.04  # around COLLAPSED_NORM
COSINE = 0.99  # minimum cosine between the columns of a collapsed pair
# Minimum share of PCA's loss at which a model is like PCA, and by how much the share may fall by
# chance as pairs get denser (losses on other points differ by some 1e-4).
LIKE_PCA, STEADY = 0.95, 0.01
ROUND_OFF = 1e-6  # relative, of densities along an axis
EDGE = 0.01  # relative; where the paper's bands meet, a density belongs to the lower one


def transitions(best: "xr.Dataset") -> list[float]:
  """Returns the densities from which one, two and three pairs are collapsed, each in the middle
  (of the logarithm) between two densities of the sweep; nan if there is no such change."""
  density, number = best["density"].values, best["collapsed_pairs"].values
  if not len(number):
    return [float("nan")] * N_PAIRS
  middles = []
  for count in range(1, N_PAIRS + 1):
    k = int(np.argmax(number >= count))
    inside = number.max() >= count and k > 0
    middles.append(float(np.sqrt(density[k - 1] * density[k])) if inside else float("nan"))
  return middles


def claims(dataset: "xr.Dataset") -> list[Claim]:
  """Returns the verdicts on the paper's bands and the verified ones, from the best models."""
  best = best_of(dataset)
  density = best["density"].values
  ratio = float(np.max(density[1:] / density[:-1], initial=1))
  enough = dataset.sizes.get("restart", 1) >= MIN_RESTARTS
  fine = enough and len(density) > 1 and ratio <= FINE
  return [
    *_order_claims(best, fine),
    *_band_claims(best, fine),
    *_transition_claims(best, fine),
    *_column_claims(best, fine),
    *_pca_claims(best, fine),
  ]


def _over(
  holds: Bool[np.ndarray, "density"], clear: Bool[np.ndarray, "density"]
) -> tuple[bool, bool]:
  """Returns whether a statement on every density holds, and whether that is decided.

  Where models with different numbers of pairs tie, a density decides nothing. One that does not is
  enough to contradict.
  """
  decided = len(holds) > 0 and (clear.all() or (clear & ~holds).any())
  return bool(holds.all()), bool(decided)


def _listed(numbers: Int[np.ndarray, "density"]) -> str:
  return ", ".join(str(number) for number in sorted(set(numbers.tolist()))) or "–"


def _order_claims(best: "xr.Dataset", fine: bool) -> list[Claim]:
  """More pairs are collapsed where they are denser: from none to all."""
  density, number = best["density"].values, best["collapsed_pairs"].values
  clear = best["clear"].values
  low, high = density <= NONE_TO, np.abs(np.log(density / ALL_AT)) < np.log(FINE) / 4
  falls = bool(np.any(np.diff(number[clear]) < 0))
  ends = low | high
  holds, decided = _over((number == np.where(low, 0, N_PAIRS))[ends], clear[ends])
  return [
    Claim(
      "the number of collapsed pairs of the best model never decreases with density",
      ", ".join(str(count) for count in number),
      "not decreasing",
      verdict(bool(np.all(np.diff(number) >= 0)), decided=fine and bool(falls or clear.all())),
    ),
    Claim(
      f"no pair of the best model is collapsed at p ≤ {NONE_TO}, and all three are at p = {ALL_AT}",
      f"{_listed(number[low])} collapsed; {_listed(number[high])} collapsed",
      "0 collapsed; 3 collapsed",
      verdict(holds, decided=fine and bool(low.any() and high.any()) and decided),
    ),
  ]


def _band_claims(best: "xr.Dataset", fine: bool) -> list[Claim]:
  """The paper's bands of densities, and the verified ones."""
  density, number = best["density"].values, best["collapsed_pairs"].values
  bands = [(low, high, count, "the paper") for (low, high), count in theory.PAPER_BANDS.items()]
  bands += [(0, NONE_VERIFIED, 0, "independently verified")]
  bands += [(ALL_VERIFIED, 1, N_PAIRS, "independently verified")]
  rows = []
  for low, high, count, source in bands:
    first = low * (1 - ROUND_OFF) if count == N_PAIRS else low * (1 + EDGE)
    inside = (density >= first) & (density <= high * (1 + EDGE))
    holds, decided = _over(number[inside] == count, best["clear"].values[inside])
    ties = int((~best["clear"].values[inside]).sum())
    rows.append(
      Claim(
        f"{low:g} ≤ p ≤ {high:g}: the best model has {count} collapsed "
        f"{'pair' if count == 1 else 'pairs'} ({source})",
        f"{_listed(number[inside])} collapsed; {(number[inside] == count).sum()} of "
        f"{inside.sum()} p agree" + (f", {ties} of them undecided" if ties else ""),
        f"{count} collapsed at every p",
        verdict(holds, decided=fine and decided),
      )
    )
  return rows


def _transition_claims(best: "xr.Dataset", fine: bool) -> list[Claim]:
  """Where the number of collapsed pairs changes."""
  _, two, three = transitions(best)
  starts = sorted(low for low, _ in theory.PAPER_BANDS)[1:]
  _, *sure = transitions(best.isel(density=best["clear"].values))
  lower, surely_lower = (
    bool(pair[0] < starts[1] and pair[1] < starts[2]) for pair in ((two, three), sure)
  )
  return [
    *_start_claims(best, starts, fine),
    Claim(
      "the best model has two and three collapsed pairs from lower densities on than in the paper "
      "(an earlier computation)",
      f"two from {two:.3f}, three from {three:.3f}",
      f"two from < {starts[1]:g}, three from < {starts[2]:g}",
      verdict(lower, decided=fine and bool(np.isfinite(three)) and lower == surely_lower),
    ),
  ]


def _start_claims(best: "xr.Dataset", starts: list[float], fine: bool) -> list[Claim]:
  """Where the paper's bands begin, to the resolution of the sweep."""
  rows = []
  found, sure = transitions(best), transitions(best.isel(density=best["clear"].values))
  for count, (name, start) in enumerate(zip(("one", "two", "three"), starts, strict=True)):
    at, surely_at = found[count], sure[count]
    near, surely_near = (bool(abs(np.log(p / start)) <= np.log(FINE)) for p in (at, surely_at))
    rows.append(
      Claim(
        f"the best model has {name} collapsed pair{'s' if count else ''} from the paper's "
        "density on",
        f"from p = {at:.3f}",
        f"from {start:g} (the paper), within a factor of {FINE:g}: the sweep's resolution",
        verdict(near, decided=fine and bool(np.isfinite(at)) and near == surely_near),
      )
    )
  return rows


def _column_claims(best: "xr.Dataset", fine: bool) -> list[Claim]:
  """A collapsed pair stores (a + b)/√2: both columns equal and of norm 1/√2."""
  norms: list[float] = []
  cosine: list[tuple[float, float]] = []  # and the density
  for k in np.flatnonzero(best["density"].values <= COLUMNS_TO * (1 + ROUND_OFF)):
    W = best["W"].isel(density=k).values
    pairs = np.flatnonzero(sets.collapsed(W))
    norms += [*np.linalg.norm(W, axis=0).reshape(-1, 2)[pairs].ravel()]
    cosine += [(cosines(W)[2 * i, 2 * i + 1], float(best["density"][k])) for i in pairs]
  norm = np.array(norms)
  lowest, at = min(cosine, default=(float("nan"),) * 2)
  deviation = float(np.abs(norm - theory.COLLAPSED_NORM).max(initial=0))
  return [
    Claim(
      f"collapsed pairs at p ≤ {COLUMNS_TO}: norm of their two columns",
      f"{norm.min(initial=9):.3f}–{norm.max(initial=0):.3f}" if norms else "–",
      f"1/√2 = .707 ± {NORM_TOLERANCE}",
      verdict(deviation <= NORM_TOLERANCE, decided=fine and bool(norms)),
    ),
    Claim(
      f"collapsed pairs at p ≤ {COLUMNS_TO}: cosine between their two columns",
      f"≥ {lowest:.4f} (p = {at:.2g}); median {np.median([c for c, _ in cosine] or [0]):.4f}",
      "cosine > .99",
      verdict(lowest > COSINE, decided=fine and bool(cosine)),
    ),
  ]


def _pca_claims(best: "xr.Dataset", fine: bool) -> list[Claim]:
  """PCA collapses all pairs at every density; the ReLU model has a share of its loss."""
  share = (best["loss"] / best["pca_loss"]).values
  density = best["density"].values
  dense = share[density >= ALL_AT * (1 - ROUND_OFF)]
  falls = float(np.max(-np.diff(share), initial=0))
  by_density = list(zip(density, share, strict=True))[::-4]
  return [
    Claim(
      f"where pairs are dense the best model is like PCA: its loss as a share of PCA's (p ≥ "
      f"{ALL_AT})",
      f"≥ {dense.min(initial=np.inf):.3f} at {len(dense)} densities",
      f"≥ {LIKE_PCA}",
      verdict(bool(np.all(dense >= LIKE_PCA)), decided=fine and len(dense) > 0),
    ),
    Claim(
      "the denser pairs are, the more the best model is like PCA: its loss as a share of PCA's, "
      "which collapses all pairs at every density",
      ", ".join(f"{s:.2f} at p = {p:.2g}" for p, s in by_density)
      + f"; largest fall between neighbouring densities {falls:.3f}",
      f"rising, with no fall by more than {STEADY:g}",
      verdict(falls <= STEADY, decided=fine),
    ),
  ]
