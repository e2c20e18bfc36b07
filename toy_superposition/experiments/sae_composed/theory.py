"""What binary features in two exclusive sets cost an L1 autoencoder, in closed form.

Any code z ≥ 0 of unit columns with ŝ = D z has Σ z ≥ ‖ŝ‖, so an input s costs at least
min over ŝ of ‖s − ŝ‖² + λ ‖ŝ‖ = λ ‖s‖ − λ²/4 for λ ≤ 2 ‖s‖: one latent in its own direction.
"""

import numpy as np

Numbers = np.ndarray | float  # broadcast against each other


def of_length(length: float, penalty: Numbers) -> Numbers:
  """Returns the cost of an input coded by one latent of its direction, for λ ≤ 2 ‖s‖."""
  return penalty * length - penalty**2 / 4


def bound(active: Numbers, penalty: Numbers) -> Numbers:
  """Returns the least mean cost, where each set is active with the probability q: every feature and
  every pair has a latent of its own."""
  pair, one = of_length(2**0.5, penalty), of_length(1.0, penalty)
  return active**2 * pair + 2 * active * (1 - active) * one


def of_features(active: Numbers, penalty: Numbers) -> Numbers:
  """Returns the mean cost if every feature has a latent of its own and no pair has."""
  return 2 * active * of_length(1.0, penalty)
