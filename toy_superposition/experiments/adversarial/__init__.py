"""Vulnerability to small changes of the input, for models that store more and more features.

Paper, section "Relationship to Adversarial Robustness".
"""

from collections.abc import Mapping, Sequence
from typing import Any

from toy_superposition.experiments import uniform
from toy_superposition.experiments.adversarial.analysis import run, working_bytes
from toy_superposition.experiments.adversarial.claims import claims
from toy_superposition.experiments.experiment import Experiment, figure_in
from toy_superposition.types import Group


def refuses(values: Mapping[str, Any], groups: Sequence[Group]) -> None:
  """Raises UserError for too few features or dimensions, and for densities without a 1/(1−S)."""
  uniform.refuse_few_features("adversarial", values)
  uniform.refuse_densities("adversarial", "axis.density", groups, highest=1.0)


EXPERIMENT = Experiment(
  section="Relationship to Adversarial Robustness",
  requires={"loss.reduction": uniform.REDUCTIONS},
  may_vary=("model.n_features", "model.n_hidden"),
  axes={"density": "density.base"},
  measures=("dimensions_per_feature",),
  run=run,
  working_bytes=working_bytes,
  claims=claims,
  of_best=True,
  figure=figure_in(__name__),
  refuses=refuses,
)
