"""Sparse autoencoders of every kind on one synthetic world, compared at equal L0.

Follow-up: Chanin et al. (2026), SynthSAEBench, whose order of methods is tried on a small world.
"""

from toy_superposition.experiments.experiment import Experiment, figure_in
from toy_superposition.experiments.sae_benchmark.analysis import run, working_bytes
from toy_superposition.experiments.sae_benchmark.claims import claims

EXPERIMENT = Experiment(
  section="Superposition, Sparsity and Mechanistic Interpretability",
  requires={
    "data.input": "dictionary",
    "data.target": "input",
    "data.distribution": "tree",
    "data.scaled": True,
    "data.exclusive_children": True,
  },
  may_vary=(
    *("model.n_features", "model.n_hidden", "model.dead_below", "model.aux", "model.aux_k"),
    *("model.initial_threshold", "model.bandwidth", "model.max_k", "model.prefixes"),
    *("data.n_trees", "data.branching", "data.depth", "data.by_generation", "data.limited"),
    *("data.value_law", "data.rank", "data.loading", "data.examples"),
    *("data.n_dimensions", "data.directions"),
    *("density.profile", "density.base", "density.ratio", "density.exponent", "density.values"),
  ),
  axes={"variant": "", "seed": "data.dictionary"},
  optional_axes={},
  run=run,
  working_bytes=working_bytes,
  claims=claims,
  figure=figure_in(__name__),
)
