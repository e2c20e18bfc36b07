"""Uniform superposition: lines, components and verdicts on frames that are known."""

import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from configs import uniform_geometry
from toy_superposition.config import resolve as config
from toy_superposition.devices import meshes, setup
from toy_superposition.drawing import graphs
from toy_superposition.errors import UserError
from toy_superposition.experiments.experiment import CONFIRMED, CONTRADICTED, UNDECIDED
from toy_superposition.experiments.uniform_geometry import claims as analysis
from toy_superposition.geometry import features
from toy_superposition.geometry.components import IDEALS

N, M = 400, 30
X = np.geomspace(1, 10, 50)
CURVE = {1.0: 1.0} | analysis.CURVE | dict.fromkeys(analysis.PLATEAU, 0.5)


def sum_of(kinds: dict[str, int]) -> np.ndarray:
  """Returns so many polytopes of each kind in orthogonal subspaces."""
  W, row, column = np.zeros((M, N)), 0, 0
  for name, count in kinds.items():
    for _ in range(count):
      rank, n = IDEALS[name].shape
      W[row : row + rank, column : column + n] = IDEALS[name]
      row, column = row + rank, column + n
  assert row == M
  return W


def models(plateau: str = "digon") -> list[np.ndarray]:
  """Returns a model per density: dedicated features, pairs, then pairs and pentagons."""
  dense, middle = sum_of({"dedicated": M}), sum_of({plateau: M // IDEALS[plateau].shape[0]})
  sparse = sum_of({"digon": 10, "pentagon": 10})
  return [dense if x < 1.9 else middle if x < 3.8 else sparse for x in X]


def dataset_of(W: list[np.ndarray], n_restarts: int = 2) -> xr.Dataset:
  """Returns the analysed dataset, D* set to the published curve."""
  stacked = np.repeat(np.array(W)[:, None], n_restarts, axis=1)
  dims = ("density", "restart")
  each = [features.feature_dimensionality(jnp.asarray(one)) for one in W]
  D = np.repeat(np.array(each)[:, None], n_restarts, axis=1)
  wanted = sorted(CURVE.items())
  line = np.interp(np.log(X), np.log([x for x, _ in wanted]), [y for _, y in wanted])
  dataset = xr.Dataset(
    {
      "W": ((*dims, "hidden", "feature"), stacked),
      "feature_norm": ((*dims, "feature"), np.linalg.norm(stacked, axis=2)),
      "feature_dimensionality": ((*dims, "feature"), D),
      "dimensions_per_feature": (dims, np.repeat(line[:, None], n_restarts, axis=1)),
    },
    {"density": 1 / X, "restart": np.arange(n_restarts)},
  )
  mesh = meshes.make_mesh(setup.devices(1))
  return analysis.run(dataset, mesh, 2**30)


@pytest.fixture(scope="module")
def published():
  return dataset_of(models())


def row(dataset, text):
  (found,) = [row for row in analysis.claims(dataset) if text in row.statement]
  return found


def test_polytopes_on_the_published_curve_confirm_every_statement(published):
  rows = analysis.claims(published)
  assert {row.verdict for row in rows} == {CONFIRMED, "reported"}
  assert "2/5: 2 of 2" in row(published, "another fraction").measured


def test_components_are_counted_by_kind_and_absent_features_have_none(published):
  cell = published.isel(density=-1, restart=0)
  assert int(cell["kind_count"].sel(kind="pentagon")) == 10
  assert int(cell["kind_count"].sum()) == 20
  kinds = cell["component_kind"].values
  assert (kinds == analysis.KINDS.index("pentagon")).sum() == 50
  assert (kinds == analysis.ABSENT).sum() == N - 70
  assert cell["component"].values.max() == 19


def test_triangles_where_pairs_should_be_are_contradicted():
  dataset = dataset_of(models("triangle"), n_restarts=1)
  assert row(dataset, "within .03 of 1/2").verdict == CONTRADICTED
  assert row(dataset, "features in pairs").verdict == CONTRADICTED


def test_a_curve_off_the_published_one_or_rising_is_contradicted(published):
  line = published["dimensions_per_feature"]
  lower = published.assign(dimensions_per_feature=line - 0.1)
  for text in ("dense:", "plateau of pairs", "where the plateau begins", "after the plateau"):
    assert row(lower, text).verdict == CONTRADICTED
  rising = published.assign(dimensions_per_feature=line.copy(data=line.values[::-1]))
  assert row(rising, "never take more").verdict == CONTRADICTED


def test_few_dimensions_or_coarse_densities_decide_nothing(published):
  coarse = published.isel(density=[0, -1])
  assert row(coarse, "plateau of pairs").verdict == UNDECIDED
  small = published.isel(hidden=slice(0, 10))
  assert CONTRADICTED not in {row.verdict for row in analysis.claims(small)}


def test_a_line_needs_features_and_contrast():
  at, beside = np.full(10, 0.4), np.full(6, 0.4125)
  assert analysis.is_line(at, 0.4)
  assert not analysis.is_line(at[:9], 0.4)
  assert not analysis.is_line(np.concatenate([at, beside]), 0.4)
  assert not analysis.is_line(np.linspace(0, 1, 2000), 0.4)  # a continuum has no lines


def test_a_model_without_features_to_spare_is_refused():
  changed = uniform_geometry.get_config("quick")
  changed.model.n_features = 20
  with pytest.raises(UserError, match="many more features"):
    config.resolve(changed)


def test_a_graph_has_an_edge_per_inner_product_and_components_lie_apart():
  W = np.concatenate(
    [np.pad(IDEALS["digon"], ((0, 2), (0, 0))), np.pad(IDEALS["pentagon"], ((1, 0), (0, 0)))],
    axis=1,
  )
  component = np.array([1, 1, 0, 0, 0, 0, 0])
  axes = graphs.draw_graph(Figure().subplots(), W, component, np.tile([0, 0, 0, 1.0], (7, 1)))
  (edges,) = [c for c in axes.collections if isinstance(c, LineCollection)]
  assert len(edges.get_segments()) == 1 + 10
  places = graphs.layout(component)
  apart = np.linalg.norm(places[:, None] - places[None], axis=-1)
  assert apart[np.triu_indices(7, 1)].min() > 0.5
  assert apart[:2, 2:].min() > 0.8
