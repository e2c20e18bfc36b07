"""Measures of known arrangements, and measures added from outside the package."""

import json
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

import toy_superposition as ts
from toy_superposition import fields
from toy_superposition.errors import UserError
from toy_superposition.geometry import definitions, features
from toy_superposition.measures import MEASURES, Measure, check, measure
from toy_superposition.models import AutoencoderParams
from toy_superposition.types import Instance

ROUND_OFF = 1e-6  # float32: sums of at most 20 terms of order one


def polygon(n: int) -> np.ndarray:
  angle = 2 * np.pi * np.arange(n) / n
  return np.stack([np.cos(angle), np.sin(angle)])


def antiprism(height: float) -> np.ndarray:
  """Returns a square antiprism on the unit sphere, its squares at ± height."""
  angle = np.pi / 4 * np.arange(8)
  z = height * (-1.0) ** np.arange(8)
  radius = np.sqrt(1 - height**2)
  return np.stack([radius * np.cos(angle), radius * np.sin(angle), z])


TETRAHEDRON = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]).T / np.sqrt(3)
OCTAHEDRON = np.concatenate([np.eye(3), -np.eye(3)], axis=1)
PENTAGONAL_BIPYRAMID = np.block([[polygon(5), np.zeros((2, 2))], [np.zeros((1, 5)), 1, -1]])
DIMENSIONALITY: dict[str, tuple[np.ndarray, Any]] = {
  "dedicated": (np.eye(3), 1),
  "digon": (np.array([[1.0, -1]]), 1 / 2),
  "triangle": (polygon(3), 2 / 3),
  "square": (polygon(4), 1 / 2),
  "pentagon": (polygon(5), 2 / 5),
  "tetrahedron": (TETRAHEDRON, 3 / 4),
  "octahedron": (OCTAHEDRON, 1 / 2),
  "tight square antiprism": (antiprism(1 / np.sqrt(3)), 3 / 8),
  # Not 3/7: each part keeps the dimensionality that it has alone.
  "pentagonal bipyramid": (PENTAGONAL_BIPYRAMID, [2 / 5] * 5 + [1 / 2] * 2),
}


def tight_frame(m: int, n: int) -> np.ndarray:
  """Returns n columns of unequal lengths with W Wᵀ = 1: the first m rows of a rotation."""
  return np.linalg.qr(np.random.default_rng(n).normal(size=(n, n)))[0][:m]


@pytest.mark.parametrize("name", DIMENSIONALITY)
def test_dimensionality_of_polytopes_whatever_their_size(name):
  W, expected = DIMENSIONALITY[name]
  dimensionality = jax.jit(features.feature_dimensionality)
  for scale in (1, 0.7):
    D = dimensionality(jnp.float32(scale * W))
    np.testing.assert_allclose(D, np.broadcast_to(expected, D.shape), rtol=0, atol=ROUND_OFF)


@pytest.mark.parametrize("W", [tight_frame(2, 7), tight_frame(5, 20), polygon(5), TETRAHEDRON])
def test_dimensionalities_of_a_tight_frame_add_up_to_the_hidden_dimensions(W):
  total = np.asarray(jax.jit(features.feature_dimensionality)(jnp.float32(W))).sum()
  assert total == pytest.approx(len(W), rel=10 * ROUND_OFF)


def test_orthonormal_rows_have_one_hidden_dimension_per_feature():
  D = features.dimensions_per_feature(jnp.float32(tight_frame(5, 20)))
  assert float(D) == pytest.approx(1, abs=ROUND_OFF)
  assert float(features.dimensions_per_feature(jnp.array([[1.0, -1]]))) == 0.5
  assert float(features.dimensions_per_feature(jnp.zeros((2, 3)))) == np.inf


def test_an_antipodal_pair_of_unit_vectors_is_in_superposition_one():
  np.testing.assert_array_equal(features.superposition(jnp.array([[1.0, -1]])), [1, 1])
  np.testing.assert_array_equal(features.superposition(jnp.eye(3)), [0, 0, 0])


def test_two_oblique_directions_by_hand():
  W = jnp.array([[2.0, 0.6], [0, 0.8]])  # ‖W_0‖ = 2, ‖W_1‖ = 1, W_0 · W_1 = 1.2
  np.testing.assert_allclose(features.feature_norm(W), [2, 1], rtol=ROUND_OFF)
  np.testing.assert_allclose(features.superposition(W), [0.36, 1.44], rtol=ROUND_OFF)
  np.testing.assert_allclose(
    features.feature_dimensionality(W), [4 / 4.36, 1 / 2.44], rtol=ROUND_OFF
  )
  assert float(features.dimensions_per_feature(W)) == pytest.approx(2 / 5, rel=ROUND_OFF)


def test_an_absent_feature_has_no_norm_no_superposition_and_no_dimension():
  W = np.concatenate([polygon(5), np.zeros((2, 1))], axis=1)
  for function, rest in (
    (features.feature_norm, 1),
    (features.superposition, 1.5),
    (features.feature_dimensionality, 2 / 5),
  ):
    values = np.asarray(jax.jit(function)(jnp.float32(W)))
    assert values[5] == 0
    np.testing.assert_allclose(values[:5], rest, rtol=10 * ROUND_OFF)


def measured(name: str, W: np.ndarray, density: float = 0.5) -> np.ndarray:
  """Returns a row of the table for one instance of equal features."""
  n = W.shape[1]
  params = AutoencoderParams(W=jnp.float32(W), b=jnp.zeros(n))
  instance = Instance(jnp.int32(0), jnp.full(n, density), jnp.ones(n), jnp.float32(0.01))
  return np.asarray(MEASURES[name].function(params, instance))


def test_vanishing_directions_give_finite_values():
  W = jnp.float32(polygon(5) * np.geomspace(1e-30, 1, 5))  # squares underflow
  for name in ("feature_norm", "superposition", "feature_dimensionality"):
    assert np.all(np.isfinite(measured(name, W)))


def test_scaling_all_directions_scales_each_measure_by_its_power():
  W = np.random.default_rng(0).normal(size=(3, 5))
  for function, power in (
    (features.feature_norm, 1),
    (features.superposition, 2),
    (features.feature_dimensionality, 0),
    (features.dimensions_per_feature, -2),
  ):
    once, scaled = (np.asarray(function(jnp.float32(s * W))) for s in (1, 3))
    np.testing.assert_allclose(scaled, 3.0**power * once, rtol=10 * ROUND_OFF)


@pytest.mark.parametrize("name", MEASURES)
def test_measures_of_renumbered_features_are_renumbered(name):
  W, order = np.random.default_rng(0).normal(size=(3, 5)), np.array([2, 0, 4, 1, 3])
  values, permuted = (measured(name, w) for w in (W, W[:, order]))
  for axis, dim in enumerate(MEASURES[name].dims):
    values = np.take(values, order, axis=axis) if dim == "feature" else values
  np.testing.assert_allclose(permuted, values, rtol=10 * ROUND_OFF)


def test_a_row_is_its_function_of_the_directions_alone():
  W = np.random.default_rng(0).normal(size=(3, 5))
  for name in MEASURES:
    expected = getattr(features, name)(jnp.float32(W))
    for density in (0.1, 1.0):
      np.testing.assert_array_equal(measured(name, W, density), expected)


def several(n_instances: int, m: int = 2, n: int = 5) -> tuple[AutoencoderParams, Instance]:
  """Returns parameters and instances with a leading axis, no two alike."""
  rng = np.random.default_rng(0)
  W = jnp.float32(rng.normal(size=(n_instances, m, n)))
  params = AutoencoderParams(W=W, b=jnp.zeros((n_instances, n)))
  density, importance = jnp.float32(rng.uniform(size=(2, n_instances, n)))
  index, rate = jnp.arange(n_instances, dtype=jnp.int32), jnp.full(n_instances, 0.01)
  return params, Instance(index, density, importance, rate)


def expected_active(params, instance):
  """Returns Σ_i p_i [‖W_i‖² > 0.3]: the mean number of represented features that are active."""
  represented = jnp.sum(params.directions**2, axis=0) > definitions.REPRESENTED
  return jnp.sum(jnp.where(represented, instance.density, 0), axis=0)


ACTIVE = Measure(expected_active, (), "Σ p_i over represented features")


def test_measuring_many_instances_is_measuring_each(monkeypatch):
  monkeypatch.setitem(MEASURES, "active", ACTIVE)
  params, instances = several(4)
  values = measure(params, instances, tuple(MEASURES))
  assert set(values) == set(MEASURES)
  for name, row in MEASURES.items():
    for i in range(4):
      alone = row.function(*jax.tree.map(lambda leaf, i=i: leaf[i], (params, instances)))
      np.testing.assert_allclose(values[name][i], alone, rtol=10 * ROUND_OFF)


def abstract(n_hidden: int, n_features: int) -> tuple[AutoencoderParams, Instance]:
  """Returns shapes of the parameters and numbers of one instance."""
  pair = jax.eval_shape(lambda: several(1, n_hidden, n_features))
  return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype), pair)


def test_rows_that_declare_their_function_s_axes_are_accepted_from_shapes_alone():
  rows = {
    **MEASURES,
    "active": ACTIVE,
    "density": Measure(lambda params, instance: instance.density, ("feature",), "p"),
    "other": Measure(lambda params, instance: jnp.zeros((7, 2)), ("any", "hidden"), "zeros"),
  }
  check(rows, *abstract(2, 5))


@pytest.mark.parametrize("dims", [("hidden",), (), ("feature", "feature"), ("feature", "any")])
def test_a_row_that_declares_other_axes_is_named(dims):
  row = Measure(lambda params, instance: instance.density, dims, "p")
  with pytest.raises(UserError, match=r"measure 'mine'.*5 features in 2 dim.*shape \(5,\)"):
    check({"mine": row}, *abstract(2, 5))


def test_axes_of_equal_size_may_not_share_a_name():
  row = Measure(lambda params, instance: jnp.eye(5), ("feature", "feature"), "identity")
  with pytest.raises(UserError, match="no name twice"):
    check({"mine": row}, *abstract(2, 5))


def stored(*dims: str) -> xr.Dataset:
  """Returns a run's dataset of 2 densities × 3 restarts with 4 history steps, its axes in the
  order `dims`."""
  rng = np.random.default_rng(1)
  sweep = ("density", "restart")
  p = np.array([0.2, 0.7], np.float32)
  shape = (2, 3, 5)
  variables = {
    "W": ((*sweep, "hidden", "feature"), rng.normal(size=(2, 3, 2, 5))),
    "b": ((*sweep, "feature"), rng.normal(size=shape)),
    "history_W": ((*sweep, "step", "hidden", "feature"), rng.normal(size=(2, 3, 4, 2, 5))),
    "history_b": ((*sweep, "step", "feature"), rng.normal(size=(2, 3, 4, 5))),
    "optimum_W": (("density", "hidden", "feature"), rng.normal(size=(2, 2, 5))),
    "optimum_b": (("density", "feature"), rng.normal(size=(2, 5))),
    "feature_density": ((*sweep, "feature"), np.broadcast_to(p[:, None, None], shape)),
    "feature_importance": ((*sweep, "feature"), np.ones(shape)),
    "peak_learning_rate": (sweep, np.full((2, 3), 0.01)),
  }
  single = {name: (dims, np.asarray(x, np.float32)) for name, (dims, x) in variables.items()}
  attributes = {"model": "relu_output", "config": json.dumps(fields.defaults())}
  dataset = xr.Dataset(single, {"density": p}, attributes)
  return dataset.transpose(*dims, ...) if dims else dataset


@pytest.mark.parametrize("dims", [(), ("feature", "restart", "hidden", "density")])
@pytest.mark.parametrize("weights", [None, "history_W", "optimum_W"])
def test_a_measure_that_needs_densities_is_one_row(monkeypatch, weights, dims):
  monkeypatch.setitem(
    ts.MEASURES, "mine", ts.Measure(expected_active, (), "active and represented")
  )
  dataset = stored(*dims)
  values = ts.measure(dataset, "mine", weights=weights)
  W = dataset[weights or "W"]
  represented = (W**2).sum("hidden") > 0.3
  expected = (represented * dataset["density"]).sum("feature")
  assert set(values.dims) == set(W.dims) - {"hidden", "feature"}
  assert len(np.unique(values)) > 1
  xr.testing.assert_allclose(values, expected.transpose(*values.dims), rtol=10 * ROUND_OFF)


def test_a_number_that_varies_along_an_axis_which_the_weights_lack_keeps_that_axis():
  dataset = stored()
  rates = dataset["peak_learning_rate"] * xr.DataArray([1.0, 2, 3], dims="restart")
  dataset["peak_learning_rate"] = rates.astype(np.float32)
  row = ts.Measure(lambda params, instance: instance.learning_rate, (), "learning rate")
  values = ts.measure(dataset, row, weights="optimum_W")
  xr.testing.assert_equal(values.drop_attrs(), dataset["peak_learning_rate"])


@pytest.mark.parametrize("name", ["b", "feature_density", "peak_learning_rate"])
def test_a_variable_that_a_measure_may_need_and_the_dataset_lacks_is_named(name):
  with pytest.raises(UserError, match=f"'{name}' is missing"):
    ts.measure(stored().drop_vars(name), "feature_norm")
