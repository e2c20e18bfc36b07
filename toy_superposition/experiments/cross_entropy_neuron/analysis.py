"""Closed forms, trained neurons, and the best number of features by their importances."""

from typing import TYPE_CHECKING

import jax
import numpy as np
from jax.sharding import Mesh

from toy_superposition import streams
from toy_superposition.experiments.cross_entropy_neuron import theory

if TYPE_CHECKING:
  import xarray as xr

LOSSES = ("cross_entropy", "squared_error")
N_STEPS = 3000  # of each training; the expected loss has no noise
RATIOS = np.linspace(1, 0.3, 15)  # of neighbouring features' importances


def run(dataset: "xr.Dataset", mesh: Mesh, memory_budget: int) -> "xr.Dataset":
  """Returns the dataset with closed forms, trained neurons and the best size by importances.

  A neuron's size is the number of features on which it fires.
  """
  del mesh, memory_budget
  n, n_restarts = dataset.sizes["feature"], dataset.sizes["restart"]
  sizes = list(range(n + 1))
  closed = [[getattr(theory, name)(n, size) for size in sizes] for name in LOSSES]
  fires = [(np.arange(n) < size).astype(float) for size in sizes]
  direct = np.transpose([theory.best_losses(firing, np.full(n, 1 / n)) for firing in fires])
  keys = jax.random.split(streams.root(0), (len(LOSSES), n_restarts))
  drive, loss = [], []
  for name, of_loss in zip(LOSSES, keys, strict=True):
    train = jax.jit(jax.vmap(lambda key, name=name: theory.train(key, n, name, N_STEPS)))
    neuron, final = train(of_loss)
    drive.append(neuron.drive)
    loss.append(final)
  weights = RATIOS[:, None] ** np.arange(n)
  best = np.transpose([theory.best_sizes(weight / weight.sum()) for weight in weights])
  trained = np.asarray(loss)
  return dataset.assign_coords(objective=list(LOSSES), size=sizes, ratio=RATIOS).assign(
    closed_form=(("objective", "size"), np.array(closed)),
    direct=(("objective", "size"), direct, {"long_name": "loss of the best outputs"}),
    trained_loss=(("objective", "restart"), trained),
    trained_size=(("objective", "restart"), (np.asarray(drive) > 0).sum(axis=2)),
    best_size=(("objective", "ratio"), best),
  )
