"""Whether the initial bias decides how monosemantic trained neurons are, and at what loss."""

import json
from typing import TYPE_CHECKING

import numpy as np

from toy_superposition.experiments.dictionaries import all_finite, spread
from toy_superposition.experiments.engineering_monosemanticity import theory
from toy_superposition.experiments.experiment import REPORTED, Claim, verdict

if TYPE_CHECKING:
  import xarray as xr

MIN_SEEDS, MIN_STEPS = 5, 2000
NEAR = 0.05  # relative: "without increasing the loss"


def claims(dataset: "xr.Dataset") -> list[Claim]:
  """Returns the verdicts on the lowest initial bias against 0, for all numbers of neurons."""
  dataset = dataset.sortby("neurons")
  values = json.loads(dataset.attrs["config"])
  enough = dataset.sizes["embedding"] >= MIN_SEEDS and values["train.steps"] >= MIN_STEPS
  low, zero = float(dataset["bias"].min()), float(dataset["bias"].max())
  decided = enough and all_finite(dataset) and low < 0 and zero == 0
  negative, plain = dataset.sel(bias=low), dataset.sel(bias=zero)
  n = values["model.n_features"]
  return [
    _share_claim(negative, plain, low, decided),
    _chance_claim(negative, low, decided),
    _loss_claim(negative, plain, low, decided),
    _more_claim(negative, low, n, decided and dataset.sizes["neurons"] > 1),
    _bias_claim(negative, low, decided),
    _affine_claim(dataset, n, decided),
    _detectors_claim(negative, low, n, decided),
    _strict_claim(negative, plain, low),
  ]


def share(part: "xr.Dataset", counts: str = "counts") -> "xr.DataArray":
  """Returns the share of monosemantic neurons among those that respond to any feature alone; 0 if
  none does."""
  number = part[counts]
  active = number.sel(count="active")
  return number.sel(count="monosemantic") / active.where(active > 0, 1)


def unexplained(part: "xr.Dataset", n: int, p: float) -> "xr.DataArray":
  """Returns the loss over the features' variance."""
  return part["loss_sum"] / (n * theory.variance(p))


def _by_neurons(values: "xr.DataArray") -> str:
  return ", ".join(
    f"{spread(values.isel(neurons=k))} (k = {int(d)})"
    for k, d in enumerate(values["neurons"].values)
  )


def _share_claim(negative: "xr.Dataset", plain: "xr.Dataset", low: float, decided: bool) -> Claim:
  own, other = share(negative), share(plain)
  higher = own.min("embedding") > other.max("embedding")
  return Claim(
    f"neurons that begin with the bias {low:g} end more monosemantic than those that begin with 0: "
    "share of monosemantic ones among active neurons",
    f"{_by_neurons(own)}; from 0: {_by_neurons(other)}",
    "every training from the negative bias is above all from 0, for every number of neurons",
    verdict(bool(higher.all()), decided),
  )


def _chance_claim(negative: "xr.Dataset", low: float, decided: bool) -> Claim:
  own, chance = share(negative), share(negative, "chance")
  return Claim(
    f"neurons trained from the bias {low:g} are more monosemantic than random directions of their "
    "norms and biases: share of monosemantic ones among active neurons",
    f"{_by_neurons(own)}; random: {_by_neurons(chance)}",
    "> that of random directions in every training",
    verdict(bool((own > chance).all()), decided),
  )


def _loss_claim(negative: "xr.Dataset", plain: "xr.Dataset", low: float, decided: bool) -> Claim:
  ratio = negative["loss_sum"] / plain["loss_sum"]
  return Claim(
    f"the initial bias {low:g} does not increase the trained loss: loss over that from the bias 0",
    _by_neurons(ratio),
    f"≤ {1 + NEAR:g} for every embedding and number of neurons",
    verdict(bool((ratio <= 1 + NEAR).all()), decided),
  )


def _more_claim(negative: "xr.Dataset", low: float, n: int, decided: bool) -> Claim:
  own = negative["counts"].sel(count="features") / n
  mean = own.mean("embedding").values
  return Claim(
    f"more neurons make layers more monosemantic, from the bias {low:g}: share of features with a "
    "monosemantic neuron",
    f"{_by_neurons(own)}; of neurons: {_by_neurons(share(negative))}",
    "the mean share of features rises with every step in the number of neurons",
    verdict(bool((np.diff(mean) > 0).all()), decided),
  )


def _bias_claim(negative: "xr.Dataset", low: float, decided: bool) -> Claim:
  own, others = (negative["trained_bias"].sel(kind=kind) for kind in ("monosemantic", "others"))
  there = bool(np.isfinite(own).all() and np.isfinite(others).all())
  return Claim(
    f"monosemantic neurons, trained from the bias {low:g}, have moderate negative biases, below "
    "those of other active neurons: mean trained bias",
    f"{_by_neurons(own)}; others: {_by_neurons(others)}",
    "< 0 and below the others' in every training",
    verdict(bool(((own < 0) & (own < others)).all()), decided and there),
  )


def _affine_claim(dataset: "xr.Dataset", n: int, decided: bool) -> Claim:
  part = dataset.isel(neurons=dataset["neurons"].values >= n)
  ratio = part["loss_sum"] / dataset["affine"]
  listed = "; ".join(f"from {float(b):g}: {_by_neurons(ratio.sel(bias=b))}" for b in ratio["bias"])
  return Claim(
    f"trained layers of at least {n} neurons decode more of the features than any affine map of "
    "what they see: loss over that of the best map, (n − m) Var x",
    listed if part.sizes["neurons"] else "–",
    "< 1 in every training",
    verdict(bool((ratio < 1).all()), decided and part.sizes["neurons"] > 0),
  )


def _detectors_claim(negative: "xr.Dataset", low: float, n: int, decided: bool) -> Claim:
  part = negative.isel(neurons=negative["neurons"].values >= n)
  ratio = part["loss_sum"] / negative["detectors"]
  return Claim(
    f"layers of at least {n} neurons, trained from the bias {low:g}, are better than a neuron for "
    "every feature with one threshold and the best linear read-out: loss over that construction's",
    _by_neurons(ratio) or "–",
    "< 1 in every training",
    verdict(bool((ratio < 1).all()), decided and part.sizes["neurons"] > 0),
  )


def _strict_claim(negative: "xr.Dataset", plain: "xr.Dataset", low: float) -> Claim:
  def strict(part: "xr.Dataset") -> "xr.DataArray":
    active = part["counts"].sel(count="active")
    return part["counts"].sel(count="strict") / active.where(active > 0, 1)

  return Claim(
    "share of active neurons of whose total response to single features one feature has more than "
    f"{theory.STRICT:g}, the source's rule",
    f"from {low:g}: {_by_neurons(strict(negative))}; from 0: {_by_neurons(strict(plain))}",
    "",
    REPORTED,
  )
