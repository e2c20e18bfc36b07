"""Losses, kinds of polygons and learning coefficients of trainings, descents and the posterior."""

import itertools
from typing import TYPE_CHECKING, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Float, Int

from toy_superposition.experiments.kgon_phases import sampling, theory
from toy_superposition.experiments.kgon_phases.theory import NAMES

if TYPE_CHECKING:
  import xarray as xr

MIN_RESTARTS = 10  # fewer trainings decide nothing, and have an analysis of the small size
NEAR = 0.02  # relative distance from a kind's loss up to which a training is at that kind
# Absolute distance of a descent's end, or of the minimum below a sample, from a kind's loss. The
# smallest distance between two kinds is .0069, and descents are slow where outputs have a kink.
EXACT, BELOW = 2e-4, 1.5e-3
SHAKEN = 0.1  # noise on a descent's end: moves it away from the saddle at H = .06929
BETA, WIDTH = 1e5, 0.2  # of the chains around minima
# Of the chains around models in training, whose loss lies about 1e-4 above the minimum's: there
# β ΔH must be small.
PATH_BETA, PATH_WIDTH = 2e3, 0.3
HELD = 3  # stored steps in a row at which a training is at a kind, to count as a stage


class Sizes(NamedTuple):
  """How much is computed beside the trainings."""

  descents: int
  chains: int  # around every minimum, and of the posterior
  steps: int  # of chains around minima
  path_steps: int  # of chains around models in training
  rungs: int  # numbers of examples
  rounds: int
  samples: int  # of every chain and number of examples


LARGE = Sizes(400, 16, 20_000, 1500, 15, 1600, 16)
SMALL = Sizes(50, 3, 500, 50, 6, 40, 4)
N_RANGE = (20.0, 3000.0)  # numbers of examples of the posterior


def run(dataset: "xr.Dataset", mesh: Mesh, memory_budget: int) -> "xr.Dataset":
  """Returns the dataset with `history_exact_loss`, `history_kind` (index into theory.NAMES, −1 for
  none) and `history_coefficient` of every stored step; `descent_loss` of descents from random
  starts; `kind_loss`, `kind_coefficient` and `sampled_coefficient` of kinds; `occupancy`, the share
  of the posterior's samples above each kind, for numbers of examples."""
  del mesh, memory_budget
  sizes = LARGE if dataset.sizes["restart"] >= MIN_RESTARTS else SMALL
  models = np.concatenate(
    [
      dataset["history_W"]
      .transpose("restart", "step", "hidden", "feature")
      .values.reshape(*(dataset.sizes[dim] for dim in ("restart", "step")), theory.N_WEIGHTS),
      dataset["history_b"].transpose("restart", "step", "feature").values,
    ],
    axis=-1,
  )
  losses = np.asarray(jax.vmap(jax.vmap(theory.loss))(jnp.asarray(models)), float)
  safe = np.where(np.isfinite(models), models, 0)
  along = sampling.local_coefficients(safe, PATH_BETA, PATH_WIDTH, sizes.path_steps)
  minima, kind_losses = theory.minima()
  starts = np.repeat(minima[:, None], sizes.chains, axis=1)
  sampled = sampling.local_coefficients(starts, BETA, WIDTH, sizes.steps)
  examples = np.geomspace(*N_RANGE, sizes.rungs)
  beta = examples / (2 * theory.VARIANCE)
  samples = sampling.tempered(beta, sizes.chains, sizes.rounds, sizes.samples)
  below = kinds(sampling.quenched(samples), kind_losses, BELOW)
  occupancy = np.stack([(below == k).mean(axis=0) for k in range(len(NAMES))], axis=-1)
  path = ("restart", "step")
  return dataset.assign_coords(kind=list(NAMES), examples=examples).assign(
    history_exact_loss=(path, losses, {"long_name": "H, exact"}),
    history_kind=(
      path,
      kinds(losses, kind_losses, NEAR * kind_losses),
      {"long_name": "kind of polygon, −1 for none"},
    ),
    history_coefficient=(path, along, {"long_name": "sampled learning coefficient"}),
    descent_loss=(("descent",), descents(sizes.descents), {"long_name": "H at a descent's end"}),
    kind_loss=(("kind",), kind_losses, {"long_name": "H of a kind of minimum"}),
    kind_model=(
      ("kind", "number"),
      np.pad(minima, ((0, len(theory.FEWER)), (0, 0)), constant_values=np.nan),
      {"long_name": "W by rows and b of a kind of minimum"},
    ),
    kind_coefficient=(
      ("kind",),
      np.pad(theory.learning_coefficients(), (0, len(theory.FEWER)), constant_values=np.nan),
      {"long_name": "λ, half the positive eigenvalues of the Hessian"},
    ),
    sampled_coefficient=(
      ("kind", "chain"),
      np.pad(sampled, ((0, len(theory.FEWER)), (0, 0)), constant_values=np.nan),
      {"long_name": "λ by sampling around the minimum"},
    ),
    occupancy=(
      ("chain", "examples", "kind"),
      occupancy,
      {"long_name": "share of the posterior's samples above a kind of minimum"},
    ),
    hexagon_share=(
      ("examples",),
      theory.hexagon_share(beta),
      {"long_name": "hexagons among hexagons and pentagons, theory"},
    ),
  )


def kinds(
  losses: Float[np.ndarray, "*place"],
  known: Float[np.ndarray, "kind"],
  distance: float | np.ndarray,
) -> Int[np.ndarray, "*place"]:
  """Returns the kind whose loss is nearest, −1 beyond a distance (of each kind), and for NaN."""
  off = np.abs(losses[..., None] - known)
  nearest = np.where(np.isfinite(off), off, np.inf).argmin(axis=-1)
  least = np.take_along_axis(off, nearest[..., None], axis=-1)[..., 0]
  return np.where(least <= np.broadcast_to(distance, known.shape)[nearest], nearest, -1)


def descents(n: int) -> Float[np.ndarray, "descent"]:
  """Returns the losses at the ends of descents from random starts, shaken once off saddles."""
  keys = jax.random.split(jax.random.key(3), 3)
  W = 0.7 * jax.random.normal(keys[0], (n, theory.N_WEIGHTS))
  b = 0.5 * jax.random.normal(keys[1], (n, theory.N_FEATURES))
  ends = np.concatenate([W, b], axis=1)
  noise = SHAKEN * np.asarray(jax.random.normal(keys[2], ends.shape))
  for shaken in (0, noise, 0):
    ends, losses = theory.descended(ends + shaken)
  return np.asarray(losses, float)


class Stage(NamedTuple):
  """A part of a training at one kind of polygon."""

  kind: int
  first: int  # position among the stored steps
  last: int


def stages(kind: Int[np.ndarray, "step"]) -> list[Stage]:
  """Returns the stages of a training: runs of at least HELD stored steps at one kind."""
  ends = np.flatnonzero(np.diff(kind)) + 1
  bounds = [0, *ends.tolist(), len(kind)]
  runs = itertools.pairwise(bounds)
  return [
    Stage(int(kind[first]), first, end - 1)
    for first, end in runs
    if kind[first] >= 0 and end - first >= HELD
  ]


def is_clean(
  before: Stage,
  after: Stage,
  sampled: Float[np.ndarray, "step"],
  exact: Float[np.ndarray, "kind"],
  tolerance: float,
) -> bool:
  """Returns whether between two stages the sampled coefficient goes from one exact value to another
  one, within the tolerance at the median of both stages; not if one is unknown."""
  medians = [np.median(sampled[s.first : s.last + 1]) for s in (before, after)]
  near = [
    abs(m - exact[s.kind]) <= tolerance for m, s in zip(medians, (before, after), strict=True)
  ]
  return all(near) and bool(exact[before.kind] != exact[after.kind])


def shares(dataset: "xr.Dataset") -> Float[np.ndarray, "chain size"]:
  """Returns the share of hexagons among samples of hexagons and pentagons; NaN without any."""
  occupancy = dataset["occupancy"].transpose("kind", "chain", "examples")
  six = occupancy.sel(kind="6").values
  both = six + occupancy.sel(kind=["5+", "5"]).sum("kind").values
  return six / np.where(both > 0, both, np.nan)


def crossing(examples: Float[np.ndarray, "size"], share: Float[np.ndarray, "size"]) -> float:
  """Returns the last number of examples at which a share rises through 1/2, interpolated in the
  logarithm; NaN if it never does."""
  above = share >= 0.5
  at = np.flatnonzero(above[1:] & ~above[:-1])
  if not len(at):
    return float("nan")
  k = int(at[-1])
  part = (0.5 - share[k]) / (share[k + 1] - share[k])
  log = np.log(examples)
  return float(np.exp(log[k] + part * (log[k + 1] - log[k])))


def sampled_crossing(dataset: "xr.Dataset") -> tuple[float, float]:
  """Returns where the mean share of hexagons passes 1/2, and its standard error, by leaving out one
  chain after the other."""
  occupancy = dataset["occupancy"]
  n = occupancy.sizes["chain"]
  examples = dataset["examples"].values

  def of(chains: list[int]) -> float:
    mean = dataset.isel(chain=chains).mean("chain", keepdims=True) if chains else dataset
    return crossing(examples, shares(mean[["occupancy"]])[0])

  every = list(range(n))
  without = np.array([of([k for k in every if k != i]) for i in every]) if n > 2 else np.array([])
  error = np.sqrt((n - 1) / n * ((without - without.mean()) ** 2).sum()) if n > 2 else np.nan
  return of(every), float(error)
