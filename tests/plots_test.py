"""Basic pictures: drawn on given Axes, with the dataset's numbers."""

import functools

import numpy as np
import pytest
import xarray as xr
from matplotlib import pyplot
from matplotlib.collections import LineCollection, PathCollection, QuadMesh
from matplotlib.colors import to_rgba_array
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from toy_superposition import measures
from toy_superposition.drawing import graphs, plots
from toy_superposition.errors import UserError
from toy_superposition.geometry.components import polygon
from toy_superposition.geometry.orientation import oriented
from toy_superposition.models import AutoencoderParams
from toy_superposition.types import Instance

DENSITIES = np.array([0.1, 1.0, 0.3])


def dataset(W: np.ndarray, *dims: str, **coords) -> xr.Dataset:
  """Returns a run's dataset of weights with the sweep's axes `dims` before their own."""
  W = np.asarray(W, np.float32)
  rows = W.reshape(-1, *W.shape[-2:])
  b = np.linspace(-1, 1, W.shape[-1], dtype=np.float32) * np.ones_like(W[..., 0, :])
  ones = np.ones((len(rows), W.shape[-1]), np.float32)
  instances = Instance(np.arange(len(rows), dtype=np.int32), ones, ones, ones[:, 0])
  params = AutoencoderParams(W=rows, b=b.reshape(len(rows), -1))
  values = measures.measure(params, instances, tuple(measures.MEASURES))
  shaped = {
    name: ((*dims, *measures.MEASURES[name].dims), np.reshape(x, (*W.shape[:-2], *x.shape[1:])))
    for name, x in values.items()
  }
  own = {"W": ((*dims, "hidden", "feature"), W), "b": ((*dims, "feature"), b)}
  own["feature_importance"] = ((*dims, "feature"), np.ones_like(b))
  return xr.Dataset(own | shaped, coords)


def random(*shape: int) -> np.ndarray:
  return np.random.default_rng(0).normal(size=shape)


@functools.cache
def model() -> xr.Dataset:
  return dataset(random(2, 5))


@functools.cache
def sweep() -> xr.Dataset:
  return dataset(random(3, 2, 4, 6), "density", "restart", density=DENSITIES)


@pytest.mark.parametrize(
  ("draw", "data"),
  [
    (plots.arrows, model),
    (plots.gram, model),
    (plots.norms, model),
    (plots.graph, model),
    (plots.dimensionality, sweep),
    (plots.dimensions_per_feature, sweep),
  ],
)
def test_a_picture_returns_the_axes_that_it_is_given_or_those_of_a_new_figure(draw, data):
  axes = Figure().subplots()
  assert draw(data(), axes) is axes
  assert axes.has_data()
  before = set(pyplot.get_fignums())
  fresh = draw(data())
  assert {fresh.figure.number} == set(pyplot.get_fignums()) - before
  pyplot.close(fresh.figure)


@pytest.mark.parametrize("draw", [plots.arrows, plots.gram, plots.norms, plots.graph])
def test_more_than_one_model_is_refused_with_its_axes(draw):
  with pytest.raises(UserError, match=r"density \(3\), restart \(2\).*best"):
    draw(sweep(), Figure().subplots())


def test_arrows_end_at_the_directions_in_standard_position_in_any_order_of_axes():
  W = model()["W"].values
  for data in (model(), model().transpose("feature", "hidden")):
    lines = plots.arrows(data, Figure().subplots()).get_lines()
    ends = [np.asarray(line.get_xydata())[0] for line in lines if line.get_marker() == "o"]
    np.testing.assert_allclose(ends, oriented(W).T, atol=1e-6)


def test_arrows_are_of_two_dimensions():
  with pytest.raises(UserError, match=r"two hidden dimensions.*has 4"):
    plots.arrows(sweep().isel(density=0, restart=0), Figure().subplots())


def test_gram_is_the_product_with_the_bias_in_a_separate_column():
  W, b = model()["W"].values, model()["b"].values
  image = plots.gram(model(), Figure().subplots()).images[0].get_array()
  shown: np.ndarray = np.ma.filled(np.ma.asarray(image), np.nan)
  np.testing.assert_allclose(shown[:, :5], W.T @ W, rtol=1e-6)
  assert np.isnan(shown[:, 5]).all()
  np.testing.assert_array_equal(shown[:, 6], b)
  alone = plots.gram(model(), Figure().subplots(), bias=False).images[0].get_array()
  assert alone is not None and alone.shape == (5, 5)


def test_bars_are_as_long_as_norms_up_to_one():
  axes = plots.norms(model(), Figure().subplots())
  bars = [bar for bar in axes.patches if isinstance(bar, Rectangle)]
  np.testing.assert_allclose(
    [bar.get_width() for bar in bars], np.minimum(model()["feature_norm"], 1), rtol=1e-6
  )


def test_a_missing_measure_is_named():
  for draw, name in ((plots.norms, "feature_norm"), (plots.norms, "superposition")):
    with pytest.raises(UserError, match=rf"no '{name}'.*config\.measures"):
      draw(model().drop_vars(name), Figure().subplots())
  with pytest.raises(UserError, match="no 'feature_dimensionality'"):
    plots.dimensionality(sweep().drop_vars("feature_dimensionality"), Figure().subplots())


def test_a_graph_joins_the_members_of_a_component_and_has_their_kinds_colours():
  # A pentagon in two dimensions, a digon in a third, and features that are not represented.
  W = np.zeros((3, 9))
  W[:2, [0, 2, 4, 6, 8]], W[2, [1, 5]] = polygon(5), (1, -1)
  axes = plots.graph(dataset(W), Figure().subplots())
  (edges,) = (c for c in axes.collections if isinstance(c, LineCollection))
  assert len(edges.get_segments()) == 10 + 1
  (nodes,) = (c for c in axes.collections if isinstance(c, PathCollection))
  colours = np.asarray(nodes.get_facecolor())
  kinds = ["pentagon", "digon", "pentagon", "pentagon", "digon", "pentagon", "pentagon"]
  np.testing.assert_allclose(colours, to_rgba_array([graphs.COLOURS[kind] for kind in kinds]))
  legend = axes.get_legend()
  assert legend is not None
  assert [text.get_text() for text in legend.get_texts()] == ["digon", "pentagon"]
  assert plots.graph(dataset(W), Figure().subplots(), legend=False).get_legend() is None


@pytest.mark.parametrize("weight", [0, np.nan])
def test_a_graph_without_features_has_a_note_instead(weight):
  silent = model().assign(W=xr.full_like(model()["W"], weight))
  (text,) = plots.graph(silent, Figure().subplots()).texts
  assert "no norm" in text.get_text()


def test_dimensionalities_are_at_their_heights_near_their_densities():
  axes = plots.dimensionality(sweep(), Figure().subplots())
  (points,) = axes.collections
  x, y = np.asarray(points.get_offsets()).T
  expected = sweep().sortby("density", ascending=False)["feature_dimensionality"]
  np.testing.assert_allclose(y, expected.values.ravel(), rtol=1e-6)
  nearest = np.abs(np.log(x[:, None] * DENSITIES)).argmin(axis=1)
  np.testing.assert_array_equal(DENSITIES[nearest], np.repeat([1.0, 0.3, 0.1], 12))


def test_the_line_is_the_mean_over_restarts():
  line = plots.dimensions_per_feature(sweep(), Figure().subplots()).get_lines()[0]
  mean = sweep()["dimensions_per_feature"].mean("restart").sortby("density", ascending=False)
  expected = np.stack([1 / mean["density"].values, mean.values], axis=1)
  np.testing.assert_allclose(np.asarray(line.get_xydata()), expected)


def test_a_measure_drawn_against_density_has_that_axis_and_no_others():
  for data in (model(), sweep().rename(restart="rate")):
    with pytest.raises(UserError, match="drawn against density alone"):
      plots.dimensionality(data, Figure().subplots())


def test_a_phase_map_is_the_same_for_any_order_of_axes_and_refuses_others():
  r, p = np.geomspace(0.1, 10, 4), np.geomspace(1, 0.01, 3)
  coords = {"relative_importance": r, "density": p}
  norm = xr.DataArray(np.zeros((4, 3)), coords)
  norm[3, 0] = 1  # r = 10, p = 1: blue
  shared = xr.zeros_like(norm)
  for arrays in ((norm, shared), (norm.T, shared), (norm.T, shared.T)):
    (mesh,) = plots.phase_map(*arrays, Figure().subplots()).collections
    assert isinstance(mesh, QuadMesh)
    rgb = np.asarray(mesh.get_array())
    assert np.argwhere(np.all(rgb == (0, 0, 1), axis=-1)).tolist() == [[0, 3]]  # (density, r)
  with pytest.raises(UserError, match=r"relative_importance.*seed"):
    plots.phase_map(norm, shared.rename(density="seed"), Figure().subplots())
