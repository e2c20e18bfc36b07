"""The penalised objective, and how many features are represented, paired or in superposition."""

from typing import TYPE_CHECKING

import numpy as np
from jax.sharding import Mesh
from jaxtyping import Float

from toy_superposition.experiments import restarts
from toy_superposition.experiments.uniform import IN_SUPERPOSITION
from toy_superposition.geometry.components import components
from toy_superposition.geometry.definitions import is_represented

if TYPE_CHECKING:
  import xarray as xr

PLANE = ("penalty", "restart")
N_SAMPLES = 100_000  # inputs over which hidden activations are averaged


def run(dataset: "xr.Dataset", mesh: Mesh, memory_budget: int) -> "xr.Dataset":
  """Returns the dataset with the training objective and with counts of features.

  The objective is the loss with the penalty; `judged_objective` is that of the restart of minimum
  objective, on inputs that did not choose it, with its standard error `judged_error`. Counted are
  the represented features (`n_represented`), those of them in superposition (`n_shared`) and those
  in antipodal pairs (`n_paired`).
  """
  del memory_budget
  dataset = dataset.transpose(*PLANE, "hidden", "feature").sortby("penalty")
  hidden, _ = hidden_activation(dataset["W"].values, dataset, seed=0)
  norm2 = (dataset["W"] ** 2).sum("hidden")
  represented = norm2.copy(data=is_represented(dataset["W"].values))
  shared = represented & (dataset["superposition"] >= IN_SUPERPOSITION)
  with_activation = dataset.assign(hidden_activation=(PLANE, hidden, {"long_name": "E Σ|h|"}))
  paired = np.array([[in_pairs(W) for W in row] for row in dataset["W"].values])
  analysed = with_activation.assign(
    objective=with_activation["loss"] + dataset["penalty"] * with_activation["hidden_activation"],
    features_per_dimension=norm2.sum("feature") / dataset.sizes["hidden"],
    n_represented=represented.sum("feature"),
    n_shared=shared.sum("feature"),
    n_paired=(PLANE, paired),
    # Of a model without weights, whose biases are the features' means.
    empty_objective=dataset["feature_density"].pipe(lambda p: p / 3 - p**2 / 4).sum("feature"),
  )
  return with_judgement(analysed, mesh)


def hidden_activation(
  W: Float[np.ndarray, "*model hidden feature"], dataset: "xr.Dataset", seed: int
) -> tuple[Float[np.ndarray, "*model"], Float[np.ndarray, "*model"]]:
  """Returns E Σ|h| of models on the inputs of a seed, and its standard error."""
  n = dataset.sizes["feature"]
  rng = np.random.default_rng(seed)
  density = dataset["feature_density"].values[0, 0, :, None]
  x = rng.uniform(size=(n, N_SAMPLES)) * (rng.uniform(size=(n, N_SAMPLES)) < density)
  sums = [np.abs(model @ x).sum(axis=0) for model in W.reshape(-1, *W.shape[-2:])]
  mean, deviation = ([f(row) for row in sums] for f in (np.mean, np.std))
  shape = W.shape[:-2]
  return np.reshape(mean, shape), np.reshape(deviation, shape) / N_SAMPLES**0.5


def with_judgement(dataset: "xr.Dataset", mesh: Mesh) -> "xr.Dataset":
  """Returns the dataset with `judged_objective` and `judged_error` of the best restarts."""
  chosen = best(dataset)
  judged = restarts.judged(chosen, mesh)
  penalty = dataset["penalty"].values
  hidden, error = hidden_activation(chosen["W"].values, dataset, seed=1)
  # The sum of both errors: an upper bound.
  return dataset.assign(
    judged_objective=judged["judged_loss"] + penalty * hidden,
    judged_error=judged["judged_error"] + penalty * error,
  )


def in_pairs(W: Float[np.ndarray, "hidden feature"]) -> int:
  """Returns the number of features in antipodal pairs that share dimensions with no others."""
  return sum(len(part.features) for part in components(W) if part.name == "digon")


def best(dataset: "xr.Dataset") -> "xr.Dataset":
  """Returns the restart of minimum objective, penalty included, at every penalty."""
  objective = dataset["objective"].where(dataset["finite"] == 1, np.inf)
  return dataset.isel(restart=objective.argmin("restart"))
