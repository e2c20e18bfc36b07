"""Nonlinear compression: a nonlinear code for two dense features, against the best linear one.

Paper, appendix "Nonlinear Compression". Nothing is trained.
"""

from toy_superposition.experiments.experiment import Experiment, figure_in
from toy_superposition.experiments.nonlinear_compression.analysis import run
from toy_superposition.experiments.nonlinear_compression.claims import claims

EXPERIMENT = Experiment(
  section="Appendix: Nonlinear Compression",
  requires={
    "train.steps": 0,
    "model.n_features": 2,
    "model.n_hidden": 1,
    "density.base": 1.0,
  },
  may_vary=("train.weight_decay",),  # no step is made
  optional_axes={},
  run=run,
  claims=claims,
  figure=figure_in(__name__),
  trained=False,
)
