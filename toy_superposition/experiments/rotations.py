"""How much the loss of trained models changes when their hidden layer is rotated at random.

Paper, section "Superposition in a Privileged Basis".
"""

import json
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from toy_superposition import evaluation, streams
from toy_superposition.experiments import trained
from toy_superposition.experiments.experiment import Claim, identity, verdict
from toy_superposition.geometry.rotations import random_rotations

if TYPE_CHECKING:
  import xarray as xr

ROTATIONS, SAMPLES = 16, 8192  # random rotations of every model; examples of each loss
# Relative changes of the loss: an invariant model's is below the first, which is float32's
# round-off, and that of a model whose basis matters at least the second.
INVARIANT, MATTERS = 1e-5, 0.1
LEAST = 0.01  # share of the loss of the output 0: of losses near 0 every change would be large


def with_rotations(dataset: "xr.Dataset", mesh: Mesh, **changes: Any) -> "xr.Dataset":
  """Returns the dataset with the loss of every model before and after random rotations.

  Args:
    dataset: results.
    mesh: the devices.
    **changes: config fields by dotted name that differ from the dataset's, such as the point of an
      axis.

  Returns:
    The dataset with `unrotated_loss` and `rotated_loss` (with a last axis, `rotation`), all on the
    same examples, which are not those that rank restarts.
  """
  models = trained.trained(dataset, **changes)
  problem, n_hidden = models.problem, models.problem.spec.n_hidden
  root = streams.root(problem.spec.seed)
  rotations = random_rotations(np.random.default_rng(problem.spec.seed), ROTATIONS, n_hidden)
  # With the identity in the same array, all losses are computed by the same program.
  with_identity = jnp.asarray(np.concatenate([np.eye(n_hidden)[None], rotations]), jnp.float32)

  def losses(params, instance):
    def loss(rotation):
      turned = params.rotated(rotation)
      means = evaluation.sampled(
        problem, turned, instance, root, SAMPLES, stream=evaluation.JUDGING
      )
      return problem.reduction(means)

    return jax.lax.map(loss, with_identity)

  dims, values = models.unflatten(trained.each(losses, models, mesh))
  return dataset.assign(
    unrotated_loss=(dims, values[..., 0]), rotated_loss=((*dims, "rotation"), values[..., 1:])
  )


def run(dataset: "xr.Dataset", mesh: Mesh, memory_budget: int) -> "xr.Dataset":
  """Returns the dataset with the loss of every model before and after random rotations."""
  del memory_budget
  return with_rotations(dataset, mesh)


def relative_change(dataset: "xr.Dataset") -> "xr.DataArray":
  """Returns (rotated loss − loss) / loss of every model and rotation.

  Where the loss was 0 it is infinite, or nan if the rotated loss is 0 too.
  """
  with np.errstate(divide="ignore", invalid="ignore"):
    return dataset["rotated_loss"] / dataset["unrotated_loss"] - 1


def claim(dataset: "xr.Dataset", models: str, matters: bool) -> Claim:
  """Returns the verdict on how much the loss of a kind of model changes.

  Args:
    dataset: results with the losses of `with_rotations`, of these models alone.
    models: what they are, in words.
    matters: whether a rotation is claimed to change the loss, rather than to leave it unchanged.
  """
  rise = abs(dataset["rotated_loss"] - dataset["unrotated_loss"])
  own = dataset["unrotated_loss"]
  scale = np.maximum(own, LEAST * of_zero(dataset)) if matters else own
  changes = (rise / scale).values
  low, high = float(changes.min()), float(changes.max())
  decided = not np.isnan(changes).any()
  measured = f"{_number(low)} to {_number(high)} over {changes.size} rotations"
  if not matters:
    return Claim(
      f"relative change of the loss when the hidden layer is rotated at random ({models})",
      measured,
      f"each < {INVARIANT:.0e}",
      identity(high < INVARIANT, decided),
    )
  return Claim(
    f"change of the loss when the hidden layer is rotated at random ({models}), over the loss, or "
    f"over {LEAST:g} of that of the output 0 if it is more",
    measured,
    f"each ≥ {MATTERS:.0%}",
    verdict(low >= MATTERS, decided),
  )


def of_zero(dataset: "xr.Dataset") -> "xr.DataArray":
  """Returns the loss of a model whose output is 0, Σ I_i p_i / 3 for values uniform on [0, 1] or
  [−1, 1]: a scale that no training makes small."""
  each = dataset["feature_importance"] * dataset["feature_density"] / 3
  reduction = json.loads(dataset.attrs["config"])["loss.reduction"]
  return each.mean("feature") if reduction == "mean" else each.sum("feature")


def _number(value: float) -> str:
  return f"{value:.1e}" if value < 1e-3 or value > 100 else f"{value:.2f}"
