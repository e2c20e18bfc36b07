"""The arrangement of every fit, and the exact losses of the two arrangements that compete.

Paper, section "The Geometry of Superposition", non-uniform superposition. Feature 0 has density ρp,
the other four have density p.
"""

from typing import TYPE_CHECKING

import numpy as np
from jax.sharding import Mesh
from jaxtyping import Float, Int

from toy_superposition import scalarize
from toy_superposition.devices import mapping
from toy_superposition.experiments.nonuniform_density import theory
from toy_superposition.geometry.components import cosines
from toy_superposition.geometry.orientation import gaps
from toy_superposition.theory import expected_loss

if TYPE_CHECKING:
  import xarray as xr

AXIS = "relative_density"  # ρ
ARRANGEMENTS = ("pentagon", "two digons", "other")  # by number in the results
PENTAGON, DIGONS, OTHER = range(3)
# Two digons with a weak fifth feature have norm .4 and gap 0; a pentagon's smallest gap is 55°.
PENTAGON_NORM, PENTAGON_GAP = 0.5, 40  # minimum norm of a vertex, and minimum gap in degrees
WITHOUT_NORM, DIGON_NORM = 0.1, 0.9  # maximum norm of feature 0, and minimum norm of the others
OPPOSITE = -0.98  # maximum cosine of the two features of a digon
PAPER_RATIO = 0.4  # ρ at which the paper has the arrangements change
BASELINES = np.geomspace(0.05, 0.14, 9)  # p, among which the change is at the paper's ρ


def arrangement(W: Float[np.ndarray, "2 5"]) -> int:
  """Returns the number of the arrangement of five features in a plane."""
  norm = np.linalg.norm(W, axis=0)
  if norm.min() > PENTAGON_NORM and gaps(W).min() > PENTAGON_GAP:
    return PENTAGON
  opposite = cosines(W[:, 1:])[np.triu_indices(4, 1)] < OPPOSITE
  if norm[0] < WITHOUT_NORM and norm[1:].min() > DIGON_NORM and opposite.sum() == 2:
    return DIGONS
  return OTHER


def arrangements(W: Float[np.ndarray, "*model 2 5"]) -> Int[np.ndarray, "*model"]:
  """Returns `arrangement` of weights with leading axes."""
  flat = [arrangement(model) for model in W.reshape(-1, *W.shape[-2:])]
  return np.array(flat, np.int8).reshape(W.shape[:-2])


def run(dataset: "xr.Dataset", mesh: Mesh, memory_budget: int) -> "xr.Dataset":
  """Returns the dataset with every fit's arrangement and both arrangements' exact losses: at the
  sweep's ρ, and at the paper's ρ for densities p around its own. A loss is nan where its
  arrangement is not a local minimum."""
  density = dataset["feature_density"]
  if "restart" in density.dims:
    density = density.isel(restart=0)
  base = float(density.values[0, 1])
  at_paper = np.repeat(BASELINES[:, None], 5, axis=1)
  at_paper[:, 0] *= PAPER_RATIO

  def both(operand):
    params, losses = theory.followed(operand[0])
    return params, losses, *theory.stationarity(params, operand[0])

  params, losses, gradient, curvature = mapping.map_slices(
    both,
    (np.concatenate([density.values, at_paper]).astype(np.float32),),
    mesh=mesh,
    bytes_each=2 * expected_loss.working_bytes(5),
    budget=memory_budget,
    cpu_options=scalarize.CPU_OPTIONS,
  )
  reached = arrangements(np.asarray(params.W))
  losses = np.where(reached == np.array([PENTAGON, DIGONS]), losses, np.nan)
  n = len(density)
  names = dict(enumerate(ARRANGEMENTS))
  attributes = {"long_name": ", ".join(f"{k}: {name}" for k, name in names.items())}
  closed = theory.two_digons_loss(np.full(n, base), density.values[:, 0].astype(float))
  dims = dataset["loss"].dims
  W = dataset["W"].transpose(*dims, "hidden", "feature")
  return dataset.assign(
    arrangement=(dims, arrangements(W.values), attributes),
    pentagon_loss=(AXIS, losses[:n, 0], {"long_name": "expected loss of the pentagon"}),
    digons_loss=(AXIS, losses[:n, 1], {"long_name": "expected loss of two digons"}),
    digons_closed_form=(
      AXIS,
      closed,
      {"long_name": "expected loss of two digons of norm 1 and bias 0"},
    ),
    branch_gradient=(
      (AXIS, "branch"),
      gradient[:n],
      {"long_name": "norm of the loss's gradient at the arrangement's minimum"},
    ),
    branch_curvature=(
      (AXIS, "branch", "direction"),
      curvature[:n],
      {"long_name": "eigenvalues of the loss's Hessian there, ascending"},
    ),
    pentagon_loss_at_paper=("baseline", losses[n:, 0]),
    digons_loss_at_paper=("baseline", losses[n:, 1]),
  ).assign_coords(baseline=("baseline", BASELINES), branch=list(ARRANGEMENTS[:2]))


def branch_crossing(dataset: "xr.Dataset") -> tuple[float, int]:
  """Returns ρ where the exact losses of both arrangements are equal, and the index of the point
  before it; nan and −1 if there is none."""
  difference = (dataset["pentagon_loss"] - dataset["digons_loss"]).values
  return theory.crossing(dataset[AXIS].values, difference)
