"""Closed forms of the loss at two stages of training, to lowest order in the density."""

SET_SIZE, N_FEATURES, N_HIDDEN = 3, 6, 3  # the paper's
STATED = 0.05  # density up to which the closed forms hold
SINGULAR = 2**0.5  # all singular values of the octahedron's W


def plateau_loss(density: float) -> float:
  """Returns the mean loss per feature of sets stored as one direction, their members' mean.

  Of the variance of three values, each 1/12 if active, two thirds are lost: 3 · ⅔ · p/12 per set,
  p/18 per feature.
  """
  return density / 18


def octahedron_loss(density: float) -> float:
  """Returns the mean loss per feature of three digons across two sets: ⅓ p² per digon."""
  return density**2 / 6
