"""Is it the encoder or the dictionary that fails? Codes of both, over the number of examples.

Follow-up of work of 2026 on sparse autoencoders out of distribution, trained on 5 000 examples.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from toy_superposition.experiments.experiment import Experiment, figure_in
from toy_superposition.experiments.requirements import refusal
from toy_superposition.experiments.sae_dictionary.analysis import run, working_bytes
from toy_superposition.experiments.sae_dictionary.claims import claims
from toy_superposition.types import Group


def refuses(values: Mapping[str, Any], groups: Sequence[Group]) -> None:
  """Raises UserError unless as many latents may be on as features are."""
  del groups
  if values["model.k"] != (k := values["data.k_active"]):
    raise refusal("sae_dictionary", "model.k", values["model.k"], f"{k}, config.data.k_active")


EXPERIMENT = Experiment(
  section="Superposition, Sparsity and Mechanistic Interpretability",
  requires={
    "model.name": "topk_sae",
    "data.input": "dictionary",
    "data.target": "input",
    "data.distribution": "exactly_k",
    "data.examples": "fixed",
  },
  may_vary=(
    *("model.n_features", "model.n_hidden", "model.k", "data.n_dimensions", "data.directions"),
    *("data.k_active", "density.base"),
  ),
  axes={"examples": "data.n_examples", "seed": "data.dictionary"},
  optional_axes={},
  run=run,
  working_bytes=working_bytes,
  claims=claims,
  figure=figure_in(__name__),
  refuses=refuses,
)
