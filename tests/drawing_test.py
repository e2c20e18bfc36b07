"""Pictures that experiments share: colours, positions, order, and files."""

import io
import re
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure

from toy_superposition.drawing import neurons, phase_map, sets, style


def test_colours_are_the_paper_s_at_the_corners_and_mix_linearly():
  norm = np.array([0.0, 0.0, 1.0, 1.0, 3.0, 0.5])
  superposition = np.array([0.0, 1.0, 0.0, 1.0, 7.0, 0.5])
  rgb = 255 * phase_map.colour(norm, superposition)
  np.testing.assert_allclose(rgb[0], (229, 229, 229))
  np.testing.assert_allclose(rgb[1], (229, 229, 229))
  np.testing.assert_allclose(rgb[2], (0, 0, 255))
  np.testing.assert_allclose(rgb[3], (238, 51, 35))
  np.testing.assert_allclose(rgb[4], rgb[3])  # clipped at 1
  middle = (np.array([0, 0, 255]) + np.array([238, 51, 35])) / 4 + 229 / 2
  np.testing.assert_allclose(rgb[5], middle)


def test_a_value_that_is_not_finite_is_white():
  rgb = phase_map.colour(np.array([np.nan, 1.0]), np.array([0.0, np.inf]))
  np.testing.assert_array_equal(rgb, 1)


def test_the_three_phases_differ_in_grey():
  # Luminance as a black and white print shows it (Rec. 601).
  grey = phase_map.phase_colour(np.arange(3)) @ np.array([0.299, 0.587, 0.114])
  assert np.min(np.abs(np.subtract.outer(grey, grey))[~np.eye(3, dtype=bool)]) > 0.15


def test_cells_are_centred_on_their_points_in_the_logarithm():
  points = np.geomspace(1, 0.01, 5)
  edges = phase_map.edges(points)
  assert len(edges) == 6
  np.testing.assert_allclose(np.sqrt(edges[1:] * edges[:-1]), points)
  low, high = phase_map.edges(np.array([0.3]))
  assert low < 0.3 < high


def test_each_cell_of_the_map_is_at_its_coordinates():
  import xarray as xr

  r, p = np.geomspace(0.1, 10, 4), np.geomspace(1, 0.01, 3)
  dataset = xr.Dataset(coords={"relative_importance": r, "density": p})
  rgb = np.zeros((4, 3, 3))
  rgb[3, 0] = 1  # r = 10, p = 1
  axes = phase_map.draw_map(Figure().subplots(), dataset, rgb)
  (mesh,) = axes.collections
  assert isinstance(mesh, QuadMesh)
  x, y = np.moveaxis(np.asarray(mesh.get_coordinates()), -1, 0)
  colours = np.asarray(mesh.get_array())
  row, column = np.argwhere(colours[..., 0] == 1)[0]
  assert x[row, column] < 10 < x[row, column + 1]
  assert min(y[row, column], y[row + 1, column]) < 1 < max(y[row, column], y[row + 1, column])
  bottom, top = axes.get_ylim()
  assert bottom < top  # dense at the top, as in the paper


def test_members_of_a_set_share_a_colour_and_sets_differ():
  colours = sets.set_colours(6, 2)
  assert colours.shape == (6, 4)
  np.testing.assert_array_equal(colours[0::2], colours[1::2])
  assert len(np.unique(colours, axis=0)) == 3


def test_neurons_in_order_are_the_monosemantic_ones_by_feature_and_then_the_others():
  pure = np.eye(3, 4)[[2, 0]]  # of features 2 and 0
  mixed = np.array([[0.0, 0.6, 0.5, 0], [0.7, 0, 0, -0.6]])  # mainly of features 1 and 0
  W = np.stack([mixed[0], pure[0], mixed[1], pure[1]])
  np.testing.assert_array_equal(neurons.in_order(W), [pure[1], pure[0], mixed[1], mixed[0]])


@pytest.mark.parametrize("suffix", [*style.FORMATS, "svg"])
def test_equal_figures_are_equal_bytes(suffix):
  def saved():
    figure = Figure(figsize=(2, 2))
    figure.subplots().plot([0, 1], [1, 0])
    return style.content(figure, suffix)

  assert saved() == saved()


def lines(figure: Figure) -> Figure:
  figure.subplots().plot([0, 1], [1, 0])
  figure.axes[0].set_title("a title of words")
  return figure


def saved(figure: Figure, suffix: str, **settings) -> bytes:
  buffer = io.BytesIO()
  figure.savefig(buffer, format=suffix, **settings)
  return buffer.getvalue()


def test_text_of_vector_files_is_text_whoever_saves_them():
  with style.style():
    figure = lines(style.figure(4, 3))
  for file in (saved(figure, "svg"), style.content(lines(Figure()), "svg")):
    assert b">a title of words</text>" in file
  for file in (saved(figure, "pdf"), style.content(lines(Figure()), "pdf")):
    assert (b"/Type3" not in file and b"/Type42" in file) or b"/CIDFontType2" in file
  picture = style.given(None).figure
  assert isinstance(picture, style.StyledFigure)
  pyplot.close(picture)


def test_what_the_user_has_set_is_respected_and_restored():
  before = dict(mpl.rcParams)
  user: dict[Any, Any] = {
    "font.size": 14,
    "font.family": ["serif"],
    "figure.figsize": (3.25, 2),
    "savefig.dpi": 50,
  }
  user |= {"axes.spines.top": True}  # matplotlib's default, which is the package's style's to set
  with mpl.rc_context(user), style.style():
    figure = lines(style.figure(9, 9))
    title = figure.axes[0].title
    assert tuple(figure.get_size_inches()) == (3.25, 2)
    assert title.get_fontsize() == 14 and title.get_fontfamily() == ["serif"]
    png = saved(figure, "png")
    assert [int.from_bytes(png[k : k + 4]) for k in (16, 20)] == [162, 100]
  assert dict(mpl.rcParams) == before
  with style.style():
    figure = style.figure(5, 4)
  assert tuple(figure.get_size_inches()) == (5, 4)
  png = saved(figure, "png")
  assert int.from_bytes(png[16:20]) == 1000  # 200 to the inch


def test_no_size_of_text_is_absolute():
  package = Path(style.__file__).parent.parent
  absolute = re.compile(r"font_?size[\"']?\s*[=:]\s*[0-9]")
  found = [p.name for p in package.rglob("*.py") if absolute.search(p.read_text())]
  assert found == []


def test_a_picture_of_few_colours_has_a_palette_and_others_keep_theirs():
  few = style.content(lines(Figure()), "png")
  assert few[25] == 3  # PNG's colour type: a palette
  many = Figure()
  many.subplots().imshow(np.random.default_rng(0).uniform(size=(200, 200, 3)))
  assert style.content(many, "png")[25] != 3


def test_saving_says_nothing_about_fonts(caplog):
  with caplog.at_level("DEBUG", logger="fontTools"):
    style.content(lines(Figure()), "pdf")
  assert caplog.records == []
