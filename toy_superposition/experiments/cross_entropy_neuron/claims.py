"""One binary neuron, cross-entropy and squared error: when polysemantic is better.

"Towards Monosemanticity" (Bricken et al., 2023), a toy model that follows up on the paper's.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from jax.sharding import Mesh

from toy_superposition import streams
from toy_superposition.experiments.cross_entropy_neuron import theory
from toy_superposition.experiments.experiment import (
  REPORTED,
  Analysis,
  Claim,
  require,
  require_axes,
  verdict,
)
from toy_superposition.types import Group

if TYPE_CHECKING:
  import xarray as xr

LOSSES = ("cross_entropy", "squared_error")
N_STEPS = 3000  # of each training; the expected loss has no noise
RATIOS = np.linspace(1, 0.3, 15)  # of neighbouring features' importances
EXACT, NEAR = 1e-6, 0.01
LEAST_RESTARTS = 8


def check(values: Mapping[str, Any], axes: Sequence[str], groups: Sequence[Group]) -> None:
  """Raises UserError where the package's own models would be trained, or nothing can be split."""
  del axes, groups
  wanted = {"train.steps": 0, "model.n_features": frozenset(range(4, 11, 2)), "model.n_hidden": 1}
  require(values, "cross_entropy_neuron", wanted)
  require_axes(values, "cross_entropy_neuron", {"restart": ""}, optional=())


def run(dataset: "xr.Dataset", mesh: Mesh, memory_budget: int) -> "xr.Dataset":
  """Returns the dataset with closed forms, trained neurons and the best size by importances."""
  del mesh, memory_budget
  n, n_restarts = dataset.sizes["feature"], dataset.sizes["restart"]
  sizes = list(range(n + 1))
  closed = [[getattr(theory, name)(n, size) for size in sizes] for name in LOSSES]
  fires = [(np.arange(n) < size).astype(float) for size in sizes]
  direct = np.transpose([theory.best_losses(one, np.full(n, 1 / n)) for one in fires])
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


def claims(dataset: "xr.Dataset") -> list[Claim]:
  """Returns what closed forms and trained neurons say."""
  n = dataset.sizes["feature"]
  entropy, error = (dataset.sel(objective=name) for name in LOSSES)
  deviation = float(np.abs(dataset["closed_form"] - dataset["direct"]).max())
  mono, poly = float(entropy["direct"].sel(size=1)), float(entropy["direct"].sel(size=n // 2))
  loss, size = entropy["trained_loss"].values, entropy["trained_size"].values
  best = int(np.argmin(loss))
  gap = abs(float(error["direct"].sel(size=1) - error["direct"].sel(size=n // 2)))
  ratio = dataset["ratio"].values
  differ = (error["best_size"].values == 1) & (entropy["best_size"].values > 1) & (ratio < 1)
  n_restarts = dataset.sizes["restart"]
  listed = ", ".join(f"{k}: {int((size == k).sum())}" for k in np.unique(size))
  errors = error["trained_size"].values
  listed_errors = ", ".join(f"{k}: {int((errors == k).sum())}" for k in np.unique(errors))
  return [
    Claim(
      f"cross-entropy of firing on 1 and on {n // 2} of {n} features: polysemantic is better",
      f"{mono:.6f} and {poly:.6f}; closed forms off by {deviation:.1g} at most",
      f"{theory.cross_entropy(n, 1):.6f} and {theory.cross_entropy(n, n // 2):.6f} ± {EXACT:g}",
      verdict(deviation <= EXACT and poly < mono),
    ),
    Claim(
      "trained on cross-entropy, the best neuron is polysemantic",
      f"{loss[best]:.4f} firing on {size[best]}; restarts by size {listed}; "
      f"worst loss {loss.max():.4f}",
      f"{theory.cross_entropy(n, n // 2):.4f} ± {NEAR:g}, firing on {n // 2}",
      verdict(
        bool(abs(loss[best] - theory.cross_entropy(n, n // 2)) <= NEAR and size[best] == n // 2),
        decided=n_restarts >= LEAST_RESTARTS,
      ),
    ),
    Claim(
      "squared error does not care on how many features the neuron fires",
      f"difference {gap:.1g} between 1 and {n // 2}",
      f"< {EXACT:g} (all {theory.squared_error(n, 1):g})",
      verdict(gap < EXACT),
    ),
    Claim(
      "trained on squared error, restarts by the number of features they fire on",
      f"{listed_errors}; losses {error['trained_loss'].values.min():.4f}–"
      f"{error['trained_loss'].values.max():.4f}",
      f"{theory.squared_error(n, 1):g}, any number",
      REPORTED,
    ),
    Claim(
      "importances for which squared error prefers monosemantic and cross-entropy polysemantic",
      f"ratios {ratio[differ].min():.2f}–{ratio[differ].max():.2f}" if differ.any() else "none",
      "some (source: squared error may prefer monosemantic)",
      verdict(bool(differ.any())),
    ),
  ]


ANALYSIS = Analysis(
  "Towards Monosemanticity: polysemanticity without superposition",
  (),
  check,
  claims,
  run,
  of_trained=False,
)
