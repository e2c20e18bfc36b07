"""Sparse autoencoders tile a circle with latents, and how far they are from the best tiling.

Follow-up: "Understanding sparse autoencoder scaling in the presence of feature manifolds" (2025).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from toy_superposition.experiments.experiment import Experiment, figure_in
from toy_superposition.experiments.requirements import refusal
from toy_superposition.experiments.sae_manifold.analysis import run
from toy_superposition.experiments.sae_manifold.claims import claims
from toy_superposition.types import Group


def refuses(values: Mapping[str, Any], groups: Sequence[Group]) -> None:
  """Raises UserError for a penalty at which nothing is represented."""
  del groups
  if not 0 < (penalty := values["model.sparsity"]) < 1:
    raise refusal("sae_manifold", "model.sparsity", penalty, "penalties between 0 and 1")


EXPERIMENT = Experiment(
  section="Superposition, Sparsity and Mechanistic Interpretability",
  requires={
    "model.name": "l1_sae",
    "model.n_features": 2,
    "model.decoder_bias": False,
    "data.distribution": "circle",
    "data.target": "input",
  },
  may_vary=("model.sparsity", "model.n_hidden", "density.base"),
  axes={"latents": "model.n_hidden", "restart": ""},
  optional_axes={},
  run=run,
  claims=claims,
  figure=figure_in(__name__),
  refuses=refuses,
  compares_sizes=True,
)
