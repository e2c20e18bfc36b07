"""Weights that come without a config: a researcher's own arrays, as a run's dataset."""

import jax
import numpy as np
import pytest
import xarray as xr
from matplotlib import pyplot

import toy_superposition as ts
from toy_superposition.config import base

N, M, P = 6, 2, (0.5, 0.1)
RNG = np.random.default_rng(0)
W = RNG.normal(size=(2, N, M)).astype(np.float32)  # of the notebook: [instance, feature, hidden]
B = RNG.normal(size=(2, N)).astype(np.float32)
I = (0.9 ** np.arange(N))[None]  # noqa: E741  # the notebook's (1, feature)
DENSITY = np.array(P)[:, None]  # the notebook's (instance, 1)
OURS = np.swapaxes(W, 1, 2)


@pytest.fixture(scope="module", autouse=True)
def with_the_tests_devices():
  """Runs every test on the tests' devices, without the user's cache."""
  assert len(jax.devices()) == 8
  with pytest.MonkeyPatch.context() as patch:
    patch.setenv("JAX_COMPILATION_CACHE_DIR", "unused")
    yield


@pytest.fixture(scope="module")
def dataset() -> xr.Dataset:
  return ts.weights(W, B, density=DENSITY, importance=I)


def test_the_notebook_s_arrays_are_scored_as_with_a_config_of_the_same_models(dataset):
  config = base.get_config()
  config.model.n_features, config.model.n_hidden = N, M
  config.importance.profile, config.importance.ratio = "geometric", 0.9
  base.set_axes(config, density=base.points("density.base", P))
  expected = ts.weights(config, {"W": W, "b_final": B})
  np.testing.assert_array_equal(expected["density"], dataset["density"])
  for name in expected.data_vars:
    np.testing.assert_allclose(dataset[name], expected[name], rtol=1e-6, err_msg=str(name))


def of_torch(array):
  torch = pytest.importorskip("torch")
  return torch.nn.Parameter(torch.tensor(array))  # with gradients, as a module's state has


def of_xarray(array):
  dims = ("density", "feature", "hidden")[: np.ndim(array)]
  return xr.DataArray(array, dims=dims, coords={"density": list(P)})


@pytest.mark.parametrize("kind", [jax.numpy.asarray, np.ndarray.tolist, of_torch, of_xarray])
def test_arrays_of_other_libraries_are_the_same_weights(dataset, kind):
  found = ts.weights(kind(W), kind(B), density=DENSITY, importance=I)
  xr.testing.assert_identical(found, dataset)


def test_a_state_of_a_module_and_variables_of_a_dataset_are_weights(dataset):
  state = {"W": W, "b_final": B}
  xr.testing.assert_identical(ts.weights(state, density=DENSITY, importance=I), dataset)
  again = ts.weights(
    *(dataset["W"], dataset["b"]),
    density=dataset["feature_density"],
    importance=dataset["feature_importance"],
  )
  xr.testing.assert_equal(again, dataset)


def test_the_layout_follows_from_the_biases_or_else_from_fewer_hidden_dimensions():
  for given in (OURS[0], W[0]):
    assert dict(ts.weights(given, density=0.1)["W"].sizes) == {"hidden": M, "feature": N}
  wide = ts.weights(W[0], np.zeros(M), density=0.1)  # 2 features in 6 dimensions
  np.testing.assert_array_equal(wide["W"], W[0])
  asked = ts.weights(W[0], density=[0.1, 0.2], layout="hidden, feature")
  np.testing.assert_array_equal(asked["W"], W[0])


def test_one_number_each_of_features_or_of_models_is_told_by_its_shape():
  by_feature = ts.weights(OURS, density=np.linspace(0.1, 0.6, N))
  assert by_feature["loss"].dims == ("restart",)
  np.testing.assert_allclose(by_feature["feature_density"][1], np.linspace(0.1, 0.6, N), rtol=1e-6)
  by_model = ts.weights(OURS, density=P)
  np.testing.assert_array_equal(by_model["density"], P)
  repeated = ts.weights(OURS, density=P[:1] * 2, importance=[1, 3], axes=("seed",))
  np.testing.assert_array_equal(repeated["feature_importance"], [[1] * N, [3] * N])
  both = ts.weights(OURS, density=P, importance=[1, 3])
  assert both["loss"].dims == ("model",)
  np.testing.assert_allclose(both["model_density_base"], P)


def test_axes_have_the_names_and_points_that_an_array_has():
  named = xr.DataArray(OURS[None], dims=("seed", "rule", "hidden", "feature"))
  found = ts.weights(named.assign_coords(rule=["a", "b"]), density=0.1)
  assert found["loss"].dims == ("seed", "rule")
  assert found["rule"].values.tolist() == ["a", "b"]


A = np.zeros((2, 2, 3, 6))
WRONG: dict[str, tuple[tuple, dict, str]] = {
  "density": ((OURS,), {}, "density is missing"),
  "density_of_nobody": ((OURS,), {"density": [0.1] * 4}, r"density has the shape \(4,\)"),
  "density_of_whom": ((np.zeros((6, 2, 6)),), {"density": [0.1] * 6}, r"\(1, 6\) or \(6, 1\)"),
  "density_of_the_shorter_axis": ((W[0],), {"density": [0.1] * 2}, "layout="),
  "density_above_1": ((OURS,), {"density": 2}, "density.base: 2.0 is not allowed"),
  "negative_density": ((OURS,), {"density": -1}, "density: -1 is not allowed"),
  "importance_of_text": ((OURS,), {"density": 0.1, "importance": "x"}, "'importance' is not one"),
  "proportions": ((OURS,), {"density": RNG.uniform(size=(2, N))}, "proportions"),
  "two_axes": ((A,), {"density": RNG.uniform(size=(2, 2, 1))}, "density differs along 2"),
  "square": ((np.eye(3),), {"density": 0.1}, "layout="),
  "layout": ((OURS,), {"density": 0.1, "layout": "hf"}, "layout: 'hf' is not allowed"),
  "names": ((A,), {"density": 0.1}, r"lengths \(2, 2\).*name them"),
  "too_few_names": ((A,), {"density": 0.1, "axes": ("a",)}, r"axes: \('a',\) is not allowed"),
  "a_taken_name": ((OURS,), {"density": 0.1, "axes": ("loss",)}, "'loss'"),
  "biases": ((OURS, np.zeros(5)), {"density": 0.1}, r"'b' has the shape \(5,\)"),
  "no_weights": ((None,), {"density": 0.1}, "None is not allowed"),
  "no_models": ((OURS[:0],), {"density": 0.1}, r"shape \(0, 2, 6\)"),
  "no_encoder": (({"b": B},), {"density": 0.1}, "'W' is missing.*'b'"),
  "model": ((OURS,), {"density": 0.1, "model": "relu"}, "did you mean 'relu_output'"),
  "a_sparse_one": ((OURS,), {"density": 0.1, "model": "l1_sae"}, "needs the config"),
  "twice": (("introduction", W), {"density": 0.1}, "density: not allowed with a config"),
  "axis": ((OURS,), {"density": xr.DataArray([0.1, 0.2], dims="x")}, "density has the axis 'x'"),
  "no_hidden": ((xr.DataArray(W[0], dims=("feature", "x")),), {"density": 0.1}, "hidden"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_missing_or_wrong_is_one_line_with_its_name(name):
  given, keywords, words = WRONG[name]
  with pytest.raises(ts.UserError, match=words) as error:
    ts.weights(*given, **keywords)
  assert "\n" not in str(error.value)


# Public functions of a dataset, by name. What they do on it is the subject of other tests.
FUNCTIONS = {
  "best": ts.best,
  "claims": ts.claims,
  "draw": ts.draw,
  "export": lambda data: ts.export(data, "weights.npz"),
  "measure": lambda data: [ts.measure(data, name) for name in ts.MEASURES],
  "rebuild": ts.rebuild,
  "sample": lambda data: ts.sample(data, 3),
  "write_report": lambda data: ts.write_report(data, "page.html"),
  **{
    name: getattr(ts.plots, name) for name in ts.plots.__all__ if name not in ("phase_map", "style")
  },
}


def shapes(dataset: xr.Dataset) -> dict[str, xr.Dataset]:
  return {"all": dataset, "one": dataset.isel(density=0)}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_works_on_weights_from_elsewhere_or_names_what_is_missing(
  name, dataset, tmp_path, monkeypatch
):
  monkeypatch.chdir(tmp_path)
  call, worked = FUNCTIONS[name], 0
  refused = {"draw"}  # which needs an experiment
  for data in shapes(dataset).values():
    try:
      call(data)
      worked += 1
    except ts.UserError:
      pass
    less = [data.drop_vars([name]) for name in data.variables]
    less += [data.drop_attrs(deep=False), data.rename(feature="x"), xr.Dataset({"W": data["W"]})]
    less += [data.isel(feature=0), data.isel(feature=slice(0)), xr.Dataset()]
    for lacking in less:
      try:
        call(lacking)
      except ts.UserError as error:
        assert "\n" not in str(error)
      pyplot.close("all")
  assert bool(worked) == (name not in refused)
