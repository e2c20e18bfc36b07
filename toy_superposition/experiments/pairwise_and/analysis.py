"""Exact losses and errors by case of trained layers and of the construction at the same size."""

import functools
from typing import TYPE_CHECKING

import numpy as np
from jax.sharding import Mesh

from toy_superposition.distributions.finite import subsets
from toy_superposition.experiments.pairwise_and import theory

if TYPE_CHECKING:
  import xarray as xr

SHARES = (0.2, 0.3, 0.4, 0.5, 0.6, 0.8)  # q of the construction beside trained layers
# Further active inputs r beside a pair, with r q = .1, in layers of the published size.
OTHERS, MEAN_OTHERS = (1, 2, 4, 5, 10), 0.1
N_TRIALS = 10_000
READ_OUTS = ("average", "least squares")


def run(dataset: "xr.Dataset", mesh: Mesh, memory_budget: int) -> "xr.Dataset":
  """Returns the dataset of one number of neurons with losses and errors by case.

  Variables `trained_…` are about training, `made_…` about the construction over its share of
  inputs q, `bound`, `linear` and `constant` about neither. `read_in_density` and
  `read_out_density` are means over neurons, weighted by the variance that each adds to outputs;
  `circuit` has the weights of one training.
  """
  del mesh, memory_budget
  dims = ("density", "restart")
  p = dataset["density"].values.tolist()
  n_seeds, n, d = dataset.sizes["restart"], dataset.sizes["input"], dataset.sizes["hidden"]
  x = np.asarray(subsets(n), float)
  i, j = np.triu_indices(n, 1)
  y = x[i] * x[j]
  W_in, b_in, W_out, b_out = (
    dataset[name].transpose(*dims, ...).values.astype(float)
    for name in ("W_in", "b_in", "W_out", "b_out")
  )
  trained = np.zeros((len(p), n_seeds, 7))
  densities = np.zeros((len(p), n_seeds, 2))
  made = np.zeros((len(p), n_seeds, len(SHARES), 2, 7))
  for a, seed in np.ndindex(len(p), n_seeds):
    weights = np.prod(np.where(x > 0, p[a], 1 - p[a]), axis=0)
    at = (a, seed)
    h = np.maximum(W_in[at] @ x + b_in[at][:, None], 0)
    trained[at] = theory.scores(W_out[at] @ h + b_out[at][:, None], x, weights)
    part = (W_out[at] ** 2).sum(axis=0) * ((h - (h @ weights)[:, None]) ** 2 @ weights)
    for k, w in enumerate((W_in[at], W_out[at].T)):
      densities[(*at, k)] = (part * theory.spread_over(w)).sum() / part.sum()
    rng = np.random.default_rng([400, seed, d])  # the same neurons for every density
    for k, q in enumerate(SHARES):
      R = theory.read_in(rng, n, d, q)
      h = theory.hidden(R, x)
      for c, output in enumerate((theory.averages(R) @ h, theory.fitted(h, y, weights))):
        made[(*at, k, c)] = theory.scores(output, x, weights)
  values, missing = published(n_seeds)
  known = [[f(n, one) for one in p] for f in (theory.linear_loss, theory.constant_loss)]
  about = "loss summed over pairs, exact"
  return dataset.assign_coords(
    case=list(theory.CASES), share=list(SHARES), read_out=list(READ_OUTS), others=list(OTHERS)
  ).assign(
    trained_loss=(dims, trained[..., 0], {"long_name": about}),
    trained_value=((*dims, "case"), trained[..., 1:4], {"long_name": "mean output by case"}),
    trained_error=((*dims, "case"), trained[..., 4:], {"long_name": "rms error by case"}),
    made_loss=((*dims, "share", "read_out"), made[..., 0], {"long_name": about}),
    made_value=((*dims, "share", "read_out", "case"), made[..., 1:4], {"long_name": "mean output"}),
    made_error=((*dims, "share", "read_out", "case"), made[..., 4:], {"long_name": "rms error"}),
    read_in_density=(dims, densities[..., 0], {"long_name": "density of read-in weights"}),
    read_out_density=(dims, densities[..., 1], {"long_name": "density of read-out weights"}),
    circuit=(
      ("density", "row", "read"),
      np.stack([_circuit(one[0], theory.n_pairs(n)) for one in W_in]),
      {"long_name": "read-in weights of the first restart over each neuron's largest"},
    ),
    bound=(
      "density",
      [theory.lowest_loss(n, d, one) for one in p],
      {"long_name": "no d hidden values are below"},
    ),
    linear=("density", known[0], {"long_name": "best affine map of the inputs"}),
    constant=("density", known[1], {"long_name": "best constants"}),
    published_value=(
      ("restart", "others", "case"),
      values,
      {"long_name": "mean read-out of the construction of 400 inputs and 4 000 neurons"},
    ),
    published_missing=(("restart", "others"), missing, {"long_name": "pairs that no neuron reads"}),
  )


@functools.cache  # the same for every number of neurons of a sweep
def published(n_seeds: int) -> tuple[np.ndarray, np.ndarray]:
  """Returns read-outs (seed, others, case) of the published size, and shares of pairs that no
  neuron reads."""
  values = np.zeros((n_seeds, len(OTHERS), 3))
  missing = np.zeros((n_seeds, len(OTHERS)))
  for seed in range(n_seeds):
    rng = np.random.default_rng([4000, seed])
    for k, others in enumerate(OTHERS):
      values[seed, k], missing[seed, k] = theory.sampled_read_out(
        rng, theory.INPUTS, theory.NEURONS, MEAN_OTHERS / others, others, N_TRIALS
      )
  return values, missing


def _circuit(W: np.ndarray, n_rows: int) -> np.ndarray:
  """Returns the first rows of read-in weights over each row's largest |w|, sorted, NaN below."""
  W = W / np.abs(W).max(axis=1, keepdims=True)
  found = np.full((n_rows, W.shape[1]), np.nan)
  rows = W[np.lexsort(np.round(W).T)][:n_rows]
  found[: len(rows)] = rows
  return found
