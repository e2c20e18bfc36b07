"""The defaults of every config, under the path of a config, for --config=configs/base.py.

The code is toy_superposition/config/base.py. Configs import it as

  from toy_superposition.config import base

because a folder named configs may be anybody's.
"""

from toy_superposition.config.base import (
  choose,
  get_config,
  linear,
  log,
  points,
  restarts,
  set_axes,
  shipped,
)

__all__ = ["choose", "get_config", "linear", "log", "points", "restarts", "set_axes", "shipped"]
