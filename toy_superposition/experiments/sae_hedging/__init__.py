"""A sparse autoencoder too narrow for its features hedges: its latent mixes correlated ones.

Follow-up: Chanin et al. (2025), "Feature Hedging".
"""

from collections.abc import Mapping, Sequence
from typing import Any

from toy_superposition.experiments.experiment import Experiment, figure_in
from toy_superposition.experiments.requirements import refusal
from toy_superposition.experiments.sae_hedging.analysis import run
from toy_superposition.experiments.sae_hedging.claims import claims
from toy_superposition.types import Group


def refuses(values: Mapping[str, Any], groups: Sequence[Group]) -> None:
  """Raises UserError for other than one latent on a parent and its child."""
  del groups
  for field, only in (("model.n_features", 2), ("model.n_hidden", 1)):
    if values[field] != only:
      raise refusal("sae_hedging", field, values[field], f"{only}")


EXPERIMENT = Experiment(
  section="Superposition, Sparsity and Mechanistic Interpretability",
  requires={
    "model.name": "l1_sae",
    "model.sparsity": 1e-3,
    "data.input": "dictionary",
    "data.directions": "orthonormal",
    "data.target": "input",
    "data.value_law": "one",
    "data.branching": 1,
    "density.profile": "last_apart",
  },
  may_vary=("model.n_features", "model.n_hidden", "data.n_dimensions", "density.base"),
  axes={
    "activity": "data.distribution",
    "bias": "model.decoder_bias",
    "child": "density.ratio",
    "seed": "data.dictionary",
  },
  optional_axes={},
  run=run,
  claims=claims,
  figure=figure_in(__name__),
  refuses=refuses,
)
