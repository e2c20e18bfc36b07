"""Whether trained autoencoders reach the best tiling of the circle."""

from typing import TYPE_CHECKING

import numpy as np

from toy_superposition.experiments.dictionaries import all_finite
from toy_superposition.experiments.experiment import REPORTED, Claim, identity, verdict
from toy_superposition.experiments.sae_manifold.theory import limit

if TYPE_CHECKING:
  import xarray as xr

MIN_RESTARTS = 10
REACHED = 0.01  # share above the bound that counts as reaching it: as verified at four latents
ROUND_OFF = 1e-5


def claims(dataset: "xr.Dataset") -> list[Claim]:
  """Returns the verdicts on tiling, of all numbers of latents together."""
  decided = dataset.sizes["restart"] >= MIN_RESTARTS and all_finite(dataset)
  rows = []
  for latents in dataset["latents"].values:
    part = dataset.sel(latents=latents)
    bound, objective = float(part["bound"].values.flat[0]), part["objective"].values.ravel()
    above = objective / bound - 1
    listed = f"{objective.mean():.4f} ± {objective.std(ddof=1):.1g}, least {objective.min():.4f}"
    if latents == 4:
      rows.append(
        Claim(
          "with four latents a trained autoencoder reaches the best code of even directions",
          f"{listed}; {np.sum(above <= REACHED)} of {len(above)} restarts within {REACHED:.0%}",
          f"{bound:.5f}, the exact bound, within {REACHED:.0%} in some restart",
          verdict(bool((above <= REACHED).any()), decided),
        )
      )
    elif latents > 4:
      rows.append(
        Claim(
          f"with {latents} latents every trained autoencoder stays above the best code of even "
          "directions: one affine map cannot choose two neighbours",
          listed,
          f"above {bound:.5f} by more than {REACHED:.0%} in every restart",
          verdict(bool((above > REACHED).all()), decided),
        )
      )
  least = float(dataset["objective"].min())
  penalty = float(dataset["penalty"].values.flat[0])
  rows.append(
    Claim(
      "no autoencoder of the circle beats the code with a latent for every angle",
      f"least objective {least:.5f}",
      f"≥ λ − λ²/4 = {limit(penalty):.5f}",
      identity(least >= limit(penalty) - ROUND_OFF, decided),
    )
  )
  live = ", ".join(
    f"{k}: {float(dataset['n_live'].sel(latents=k).mean()):.1f}" for k in dataset["latents"].values
  )
  rows.append(Claim("latents that are on for some angle, by number of latents", live, "", REPORTED))
  return rows
