"""The construction's read-outs, and whether training finds a better circuit, and a dense one."""

import json
from typing import TYPE_CHECKING

import numpy as np

from toy_superposition.experiments.dictionaries import all_finite, spread
from toy_superposition.experiments.experiment import REPORTED, Claim, identity, verdict
from toy_superposition.experiments.pairwise_and import theory
from toy_superposition.experiments.pairwise_and.analysis import MEAN_OTHERS

if TYPE_CHECKING:
  import xarray as xr

MIN_SEEDS, MIN_STEPS = 5, 2000
# Read-outs of a pair with both, one or none of its inputs active, in layers of the published size,
# and half a unit of their last digits.
VERIFIED, DIGITS = np.array([1.1, 0.10, 0.004]), np.array([0.05, 0.005, 0.0005])
SOME_OTHERS = (4, 13)  # least and largest r for which rq − 1 + (1 − q)^r rounds to .004 at rq = .1
ERRORS = 5  # standard errors, of at least five seeds
ROUND_OFF = 1e-4  # of the loss of affine maps: parameters are float32


def claims(dataset: "xr.Dataset") -> list[Claim]:
  """Returns the verdicts on the construction, and on trained layers of all numbers of neurons."""
  dataset = dataset.sortby("neurons").sortby("density")
  values = json.loads(dataset.attrs["config"])
  enough = dataset.sizes["restart"] >= MIN_SEEDS and values["train.steps"] >= MIN_STEPS
  decided = enough and all_finite(dataset)
  n = values["model.n_features"]
  return [
    *_published_claims(dataset.isel(neurons=0), dataset.sizes["restart"] >= MIN_SEEDS),
    _bound_claim(dataset),
    _linear_claim(dataset, n, decided),
    _construction_claim(dataset, decided),
    *_dense_claims(dataset, n, decided),
    _case_claim(dataset, n),
  ]


def best_share(dataset: "xr.Dataset") -> "xr.DataArray":
  """Returns the construction's losses (…, read_out, restart) at the q with the lowest mean."""
  loss = dataset["made_loss"]
  return loss.isel(share=loss.mean("restart").argmin("share"))


def _by_neurons(dataset: "xr.Dataset", values: "xr.DataArray") -> str:
  """Returns mean and deviation over restarts, by density and number of neurons."""
  return "; ".join(
    f"p = {float(p):g}: "
    + ", ".join(
      f"{spread(values.isel(density=a, neurons=k))} (d = {int(d)})"
      for k, d in enumerate(values["neurons"].values)
    )
    for a, p in enumerate(dataset["density"].values)
  )


def _published_claims(dataset: "xr.Dataset", enough: bool) -> list[Claim]:
  others = dataset["others"].values
  value = dataset["published_value"].transpose("restart", "others", "case").values
  mean, error = value.mean(axis=0), value.std(axis=0, ddof=1) / len(value) ** 0.5
  closed = np.array([theory.read_out(MEAN_OTHERS / r, int(r)) for r in others])
  off = np.abs(mean - closed)
  listed = "; ".join(
    f"r = {r}: {both:.3f}, {one:.4f}, {none:.5f} ± {own[2]:.0e}"
    for r, (both, one, none), own in zip(others, mean, error, strict=True)
  )
  digits = ", ".join(f"{none:.5f}" for none in closed[:, 2])
  low, high = SOME_OTHERS
  agrees = (np.abs(closed - VERIFIED) <= DIGITS).all(axis=1)
  missing = dataset["published_missing"]
  size = f"{theory.INPUTS} inputs and {theory.NEURONS} neurons"
  return [
    Claim(
      f"mean read-out of the construction of {size} if both, one or none of a pair are active, "
      "beside r others that a neuron reads with probability q = 0.1/r each",
      listed,
      f"1 + rq, rq, rq − 1 + (1 − q)^r within {ERRORS} standard errors",
      identity(bool((off <= ERRORS * error + ROUND_OFF).all()), enough),
    ),
    Claim(
      f"the construction of {size} reads out 1.1, .10 and .004 if both, one or none of a pair are "
      f"active, beside {low} to {high} others of which a neuron reads 0.1 on average",
      f"by the closed form 1.1, .10 and {digits} at r = {', '.join(map(str, others))}",
      f"these digits at every r from {low} to {high} and at no other",
      identity(bool((agrees == ((low <= others) & (others <= high))).all())),
    ),
    Claim(
      f"share of pairs that no neuron reads in the construction of {size}, at q = 0.1/r",
      ", ".join(
        f"r = {int(r)}: {spread(missing.isel(others=k))}" for k, r in enumerate(others.tolist())
      ),
      "(1 − q²)^d: the computation is universal for q ≥ .05 only",
      REPORTED,
    ),
  ]


def _bound_claim(dataset: "xr.Dataset") -> Claim:
  loss, bound = dataset["trained_loss"], dataset["bound"]
  return Claim(
    "no layer of d neurons has a lower loss than the d largest eigenvalues of the targets' "
    "covariance leave over: trained loss above it, over the loss of the best affine map",
    _by_neurons(dataset, (loss - bound) / dataset["linear"]),
    "≥ 0 in every restart",
    identity(bool((loss >= bound - ROUND_OFF * dataset["linear"]).all())),
  )


def _linear_claim(dataset: "xr.Dataset", n: int, decided: bool) -> Claim:
  ratio = (dataset["trained_loss"] / dataset["linear"]).isel(neurons=dataset["neurons"].values >= n)
  return Claim(
    f"trained layers of at least {n} neurons compute more of the ANDs than any affine map of the "
    f"{n} inputs: loss over that of the best map",
    _by_neurons(dataset, ratio) or "–",
    "< 1 in every restart",
    verdict(bool((ratio < 1).all()), decided and ratio.sizes["neurons"] > 0),
  )


def _construction_claim(dataset: "xr.Dataset", decided: bool) -> Claim:
  made = best_share(dataset).sel(read_out="least squares")
  worst = dataset["trained_loss"].max("restart")
  return Claim(
    "trained layers have a lower loss than the construction's neurons with the best affine "
    "read-out, at its best share of inputs q: trained loss over the construction's mean",
    _by_neurons(dataset, dataset["trained_loss"] / made.mean("restart")),
    "< 1 in every restart, for every number of neurons",
    verdict(bool((worst < made.mean("restart")).all()), decided),
  )


def _dense_claims(dataset: "xr.Dataset", n: int, decided: bool) -> list[Claim]:
  """Whether fewer neurons than pairs read all inputs, and write to all outputs."""
  n_pairs = theory.n_pairs(n)
  few = dataset.isel(neurons=dataset["neurons"].values < n_pairs)
  rows = []
  for name, what, size in (
    ("read_in_density", f"every neuron reads all {n} inputs", n),
    ("read_out_density", f"every neuron writes to all {n_pairs} outputs", n_pairs),
  ):
    chance, values = theory.normal_density(size), few[name]
    rows.append(
      Claim(
        f"trained layers of fewer neurons than pairs are a dense circuit, in which {what}: "
        "(Σ w²)² / (n Σ w⁴) of a neuron's weights, 1 if all are of one size",
        _by_neurons(few, values) or "–",
        f"> {(1 + chance) / 2:.2f}, half-way from the {chance:.2f} of normal weights to 1, in "
        "every restart",
        verdict(bool((values > (1 + chance) / 2).all()), decided and few.sizes["neurons"] > 0),
      )
    )
  q = few["made_loss"].sel(read_out="least squares").mean("restart").idxmin("share")
  rows.append(
    Claim(
      "share of inputs that the construction's neurons read, at which it has the lowest loss with "
      "the best affine read-out, beside the density of trained neurons' weights",
      "; ".join(
        f"p = {float(p):g}: "
        + ", ".join(
          f"{float(q.isel(density=a, neurons=k)):g} and "
          f"{spread(few['read_in_density'].isel(density=a, neurons=k))} (d = {int(d)})"
          for k, d in enumerate(few["neurons"].values)
        )
        for a, p in enumerate(few["density"].values)
      ),
      "equal if trained neurons read such subsets with equal weights",
      REPORTED,
    )
  )
  return rows


def compared(dataset: "xr.Dataset", n: int) -> "xr.Dataset":
  """Returns the part in which cases are compared: the least density, and about 2n neurons."""
  neurons = dataset["neurons"].values
  return dataset.isel(neurons=int(np.abs(neurons - 2 * n).argmin()), density=0)


def cases(part: "xr.Dataset", kind: str) -> dict[str, "xr.DataArray"]:
  """Returns `value` or `error` by case, (restart, case), of training and of the construction's two
  read-outs, each at its q with the lowest mean loss."""
  at = part["made_loss"].mean("restart").argmin("share")
  made = part[f"made_{kind}"].isel(share=at)
  each = {str(name): made.sel(read_out=name) for name in part["read_out"].values}
  return {"trained": part[f"trained_{kind}"], **each}


def _case_claim(dataset: "xr.Dataset", n: int) -> Claim:
  part = compared(dataset, n)
  listed = "; ".join(
    f"{name}: " + ", ".join(spread(array.sel(case=case)) for case in theory.CASES)
    for name, array in cases(part, "error").items()
  )
  return Claim(
    "root mean square errors if both, one or none of a pair are active, of "
    f"{int(part['neurons'])} neurons for {n} inputs at p = {float(part['density']):g}: training, "
    "and the construction with its average and its best affine read-out",
    listed,
    "",
    REPORTED,
  )
