"""Engineering monosemanticity: does the bias that neurons begin with choose their minimum?

Follow-up: Jermyn, Schiefer, Hubinger (2022), "Engineering Monosemanticity in Toy Models".
"""

from collections.abc import Mapping, Sequence
from typing import Any

from toy_superposition.experiments.engineering_monosemanticity.analysis import run
from toy_superposition.experiments.engineering_monosemanticity.claims import claims
from toy_superposition.experiments.experiment import Experiment, figure_in
from toy_superposition.experiments.requirements import refusal
from toy_superposition.types import Group

NAME = "engineering_monosemanticity"


def refuses(values: Mapping[str, Any], groups: Sequence[Group]) -> None:
  """Raises UserError unless features outnumber what the model sees, and each can be active."""
  n, m = values["model.n_features"], values["data.n_dimensions"]
  if n <= m:
    raise refusal(NAME, "data.n_dimensions", m, f"fewer dimensions than {n} features")
  if min(float(group.instances.density.min()) for group in groups) <= 0:
    raise refusal(NAME, "density.base", values["density.base"], "densities above 0")


EXPERIMENT = Experiment(
  section="Superposition in a Privileged Basis",
  requires={
    "model.name": "relu_layer",
    "model.output_bias": False,
    "model.fan_in": True,
    "data.input": "dictionary",
    "train.optimizer": "lamb",
  },
  may_vary=(
    *("model.n_features", "model.n_hidden", "model.neuron_bias", "density.base"),
    *("data.n_dimensions", "data.directions", "train.bias_decay"),
  ),
  axes={
    "neurons": "model.n_hidden",
    "bias": "model.neuron_bias",
    "embedding": "data.dictionary",
  },
  optional_axes={},
  run=run,
  claims=claims,
  figure=figure_in(__name__),
  compares_sizes=True,
  refuses=refuses,
)
