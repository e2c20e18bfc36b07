"""Pairs of features that come together: an L1 autoencoder takes them for features of their own.

Follow-up: Anders et al. (2024), "Sparse autoencoders find composed features in small toy models".
"""

from collections.abc import Mapping, Sequence
from typing import Any

from toy_superposition.experiments.experiment import Experiment, figure_in
from toy_superposition.experiments.requirements import refusal
from toy_superposition.experiments.sae_composed.analysis import run
from toy_superposition.experiments.sae_composed.claims import claims
from toy_superposition.types import Group


def refuses(values: Mapping[str, Any], groups: Sequence[Group]) -> None:
  """Raises UserError unless there are two sets, and latents enough for all features and pairs."""
  del groups
  n, size = values["model.n_features"], values["data.set_size"]
  if n != 2 * size:
    raise refusal("sae_composed", "model.n_features", n, f"two sets of {size}: {2 * size}")
  if values["model.n_hidden"] < (needed := 2 * size + size**2):
    allowed = f"at least {needed}, one latent per feature and pair"
    raise refusal("sae_composed", "model.n_hidden", values["model.n_hidden"], allowed)


EXPERIMENT = Experiment(
  section="Superposition, Sparsity and Mechanistic Interpretability",
  requires={
    "model.name": "l1_sae",
    "model.decoder_bias": False,
    "data.input": "dictionary",
    "data.directions": "orthonormal",
    "data.target": "input",
    "data.distribution": "anticorrelated_sets",
    "data.value_law": "one",
  },
  may_vary=(
    *("model.n_features", "model.n_hidden", "data.n_dimensions", "data.set_size", "density.base"),
    "model.sparsity",
  ),
  axes={"density": "density.base", "sparsity": "model.sparsity", "seed": "data.dictionary"},
  optional_axes={},
  run=run,
  claims=claims,
  figure=figure_in(__name__),
  refuses=refuses,
)
