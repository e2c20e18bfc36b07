"""Interference weights: which virtual weights of a model in superposition belong to a circuit?

Follow-up: Olah, Turner and Conerly, "Interference Weights" (Transformer Circuits, July 2025).
"""

from toy_superposition.experiments.experiment import Experiment, figure_in
from toy_superposition.experiments.interference_weights.analysis import run
from toy_superposition.experiments.interference_weights.claims import claims

EXPERIMENT = Experiment(
  section="Computation in Superposition",
  may_vary=("data.n_blocks", "data.block_share", "data.threshold", "data.circuit"),
  axes={"setup": "", "restart": ""},
  optional_axes={},
  run=run,
  claims=claims,
  figure=figure_in(__name__),
  compares_sizes=True,
)
