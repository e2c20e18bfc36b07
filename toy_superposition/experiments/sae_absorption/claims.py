"""Which autoencoders absorb a parent into its children."""

import json
from typing import TYPE_CHECKING

import numpy as np

from toy_superposition.experiments.dictionaries import all_finite, spread
from toy_superposition.experiments.experiment import Claim, verdict
from toy_superposition.experiments.sae_absorption.theory import LARGEST, saving

if TYPE_CHECKING:
  import xarray as xr

MIN_SEEDS, MIN_STEPS = 10, 5000  # those of the verification whose numbers are expected
ABSORBED = 0.95  # verified: 1.00 at every λ from .05 to .3
DIAGONAL = (
  0.03  # tolerance of a cosine of 1/√2, a fifth of its distance from that of a clean latent
)
BATCH_TOPK = (0.22, 0.46)  # verified range over six seeds
RELIEVED = 0.05  # verified: 0 after 5 000 steps


def claims(dataset: "xr.Dataset") -> list[Claim]:
  """Returns the verdicts on absorption."""
  steps = json.loads(dataset.attrs["config"])["train.steps"]
  decided = dataset.sizes["seed"] >= MIN_SEEDS and steps >= MIN_STEPS and all_finite(dataset)
  names = dataset["variant_model_name"].values
  parts = {name: dataset.isel(variant=np.flatnonzero(names == name)) for name in set(names)}
  rows = []
  if "l1_sae" in parts:
    rows += _l1_claims(parts["l1_sae"].sortby("variant_model_sparsity"), decided)
  if "batch_topk_sae" in parts:
    rows += _batch_claims(parts["batch_topk_sae"], parts.get("matryoshka_sae"), decided)
  return rows


def _l1_claims(part: "xr.Dataset", decided: bool) -> list[Claim]:
  """At every λ that keeps features, absorption costs an L1 autoencoder less."""
  weights = part["variant_model_sparsity"].values
  absorbed = part["absorption"].mean("seed").values
  cosine = part["child_cosine"]
  listed = ", ".join(f"{x:g}: {y:.3f}" for x, y in zip(weights, absorbed, strict=True))
  expected = all(saving(x) > 0 for x in weights)
  return [
    Claim(
      "L1 autoencoders absorb parents into their children at every λ: share of examples in which "
      "the parent's latent is silent although parent and child are on",
      listed,
      f"≥ {ABSORBED:g}: absorbing costs less for every λ below {LARGEST:.2f}",
      verdict(bool((absorbed >= ABSORBED).all()) and expected, decided),
    ),
    Claim(
      "the latent of a child in an L1 autoencoder points halfway to its parent",
      f"cosine with the child {spread(cosine)}",
      f"1/√2 = .707 ± {DIAGONAL:g}, the mean over children in every seed",
      verdict(bool((np.abs(cosine - 0.5**0.5) <= DIAGONAL).all()), decided),
    ),
  ]


def _batch_claims(
  part: "xr.Dataset", matryoshka: "xr.Dataset | None", decided: bool
) -> list[Claim]:
  """BatchTopK absorbs in part, and nested prefixes relieve it."""
  absorbed = part["absorption"]
  low, high = BATCH_TOPK
  rows = [
    Claim(
      "BatchTopK autoencoders absorb parents into their children in part",
      spread(absorbed),
      f"mean between {low:g} and {high:g}, the range over six seeds of a verification",
      verdict(low <= float(absorbed.mean()) <= high, decided),
    )
  ]
  if matryoshka is not None:
    relieved = matryoshka["absorption"]
    rows.append(
      Claim(
        "Matryoshka autoencoders, whose first latents have to reconstruct alone, do not absorb",
        spread(relieved),
        f"mean ≤ {RELIEVED:g}; verified independently: 0",
        verdict(float(relieved.mean()) <= RELIEVED, decided),
      )
    )
  return rows
