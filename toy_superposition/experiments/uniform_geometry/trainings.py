"""Further trainings of the sweep's models: shorter ones, and ones on values of other laws.

Readers of the paper (Henighan and Olah) found that longer training makes the lines of the scatter
plot cleaner. Scherlis et al. ("Polysemanticity and Capacity in Neural Networks", 2022) predict that
features share dimensions the more, the higher the kurtosis of the inputs is. Both compare trainings
that the sweep does not have; each has the first weights, the examples' random numbers and the
optimizer of the model of its density.
"""

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Float, Int

from toy_superposition import estimators, streams, train
from toy_superposition.distributions import VALUES
from toy_superposition.experiments import trained
from toy_superposition.experiments.trained import Trained
from toy_superposition.experiments.uniform_geometry.lines import SHOWN
from toy_superposition.geometry.components import dimensionalities
from toy_superposition.geometry.definitions import is_represented
from toy_superposition.types import Instance, Params

if TYPE_CHECKING:
  import xarray as xr

SHARES = (1 / 16, 1 / 4)  # of the sweep's steps, each with a learning rate that decays to its end
# Laws of positive values, since ReLU outputs have no sign; by name, so that no new row changes what
# the claim is about.
LAWS = ("uniform", "one", "near_one", "half_normal", "exponential")
OF_LAWS = 1 / 8  # share of the steps for which models are trained on each law
CELLS = 2**20  # of a uniform number, in the middle of which a law's moments are computed


def with_trainings(dataset: "xr.Dataset", mesh: Mesh, enough_hidden: int) -> "xr.Dataset":
  """Returns the dataset with `shorter_dimensionality`, D_i after shares of the steps, and
  `law_represented`, represented features per dimension by the law of their values, beside its
  kurtosis; both nan for models of fewer than `enough_hidden` dimensions, whose claims are not
  decided.

  Only the first restart is trained again: in the middle of each of the paper's lines, and on other
  laws at the lowest density.
  """
  density = dataset["density"].values.astype(float)
  lines, sparsest = in_lines(density), int(density.argmin())
  D = np.full((len(SHARES), len(lines), dataset.sizes["feature"]), np.nan)
  represented = np.full(len(LAWS), np.nan)
  if dataset.sizes["hidden"] >= enough_hidden:
    for k, share in enumerate(SHARES):
      D[k] = dimensionalities(directions(dataset, lines, share, mesh).astype(float))
    at = np.array([sparsest])
    for k, law in enumerate(LAWS):
      W = directions(dataset, at, OF_LAWS, mesh, law=law)
      represented[k] = is_represented(W).sum() / dataset.sizes["hidden"]
  return dataset.assign_coords(share_of_steps=list(SHARES), law=list(LAWS)).assign(
    shorter_density=("line", density[lines], {"long_name": "density of the models trained again"}),
    shorter_dimensionality=(
      ("share_of_steps", "line", "feature"),
      D,
      {"long_name": "D_i after a share of the steps, first restart"},
    ),
    law_represented=("law", represented, {"long_name": "represented features per dimension"}),
    law_kurtosis=(
      "law",
      [kurtosis(law, density[sparsest]) for law in LAWS],
      {"long_name": "of an input at the lowest density, zeros included"},
    ),
  )


def in_lines(density: Float[np.ndarray, "density"]) -> Int[np.ndarray, "line"]:
  """Returns the positions of the densities that are nearest to the middles of the paper's lines, on
  a logarithmic scale, each once."""
  middles = [-0.5 * np.log(low * high) for low, high in SHOWN.values()]
  return np.unique([np.abs(np.log(density) - middle).argmin() for middle in middles])


def kurtosis(law: str, density: float) -> float:
  """Returns E (x − E x)⁴ / (Var x)² of a feature that is active with a probability."""
  u = (jnp.arange(CELLS, dtype=jnp.float32) + 0.5) / CELLS
  active = np.asarray(VALUES[law].of(u)).astype(float)
  raw = [1.0, *(density * float((active**k).mean()) for k in range(1, 5))]
  mean = raw[1]
  square = raw[2] - mean**2
  fourth = raw[4] - 4 * mean * raw[3] + 6 * mean**2 * raw[2] - 3 * mean**4
  return fourth / square**2


def directions(
  dataset: "xr.Dataset",
  at: Int[np.ndarray, "model"],
  share: float,
  mesh: Mesh,
  law: str = "",
) -> Float[np.ndarray, "model hidden feature"]:
  """Returns W of the first restart's models at some densities, trained anew.

  Args:
    dataset: of the sweep.
    at: positions along the axis of density.
    share: of the sweep's steps.
    mesh: the devices.
    law: of active values; the paper's sparse uniform ones by default.
  """
  own = trained.trained(dataset)
  steps = max(1, round(share * own.problem.spec.steps))
  changes = {"data.distribution": "independent", "data.value_law": law} if law else {}
  models = trained.trained(dataset, **{"train.steps": steps, **changes})
  cells = np.arange(int(np.prod(models.shape))).reshape(models.shape)
  cells = np.moveaxis(cells, models.dims.index("density"), 0).reshape(len(dataset["density"]), -1)
  return _trained_anew(_chosen(models, cells[at, 0]), mesh)


def _chosen(models: Trained, rows: Int[np.ndarray, "model"]) -> Trained:
  """Returns some of the models; instances keep their index, and so their random numbers."""
  params, instances = jax.tree.map(
    lambda leaf: np.asarray(leaf)[rows], (models.params, models.instances)
  )
  return models._replace(params=params, instances=instances, dims=("model",), shape=(len(rows),))


def _trained_anew(models: Trained, mesh: Mesh) -> Float[np.ndarray, "model hidden feature"]:
  """Returns W after all steps of the models' Spec, from first weights on."""
  problem = models.problem
  platform = mesh.devices.flat[0].platform
  name = estimators.choose(problem.spec, models.instances, platform)
  method = estimators.ESTIMATORS[name].make(problem, models.instances)
  root = streams.root(problem.spec.seed)

  def of_one(params: Params, instance: Instance):
    del params
    state = train.initialize(problem, instance, root)
    ends = jnp.int32(0), jnp.int32(problem.spec.steps)
    return train.train_segment(problem, method, state, instance, root, *ends).params.directions

  return np.asarray(trained.each(of_one, models, mesh))
