"""A penalty on hidden activations: fewer features are represented, at the price of a higher loss.

Paper, section "Discussion", on getting rid of superposition.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jax.sharding import Mesh

from toy_superposition.errors import UserError
from toy_superposition.experiments.experiment import (
  REPORTED,
  Analysis,
  Claim,
  require,
  require_axes,
  verdict,
)
from toy_superposition.geometry.components import REPRESENTED, components
from toy_superposition.types import Group

if TYPE_CHECKING:
  import xarray as xr

PLANE = ("penalty", "restart")
N_SAMPLES = 100_000  # inputs on which hidden activations are judged
SHARED = 0.1  # least Σ_{j≠i} (Ŵ_i · W_j)² of a feature in superposition
LEAST_POINTS = 6  # penalties that can show a trend
PAIRED = 0.95  # least share of represented features in antipodal pairs, where only those are left


def check(values: Mapping[str, Any], axes: Sequence[str], groups: Sequence[Group]) -> None:
  """Raises UserError where features differ from each other, or nothing is unpenalised."""
  del axes
  wanted = {
    "model.name": "relu_output",
    "data.distribution": "sparse_uniform",
    "density.profile": "uniform",
    "importance.profile": "uniform",
    "loss.reduction": "sum",
  }
  require(values, "l1_superposition", wanted)
  require_axes(values, "l1_superposition", {"penalty": "loss.hidden_l1", "restart": ""}, ())
  if min(group.spec.hidden_l1 for group in groups) > 0:
    raise UserError(
      "config.axis.penalty: numbers > 0 alone are not allowed with analysis 'l1_superposition', "
      "which compares with none; allowed: 0 and larger numbers"
    )


def run(dataset: "xr.Dataset", mesh: Mesh, memory_budget: int) -> "xr.Dataset":
  """Returns the dataset with the objective that was trained on, features per dimension, and how
  many features share dimensions."""
  del mesh, memory_budget
  dataset = dataset.transpose(*PLANE, "hidden", "feature").sortby("penalty")
  n = dataset.sizes["feature"]
  rng = np.random.default_rng(0)
  density = dataset["feature_density"].values[0, 0, :, None]
  x = rng.uniform(size=(n, N_SAMPLES)) * (rng.uniform(size=(n, N_SAMPLES)) < density)
  models = [list(row) for row in dataset["W"].values]
  hidden = np.array([[np.abs(W @ x).sum(axis=0).mean() for W in row] for row in models])
  norm2 = (dataset["W"] ** 2).sum("hidden")
  represented = norm2 > REPRESENTED
  shared = represented & (dataset["superposition"] >= SHARED)
  with_activation = dataset.assign(hidden_activation=(PLANE, hidden, {"long_name": "E Σ|h|"}))
  return with_activation.assign(
    objective=with_activation["loss"] + dataset["penalty"] * with_activation["hidden_activation"],
    features_per_dimension=norm2.sum("feature") / dataset.sizes["hidden"],
    n_represented=represented.sum("feature"),
    n_shared=shared.sum("feature"),
    n_paired=(PLANE, np.array([[in_pairs(W) for W in row] for row in models])),
    # Of the model without any weights, whose biases are the features' means.
    empty_objective=dataset["feature_density"].pipe(lambda p: p / 3 - p**2 / 4).sum("feature"),
  )


def in_pairs(W: np.ndarray) -> int:
  """Returns how many represented features belong to an antipodal pair that shares with no other."""
  return sum(len(part.features) for part in components(W) if part.name == "digon")


def best(dataset: "xr.Dataset") -> "xr.Dataset":
  """Returns the restart of least objective, penalty included, at every penalty."""
  objective = dataset["objective"].where(dataset["finite"] == 1, np.inf)
  return dataset.isel(restart=objective.argmin("restart"))


def claims(dataset: "xr.Dataset") -> list[Claim]:
  """Returns what the trained models say about the paper's remark."""
  chosen = best(dataset)
  penalty = dataset["penalty"].values
  decided = len(penalty) >= LEAST_POINTS
  # Beyond, what is still represented is a local minimum: no weights at all would be better.
  worth = chosen["objective"].values < chosen["empty_objective"].values
  alive = worth & (chosen["n_represented"].values > 0)
  alone = alive & (chosen["n_shared"].values == 0)
  left = f"λ = {penalty[alone][0]:g}" if alone.any() else "at no λ"
  share = chosen["n_paired"].values / np.maximum(chosen["n_represented"].values, 1)
  paired = alive & (share >= PAIRED)
  where = ", ".join(f"{x:g}" for x in penalty[paired])
  counts = ", ".join(f"{x:g}: {int(k)}" for x, k in zip(penalty, chosen["n_shared"], strict=True))
  last = chosen.isel(penalty=-1)
  return [
    _trend(
      dataset,
      "features_per_dimension",
      -1,
      "features per dimension ‖W‖²_F / m fall with λ",
      decided,
    ),
    _trend(dataset, "loss", 1, "the loss (without the penalty) rises with λ", decided),
    Claim(
      f"a large enough λ leaves no superposition (λ = {penalty[-1]:g})",
      f"{int(last['n_shared'])} in superposition, {int(last['n_represented'])} represented",
      "0 in superposition",
      verdict(bool(last["n_shared"] == 0), decided),
    ),
    Claim(
      "at some λ features are worth representing and none is in superposition",
      f"{left}; worth it up to λ = {penalty[alive].max(initial=0):g}; in superposition, by λ: "
      f"{counts}",
      "some λ (paper: L1 on h gets rid of superposition)",
      verdict(bool(alone.any()), decided),
    ),
    Claim(
      "λ at which all superposition that is left is antipodal pairs, which cost no more Σ|h| than "
      "features alone",
      where or "none",
      f"≥ {PAIRED:.0%} of the represented features",
      REPORTED,
    ),
  ]


def _trend(dataset: "xr.Dataset", name: str, sign: int, statement: str, decided: bool) -> Claim:
  """Returns the verdict on whether the restarts' mean rises (sign 1) or falls with the penalty."""
  values = dataset[name].where(dataset["finite"] == 1)
  mean, spread = values.mean("restart").values, values.std("restart").values
  listed = zip(dataset["penalty"].values, mean, spread, strict=True)
  return Claim(
    f"{statement}, mean of {dataset.sizes['restart']} restarts",
    ", ".join(f"{x:g}: {m:.3g} ± {s:.1g}" for x, m, s in listed),
    f"monotonically {'rising' if sign > 0 else 'falling'}",
    verdict(bool(np.all(sign * np.diff(mean) > 0)), decided),
  )


ANALYSIS = Analysis("Discussion", ("superposition",), check, claims, run)
