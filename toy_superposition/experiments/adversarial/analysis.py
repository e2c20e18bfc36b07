"""The rise of a model's loss under attack, relative to a model without superposition.

An attack adds a vector of a tenth of the mean input's norm; the target is computed from the clean
input. The paper does not say whether the worst attack is chosen once for all examples or for each
example: both are computed. The one for all is chosen on some examples and judged on others.
"""

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from toy_superposition import draws, sizes, streams
from toy_superposition.experiments import trained
from toy_superposition.problem import Problem, output_loss
from toy_superposition.theory import attacks
from toy_superposition.types import Instance, Params, Spec

if TYPE_CHECKING:
  import xarray as xr

CHOOSE, JUDGE, BATCH_SIZE = 8, 24, 512  # batches that choose the direction, and that judge it
STREAM = 1  # of evaluation: restarts are ranked on examples of the stream 0


def attacked(problem: Problem, params: Params, instance: Instance) -> dict[str, jax.Array]:
  """Returns the rise of the mean loss of one model under attack, over that of a model without
  superposition.

  The result has `universal`, for one worst direction for all examples, with its standard error,
  `universal_chosen`, the same on the examples that chose it, and `per_example`, for the worst
  direction of each.

  The reference is known: an attack of length l along the axis of a feature that has a dimension of
  its own moves the output by l, and raises the loss by l² whatever the example.
  """
  root = streams.words(streams.root(problem.spec.seed), streams.Stream.EVALUATE, STREAM)
  rows = attacks.directions(params.directions)
  rows = jnp.concatenate([rows, -rows])  # the paper leaves the sign open: the worse of both

  def losses(x, h):
    output = jax.vmap(lambda hidden: problem.model.decode(params, hidden))(h)
    each = jax.vmap(output_loss(problem.spec), (None, 0, 0))
    return jax.vmap(problem.reduction)(each(instance, x, output))

  def batch(number):
    key = draws.fold_in(root, number)
    x = problem.sample(key, instance, BATCH_SIZE, generator="threefry").T
    size = attacks.RELATIVE_SIZE * jnp.mean(jnp.linalg.norm(x, axis=1))
    h = jax.vmap(lambda example: problem.model.encode(params, example))(x)
    clean = losses(x, h)

    def step(worst, direction):
      shift = size * (params.directions @ direction)
      rises = losses(x, h + jnp.broadcast_to(shift, h.shape)) - clean
      return jnp.maximum(worst, rises), jnp.mean(rises)

    worst, means = jax.lax.scan(step, jnp.full(BATCH_SIZE, -jnp.inf), rows)
    reference = problem.reduction(jnp.zeros(x.shape[1]).at[0].set(size**2))
    return means / reference, jnp.mean(worst) / reference

  means, worst = jax.lax.map(batch, jnp.arange(CHOOSE + JUDGE))
  chosen = jnp.argmax(jnp.mean(means[:CHOOSE], axis=0))
  judged = means[CHOOSE:, chosen]
  return {
    "universal": jnp.mean(judged),
    "universal_error": jnp.std(judged, ddof=1) / JUDGE**0.5,
    "universal_chosen": jnp.mean(means[:CHOOSE, chosen]),
    "per_example": jnp.mean(worst),
  }


def working_bytes(spec: Spec) -> int:
  """Returns the bytes of a model and its batches twice, and of a few arrays of (example, feature)
  and the directions."""
  model_bytes = sizes.params_bytes(spec) + sizes.batch_bytes(spec, BATCH_SIZE)
  return 2 * model_bytes + 16 * spec.n_features**2


def run(dataset: "xr.Dataset", mesh: Mesh, memory_budget: int) -> "xr.Dataset":
  """Returns the dataset with what `attacked` finds, its names after `vulnerability_`."""
  del memory_budget
  models = trained.trained(dataset)
  problem = models.problem

  def ratio(params: Params, instance: Instance) -> dict[str, jax.Array]:
    return attacked(problem, params, instance)

  ratios = trained.each(ratio, models, mesh, working_bytes(problem.spec))
  return dataset.assign(
    {f"vulnerability_{name}": models.unflatten(values) for name, values in ratios.items()}
  )


def features_per_dimension(dataset: "xr.Dataset") -> "xr.DataArray":
  """Returns ‖W‖²_F / m of every model, from the measure D*, its inverse."""
  return 1 / dataset["dimensions_per_feature"]
