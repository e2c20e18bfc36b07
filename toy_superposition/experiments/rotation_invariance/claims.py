"""Rotations of the hidden layer: nothing changes where it is linear, much where it has a ReLU.

Paper, section "Superposition in a Privileged Basis".
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from toy_superposition import evaluation, streams
from toy_superposition.experiments import trained
from toy_superposition.experiments.experiment import Analysis, Claim, require, require_axes, verdict
from toy_superposition.geometry.rotations import random_rotations, rotated
from toy_superposition.types import Group

if TYPE_CHECKING:
  import xarray as xr

ROTATIONS, SAMPLES = 16, 8192
INVARIANT, MATTERS = 1e-5, 0.1  # relative changes of the loss; the first is float32's round-off
MODELS = {"relu_output": False, "relu_hidden": True}  # whether a rotation matters


def check(values: Mapping[str, Any], axes: Sequence[str], groups: Sequence[Group]) -> None:
  """Raises UserError where the experiment does not compare the two models."""
  del axes, groups
  require_axes(values, "rotation_invariance", {"model": "model.name"})
  require(values, "rotation_invariance", {"axis.model.points": tuple(MODELS)})


def with_rotations(dataset: "xr.Dataset", mesh: Mesh, **changes: Any) -> "xr.Dataset":
  """Returns the dataset with `rotated_loss` (…, rotation), and `unrotated_loss` on the same
  examples; `changes` are config fields, such as the point of an axis."""
  models = trained.trained(dataset, **changes)
  one, n_hidden = models.problem, models.problem.spec.n_hidden
  root = streams.root(one.spec.seed)
  rotations = random_rotations(np.random.default_rng(one.spec.seed), ROTATIONS, n_hidden)
  # The identity is one of them, so that all losses come out of the same program.
  all_turns = jnp.asarray(np.concatenate([np.eye(n_hidden)[None], rotations]), jnp.float32)

  def losses(params, instance):
    def loss(rotation):
      turned = rotated(params, rotation)
      return one.reduction(evaluation.sampled(one, turned, instance, root, SAMPLES))

    return jax.lax.map(loss, all_turns)

  dims, values = models.unflatten(trained.each(losses, models, mesh))
  return dataset.assign(
    unrotated_loss=(dims, values[..., 0]), rotated_loss=((*dims, "rotation"), values[..., 1:])
  )


def run(dataset: "xr.Dataset", mesh: Mesh, memory_budget: int) -> "xr.Dataset":
  """Returns the dataset with the losses of every model after rotations."""
  import xarray as xr

  del memory_budget
  parts = [
    with_rotations(dataset.sel(model=name), mesh, **{"model.name": name})
    for name in dataset["model"].values.tolist()
  ]
  return xr.concat(parts, "model", data_vars="all").transpose("model", ...)


def change(dataset: "xr.Dataset") -> "xr.DataArray":
  """Returns (rotated loss − loss) / loss of every model and rotation; infinite where the loss was
  0 before."""
  with np.errstate(divide="ignore", invalid="ignore"):
    return dataset["rotated_loss"] / dataset["unrotated_loss"] - 1


def claim(cell: "xr.Dataset", name: str, matters: bool) -> Claim:
  """Returns the verdict on one kind of model, over its rotations and restarts."""
  changes = np.abs(change(cell).values)
  low, high = float(changes.min()), float(changes.max())
  if matters:
    holds, expected = low >= MATTERS, f"each ≥ {MATTERS:.0%}"
  else:
    holds, expected = high < INVARIANT, f"each < {INVARIANT:.0e}"
  return Claim(
    f"relative change of the loss when the hidden layer is rotated at random ({name})",
    f"{_number(low)} to {_number(high)} over {changes.size} rotations",
    expected,
    verdict(holds, decided=not np.isnan(changes).any()),
  )


def _number(value: float) -> str:
  return f"{value:.1e}" if value < 1e-3 or value > 100 else f"{value:.2f}"


def claims(dataset: "xr.Dataset") -> list[Claim]:
  """Returns what rotations did to each of the two models."""
  return [
    claim(dataset.sel(model=name), name.replace("_", " "), matters)
    for name, matters in MODELS.items()
  ]


ANALYSIS = Analysis("Superposition in a Privileged Basis", (), check, claims, run)
