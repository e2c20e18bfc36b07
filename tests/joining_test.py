"""Results of models of several shapes in one dataset."""

import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure

import toy_superposition as ts
from tests import datasets

SIZES = {"/n_features=4": 4, "/n_features=6": 6}


def of_size(n: int, m: int = 2) -> xr.Dataset:
  """Returns one shape of a sweep over n, as run_shapes does."""
  dataset = datasets.dataset(
    axes={"density": [0.1, 0.3], "restart": [0, 1]},
    config={
      "axes": ("n_features", "density", "restart"),
      "axis.n_features.field": "model.n_features",
    },
    loss=[[n, 1], [1, n]],
    W=np.random.default_rng(n).normal(size=(2, 2, m, n)),
  )
  return dataset.assign_coords(n_features=((), n, {"config_field": "model.n_features"}))


def joined() -> xr.Dataset:
  return ts.join({name: of_size(n) for name, n in SIZES.items()})


def test_shapes_are_joined_along_what_distinguishes_them_and_missing_features_are_nan():
  data = joined()
  assert dict(data["W"].sizes) == {
    "n_features": 2,
    "density": 2,
    "restart": 2,
    "hidden": 2,
    "feature": 6,
  }
  for n in SIZES.values():
    part, whole = data["W"].sel(n_features=n), of_size(n)["W"]
    np.testing.assert_array_equal(part.isel(feature=slice(n)), whole)
    assert part.isel(feature=slice(n, None)).isnull().all()
  np.testing.assert_array_equal(ts.best(data)["loss"], 1)
  np.testing.assert_array_equal(ts.summary(data)["loss"].sel(statistic="mean").T, [[2.5, 3.5]] * 2)


def test_one_of_them_is_the_dataset_of_its_shape_again():
  one = joined().sel(n_features=4)
  expected = of_size(4)
  for name in ("feature_norm", "superposition", "dimensions_per_feature"):
    np.testing.assert_array_equal(ts.measure(one, name), ts.measure(expected, name))
  assert ts.rebuild(one).params.W.shape == (2, 2, 2, 4)
  model = ts.best(one).isel(density=0)
  assert len(ts.plots.norms(model, Figure().subplots()).patches) == 4
  assert ts.plots.gram(model, Figure().subplots(), bias=False).images[0].get_size() == (4, 4)
  assert ts.sample(model, 3)["features"].shape == (3, 4)


def test_shapes_that_no_sweep_made_are_told_apart_by_their_numbers():
  data = ts.join([of_size(n, m).drop_vars("n_features") for n, m in ((4, 2), (6, 3))])
  assert dict(data["loss"].sizes) == {"n_features": 2, "n_hidden": 2, "density": 2, "restart": 2}
  assert data["loss"].sel(n_features=4, n_hidden=3).isnull().all()
  assert ts.measure(data.sel(n_features=6, n_hidden=3), "feature_norm").shape == (2, 2, 6)


@pytest.mark.parametrize(
  ("call", "words"),
  [
    (lambda: ts.join([]), "no datasets to join"),
    (lambda: ts.join([of_size(4), of_size(4)]), "two datasets have the same shape"),
    (lambda: ts.join([of_size(4).drop_attrs()]), "dataset 0 is not a run's"),
    (lambda: ts.join({"a": xr.Dataset()}), "dataset 'a' is not a run's"),
    (lambda: ts.measure(joined(), "feature_norm"), r"take one: \.sel\(n_features=…\).*4, 6"),
    (lambda: ts.plots.arrows(joined()), "take one"),
    (lambda: ts.claims(joined()), "take one"),
  ],
)
def test_what_cannot_be_joined_or_taken_together_is_one_line(call, words):
  with pytest.raises(ts.UserError, match=words):
    call()
