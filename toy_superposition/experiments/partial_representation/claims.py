"""Whether trained models go from partial to full representation as the mean field says.

Claims named "the mean field" are about the theory alone; all others are about what training
reaches.
"""

from typing import TYPE_CHECKING

import numpy as np

from toy_superposition.experiments.experiment import REPORTED, Claim, identity, verdict
from toy_superposition.experiments.partial_representation.analysis import (
  FULL,
  by_width,
  equal,
  first_full,
  n_features,
  pairs_loss,
  ratios,
  unequal,
)
from toy_superposition.theory import mean_field

if TYPE_CHECKING:
  import xarray as xr

MIN_RESTARTS, MIN_FEATURES = 5, 128
VERIFIED_AT = (0.1, 1 / 16)  # p and m / n of an independent training of 128 features
VERIFIED_SHARE, SHARE_DIGITS = 0.242, 2.5 / 128  # two features
VERIFIED_LOSS, LOSS_DIGITS = 0.853, 0.005
LOAD, CRITICAL = (3.87, 0.005), (0.2585, 5e-5)  # of the mean field at p = .1, and their digits
SPREAD = 0.05  # of m* / (n p ln 1/p) over p = .05 to .3, as derived
LINEAR = 0.05  # by which the saved loss per dimension may differ from its mean
LOADED = 0.1  # by which features per dimension may differ from their mean
FACTOR = 0.1  # by which trained critical widths over p ln 1/p may: 5 % of theory, and as much again
PAIRED = 0.99  # of what pairs save: losses are sampled, to a few thousandths
EXPONENT = (1.0, 0.2)  # of the loss above the critical width, as the source says


def claims(dataset: "xr.Dataset") -> list[Claim]:
  """Returns the verdicts on partial representation, of all widths together."""
  decided = dataset.sizes["restart"] >= MIN_RESTARTS and n_features(dataset) >= MIN_FEATURES
  rows = [*_theory_claims(dataset), *_verified_claims(dataset, decided)]
  for p, features in equal(dataset).items():
    rows += _partial_claims(dataset, p, features, decided)
  return [*rows, *_critical_claims(dataset, decided), *_power_claims(dataset, decided)]


def _listed(values: np.ndarray, digits: int = 2) -> str:
  """Returns means over restarts with their deviations, (restart, width), as text."""
  mean, deviation = values.mean(axis=0), values.std(axis=0, ddof=1)
  pairs = zip(mean, deviation, strict=True)
  return ", ".join(f"{m:.{digits}f} ± {d:.{digits}f}" for m, d in pairs)


def _theory_claims(dataset: "xr.Dataset") -> list[Claim]:
  """Numbers of the mean field, computed without any model."""
  load = mean_field.best_load(VERIFIED_AT[0])
  near = abs(load - LOAD[0]) <= LOAD[1] and abs(1 / load - CRITICAL[0]) <= CRITICAL[1]
  rows = [
    Claim(
      "the mean field at p = 0.1: best load l* of features per dimension, and critical m/n = 1/l*",
      f"{load:.3f}, {1 / load:.4f}",
      f"{LOAD[0]}, {CRITICAL[0]} (independently verified)",
      identity(near),
    )
  ]
  densities = [p for p in equal(dataset) if 0.05 <= p <= 0.3]
  if len(densities) > 1:
    factors = [_factor(p, 1 / mean_field.best_load(p)) for p in densities]
    low, high = min(factors), max(factors)
    within = (high - low) / (high + low)
    rows.append(
      Claim(
        "the mean field's critical width grows as p ln 1/p: (m*/n) / (p ln 1/p) from "
        f"p = {densities[0]:g} to {densities[-1]:g}",
        f"{low:.3f} to {high:.3f}, ± {within:.1%}",
        f"constant within ± {SPREAD:.0%} (derived)",
        identity(within <= SPREAD),
      )
    )
  return rows


def _factor(p: float, critical: float) -> float:
  return critical / (p * np.log(1 / p))


def _verified_claims(dataset: "xr.Dataset", decided: bool) -> list[Claim]:
  """The share and loss of an independent training, at the width where they are known."""
  p, ratio = VERIFIED_AT
  at = np.flatnonzero(np.isclose(ratios(dataset), ratio))
  if p not in equal(dataset) or not len(at):
    return []
  features, k = equal(dataset)[p], int(at[0])
  share = by_width(dataset, "share", features)[:, [k]]
  loss = by_width(dataset, "relative_loss", features)[:, [k]]
  of_theory = dataset["theory_share"].sel(features=features).isel(restart=0).sortby("m").values
  theory = float(of_theory[k])
  later = (ratios(dataset) > ratio) & (of_theory < 1)
  ahead = by_width(dataset, "share", features)[:, later].mean(axis=0) - of_theory[later]
  where = f"p = {p:g} and m/n = 1/{1 / ratio:g}"
  return [
    Claim(
      f"trained models at {where}: share of features represented",
      f"{_listed(share, 3)}; mean field {theory:.3f}",
      f"{VERIFIED_SHARE} ± {SHARE_DIGITS:.3f} (independent training of 128 features)",
      verdict(abs(share.mean() - VERIFIED_SHARE) <= SHARE_DIGITS, decided),
    ),
    Claim(
      f"trained models at {where}: loss over that of a model without any feature",
      _listed(loss, 4),
      f"{VERIFIED_LOSS} ± {LOSS_DIGITS} (independent training of 128 features)",
      verdict(abs(loss.mean() - VERIFIED_LOSS) <= LOSS_DIGITS, decided),
    ),
    Claim(
      f"p = {p:g}: at widths above m/n = 1/{1 / ratio:g} and below the critical one, trained "
      "models represent more features than the mean field: difference of the shares",
      ", ".join(f"{x:.3f}" for x in ahead),
      "> 0 at every width (independent training of 128 features)",
      verdict(bool((ahead > 0).all()), decided and later.any()),
    ),
  ]


def _partial_claims(
  dataset: "xr.Dataset", p: float, features: object, decided: bool
) -> list[Claim]:
  """Below the mean field's critical width, at one density."""
  ratio, critical = ratios(dataset), 1 / mean_field.best_load(p)
  below = ratio < critical
  enough = decided and below.sum() >= 3
  saved = by_width(dataset, "saved", features)[:, below]
  share, loss = (by_width(dataset, name, features) for name in ("share", "relative_loss"))
  load = share[:, below] / ratio[below]
  theory = dataset["theory_loss"].sel(features=features).isel(restart=0).sortby("m").values
  span = f"m/n = {ratio[below].min():.3f} to {ratio[below].max():.3f}" if below.any() else "none"

  def off(values: np.ndarray) -> float:
    mean = values.mean(axis=0)
    return float(np.abs(mean / mean.mean() - 1).max()) if mean.size else np.nan

  excess = loss.max(axis=0) / theory - 1
  few = ratio <= 0.5
  pairs = pairs_loss(ratio[few], p)
  worst = ((1 - loss[:, few]) / (1 - pairs)).min(axis=0)
  saves = saved.mean() / (mean_field.best_load(p) * (1 - _represented_loss(p)))
  return [
    Claim(
      f"p = {p:g}: below the critical width the trained loss falls linearly with m: loss saved per "
      "dimension, in units of a feature's variance",
      f"{_listed(saved)} ({span}); {saves:.2f} times the mean field's",
      f"the same within ± {LINEAR:.0%} at every width",
      verdict(off(saved) <= LINEAR, enough),
    ),
    Claim(
      f"p = {p:g}: below the critical width the load of trained models, represented features per "
      "dimension, does not depend on m",
      f"{_listed(load)} ({span})",
      f"the same within ± {LOADED:.0%} at every width (mean field: {1 / critical:.2f})",
      verdict(off(load) <= LOADED, enough),
    ),
    Claim(
      f"p = {p:g}: every trained model packs better than the mean field: highest loss over the "
      "mean field's, by width",
      ", ".join(f"{1 + x:.3f}" for x in excess),
      "< 1 at every width, in every restart",
      verdict(bool((excess < 0).all()), decided),
    ),
    Claim(
      f"p = {p:g}: every trained model saves at least what antipodal pairs save, whose loss is "
      "exact: lowest share of that, by width",
      ", ".join(f"{x:.3f}" for x in worst),
      f"≥ {PAIRED:g} at every width up to n/2, in every restart; they save "
      f"{_pairs_saved(p):.2f} per dimension",
      verdict(bool((worst >= PAIRED).all()), decided),
    ),
  ]


def _pairs_saved(p: float) -> float:
  """Returns what antipodal pairs save per dimension, in units of a feature's variance."""
  return float(1 - pairs_loss(np.ones(1), p)[0])


def _represented_loss(p: float) -> float:
  """Returns the mean field's loss of a represented feature at l*, over a feature's variance."""
  loss = mean_field.represented(mean_field.best_load(p), p).loss
  return loss / float(mean_field.variance(p))


def _critical_claims(dataset: "xr.Dataset", decided: bool) -> list[Claim]:
  """The width from which trained models represent all features."""
  ratio, known = ratios(dataset), equal(dataset)
  critical = {p: first_full(ratio, by_width(dataset, "share", f)) for p, f in known.items()}
  found = all(np.isfinite(values).all() for values in critical.values())
  mean = {p: float(values.mean()) for p, values in critical.items()}
  rows = []
  if known:
    listed = "; ".join(
      f"p = {p:g}: {_listed(values[:, None], 3)}" for p, values in critical.items()
    )
    early = all(mean[p] < 1 / mean_field.best_load(p) for p in known)
    theory = ", ".join(f"{1 / mean_field.best_load(p):.3f}" for p in known)
    rows.append(
      Claim(
        f"trained models represent all features ({FULL:.0%}) from a smaller width on than the mean "
        "field: m/n",
        listed,
        f"below {theory}",
        verdict(early, decided and found),
      )
    )
  if len(known) > 1:
    factors = np.array([_factor(p, mean[p]) for p in known])
    within = float((factors.max() - factors.min()) / (factors.max() + factors.min()))
    rows.append(
      Claim(
        f"the width from which trained models represent all features ({FULL:.0%}) grows as "
        "p ln 1/p: ratio of the two",
        ", ".join(f"p = {p:g}: {x:.2f}" for p, x in zip(known, factors, strict=True)),
        f"constant within ± {FACTOR:.0%}",
        verdict(within <= FACTOR, decided and found),
      )
    )
  return [*rows, *_delay_claims(dataset, critical, decided)]


def _delay_claims(
  dataset: "xr.Dataset", critical: dict[float, np.ndarray], decided: bool
) -> list[Claim]:
  """Unequal densities against equal ones of the same mean."""
  rows = []
  for mean, features in unequal(dataset).items():
    if mean in critical:
      late = first_full(ratios(dataset), by_width(dataset, "share", features))
      beyond = np.isnan(late).sum()
      late = np.where(np.isnan(late), ratios(dataset).max(), late)  # not even at the widest
      rows.append(
        Claim(
          f"unequal densities of mean {mean:g} delay full representation: m/n from which trained "
          f"models represent {FULL:.0%} of their features",
          f"{_listed(late[:, None], 3)} ({beyond} of {late.size} not at the widest); equal ones "
          f"{_listed(critical[mean][:, None], 3)}",
          "larger in every restart than in any of equal densities",
          verdict(late.min() > critical[mean].max(), decided),
        )
      )
  return rows


def _power_claims(dataset: "xr.Dataset", decided: bool) -> list[Claim]:
  """Above the critical width the source expects a loss in inverse proportion to m."""
  rows = []
  ratio = ratios(dataset)
  for p, features in equal(dataset).items():
    above = ratio >= 1 / mean_field.best_load(p)
    if above.sum() >= 2:
      loss = by_width(dataset, "relative_loss", features)[:, above]
      slope = -np.polyfit(np.log(ratio[above]), np.log(loss.T), 1)[0]
      theory = dataset["theory_loss"].sel(features=features).isel(restart=0).sortby("m").values
      expected = -np.polyfit(np.log(ratio[above]), np.log(theory[above]), 1)[0]
      rows.append(
        Claim(
          f"p = {p:g}: above the critical width the trained loss is inversely proportional to m: "
          "exponent",
          f"{slope.mean():.2f} ± {slope.std(ddof=1):.2f} over restarts "
          f"(m/n = {ratio[above].min():.3f} to {ratio[above].max():.3f}); "
          f"mean field {expected:.2f}",
          f"{EXPONENT[0]:g} ± {EXPONENT[1]:g}",
          verdict(abs(slope.mean() - EXPONENT[0]) <= EXPONENT[1], decided and above.sum() >= 3),
        )
      )
  loads = {
    p: (by_width(dataset, "share", f) / ratio).mean(axis=0) for p, f in equal(dataset).items()
  }
  listed = "; ".join(f"p = {p:g}: {', '.join(f'{x:.1f}' for x in v)}" for p, v in loads.items())
  rows.append(Claim("represented features per dimension, by width", listed, "", REPORTED))
  return rows
