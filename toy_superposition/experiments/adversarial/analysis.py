"""The rise of a model's loss under attack, relative to a model without superposition.

An attack adds a vector of a tenth of the mean input's norm; the target is computed from the clean
input. The paper does not say whether the worst attack is chosen once for all examples or for each
example: both are computed.
"""

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from toy_superposition import draws, sizes, streams
from toy_superposition.experiments import trained
from toy_superposition.problem import Problem, output_loss
from toy_superposition.theory import attacks
from toy_superposition.types import Instance, Params

if TYPE_CHECKING:
  import xarray as xr

BATCHES, BATCH_SIZE = 4, 512  # of fresh examples


def attacked(problem: Problem, params: Params, instance: Instance) -> dict[str, jax.Array]:
  """Returns by how much attacks raise the mean loss of one model.

  The result has `universal`, for one worst direction for all examples, and `per_example`, for the
  worst direction of each.
  """
  root = streams.words(streams.root(problem.spec.seed), streams.Stream.EVALUATE, 0)
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
    return means, jnp.mean(worst)

  means, worst = jax.lax.map(batch, jnp.arange(BATCHES))
  return {"universal": jnp.max(jnp.mean(means, axis=0)), "per_example": jnp.mean(worst)}


def run(dataset: "xr.Dataset", mesh: Mesh, memory_budget: int) -> "xr.Dataset":
  """Returns the dataset with `vulnerability_universal` and `vulnerability_per_example`: the rise of
  the loss under attack over that of a model without superposition."""
  del memory_budget
  models = trained.trained(dataset)
  problem = models.problem

  def ratio(params: Params, instance: Instance) -> dict[str, jax.Array]:
    plain = attacks.without_superposition(instance.density, problem.spec.n_hidden)
    ours, reference = attacked(problem, params, instance), attacked(problem, plain, instance)
    return {name: ours[name] / reference[name] for name in ours}

  # Two models and their batches, and a few arrays of (example, feature) and the directions.
  spec = problem.spec
  model_bytes = sizes.params_bytes(spec) + sizes.batch_bytes(spec, BATCH_SIZE)
  ratios = trained.each(ratio, models, mesh, 2 * model_bytes + 16 * spec.n_features**2)
  return dataset.assign(
    {f"vulnerability_{name}": models.unflatten(values) for name, values in ratios.items()}
  )


def features_per_dimension(dataset: "xr.Dataset") -> "xr.DataArray":
  """Returns ‖W‖²_F / m of every model, from the measure D*, its inverse."""
  return 1 / dataset["dimensions_per_feature"]
