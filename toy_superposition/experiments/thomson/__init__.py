"""Solids that features form: minima of Thomson's problem, tegum products, polytopes as matrices."""

from toy_superposition.experiments.experiment import Experiment, figure_in
from toy_superposition.experiments.thomson.analysis import MAX_VERTICES, run
from toy_superposition.experiments.thomson.claims import claims

EXPERIMENT = Experiment(
  section="The Geometry of Superposition",
  requires={
    "train.steps": 0,
    "model.n_features": MAX_VERTICES,
    "model.n_hidden": 3,
    "train.weight_decay": frozenset({0.0, 0.01}),  # either: nothing is trained
  },
  optional_axes={"start": ""},
  run=run,
  claims=claims,
  figure=figure_in(__name__),
  trained=False,
)
