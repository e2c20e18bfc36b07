"""Whether sparse autoencoders find what toy models represent."""

from typing import TYPE_CHECKING

import numpy as np

from toy_superposition.experiments.dictionaries import all_finite, bound, spread
from toy_superposition.experiments.experiment import REPORTED, Claim, verdict

if TYPE_CHECKING:
  import xarray as xr

MIN_SEEDS = 10
CHANCE_ERRORS = 5.0  # standard deviations over random decoders


def claims(dataset: "xr.Dataset") -> list[Claim]:
  """Returns the verdict on chance, and the scores at every density."""
  dataset = dataset.sortby("density", ascending=False)
  decided = dataset.sizes["seed"] >= MIN_SEEDS and all_finite(dataset)
  above = (dataset["mcc"] - dataset["mcc_chance"]) / dataset["mcc_chance_std"]
  least = above.min([dim for dim in above.dims if dim != "density"])
  listed = ", ".join(
    f"{p:g}: {float(x):.1f}" for p, x in zip(dataset["density"].values, least, strict=True)
  )
  rows = [
    Claim(
      "every autoencoder agrees better with the directions of its toy model's represented features "
      "than random decoders do",
      f"least number of standard deviations above chance by density p: {listed}",
      f"at least {CHANCE_ERRORS:g} at every density",
      verdict(bool((least >= CHANCE_ERRORS).all()), decided),
    )
  ]
  for p in dataset["density"].values:
    part = dataset.sel(density=p)
    number = part["n_represented"].values
    rows.append(
      Claim(
        f"p = {p:g}: MCC with the {number.min()} to {number.max()} represented features, fraction "
        "of variance unexplained, L0",
        f"{spread(part['mcc'])}, {spread(part['fvu'])}, {spread(part['l0'])}",
        f"MCC by chance {float(part['mcc_chance'].mean()):.3f}, at most {np.mean(bound(part)):.3f}",
        REPORTED,
      )
    )
  return rows
