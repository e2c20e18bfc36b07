"""What trained models' losses are made of, against sampling and closed forms.

Paper, section "Mathematical Understanding".
"""

import functools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Float

from toy_superposition import scalarize
from toy_superposition.devices import mapping
from toy_superposition.errors import UserError
from toy_superposition.experiments import restarts
from toy_superposition.experiments.experiment import (
  REPORTED,
  Analysis,
  Claim,
  require,
  require_axes,
  verdict,
)
from toy_superposition.experiments.feature_benefit import energy
from toy_superposition.experiments.feature_benefit.theory import (
  feature_benefit,
  interference,
  linear_loss,
  sparse_moments,
)
from toy_superposition.models import TiedParams
from toy_superposition.theory import expected_loss
from toy_superposition.types import Group

if TYPE_CHECKING:
  import xarray as xr

LINEAR, RELU = "linear", "relu_output"
# Of the Monte-Carlo loss, divided by the density: its standard error is then below .3 %.
N_EXAMPLES, CHUNK = 2**19, 2**14
IDENTITY, SAMPLED, ENERGY = 1e-5, 0.01, 1e-3  # tolerances: relative, relative, absolute
ABSENT = 1e-3  # largest interference of a model that counts as without


def check(values: Mapping[str, Any], axes: Sequence[str], groups: Sequence[Group]) -> None:
  """Raises UserError where the formulas do not hold for the experiment."""
  del axes
  wanted: dict[str, Any] = {
    "data.distribution": "sparse_uniform",
    "data.target": "identity",
    "density.profile": "uniform",
    "loss.reduction": "sum",
    "evaluation.method": "exact",
  }
  require(values, "feature_benefit", wanted)
  require_axes(values, "feature_benefit", {"model": "model.name", "density": "density.base"})
  models = {group.spec.model for group in groups}
  if models != {LINEAR, RELU}:
    raise UserError(
      f"config.axis.model.points: {sorted(models)} is not allowed with analysis 'feature_benefit', "
      f"which compares two models; allowed: {LINEAR} and {RELU}"
    )


def run(dataset: "xr.Dataset", mesh: Mesh, memory_budget: int) -> "xr.Dataset":
  """Returns the dataset with the best restarts' loss in parts, sampled, and the least energies."""
  best = restarts.best(dataset).transpose("model", "density", ..., "hidden", "feature")
  dims, shape = ("model", "density"), tuple(best.sizes[name] for name in ("model", "density"))
  parts = {name: np.zeros(shape) for name in ("benefit", "interference", "linear_loss")}
  sampled = np.zeros(shape)
  relu = [name == RELU for name in best["model"].values.tolist()]
  for at in np.ndindex(shape):
    W, b, importance, p = _solution(best, at)
    parts["benefit"][at] = feature_benefit(W, importance)
    parts["interference"][at] = interference(W, importance)
    parts["linear_loss"][at] = linear_loss(W, b, importance, *sparse_moments(p))
  for k in range(shape[1]):
    models = [_solution(best, (model, k)) for model in range(shape[0])]
    W, b = (np.array([model[field] for model in models]) for field in (0, 1))
    _, _, importance, p = models[0]
    sampled[:, k] = sampled_losses(W, b, importance, p, relu=relu, n_examples=int(N_EXAMPLES / p))
  terms = _sparse_terms(best.sel(model=RELU), mesh, memory_budget)
  found = {key: energy.least_energy(*key) for key in energy.LEAST}
  names = {
    "benefit": "feature benefit Σ I_i (1 − ‖W_i‖²)²",
    "interference": "interference Σ I_j (W_i · W_j)²",
    "linear_loss": "expected loss without a ReLU, from the two terms",
  }
  variables: dict[str, Any] = {
    name: (dims, values, {"long_name": names[name]}) for name, values in parts.items()
  }
  return dataset.assign_coords(
    n_active=np.arange(terms.shape[1]), arrangement=[f"{n} in {m}D" for m, n in found]
  ).assign(
    **variables,
    sampled_loss=(dims, sampled, {"long_name": "mean of examples"}),
    best_loss=best["loss"].drop_vars("restart", errors="ignore"),
    sparse_terms=(("density", "n_active"), terms, {"long_name": "pᵏ Sⁿ⁻ᵏ L_k of relu_output"}),
    least_energy=("arrangement", [one.energy for one in found.values()]),
  )


def _solution(
  best: "xr.Dataset", at: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
  """Returns W, b, importance and density of one model, in double precision."""
  names = ("W", "b", "feature_importance", "feature_density")
  W, b, importance, density = (best[name].values[at].astype(float) for name in names)
  return W, b, importance, float(density[0])


def sampled_losses(
  W: Float[np.ndarray, "model hidden feature"],
  b: Float[np.ndarray, "model feature"],
  importance: Float[np.ndarray, "feature"],
  density: float,
  *,
  relu: Sequence[bool],
  n_examples: int,
) -> Float[np.ndarray, "model"]:
  """Returns the models' mean losses on the same examples, drawn independently of the package's own
  samplers."""
  rng = np.random.default_rng(0)
  grams = [(one.T @ one).astype(np.float32) for one in W]
  biases = b.astype(np.float32)[:, :, None]
  total, n_chunks = np.zeros(len(W)), -(-n_examples // CHUNK)
  for _ in range(n_chunks):
    u = rng.random((len(importance), CHUNK), np.float32)
    x = np.where(u < density, u * np.float32(1 / density), np.float32(0))
    for k, (gram, bias) in enumerate(zip(grams, biases, strict=True)):
      output = gram @ x + bias
      error = x - (np.maximum(output, 0) if relu[k] else output)
      total[k] += (error**2).mean(axis=1) @ importance
  return total / n_chunks


def _sparse_terms(
  relu: "xr.Dataset", mesh: Mesh, memory_budget: int
) -> Float[np.ndarray, "density active"]:
  """Returns what inputs with k active features add to the ReLU model's expected loss, all k."""
  n = relu.sizes["feature"]

  def terms(operands):
    params, density, importance = operands
    each = [
      jax.vmap(functools.partial(expected_loss.k_sparse_feature_loss, k=k))(
        params, density, importance
      ).sum(axis=1)
      for k in range(n + 1)
    ]
    return jnp.stack(each, axis=1)

  names = ("feature_density", "feature_importance")
  params = TiedParams(relu["W"].values, relu["b"].values)
  return mapping.map_slices(
    terms,
    (params, *(relu[name].values for name in names)),
    mesh=mesh,
    bytes_each=(n + 1) * expected_loss.working_bytes(n),
    budget=memory_budget,
    cpu_options=scalarize.CPU_OPTIONS,
  )


def claims(dataset: "xr.Dataset") -> list[Claim]:
  """Returns what the parts of the losses say about the paper's formulas."""
  loss = dataset["best_loss"].transpose("model", "density")
  sampled = abs(dataset["sampled_loss"].transpose("model", "density") / loss - 1)
  identity = abs(dataset["linear_loss"].sel(model=LINEAR) / loss.sel(model=LINEAR) - 1)
  total = dataset["sparse_terms"].sum("n_active")
  whole = abs(total / loss.sel(model=RELU) - 1)
  rows = (
    (
      "linear: variance × (feature benefit + interference) is the expected loss",
      identity,
      IDENTITY,
    ),
    ("ReLU: the parts with k active features add up to the expected loss", whole, IDENTITY),
    ("both: the expected loss is the mean of examples", sampled, SAMPLED),
  )
  return [
    *(
      Claim(
        f"{statement}: largest relative difference over densities",
        f"{float(error.max()):.1e}",
        f"≤ {tolerance:g}",
        verdict(float(error.max()) <= tolerance, decided=bool(np.isfinite(error.values).all())),
      )
      for statement, error, tolerance in rows
    ),
    *_linear_claims(dataset),
    _share_claim(dataset),
    _tolerance_claim(dataset),
    _energy_claim(dataset),
  ]


def _linear_claims(dataset: "xr.Dataset") -> list[Claim]:
  """Superposition is never optimal without a ReLU."""
  linear = dataset.sel(model=LINEAR)
  m = dataset.sizes["hidden"]
  importance = linear["feature_importance"].values.reshape(-1, dataset.sizes["feature"])
  absent = float(np.sort(importance[0])[::-1][m:].sum())
  cost, benefit = float(linear["interference"].max()), linear["benefit"].values
  return [
    Claim(
      "linear: no interference is worth its feature: largest interference over densities",
      f"{cost:.1e}",
      f"≤ {ABSENT:g}",
      verdict(cost <= ABSENT),
    ),
    Claim(
      f"linear: all but the {m} most important features are given up: feature benefit term",
      f"{benefit.min():.4f}–{benefit.max():.4f}",
      f"{absent:.4f} ± {ABSENT:g}, the sum of their importances",
      verdict(bool(np.all(np.abs(benefit - absent) <= ABSENT))),
    ),
  ]


def _share_claim(dataset: "xr.Dataset") -> Claim:
  """Where features are rare, one at a time decides."""
  sparse = dataset["sparse_terms"].sortby("density").isel(density=0)
  share = (sparse / sparse.sum()).values
  return Claim(
    f"ReLU: shares of the loss by number of active features, p = {float(sparse['density']):.2g}",
    ", ".join(f"{k}: {value:.0%}" for k, value in enumerate(share)),
    "0 and 1 alone in the limit of sparsity",
    REPORTED,
  )


def _tolerance_claim(dataset: "xr.Dataset") -> Claim:
  """The same two terms of the ReLU model's weights: it accepts what costs a linear one dearly."""
  relu = dataset.sel(model=RELU).sortby("density", ascending=False)
  ratio = (dataset["best_loss"].sel(model=RELU) / dataset["best_loss"].sel(model=LINEAR)).sortby(
    "density", ascending=False
  )
  ends = [relu.isel(density=k) for k in (0, -1)]
  measured = "; ".join(
    f"{float(one['interference']):.2f} (loss {float(ratio.isel(density=k)):.2f} of the linear one)"
    for k, one in zip((0, -1), ends, strict=True)
  )
  listed = ", ".join(f"{float(one['density']):.2g}" for one in ends)
  first, last = (float(one["interference"]) for one in ends)
  return Claim(
    f"ReLU: interference of the best weights, p = {listed}",
    measured,
    f"none when dense (≤ {ABSENT:g}), more when sparse, at a lower loss than the linear model's",
    verdict(
      first <= ABSENT < last and float(ratio.isel(density=-1)) < 1,
      decided=float(ends[0]["density"]) == 1,
    ),
  )


def _energy_claim(dataset: "xr.Dataset") -> Claim:
  wanted = np.array(list(energy.LEAST.values()))
  found = dataset["least_energy"].values
  return Claim(
    "least energy Σ ReLU(cos)² of " + ", ".join(dataset["arrangement"].values),
    ", ".join(f"{value:.4f}" for value in found),
    f"{', '.join(f'{value:g}' for value in wanted)}, each ±{ENERGY:g}",
    verdict(bool(np.all(np.abs(found - wanted) <= ENERGY))),
  )


ANALYSIS = Analysis("Mathematical Understanding", (), check, claims, run)
