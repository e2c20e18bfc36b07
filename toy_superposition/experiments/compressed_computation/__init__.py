"""Compressed computation: fewer neurons than ReLUs that are asked for, with losses L2 and L4.

Follow-ups: Braun et al. (2025); arXiv 2606.14673 and 2607.04800 (2026).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from toy_superposition.experiments.compressed_computation.analysis import run
from toy_superposition.experiments.compressed_computation.claims import claims
from toy_superposition.experiments.experiment import Experiment, figure_in
from toy_superposition.experiments.requirements import refusal
from toy_superposition.types import Group


def refuses(values: Mapping[str, Any], groups: Sequence[Group]) -> None:
  """Raises UserError for as many neurons as features, and for features that are never active."""
  n, d = values["model.n_features"], values["model.n_hidden"]
  if n <= d:
    raise refusal("compressed_computation", "model.n_hidden", d, f"fewer neurons than {n} features")
  if min(float(group.instances.density.min()) for group in groups) <= 0:
    raise refusal(
      "compressed_computation", "density.base", values["density.base"], "densities above 0"
    )


EXPERIMENT = Experiment(
  section="Computation in Superposition",
  requires={
    "model.name": "relu_mlp",
    "model.output_bias": False,
    "data.distribution": "sparse_signed_uniform",
    "data.target": "mixed_relu",
    "loss.name": "power",
  },
  may_vary=(
    *("model.n_features", "model.n_hidden", "density.base"),
    *("data.n_residual", "data.embedding"),
  ),
  axes={"mixing": "data.mixing", "q": "loss.q", "restart": ""},
  optional_axes={},
  run=run,
  claims=claims,
  figure=figure_in(__name__),
  refuses=refuses,
)
