"""How many features a density lets compressed sensing recover from one dimension.

Paper, appendix "Connection to Compressed Sensing".
"""

import numpy as np
from jaxtyping import Float

Values = Float[np.ndarray, "..."]
# A product F · (−p ln p) is of order 1: within a factor of two of it.
ORDER_ONE = (0.5, 2.0)


def sensing_bound(density: Values) -> Values:
  """Returns 1 / (−p ln p), the largest order of features per dimension; infinite at p = 0 and 1."""
  p = np.asarray(density, float)
  with np.errstate(divide="ignore", invalid="ignore"):
    return np.where((p > 0) & (p < 1), -1 / (p * np.log(p)), np.inf)
