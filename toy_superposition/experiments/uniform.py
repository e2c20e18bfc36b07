"""What experiments on many equally important features of one density share.

Paper, section "Uniform Superposition".
"""

from collections.abc import Mapping, Sequence
from typing import Any

from toy_superposition.experiments.requirements import refusal
from toy_superposition.types import Group

# With fewer, one of the numbers limits how many features a model can store (the paper has 400
# features in 30 dimensions).
MIN_HIDDEN, MIN_FEATURES_PER_HIDDEN = 10, 10
SPARSE = 0.5  # density up to which a model with such features has some in superposition
IN_SUPERPOSITION = 0.1  # minimum Σ_{j≠i} (Ŵ_i · W_j)² of a feature in superposition
# Every reported number is a ratio of losses or made of weights, the same for both.
REDUCTIONS = frozenset({"sum", "mean"})


def refuse_few_features(name: str, values: Mapping[str, Any]) -> None:
  """Checks that there are enough features and dimensions for statements about their ratio.

  Args:
    name: of the experiment.
    values: every field of the config.

  Raises:
    UserError: too few dimensions, or too few features per dimension.
  """
  n, m = values["model.n_features"], values["model.n_hidden"]
  if m < MIN_HIDDEN:
    raise refusal(name, "model.n_hidden", m, f"at least {MIN_HIDDEN} hidden dimensions")
  if n < MIN_FEATURES_PER_HIDDEN * m:
    needed = f"at least {MIN_FEATURES_PER_HIDDEN * m} features in {m} hidden dimensions"
    raise refusal(name, "model.n_features", n, needed)


def refuse_densities(name: str, field: str, groups: Sequence[Group], highest: float) -> None:
  """Checks that all densities are positive and not above the highest.

  Args:
    name: of the experiment.
    field: that sets the densities.
    groups: of the sweep.
    highest: density up to which the claims are meant, included.

  Raises:
    UserError: names the first density outside (0, highest].
  """
  for group in groups:
    densities = group.instances.density.reshape(-1)
    outside = densities[(densities <= 0) | (densities > highest * (1 + 1e-6))]
    if len(outside):
      density = float(f"{outside[0]:.6g}")  # without float32's further digits
      raise refusal(name, field, density, f"densities in (0, {highest:g}]")
