"""Parts of figures that show sets of correlated or anticorrelated features."""

import numpy as np
from jaxtyping import Float
from matplotlib import colormaps

from toy_superposition.geometry import sets


def set_colours(n_features: int, set_size: int) -> Float[np.ndarray, "feature rgba"]:
  """Returns a colour per feature, the same for all members of a set."""
  return colormaps["tab10"](sets.set_of(n_features, set_size))
