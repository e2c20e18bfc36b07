"""Overlaps of circuits, steps of single circuits, and errors of whole networks by layer."""

from typing import TYPE_CHECKING

import numpy as np
from jax.sharding import Mesh

from toy_superposition.experiments.circuits_in_superposition import theory

if TYPE_CHECKING:
  import xarray as xr

SIZES = (2, 3, 4, 6, 8, 12)  # S, of which overlaps are measured
N_LAYERS = 5
STEP_ACTIVE = (1, 2, 3, 4, 5, 6)  # z with a step for every circuit
ACTIVE = (1, 2, 3)  # z in networks
PARTS = (8, 4, 2, 1)  # of the circuits: T / 8 … T
SMALLEST = 2 * max(PARTS)
N_EXAMPLES, N_STEPPED = 60, 400
# Word → (whether indicators pass the step, whether there is a uniform inhibition).
VARIANTS = {
  "step and inhibition": (True, True),
  "step": (True, False),
  "no step": (False, False),
}


def run(dataset: "xr.Dataset", mesh: Mesh, memory_budget: int) -> "xr.Dataset":
  """Returns the dataset with overlaps by S, shares of wrong circuits after steps, and errors of
  networks by layer; restarts are other circuits and examples."""
  del mesh, memory_budget
  B, S, T = theory.BLOCKS, theory.OWN, dataset.sizes["feature"]
  n_seeds = dataset.sizes["restart"]
  counts = [max(T // part, 2) for part in PARTS]
  overlaps = np.zeros((n_seeds, len(SIZES), 3))
  wrong = np.zeros((n_seeds, len(STEP_ACTIVE), N_LAYERS))
  shape = (len(VARIANTS), len(counts), len(ACTIVE), 2, N_LAYERS + 1)
  errors = np.zeros((n_seeds, *shape))
  for seed in range(n_seeds):
    rng = np.random.default_rng([557, seed])
    for k, size in enumerate(SIZES):
      n = min(T, theory.n_lines(B, size))
      blocks = theory.lines(rng, n_circuits=n, n_blocks=B, n_own=size)
      overlaps[seed, k] = theory.overlap(blocks, B)
    for k, z in enumerate(STEP_ACTIVE):
      on = theory.active(rng, n_examples=N_STEPPED, n_circuits=T, n_active=z)
      wrong[seed, k] = theory.stepped(rng, on, n_blocks=B, n_own=S, n_layers=N_LAYERS)
    for i, (step, inhibition) in enumerate(VARIANTS.values()):
      for j, n in enumerate(counts):
        for k, z in enumerate(ACTIVE):
          on = theory.active(rng, n_examples=N_EXAMPLES, n_circuits=n, n_active=z)
          errors[seed, i, j, k] = theory.propagated(
            rng, on, n_blocks=B, n_own=S, n_layers=N_LAYERS, step=step, inhibition=inhibition
          )
  dims = ("restart", "variant", "circuits", "active", "layer")
  return dataset.assign_coords(
    own=list(SIZES),
    step_active=list(STEP_ACTIVE),
    step_layer=np.arange(1, N_LAYERS + 1),
    variant=list(VARIANTS),
    circuits=counts,
    active=list(ACTIVE),
    layer=np.arange(N_LAYERS + 1),
  ).assign(
    meeting=(("restart", "own"), overlaps[..., 0], {"long_name": "pairs that share a block"}),
    mean_square=(("restart", "own"), overlaps[..., 1], {"long_name": "mean square of overlaps"}),
    most_common=(("restart", "own"), overlaps[..., 2], {"long_name": "most common blocks"}),
    wrong=(
      ("restart", "step_active", "step_layer"),
      wrong,
      {"long_name": "share of wrong circuits"},
    ),
    off_error=(dims, errors[..., 0, :], {"long_name": "indicator read by inactive circuits, rms"}),
    vector_error=(dims, errors[..., 1, :], {"long_name": "error of active circuits' vectors, rms"}),
  )
