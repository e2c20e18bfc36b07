"""The error of every code, by number of levels and width of the ramps."""

from typing import TYPE_CHECKING

import numpy as np
from jax.sharding import Mesh

from toy_superposition.experiments.nonlinear_compression import theory

if TYPE_CHECKING:
  import xarray as xr

STEPS = (2, 3, 4, 6, 8)  # Z, numbers of levels
MAX_WIDTH, N_WIDTHS = 0.5, 11  # of the ramps, from 0


def run(dataset: "xr.Dataset", mesh: Mesh, memory_budget: int) -> "xr.Dataset":
  """Returns the dataset with the code's error by number of levels and width, and the linear one."""
  del mesh, memory_budget
  widths = np.round(np.linspace(0, MAX_WIDTH, N_WIDTHS), 2)
  error = [[theory.error(n_steps, width) for width in widths.tolist()] for n_steps in STEPS]
  return dataset.assign_coords(steps=list(STEPS), width=widths).assign(
    code_error=(("steps", "width"), np.array(error), {"long_name": "E (x − x′)² + (y − y′)²"}),
    linear_error=theory.LINEAR_ERROR,
  )
