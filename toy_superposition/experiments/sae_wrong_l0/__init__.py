"""Sparse autoencoders with the wrong number of active latents mix or split correlated features.

Follow-up: Chanin & Garriga-Alonso (2025), "Sparse but Wrong".
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jax.sharding import Mesh

from toy_superposition.experiments import dictionaries
from toy_superposition.experiments.experiment import Experiment, figure_in
from toy_superposition.experiments.requirements import refusal
from toy_superposition.experiments.sae_wrong_l0.claims import claims
from toy_superposition.types import Group

if TYPE_CHECKING:
  import xarray as xr


def run(dataset: "xr.Dataset", mesh: Mesh, memory_budget: int) -> "xr.Dataset":
  """Returns the dataset with the scores of every autoencoder."""
  del memory_budget
  return dictionaries.scored(dataset, mesh)


def refuses(values: Mapping[str, Any], groups: Sequence[Group]) -> None:
  """Raises UserError for numbers of latents that do not lie on both sides of the true one."""
  del values
  (group,) = groups
  k, truth = group.instances.numbers["model.k"], float(group.instances.density[0].sum())
  if not k.min() < truth < k.max():
    needed = f"numbers below and above {truth:g}, the features that are on in an example"
    raise refusal("sae_wrong_l0", "axis.k", tuple(np.unique(k).tolist()), needed)


EXPERIMENT = Experiment(
  section="Superposition, Sparsity and Mechanistic Interpretability",
  requires={
    "model.name": "batch_topk_sae",
    "data.input": "dictionary",
    "data.target": "input",
    "data.distribution": "copula",
  },
  may_vary=(
    *("model.n_features", "model.n_hidden", "data.n_dimensions", "data.directions"),
    *("data.rank", "data.loading", "data.value_law", "density.base"),
  ),
  axes={"k": "model.k", "seed": "data.dictionary"},
  optional_axes={},
  run=run,
  claims=claims,
  figure=figure_in(__name__),
  refuses=refuses,
)
