"""Adversarial training: how large attacks have to be until nothing is in superposition.

Paper, section "Relationship to Adversarial Robustness": a remark without a figure, that adversarial
training lowers superposition, and that only attacks of 80% of the input's norm remove it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from toy_superposition.experiments import uniform
from toy_superposition.experiments.adversarial_training.analysis import run
from toy_superposition.experiments.adversarial_training.claims import claims
from toy_superposition.experiments.experiment import Experiment, figure_in
from toy_superposition.experiments.requirements import refusal
from toy_superposition.types import Group


def refuses(values: Mapping[str, Any], groups: Sequence[Group]) -> None:
  """Raises UserError for a sweep without a model that is trained without attacks, for too few
  features or dimensions, and for densities at which nothing is in superposition anyway."""
  name = "adversarial_training"
  attacks = sorted({group.spec.attack for group in groups})
  if attacks[0] > 0:
    needed = "attacks in comparison with none: 0 and larger numbers"
    raise refusal(name, "axis.attack", tuple(attacks), needed)
  uniform.refuse_few_features(name, values)
  uniform.refuse_densities(name, "axis.density", groups, highest=uniform.SPARSE)


EXPERIMENT = Experiment(
  section="Relationship to Adversarial Robustness",
  requires={"loss.reduction": uniform.REDUCTIONS},
  may_vary=("model.n_features", "model.n_hidden"),
  axes={"attack": "loss.attack", "density": "density.base", "restart": ""},
  optional_axes={},
  measures=("feature_norm", "superposition"),
  run=run,
  claims=claims,
  figure=figure_in(__name__),
  refuses=refuses,
)
