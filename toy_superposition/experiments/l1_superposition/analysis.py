"""The penalised objective, and how many features are represented, paired or in superposition."""

from typing import TYPE_CHECKING

import numpy as np
from jax.sharding import Mesh
from jaxtyping import Float

from toy_superposition.experiments.uniform import IN_SUPERPOSITION
from toy_superposition.geometry.components import components
from toy_superposition.geometry.definitions import is_represented

if TYPE_CHECKING:
  import xarray as xr

PLANE = ("penalty", "restart")
N_SAMPLES = 100_000  # inputs over which hidden activations are averaged


def run(dataset: "xr.Dataset", mesh: Mesh, memory_budget: int) -> "xr.Dataset":
  """Returns the dataset with the training objective and with counts of features.

  The objective is the loss with the penalty. Counted are the represented features
  (`n_represented`), those of them in superposition (`n_shared`) and those in antipodal pairs
  (`n_paired`).
  """
  del mesh, memory_budget
  dataset = dataset.transpose(*PLANE, "hidden", "feature").sortby("penalty")
  n = dataset.sizes["feature"]
  rng = np.random.default_rng(0)
  density = dataset["feature_density"].values[0, 0, :, None]
  x = rng.uniform(size=(n, N_SAMPLES)) * (rng.uniform(size=(n, N_SAMPLES)) < density)
  models = [list(row) for row in dataset["W"].values]
  hidden = np.array([[np.abs(W @ x).sum(axis=0).mean() for W in row] for row in models])
  norm2 = (dataset["W"] ** 2).sum("hidden")
  represented = norm2.copy(data=is_represented(dataset["W"].values))
  shared = represented & (dataset["superposition"] >= IN_SUPERPOSITION)
  with_activation = dataset.assign(hidden_activation=(PLANE, hidden, {"long_name": "E Σ|h|"}))
  return with_activation.assign(
    objective=with_activation["loss"] + dataset["penalty"] * with_activation["hidden_activation"],
    features_per_dimension=norm2.sum("feature") / dataset.sizes["hidden"],
    n_represented=represented.sum("feature"),
    n_shared=shared.sum("feature"),
    n_paired=(PLANE, np.array([[in_pairs(W) for W in row] for row in models])),
    # Of a model without weights, whose biases are the features' means.
    empty_objective=dataset["feature_density"].pipe(lambda p: p / 3 - p**2 / 4).sum("feature"),
  )


def in_pairs(W: Float[np.ndarray, "hidden feature"]) -> int:
  """Returns the number of features in antipodal pairs that share dimensions with no others."""
  return sum(len(part.features) for part in components(W) if part.name == "digon")


def best(dataset: "xr.Dataset") -> "xr.Dataset":
  """Returns the restart of minimum objective, penalty included, at every penalty."""
  objective = dataset["objective"].where(dataset["finite"] == 1, np.inf)
  return dataset.isel(restart=objective.argmin("restart"))
