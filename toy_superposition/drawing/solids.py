"""Parts of figures that show solids: vertices and edges of a convex hull, in perspective."""

from typing import Any

import numpy as np
from jaxtyping import Float

from toy_superposition.theory import polytopes

VERTEX, EDGE = "#1f4e9c", "#7f8fa6"


def draw_solid(
  axes: Any, points: Float[np.ndarray, "3 point"], elevation: float = 20, azimuth: float = 25
) -> None:
  """Draws the vertices, the edges and the centre of a solid on three-dimensional Axes.

  Args:
    axes: three-dimensional, to draw on.
    points: the vertices.
    elevation: of the viewer, in degrees.
    azimuth: of the viewer, in degrees.
  """
  for i, j in polytopes.edges(points):
    axes.plot(*points[:, [i, j]], color=EDGE, linewidth=1.3, solid_capstyle="round")
  axes.scatter(*points, color=VERTEX, s=26, depthshade=False)
  axes.scatter(0, 0, 0, color="0.6", s=6)
  axes.set(xlim=(-0.8, 0.8), ylim=(-0.8, 0.8), zlim=(-0.8, 0.8))
  axes.set_box_aspect((1, 1, 1), zoom=1.2)
  axes.view_init(elevation, azimuth)
  axes.set_axis_off()
