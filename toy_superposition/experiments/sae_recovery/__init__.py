"""Sparse autoencoders on a known dictionary: better reconstruction is not better recovery.

Follow-up of "Toy Models of Superposition", section "Approach 2: Finding an Overcomplete Basis".
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jax.sharding import Mesh

from toy_superposition.experiments import dictionaries
from toy_superposition.experiments.experiment import Experiment, figure_in
from toy_superposition.experiments.requirements import refusal
from toy_superposition.experiments.sae_recovery.claims import claims
from toy_superposition.types import Group

if TYPE_CHECKING:
  import xarray as xr


def run(dataset: "xr.Dataset", mesh: Mesh, memory_budget: int) -> "xr.Dataset":
  """Returns the dataset with the scores of every autoencoder."""
  del memory_budget
  return dictionaries.scored(dataset, mesh)


def refuses(values: Mapping[str, Any], groups: Sequence[Group]) -> None:
  """Raises UserError for features that are not in superposition."""
  n, m = values["model.n_features"], values["data.n_dimensions"]
  del groups
  if n <= m:
    needed = f"more features than the {m} dimensions"
    raise refusal("sae_recovery", "model.n_features", n, needed)


EXPERIMENT = Experiment(
  section="Superposition, Sparsity and Mechanistic Interpretability",
  requires={"data.input": "dictionary", "data.target": "input"},
  may_vary=(
    *("model.n_features", "model.n_hidden", "model.dead_below", "model.aux", "model.aux_k"),
    *("model.initial_threshold", "model.bandwidth", "model.max_k", "model.prefixes"),
    *("data.n_dimensions", "data.directions", "density.base"),
  ),
  axes={"variant": "", "seed": "data.dictionary"},
  optional_axes={},
  run=run,
  claims=claims,
  figure=figure_in(__name__),
  refuses=refuses,
)
