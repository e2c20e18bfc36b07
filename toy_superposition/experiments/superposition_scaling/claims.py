"""Which power of the number of dimensions the loss is, in each regime.

All claims are about what training reaches, but the one on models without dimensions. An exponent
is the mean over restarts of the slopes of log loss against log m over all m; its interval is a
t interval over restarts, and "between neighbours" are the slopes between two m next to each other.
"""

from typing import TYPE_CHECKING

import numpy as np

from toy_superposition.experiments.experiment import REPORTED, Claim, identity, verdict
from toy_superposition.experiments.superposition_scaling.analysis import (
  CONFIDENCE,
  Exponent,
  by_width,
  decays,
  exponent,
  from_zero,
  n_features,
  power,
  strong,
  weak,
  widths,
)
from toy_superposition.experiments.superposition_scaling.theory import MEAN_SQUARE

if TYPE_CHECKING:
  import xarray as xr

MIN_RESTARTS, MIN_FEATURES = 5, 200
STRONG, TOLERANCE = 1.0, 0.2  # the source's exponent with strong superposition
VERIFIED, NEAR = 0.9, 0.1  # of an independent training of 256 features, γ = −1, m ≤ 32
# "At γ = 1 within 1.3 % of the bound": an independent training, which does not say of which one.
AT, IGNORED = 1.0, 0.013
FIT = 0.05  # by which the loss may exceed that of m orthogonal features
BOUNDS = {
  "ignored": "(4/3) Σ p_i over the features that are not represented",
  "orthogonal": "that of the m most frequent features without superposition",
}
ALL = 0.99  # share of represented features that counts as all
ROUND_OFF = 1e-5
LAW = "α = 0"  # the law of frequencies at which the independent training was


def claims(dataset: "xr.Dataset") -> list[Claim]:
  """Returns the verdicts on scaling, of all numbers of dimensions together."""
  enough = n_features(dataset) >= MIN_FEATURES and len(widths(dataset)) > 2
  decided = dataset.sizes["restart"] >= MIN_RESTARTS and enough
  rows = [_zero_claim(dataset)]
  for regime in strong(dataset):
    rows += _strong_claims(dataset, regime, decided)
  for regime in weak(dataset):
    rows += _weak_claims(dataset, regime, decided)
  return [*rows, *_robust_claims(dataset, decided), *_bias_claims(dataset)]


def _exponents(dataset: "xr.Dataset", regime: object) -> dict[object, Exponent]:
  """Returns law of frequencies → exponent."""
  m = widths(dataset)
  return {
    f: exponent(m, by_width(dataset, "loss", f, regime)) for f in dataset["frequencies"].values
  }


def _said(found: Exponent) -> str:
  return (
    f"{found.mean:.2f} ± {found.half:.2f} (between neighbours {found.low:.2f}–{found.high:.2f})"
  )


def _each(values: dict[object, Exponent]) -> str:
  return "; ".join(f"{f}: {_said(e)}" for f, e in values.items())


def _span(dataset: "xr.Dataset") -> str:
  m = widths(dataset)
  return f"m = {m[0]} to {m[-1]}, ± is {CONFIDENCE:.0%} over restarts"


def _zero_claim(dataset: "xr.Dataset") -> Claim:
  """Without dimensions, nothing is represented."""
  zero = dataset["zero"].values
  return Claim(
    "the loss of a model without dimensions, whose output is 0, is 4/3 for all laws of frequencies",
    f"{zero.min():.5f} to {zero.max():.5f}",
    "E Σ x² = (4/3) Σ p_i = 4/3",
    identity(bool(np.all(np.abs(zero - MEAN_SQUARE) <= ROUND_OFF * MEAN_SQUARE))),
  )


def _strong_claims(dataset: "xr.Dataset", regime: object, decided: bool) -> list[Claim]:
  """With strong superposition: all features are represented, and the loss falls as 1/m."""
  found = _exponents(dataset, regime)
  part = dataset.sel(regime=regime)
  n = n_features(dataset)
  share = float(part["n_represented"].min()) / n
  worst = float((part["loss"] / part["random_code"]).max())
  rows = [
    Claim(
      f"regime {str(regime)!r}: every feature is represented in every model",
      f"at least {share:.1%} of {n} features",
      f"≥ {ALL:.0%}",
      verdict(share >= ALL, decided),
    ),
    Claim(
      f"regime {str(regime)!r}: every trained model is better than random unit directions with "
      "the best biases: highest loss over theirs",
      f"{worst:.3f}",
      "≤ 1",
      verdict(worst <= 1, decided),
    ),
  ]
  rows += [
    Claim(
      f"regime {str(regime)!r}, frequencies {f}: the loss falls as 1/m: exponent",
      f"{_said(e)} ({_span(dataset)})",
      f"{STRONG:g} ± {TOLERANCE:g}",
      verdict(abs(e.mean - STRONG) <= TOLERANCE, decided),
    )
    for f, e in found.items()
  ]
  if LAW in found and not from_zero(dataset, regime):
    e = found[LAW]
    rows.append(
      Claim(
        f"regime {str(regime)!r}, frequencies {LAW}: exponent of the loss, against an independent "
        "training",
        f"{_said(e)} ({_span(dataset)})",
        f"near {VERIFIED} at 256 features and m ≤ 32, ± {NEAR}",
        verdict(abs(e.mean - VERIFIED) <= NEAR, decided),
      )
    )
  return rows


def _weak_claims(dataset: "xr.Dataset", regime: object, decided: bool) -> list[Claim]:
  """With weak superposition: the loss is that of the features that are not represented."""
  part = dataset.sel(regime=regime)
  laws = [*dict.fromkeys(dataset["frequencies"].values)]
  most = float((part["n_represented"] / part["m"]).max())
  rows = [
    Claim(
      f"regime {str(regime)!r}: there is no superposition: represented features per dimension",
      f"at most {most:.2f}",
      "≤ 1 in every model",
      verdict(most <= 1, decided),
    )
  ]
  loss = part["ignored"] + part["excess"]
  if decays(dataset)[regime] == AT:
    pairs = [(f, bound) for bound in BOUNDS for f in laws]
    rows += [_near_claim(part, loss, (regime, f), bound, decided) for f, bound in pairs]
  else:
    rows += _other_decay_claims(part, loss, regime, decided)
  own = (loss / part["alone"]).mean("restart")
  rows.append(
    Claim(
      f"regime {str(regime)!r}: loss over that of features of the same norms that do not meet, "
      "(4/3) Σ p_i (1 − ‖W_i‖²)²",
      "; ".join(
        f"{f}: {own.sel(frequencies=f).min():.2f}–{own.sel(frequencies=f).max():.2f}" for f in laws
      ),
      "",
      REPORTED,
    )
  )
  return rows


def _other_decay_claims(
  part: "xr.Dataset", loss: "xr.DataArray", regime: object, decided: bool
) -> list[Claim]:
  """The same statements at decays for which nobody has published how well they hold."""
  laws = [*dict.fromkeys(part["frequencies"].values)]
  ratio = (loss / part["ignored"]).mean("restart")
  off = {f: float(abs(ratio.sel(frequencies=f) - 1).max()) for f in laws}
  best = (loss / part["orthogonal"]).mean("restart")
  return [
    Claim(
      f"regime {str(regime)!r}: the loss is {BOUNDS['ignored']}: largest difference over m, of the "
      "mean over restarts",
      "; ".join(f"{f}: {x:.1%}" for f, x in off.items()),
      f"≤ {IGNORED:.1%} (independent training at γ = 1)",
      verdict(max(off.values()) <= IGNORED, decided),
    ),
    Claim(
      f"regime {str(regime)!r}: the most frequent features are the represented ones: loss over the "
      "least loss without superposition, the bound of m orthogonal features",
      "; ".join(
        f"{f}: {best.sel(frequencies=f).min():.2f}–{best.sel(frequencies=f).max():.2f}"
        for f in laws
      ),
      f"1 ± {FIT:g} at every m",
      verdict(bool((abs(best - 1) <= FIT).all()), decided),
    ),
  ]


def _near_claim(
  part: "xr.Dataset",
  loss: "xr.DataArray",
  which: tuple[object, object],
  bound: str,
  decided: bool,
) -> Claim:
  """Returns the verdict on whether losses are within IGNORED of a bound at every m.

  Each difference has an interval of two standard errors, those between restarts and that of the
  examples, which all restarts share; where it has the threshold inside, nothing is decided.

  Args:
    part: models of one regime.
    loss: of them, from the features that are not represented and the measured rest.
    which: regime and law of frequencies.
    bound: variable of the bound.
    decided: whether sizes suffice.
  """
  regime, law = which
  loss, own = loss.sel(frequencies=law), part.sel(frequencies=law).sortby("m")
  ratio = (loss / own[bound]).sortby("m")
  off = ratio.mean("restart") - 1
  sampled = (own["excess_error"] / own[bound]).mean("restart")
  error = (ratio.var("restart", ddof=1) / ratio.sizes["restart"] + sampled**2) ** 0.5
  far = bool((abs(off) - 2 * error > IGNORED).any())
  near = bool((abs(off) + 2 * error <= IGNORED).all())
  listed = zip(own["m"].values, off.values, error.values, strict=True)
  return Claim(
    f"regime {str(regime)!r}, frequencies {law}: the loss is {BOUNDS[bound]}: difference",
    ", ".join(f"m = {m}: {x:+.1%} ± {2 * e:.1%}" for m, x, e in listed),
    f"within {IGNORED:.1%} at every m (independent training at γ = 1); ± is two standard errors",
    verdict(near, decided and (near or far)),
  )


def _robust_claims(dataset: "xr.Dataset", decided: bool) -> list[Claim]:
  """How far the exponent hangs on the frequencies, from the published first biases."""
  rows, ranges = [], {}
  for regime in [r for r in [*strong(dataset), *weak(dataset)] if not from_zero(dataset, r)]:
    found = _exponents(dataset, regime)
    ranges[regime] = max(e.mean for e in found.values()) - min(e.mean for e in found.values())
    rows.append(Claim(f"regime {str(regime)!r}: exponents of the loss", _each(found), "", REPORTED))
  pairs = [(s, w) for s in strong(dataset) for w in weak(dataset) if {s, w} <= ranges.keys()]
  rows += [
    Claim(
      "strong superposition makes the exponent robust against the law of frequencies: range of "
      f"exponents over the laws, regimes {str(s)!r} and {str(w)!r}",
      f"{ranges[s]:.2f}, {ranges[w]:.2f}",
      "smaller in the strong regime",
      verdict(ranges[s] < ranges[w], decided),
    )
    for s, w in pairs
  ]
  return [*rows, *_alpha_claims(dataset, decided)]


def _alpha_claims(dataset: "xr.Dataset", decided: bool) -> list[Claim]:
  """In the weak regime the exponent follows α, as that of m orthogonal features does."""
  rows = []
  laws, m = power(dataset), widths(dataset)
  for regime in weak(dataset) if len(laws) > 2 else []:
    found = {f: exponent(m, by_width(dataset, "loss", f, regime)) for f in laws}
    bound = {f: exponent(m, by_width(dataset, "orthogonal", f, regime)) for f in laws}
    means = [e.mean for e in found.values()]
    rows.append(
      Claim(
        f"regime {str(regime)!r}: the exponent grows with α of the power law of frequencies",
        _each(found),
        "increasing with α; m orthogonal features: "
        + ", ".join(f"{e.mean:.2f}" for e in bound.values()),
        verdict(bool((np.diff(means) > 0).all()), decided),
      )
    )
  return rows


def _bias_claims(dataset: "xr.Dataset") -> list[Claim]:
  """What the first values of the biases do, at the same decay."""
  rows = []
  by_decay: dict[float, list[object]] = {}
  for regime, decay in decays(dataset).items():
    by_decay.setdefault(decay, []).append(regime)
  for decay, regimes in by_decay.items():
    zero = [r for r in regimes if from_zero(dataset, r)]
    normal = [r for r in regimes if not from_zero(dataset, r)]
    if len(zero) == len(normal) == 1:
      ratio = (dataset["loss"].sel(regime=zero[0]) / dataset["loss"].sel(regime=normal[0])).mean(
        "restart"
      )
      low, high = float(ratio.min()), float(ratio.max())
      rows.append(
        Claim(
          f"decay γ = {decay:g}: loss from zeros as first biases over that from normal ones, mean "
          "over restarts",
          f"{low:.2f} to {high:.2f} over all m and laws of frequencies",
          "",
          REPORTED,
        )
      )
  return rows
