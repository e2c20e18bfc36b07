"""Two dense features in one number, by a steep function: t = (⌊Zx⌋ + y) / Z.

Paper, appendix "Nonlinear Compression": a nonlinear code keeps more of two uniform features than
any linear one, but its functions must be steep, which is hard to compute and to learn.
"""

import numpy as np
from jaxtyping import Float

Values = Float[np.ndarray, "..."]
# The best linear code keeps one feature and loses the variance of the other.
LINEAR_ERROR = 1 / 12
N_NODES = 1000  # per feature, for the mean over both


def staircase(u: Values, n_steps: int, width: float) -> Values:
  """Returns ⌊u⌋ for 0 ≤ u < n_steps, with each step replaced by a ramp of the given width that ends
  at the integer; width 0 is the floor itself."""
  total = np.zeros(np.shape(u))
  for k in range(1, n_steps):
    total += np.clip((u - k) / width + 1, 0, 1) if width > 0 else u >= k
  return total


def encode(x: Values, y: Values, n_steps: int, width: float) -> Values:
  """Returns the code t in [0, 1]: x in `n_steps` coarse levels, and y within the level."""
  return (staircase(n_steps * x, n_steps, width) + y) / n_steps


def decode(t: Values, n_steps: int, width: float) -> tuple[Values, Values]:
  """Returns (x′, y′): x at the middle of its level, and y."""
  level = staircase(n_steps * t, n_steps, width)
  return (level + 0.5) / n_steps, n_steps * t - level


def error(n_steps: int, width: float) -> float:
  """Returns the mean squared error of x and y together, both uniform on [0, 1).

  It is 1 / (12 Z²) for width 0, which keeps y exactly. The mean is taken over a grid of midpoints.
  """
  nodes = (np.arange(N_NODES) + 0.5) / N_NODES
  x, y = np.meshgrid(nodes, nodes)
  x_decoded, y_decoded = decode(encode(x, y, n_steps, width), n_steps, width)
  return float(np.mean((x - x_decoded) ** 2 + (y - y_decoded) ** 2))
