"""What rotations of the hidden layer do to each of the two models, and what its units stand for."""

from typing import TYPE_CHECKING

import numpy as np

from toy_superposition.experiments import restarts, rotations
from toy_superposition.experiments.experiment import REPORTED, Claim, verdict
from toy_superposition.experiments.rotation_invariance.analysis import (
  DENSE,
  MODELS,
  SPARSE,
  z_score,
)
from toy_superposition.geometry import definitions, neurons

if TYPE_CHECKING:
  import xarray as xr

NAMES = {"relu_output": "linear hidden layer", "relu_hidden": "ReLU in the hidden layer"}
SEEDS = 8  # minimum number that decides a claim on purities and neurons
# Mean z of the purity over the seeds. If bases are random, that of 8 has a standard error of 1/√8:
# it is below the first limit in size with a probability of 99.5 %, and never above the second.
INDIFFERENT, PRIVILEGED = 1.0, 3.0
# Monosemantic neurons when dense: with a ReLU all (the paper). Without, units are a random basis of
# m = 5 dimensions, in which each has a square above .9 of Σw² with a probability of 2 %.
ALL, AT_MOST = 5, 1


def claims(dataset: "xr.Dataset") -> list[Claim]:
  """Returns the verdicts: relu_output is invariant under rotations and uses no basis, and
  relu_hidden is not invariant and has a neuron for each feature when dense."""
  linear, relu = (_of(dataset, name) for name in MODELS)
  return [
    *(
      rotations.claim(part, f"model {name}", matters)
      for (name, matters), part in zip(MODELS.items(), (linear, relu), strict=True)
    ),
    *(_purity_claim(linear, "relu_output", p) for p in (DENSE, SPARSE)),
    *(_purity_claim(relu, "relu_hidden", p) for p in (DENSE, SPARSE)),
    _neurons_claim(relu, "relu_hidden"),
    _neurons_claim(linear, "relu_output"),
  ]


def _of(dataset: "xr.Dataset", name: str) -> "xr.Dataset":
  return restarts.with_restarts(dataset.sel(model=name))


def _purity_claim(models: "xr.Dataset", name: str, density: float) -> Claim:
  """Compares the purity of hidden units with that of the same weights in random bases."""
  z = z_score(models).sel(density=density, method="nearest").values.ravel()
  cell = models.sel(density=density, method="nearest")
  own, random = float(cell["purity"].mean()), float(cell["rotated_purity"].mean())
  statement = (
    f"{NAMES[name]}: mean purity of the hidden units, in standard deviations above that of the "
    f"same weights in random bases (p = {density:g})"
  )
  measured = f"{z.mean():+.2f} ± {z.std():.2f} ({z.size} seeds; purity {own:.2f}, {random:.2f} in "
  measured += "random bases)"
  decided = z.size >= SEEDS and bool(np.isfinite(z).all())
  if name == "relu_output":
    holds = abs(z.mean()) < INDIFFERENT
    return Claim(statement, measured, f"< {INDIFFERENT:g} in size", verdict(holds, decided))
  if density == DENSE:
    return Claim(statement, measured, f"> {PRIVILEGED:g}", verdict(z.mean() > PRIVILEGED, decided))
  return Claim(statement, measured, "the paper: neurons are shared here", REPORTED)


def _neurons_claim(models: "xr.Dataset", name: str) -> Claim:
  """Counts monosemantic hidden units when features are dense."""
  cell = models.sel(density=DENSE, method="nearest")
  W = cell["W"].transpose("restart", "hidden", "feature").values
  counts = np.array([neurons.monosemantic(model) for model in W])
  best = int(counts[int(restarts.ranked_loss(cell).values.argmin())])
  with_relu = name == "relu_hidden"
  return Claim(
    f"{NAMES[name]}: monosemantic hidden units of {W.shape[1]} in the best restart, in which one "
    f"feature has more than {definitions.MONOSEMANTIC:.0%} of Σw² (p = {DENSE:g})",
    f"{best}; all restarts {', '.join(str(count) for count in np.sort(counts))}",
    f"{ALL}" if with_relu else f"≤ {AT_MOST}",
    verdict(best == ALL if with_relu else best <= AT_MOST, decided=len(counts) >= SEEDS),
  )
