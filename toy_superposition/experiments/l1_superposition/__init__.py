"""An L1 penalty on hidden activations: fewer features are represented, and the loss is higher.

Paper, section "Discussion", on getting rid of superposition: a remark without a figure.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from toy_superposition.experiments import uniform
from toy_superposition.experiments.experiment import Experiment, figure_in
from toy_superposition.experiments.l1_superposition.analysis import run
from toy_superposition.experiments.l1_superposition.claims import claims
from toy_superposition.experiments.requirements import refusal
from toy_superposition.types import Group

LARGE = 1.0  # a penalty beyond which no feature is worth representing


def refuses(values: Mapping[str, Any], groups: Sequence[Group]) -> None:
  """Raises UserError for penalties without 0 or without a large one, and for models that have no
  superposition anyway."""
  name = "l1_superposition"
  (group,) = groups  # one program for all penalties
  penalties = np.unique(group.instances.numbers.get("loss.hidden_l1", 0.0)).tolist()
  if penalties[0] > 0 or penalties[-1] < LARGE:
    needed = f"penalties from 0, no penalty, to at least {LARGE:g}"
    raise refusal(name, "axis.penalty", tuple(penalties), needed)
  n, m = values["model.n_features"], values["model.n_hidden"]
  if n <= m:
    raise refusal(name, "model.n_features", n, f"more features than the {m} hidden dimensions")
  uniform.refuse_densities(name, "density.base", groups, highest=uniform.SPARSE)


EXPERIMENT = Experiment(
  section="Discussion",
  may_vary=("model.n_features", "model.n_hidden", "density.base"),
  axes={"penalty": "loss.hidden_l1", "restart": ""},
  optional_axes={},
  measures=("superposition",),
  run=run,
  claims=claims,
  of_best=True,
  figure=figure_in(__name__),
  refuses=refuses,
)
