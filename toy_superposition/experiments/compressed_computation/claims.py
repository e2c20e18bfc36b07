"""Whether training beats the computation of half of the features, by loss and by mixing."""

from typing import TYPE_CHECKING

from toy_superposition.experiments.experiment import REPORTED, Claim, verdict

if TYPE_CHECKING:
  import xarray as xr

MIN_SEEDS = 5
# Relative: at the published size an independent computation found 1.5 % above the naive loss.
NEAR = 0.05
BETTER = 0.1  # relative: below the naive loss by twice what counts as reaching it
# Largest over mean loss of a feature that counts as "about the same"; 2 if half are not computed.
EVEN = 1.5
HALF = 0.5  # of the naive loss: "far better"


def claims(dataset: "xr.Dataset") -> list[Claim]:
  """Returns the verdicts on both losses, with and without mixing."""
  enough = dataset.sizes["restart"] >= MIN_SEEDS and bool((dataset["finite"] == 1).all())
  ratio = dataset["judged"].mean("output") / dataset["naive"]
  rows = []
  mixed, plain = bool((dataset["mixing"] == 1).any()), bool((dataset["mixing"] == 0).any())
  if plain and (dataset["q"] == 2).any():
    rows.append(_naive_claim(ratio.sel(mixing=0, q=2, power=2), enough))
  if mixed and (dataset["q"] == 2).any():
    rows += _mixing_claims(dataset, ratio.sel(q=2, power=2), enough)
  if plain and (dataset["q"] == 4).any():
    rows += _quartic_claims(dataset, ratio.sel(mixing=0, q=4), enough)
  return rows


def _spread(values: "xr.DataArray", digits: int = 3) -> str:
  return f"{float(values.mean()):.{digits}f} ± {float(values.std(ddof=1)):.{digits}f}"


def _naive_claim(ratio: "xr.DataArray", enough: bool) -> Claim:
  return Claim(
    "without mixing L2 training ends at the naive loss, of computing d features and leaving the "
    "others: L2 over it",
    _spread(ratio),
    f"1 within {NEAR:g} in every seed (.0846/.0833 = 1.015 at the published size)",
    verdict(bool((abs(ratio - 1) <= NEAR).all()), enough),
  )


def _mixing_claims(dataset: "xr.Dataset", ratio: "xr.DataArray", enough: bool) -> list[Claim]:
  """The gain that comes with the mixing matrix, and where neurons look."""
  n, d = dataset.sizes["feature"], dataset.sizes["hidden"]
  share = dataset["eigen_share"].sel(q=2)
  mixed = share.sel(mixing=1)
  other = _spread(share.sel(mixing=0)) if (dataset["mixing"] == 0).any() else "not trained"
  gain = ratio.sel(mixing=1)
  return [
    Claim(
      "with the mixing matrix in the labels L2 training ends below the naive loss: L2 over it",
      _spread(gain),
      f"< {1 - BETTER:g} in every seed",
      verdict(bool((gain < 1 - BETTER).all()), enough),
    ),
    Claim(
      "with mixing, neurons lie in the space of the d largest eigenvalues of M: share of ‖W₁‖²",
      f"{_spread(mixed)}; without mixing {other}",
      f"> {(1 + d / n) / 2:g}, half-way from chance {d / n:g} to 1, in every seed",
      verdict(bool((mixed > (1 + d / n) / 2).all()), enough),
    ),
  ]


def _quartic_claims(dataset: "xr.Dataset", ratio: "xr.DataArray", enough: bool) -> list[Claim]:
  """What the loss L4 finds, without mixing."""
  of_features = dataset["judged"].sel(mixing=0, q=4, power=4)
  uneven = of_features.max("output") / of_features.mean("output")
  quartic, squared = ratio.sel(power=4), ratio.sel(power=2)
  squares = dataset["judged"].sel(mixing=0, q=2, power=4) if 2 in dataset["q"].values else None
  compared = ""
  if squares is not None:
    compared = f"; of L2 training {_spread(squares.max('output') / squares.mean('output'), 2)}"
  return [
    Claim(
      "with L4 every feature is answered at about the same loss: largest over mean",
      f"{_spread(uneven, 2)}{compared}",
      f"≤ {EVEN:g} in every seed",
      verdict(bool((uneven <= EVEN).all()), enough),
    ),
    Claim(
      "L4 training is far better in L4 than computing d features: L4 over the naive loss",
      _spread(quartic),
      f"< {HALF:g} in every seed",
      verdict(bool((quartic < HALF).all()), enough),
    ),
    Claim(
      "L4 training is worse in L2 than computing d features: L2 over the naive loss",
      _spread(squared),
      f"> {1 + NEAR:g} in every seed",
      verdict(bool((squared > 1 + NEAR).all()), enough),
    ),
    Claim(
      "slope of a feature's own answer to x = 1 alone, with L4: mean over features",
      _spread(dataset["answer"].sel(mixing=0, q=4).isel(x=-1).mean("output"), 2),
      "1 would be exact",
      REPORTED,
    ),
  ]
