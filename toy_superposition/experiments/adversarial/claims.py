"""How vulnerable a model is to small changes of its input, as it stores more features.

Paper, section "Relationship to Adversarial Robustness". An attack adds a vector of a tenth of the
mean input's norm; the clean input stays what is asked for. The paper does not say whether the
worst attack is chosen once for all examples or anew for each: both are computed.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from toy_superposition import draws, objective, streams
from toy_superposition.devices import memory
from toy_superposition.estimators import estimator
from toy_superposition.experiments import restarts, trained
from toy_superposition.experiments.experiment import (
  REPORTED,
  Analysis,
  Claim,
  require,
  require_axes,
  verdict,
)
from toy_superposition.geometry.correlation import rank_correlation
from toy_superposition.problem import Problem
from toy_superposition.theory import attacks
from toy_superposition.types import Group, Instance, Params

if TYPE_CHECKING:
  import xarray as xr

BATCHES, BATCH_SIZE = 4, 512  # of fresh examples
DENSE_RATIO = (0.9, 1.1)  # where nothing is in superposition
SPARSE_RATIO, SPARSE_AT = 2.8, 10  # least vulnerability, at 1/(1−S)
PLATEAU, PLATEAU_RATIO = (1.9, 2.1), (1.8, 2.3)  # features per dimension in pairs; vulnerability
CORRELATION = 0.95


def check(values: Mapping[str, Any], axes: Sequence[str], groups: Sequence[Group]) -> None:
  """Raises UserError where the reference without superposition would be another one."""
  del axes
  wanted = {
    "model.name": "relu_output",
    "data.distribution": "sparse_uniform",
    "density.profile": "uniform",
    "importance.profile": "uniform",
  }
  require(values, "adversarial", wanted)
  require_axes(values, "adversarial", {"density": "density.base"})


def attacked(one: Problem, params: Params, instance: Instance) -> dict[str, jax.Array]:
  """Returns how much a model's loss rises under attack: `universal`, one worst direction for all
  examples, and `per_example`, the worst for each."""
  root = streams.words(streams.root(one.spec.seed), streams.Stream.EVALUATE, 0)
  rows = attacks.directions(params.directions)
  rows = jnp.concatenate([rows, -rows])  # the paper leaves the sign open: the worse of both

  def losses(x, h):
    output = jax.vmap(lambda one_h: one.model.decode(params, one_h))(h)
    each = jax.vmap(objective.feature_loss, in_axes=(0, 0, None))
    return jax.vmap(one.reduction)(each(x, output, instance.importance))

  def batch(number):
    x = one.sample(draws.fold_in(root, number), instance, BATCH_SIZE, generator="threefry").T
    size = attacks.RELATIVE_SIZE * jnp.mean(jnp.linalg.norm(x, axis=1))
    h = jax.vmap(lambda example: one.model.encode(params, example))(x)
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
  """Returns the dataset with `vulnerability_universal` and `vulnerability_per_example`, each the
  rise of the loss under attack over that of a model without superposition."""
  del memory_budget
  models = trained.trained(dataset)
  one = models.problem

  def ratio(params, instance):
    plain = attacks.without_superposition(instance.density, one.spec.n_hidden)
    ours, reference = attacked(one, params, instance), attacked(one, plain, instance)
    return {name: ours[name] / reference[name] for name in ours}

  # Beside a batch of the evaluation, a few arrays of (example, feature) and the directions.
  spec = one.spec
  each = memory.parameter_bytes(spec) + estimator.batch_bytes(spec, BATCH_SIZE)
  found = trained.each(ratio, models, mesh, 2 * each + 16 * spec.n_features**2)
  return dataset.assign(
    {f"vulnerability_{name}": models.unflatten(values) for name, values in found.items()}
  )


def features_per_dimension(dataset: "xr.Dataset") -> "xr.DataArray":
  """Returns F = ‖W‖²_F / m = 1 / D*."""
  return 1 / dataset["dimensions_per_feature"]


def claims(dataset: "xr.Dataset") -> list[Claim]:
  """Returns what the trained models say about vulnerability and superposition."""
  best = restarts.best(dataset)
  x = 1 / best["density"].values
  return [
    _dense_claim(dataset, best, x),
    _sparse_claim(dataset, best, x, "universal", verified="3.15"),
    _plateau_claim(best),
    _correlation_claim(best, x),
    _sparse_claim(dataset, best, x, "per_example", verified="11"),
  ]


def _spread(dataset: "xr.Dataset", name: str, k: int) -> str:
  values = np.sort(np.atleast_1d(dataset[name].isel(density=k).values))
  return f"restarts {', '.join(f'{value:.2f}' for value in values)}"


def _dense_claim(dataset: "xr.Dataset", best: "xr.Dataset", x: np.ndarray) -> Claim:
  k = int(x.argmin())
  ratio = float(best["vulnerability_universal"][k])
  return Claim(
    "dense: as vulnerable as a model without superposition (1/(1−S) = 1)",
    f"{ratio:.3f}; {_spread(dataset, 'vulnerability_universal', k)}",
    "1.0 ± 0.1",
    verdict(DENSE_RATIO[0] <= ratio <= DENSE_RATIO[1], decided=abs(x[k] - 1) < 1e-6),
  )


def _sparse_claim(
  dataset: "xr.Dataset", best: "xr.Dataset", x: np.ndarray, reading: str, verified: str
) -> Claim:
  """The paper's > 3 × belongs to one of the readings; the other one is reported."""
  k, name = int(x.argmax()), f"vulnerability_{reading}"
  ratio, there = float(best[name][k]), abs(x[k] / SPARSE_AT - 1) < 0.02
  universal = reading == "universal"
  words = "one worst direction for all examples" if universal else "the worst direction for each"
  wanted = f"≥ {SPARSE_RATIO} (paper: more than 3; verified: {verified})"
  return Claim(
    f"how many times as vulnerable at 1/(1−S) = {x[k]:.3g}, {words}",
    f"{ratio:.2f}; {_spread(dataset, name, k)}",
    wanted if universal else f"verified: {verified}",
    verdict(ratio >= SPARSE_RATIO, decided=there) if universal else REPORTED,
  )


def _plateau_claim(best: "xr.Dataset") -> Claim:
  features = features_per_dimension(best).values
  on = (features >= PLATEAU[0]) & (features <= PLATEAU[1])
  ratio = best["vulnerability_universal"].values[on]
  low, high = PLATEAU_RATIO
  return Claim(
    f"all features in pairs: vulnerability where features per dimension are {PLATEAU[0]}–"
    f"{PLATEAU[1]}",
    ", ".join(f"{value:.2f}" for value in ratio) or "–",
    f"{low}–{high} (theory: about 2)",
    verdict(bool(((ratio >= low) & (ratio <= high)).all()), decided=len(ratio) > 0),
  )


def _correlation_claim(best: "xr.Dataset", x: np.ndarray) -> Claim:
  features = features_per_dimension(best).values
  found = [
    rank_correlation(best[f"vulnerability_{name}"].values, features)
    for name in ("universal", "per_example")
  ]
  return Claim(
    "vulnerability follows features per dimension: rank correlation over densities",
    f"{found[0]:.3f} (worst for each example: {found[1]:.3f}), {len(x)} densities",
    f"≥ {CORRELATION}",
    verdict(found[0] >= CORRELATION, decided=len(x) >= 8),
  )


ANALYSIS = Analysis(
  "Relationship to Adversarial Robustness", ("dimensions_per_feature",), check, claims, run
)
