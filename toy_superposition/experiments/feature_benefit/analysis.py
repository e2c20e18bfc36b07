"""The best models' losses in parts: benefit and interference, and by number of active features.

Paper, section "Mathematical Understanding".
"""

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Float

from toy_superposition import scalarize
from toy_superposition.devices import mapping
from toy_superposition.experiments import restarts
from toy_superposition.experiments.feature_benefit import energy
from toy_superposition.experiments.feature_benefit.theory import (
  feature_benefit,
  interference,
  linear_loss,
  sparse_moments,
)
from toy_superposition.models import AutoencoderParams
from toy_superposition.theory import expected_loss

if TYPE_CHECKING:
  import xarray as xr

LINEAR, RELU = "linear", "relu_output"
# Examples of the Monte-Carlo loss, to be divided by the density: its standard error is then below
# .3 %; and how many of them are drawn at once.
N_EXAMPLES, CHUNK = 2**19, 2**14


def run(dataset: "xr.Dataset", mesh: Mesh, memory_budget: int) -> "xr.Dataset":
  """Returns the dataset with the best restarts' losses, in parts and sampled, and the energies."""
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
  arrangements = {(m, n): energy.minimum_energy(n_hidden=m, n_features=n) for m, n in energy.MINIMA}
  names = {
    "benefit": "feature benefit Σ I_i (1 − ‖W_i‖²)²",
    "interference": "interference Σ I_j (W_i · W_j)²",
    "linear_loss": "expected loss without a ReLU, from the two terms",
  }
  variables: dict[str, Any] = {
    name: (dims, values, {"long_name": names[name]}) for name, values in parts.items()
  }
  return dataset.assign_coords(
    n_active=np.arange(terms.shape[1]), arrangement=[f"{n} in {m}D" for m, n in arrangements]
  ).assign(
    **variables,
    sampled_loss=(dims, sampled, {"long_name": "mean of examples"}),
    best_loss=best["loss"].drop_vars("restart", errors="ignore"),
    sparse_terms=(("density", "n_active"), terms, {"long_name": "pᵏ Sⁿ⁻ᵏ L_k of relu_output"}),
    least_energy=("arrangement", [arrangement.energy for arrangement in arrangements.values()]),
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
  """Returns the models' mean losses on the same examples, drawn without the package's samplers.

  Args:
    W: feature directions of every model.
    b: biases of every model.
    importance: of the features, in all models.
    density: of all features.
    relu: whether a model's output passes a ReLU, by model.
    n_examples: minimum number of examples; a last chunk is filled up.
  """
  rng = np.random.default_rng(0)
  grams = [(directions.T @ directions).astype(np.float32) for directions in W]
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
  """Returns what inputs with k active features add to the ReLU model's expected loss, for all k."""
  n = relu.sizes["feature"]

  def terms(operands):
    params, density, importance = operands
    parts = [
      jax.vmap(functools.partial(expected_loss.k_sparse_feature_loss, k=k))(
        params, density, importance
      ).sum(axis=1)
      for k in range(n + 1)
    ]
    return jnp.stack(parts, axis=1)

  names = ("feature_density", "feature_importance")
  params = AutoencoderParams(relu["W"].values, relu["b"].values)
  return mapping.map_slices(
    terms,
    (params, *(relu[name].values for name in names)),
    mesh=mesh,
    bytes_each=(n + 1) * expected_loss.working_bytes(n),
    budget=memory_budget,
    cpu_options=scalarize.CPU_OPTIONS,
  )
