"""The introduction's figure: how many of five features two dimensions store, and in which shape."""

from toy_superposition.experiments.experiment import Experiment, figure_in
from toy_superposition.experiments.introduction.claims import claims

EXPERIMENT = Experiment(
  section="Introduction",
  requires={
    "importance.profile": "geometric",
    "importance.ratio": 0.9,
    "train.weight_decay": frozenset({0.0, 0.01}),  # 0.01: the notebook's, PyTorch's default
  },
  may_vary=("loss.reduction",),  # a factor on the loss: the optimum is the same
  axes={"density": "density.base"},
  claims=claims,
  of_best=True,
  figure=figure_in(__name__),
)
