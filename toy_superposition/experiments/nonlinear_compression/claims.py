"""How the nonlinear code compares with linear ones."""

from typing import TYPE_CHECKING

import numpy as np

from toy_superposition.experiments.experiment import Claim, identity, verdict
from toy_superposition.experiments.nonlinear_compression.analysis import STEPS

if TYPE_CHECKING:
  import xarray as xr

PAPER = {"steps": 3, "width": 0.1}
# Mean error per feature for Z = 3, by width of the ramps: an independent computation.
VERIFIED = {0.0: 0.0046, 0.05: 0.0132, 0.1: 0.0210, 0.2: 0.0351}
ROUNDING = 1.5e-4  # of those numbers, and of a grid of midpoints
EXACT = 1e-5  # tolerance of the same grid if the code's error is known


def claims(dataset: "xr.Dataset") -> list[Claim]:
  """Returns the verdicts on the code's error."""
  error, linear = dataset["code_error"], float(dataset["linear_error"])
  chosen = float(error.sel(PAPER, method="nearest"))
  return [
    Claim(
      f"a code with Z = {PAPER['steps']} levels and ramps of width {PAPER['width']:g} has a "
      "smaller error than any linear code",
      f"{chosen:.4f} (sum over both; {chosen / 2:.4f} per feature)",
      f"< {linear:.4f} = 1/12",
      verdict(chosen < linear),
    ),
    _verified_claim(error),
    _sharp_claim(error),
    _ramp_claim(error, linear),
  ]


def _verified_claim(error: "xr.DataArray") -> Claim:
  """An independent computation gave the same errors."""
  ours = [float(error.sel(steps=3).sel(width=w, method="nearest")) / 2 for w in VERIFIED]
  difference = max(abs(a - b) for a, b in zip(ours, VERIFIED.values(), strict=True))
  return Claim(
    "error per feature of a code with Z = 3 levels and ramps of widths "
    + ", ".join(f"{w:g}" for w in VERIFIED),
    ", ".join(f"{x:.4f}" for x in ours),
    f"{', '.join(f'{x:.4f}' for x in VERIFIED.values())}, each ±{ROUNDING:g}",
    identity(difference <= ROUNDING),
  )


def _sharp_claim(error: "xr.DataArray") -> Claim:
  """Jumps instead of ramps."""
  sharp = error.sel(width=0)
  off = float(np.abs(sharp - 1 / (12 * error["steps"] ** 2)).max())
  return Claim(
    "without ramps the code's error is 1/(12 Z²): more levels Z are better without limit",
    ", ".join(f"Z = {int(z)}: {float(x):.5f}" for z, x in zip(sharp["steps"], sharp, strict=True)),
    f"1/(12 Z²) ± {EXACT:g}",
    identity(off <= EXACT),
  )


def _ramp_claim(error: "xr.DataArray", linear: float) -> Claim:
  """Ramps limit the number of levels."""
  beaten = (error < linear).sel(steps=3)
  widest = float(error["width"].where(beaten).max())
  best = int(error["steps"][int(error.sel(width=PAPER["width"], method="nearest").argmin("steps"))])
  return Claim(
    f"with ramps more levels Z are not always better: best Z at width {PAPER['width']:g}, and the "
    "widest ramps with which Z = 3 has a smaller error than any linear code",
    f"Z = {best}; width {widest:g}",
    f"a finite Z, fewer than {max(STEPS)}",
    verdict(best < max(STEPS)),
  )
