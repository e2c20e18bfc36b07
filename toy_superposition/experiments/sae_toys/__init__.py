"""Sparse autoencoders on the hidden activations of trained toy models, over density.

What a follow-up of "Toy Models of Superposition" asks first: do the features that a model stores in
superposition come out again?
"""

from typing import TYPE_CHECKING

from jax.sharding import Mesh

from toy_superposition.experiments import dictionaries
from toy_superposition.experiments.experiment import Experiment, figure_in
from toy_superposition.experiments.sae_toys.claims import claims
from toy_superposition.models import MODELS, SparseAutoencoderParams, params_class

if TYPE_CHECKING:
  import xarray as xr


def run(dataset: "xr.Dataset", mesh: Mesh, memory_budget: int) -> "xr.Dataset":
  """Returns the dataset with the scores of every autoencoder, and `n_represented`, the number of
  features that its source represents."""
  del memory_budget
  return dictionaries.with_represented(dictionaries.scored(dataset, mesh))


EXPERIMENT = Experiment(
  section="Superposition, Sparsity and Mechanistic Interpretability",
  requires={
    "data.input": "hidden",
    "data.target": "input",
    "model.name": frozenset(
      name for name in MODELS if issubclass(params_class(name), SparseAutoencoderParams)
    ),
  },
  may_vary=(
    # The source decides which features there are.
    *("source", "model.n_features", "data.distribution", "data.set_size", "data.value_law"),
    *("density.profile", "density.base", "density.ratio", "density.values", "density.exponent"),
    *("model.n_hidden", "model.k", "model.sparsity", "model.decoder_bias", "model.frozen_decoder"),
    *("model.aux", "model.aux_k", "model.dead_below", "model.bandwidth", "model.max_k"),
    *("model.initial_threshold", "model.prefixes"),
  ),
  axes={"density": "density.base", "seed": ""},
  run=run,
  claims=claims,
  figure=figure_in(__name__),
)
