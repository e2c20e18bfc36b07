"""Absorption: a parent's latent falls silent where a child's latent can stand for both.

Follow-up: Chanin et al. (2024), "A is for Absorption"; Bussmann et al. (2025), Matryoshka.
"""

from toy_superposition.experiments.experiment import Experiment, figure_in
from toy_superposition.experiments.sae_absorption.analysis import run
from toy_superposition.experiments.sae_absorption.claims import claims

EXPERIMENT = Experiment(
  section="Superposition, Sparsity and Mechanistic Interpretability",
  requires={
    "data.input": "dictionary",
    "data.directions": "orthonormal",
    "data.target": "input",
    "data.distribution": "tree",
    "data.value_law": "one",
    "data.depth": 1,
  },
  may_vary=(
    *("model.n_features", "model.n_hidden", "model.prefixes", "data.n_dimensions"),
    *("data.n_trees", "data.branching", "density.base", "density.values"),
  ),
  axes={"variant": "", "seed": "data.dictionary"},
  optional_axes={},
  run=run,
  claims=claims,
  figure=figure_in(__name__),
)
