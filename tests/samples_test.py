"""Fresh examples with what trained models do on them."""

import itertools

import jax
import numpy as np
import pytest
import xarray as xr

import toy_superposition as ts
from toy_superposition import samples
from toy_superposition.config import base

N, M = 6, 3


@pytest.fixture(autouse=True)
def with_the_tests_devices(monkeypatch):
  """Runs every test on the tests' devices, without the user's cache."""
  assert len(jax.devices()) == 8
  monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "unused")


def settings(n: int = N, m: int = M):
  config = base.get_config()
  config.name, config.model.n_features, config.model.n_hidden = "toys", n, m
  config.train.steps, config.train.batch_size = 20, 32
  config.evaluation.n_samples = 1024
  base.set_axes(config, density=base.points("density.base", (0.1, 0.4)), restart=base.restarts(2))
  return config


@pytest.fixture(scope="module")
def toys():
  assert len(jax.devices()) == 8  # made before anything else sets up others
  return ts.run(settings())


def relu(x):
  return np.maximum(x, 0)


def test_samples_are_what_every_model_does_on_the_same_uniform_numbers(toys):
  found = ts.sample(toys, 20_000, seed=1)
  assert found["hidden"].dims == ("density", "restart", "example", "hidden")
  x = found["features"].values.astype(float)
  np.testing.assert_array_equal(x[:, 0], x[:, 1])  # of both restarts
  assert np.all((x[0, 0] > 0) <= (x[1, 0] > 0))  # the denser model sees what the other does
  for i, p in enumerate((0.1, 0.4)):
    share = (x[i, 0] > 0).mean(axis=0)
    assert np.all(np.abs(share - p) <= 4.5 * np.sqrt(p * (1 - p) / 20_000))
  for i, k in itertools.product(range(2), range(2)):
    one = toys.isel(density=i, restart=k)
    W, b = one["W"].values, one["b"].values
    chosen = found.isel(density=i, restart=k)
    np.testing.assert_allclose(chosen["hidden"], x[i, k] @ W.T, atol=1e-5)
    np.testing.assert_allclose(chosen["outputs"], relu(x[i, k] @ W.T @ W + b), atol=1e-5)
  other = ts.sample(toys, 20_000, seed=2)["features"].values
  assert np.mean(other == x) < 0.9


def test_samples_are_computed_one_model_at_a_time_when_they_are_asked_for(toys, monkeypatch):
  made = []
  compute = samples._examples

  def counted(*arguments):
    made.append(arguments[-1])
    return compute(*arguments)

  monkeypatch.setattr(samples, "_examples", counted)
  found = ts.sample(toys, 10)
  assert found.sizes["example"] == 10 and not made
  part = found.sel(density=0.4).isel(restart=1, example=slice(2, 5))
  assert part["hidden"].values.shape == (3, M) and part["outputs"].values.shape == (3, N)
  assert made == [3]  # both variables of the last model
  made.clear()
  assert all(np.isfinite(array).all() for array in ts.sample(toys, 10).load().values())
  assert made == [0, 1, 2, 3]  # once for all variables


def test_samples_of_a_selection_are_those_of_its_models(toys):
  whole, one = ts.sample(toys, 50), ts.sample(toys.sel(density=0.4).isel(restart=1), 50)
  assert one["outputs"].dims == ("example", "feature")
  np.testing.assert_array_equal(one["outputs"], whole["outputs"].sel(density=0.4).isel(restart=1))


def test_all_models_share_one_program(toys, monkeypatch):
  traced = []
  words = samples.streams.words

  def counted(*arguments):
    traced.append(arguments)
    return words(*arguments)

  monkeypatch.setattr(samples.streams, "words", counted)
  ts.sample(toys, 10).load()
  assert len(traced) == 1


def test_options_of_jax_change_no_number_also_when_values_are_asked_for_later(toys):
  expected = ts.sample(toys, 20).load()
  found = ts.sample(toys, 20)
  try:
    jax.config.update("jax_random_seed_offset", 7)
    found.load()
  finally:
    jax.config.update("jax_random_seed_offset", 0)
  for name, array in expected.items():
    np.testing.assert_array_equal(found[name], array)
    assert found[name].dtype == np.float32


def test_a_best_restart_and_a_reordered_sweep_keep_their_models(toys):
  whole = ts.sample(toys, 20)["outputs"].transpose("density", "restart", "example", "feature")
  best = ts.best(toys)
  chosen = toys["loss"].argmin("restart").values
  np.testing.assert_array_equal(
    ts.sample(best, 20)["outputs"], np.stack([whole.values[i, k] for i, k in enumerate(chosen)])
  )
  turned = ts.sample(toys.transpose("restart", ...), 20)["outputs"]
  np.testing.assert_array_equal(turned.transpose(*whole.dims), whole)


def test_samples_are_stored_and_read_again(toys, tmp_path):
  found = ts.sample(toys, 5)
  found.to_netcdf(tmp_path / "samples.nc", engine="h5netcdf")
  xr.testing.assert_equal(xr.load_dataset(tmp_path / "samples.nc", engine="h5netcdf"), found.load())


@pytest.mark.slow
def test_models_that_differ_in_training_alone_are_of_one_kind():
  config = settings()
  base.set_axes(config, rule=base.points("train.optimizer", ("adam", "sgd")))
  dataset = ts.run(config)
  found = ts.sample(dataset, 10)
  x, W, b = (array.values for array in (found["features"], dataset["W"], dataset["b"]))
  np.testing.assert_allclose(found["outputs"], relu(x @ W.mT @ W + b[:, None]), atol=1e-5)
  base.set_axes(config, model=base.points("model.name", ("relu_output", "linear")))
  several = ts.run(config)
  with pytest.raises(ts.UserError, match=r"the models differ in model\.name"):
    ts.sample(several, 10)
  one = ts.sample(several.sel(model="linear"), 10)
  W, b = several["W"].sel(model="linear").values, several["b"].sel(model="linear").values
  np.testing.assert_allclose(one["outputs"], one["features"].values @ W.T @ W + b, atol=1e-5)


@pytest.mark.slow
def test_a_second_stage_sees_the_hidden_activations_of_its_source(toys):
  config = settings()
  config.data.input, config.data.target, config.data.noise = "hidden", "input", 0.0
  config.model.name, config.model.n_hidden, config.measures = "l1_sae", 5, ()
  base.set_axes(config, seed=base.restarts(2))
  dataset = ts.run(config, source=toys)
  found = ts.sample(dataset, 20)
  for i, k in itertools.product(range(2), range(2)):
    at = {"density": i, "restart": k}
    seen = found["features"].isel(at).values @ toys["W"].isel(at).values.T
    np.testing.assert_allclose(found["inputs"].isel(at), seen, atol=1e-5)
  one = dataset.isel(density=1, restart=0, seed=1)
  alone = ts.sample(one, 20)
  s, E, D = (array.values for array in (alone["inputs"], one["W_enc"], one["W_dec"]))
  h = relu((s - one["b_dec"].values) @ E.T + one["b_enc"].values)
  np.testing.assert_allclose(alone["hidden"], h, atol=1e-5)
  np.testing.assert_allclose(alone["outputs"], h @ D.T + one["b_dec"].values, atol=1e-5)


@pytest.mark.parametrize("n", [0, -1, True, 2**31])
def test_a_number_of_examples_that_is_not_possible_is_one_line(toys, n):
  with pytest.raises(ts.UserError, match=r"n: .* integers from 1 to "):
    ts.sample(toys, n)


def test_other_bad_input_is_one_line(toys):
  with pytest.raises(ts.UserError, match="seed: -1 is not allowed"):
    ts.sample(toys, 10, seed=-1)
  with pytest.raises(ts.UserError, match="not a run's dataset"):
    ts.sample(toys.drop_attrs(), 10)
  with pytest.raises(ts.UserError, match="the variable 'W' is missing"):
    ts.sample(toys.drop_vars("W"), 10)
