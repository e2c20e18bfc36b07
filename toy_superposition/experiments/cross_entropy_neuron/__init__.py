"""One binary neuron that predicts the next token: when is it better to fire on several features?

"Towards Monosemanticity" (Bricken et al., 2023), a toy model that follows up on the paper's. None
of the package's own models is trained.
"""

from toy_superposition.experiments.cross_entropy_neuron.analysis import run
from toy_superposition.experiments.cross_entropy_neuron.claims import claims
from toy_superposition.experiments.experiment import Experiment, figure_in

EXPERIMENT = Experiment(
  section="Towards Monosemanticity: polysemanticity without superposition",
  requires={
    "train.steps": 0,
    # Even numbers that can be split in halves, few enough to try all sets of features.
    "model.n_features": frozenset(range(4, 11, 2)),
    "model.n_hidden": 1,
  },
  may_vary=("train.weight_decay",),  # of the package's own models, which take no step
  axes={"restart": ""},
  optional_axes={},
  run=run,
  claims=claims,
  figure=figure_in(__name__),
  trained=False,
)
