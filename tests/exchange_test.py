"""Samples out, weights out and weights in."""

import itertools

import jax
import numpy as np
import pytest

import toy_superposition as ts
from tests.sparse_autoencoders_test import config as sae_config
from toy_superposition import exchange
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
  compute = exchange._examples

  def counted(*arguments):
    made.append(arguments[-1])
    return compute(*arguments)

  monkeypatch.setattr(exchange, "_examples", counted)
  found = ts.sample(toys, 10)
  assert found.sizes["example"] == 10 and not made
  part = found.sel(density=0.4).isel(restart=1, example=slice(2, 5))
  assert part["hidden"].values.shape == (3, M) and part["outputs"].values.shape == (3, N)
  assert made == [3]  # both variables of the last model
  assert np.isfinite(found["hidden"].values).all() and sorted(set(made)) == [0, 1, 2, 3]


def test_samples_of_a_selection_are_those_of_its_models(toys):
  whole, one = ts.sample(toys, 50), ts.sample(toys.sel(density=0.4).isel(restart=1), 50)
  assert one["outputs"].dims == ("example", "output")
  np.testing.assert_array_equal(one["outputs"], whole["outputs"].sel(density=0.4).isel(restart=1))


def forward(W, b_final, x):
  """The paper's notebook: W [instance, feature, hidden]."""
  hidden = np.einsum("...if,ifh->...ih", x, W)
  return relu(np.einsum("...ih,ifh->...if", hidden, W) + b_final)


@pytest.mark.parametrize("suffix", ["npz", "safetensors"])
def test_exported_weights_are_those_of_the_notebook_s_module(toys, tmp_path, suffix):
  path = tmp_path / f"toys.{suffix}"
  assert ts.export(toys, path) == ["W", "b_final"]
  if suffix == "npz":
    arrays = dict(np.load(path))
  else:
    load = pytest.importorskip("safetensors.numpy").load_file
    arrays = load(path)
  assert arrays["W"].shape == (4, N, M) and arrays["b_final"].shape == (4, N)
  found = ts.sample(toys, 100)
  x = found["features"].values.reshape(4, 100, N).transpose(1, 0, 2)
  outputs = found["outputs"].values.reshape(4, 100, N).transpose(1, 0, 2)
  np.testing.assert_allclose(forward(arrays["W"], arrays["b_final"], x), outputs, atol=1e-5)


def test_a_sparse_autoencoder_is_exported_in_the_layout_of_its_field(tmp_path):
  dataset = ts.run(sae_config("l1_sae"))
  names = ts.export(dataset, tmp_path / "sae.npz")
  arrays = dict(np.load(tmp_path / "sae.npz"))
  assert {"W_enc", "W_dec", "b_enc", "b_dec", "threshold", "dictionary"} <= set(names)
  assert arrays["W_enc"].shape == (6, 10) and arrays["W_dec"].shape == (10, 6)
  found = ts.sample(dataset, 100)
  s = found["inputs"].values
  h = relu((s - arrays["b_dec"]) @ arrays["W_enc"] + arrays["b_enc"])
  np.testing.assert_allclose(found["hidden"], h, atol=1e-5)
  np.testing.assert_allclose(found["outputs"], h @ arrays["W_dec"] + arrays["b_dec"], atol=1e-5)
  np.testing.assert_allclose(s, found["features"].values @ arrays["dictionary"].T, atol=1e-5)


@pytest.mark.parametrize("layout", ["ours", "notebook"])
def test_weights_that_went_out_come_back_with_the_same_scores(toys, tmp_path, layout):
  ts.export(toys, tmp_path / "toys.npz")
  arrays = dict(np.load(tmp_path / "toys.npz"))
  given = {name: arrays[name] for name in ("W", "b_final")}
  if layout == "ours":
    given = {"W": toys["W"].values, "b": toys["b"].values}
  back = ts.weights(settings(), given)
  for name in ("W", "b", "loss", "feature_loss", "feature_dimensionality"):
    np.testing.assert_array_equal(back[name], toys[name])
  assert "elsewhere" in back.attrs["source"]
  assert ts.measure(back, "feature_norm").shape == (2, 2, N)
  without = ts.weights(settings(), {"W": given["W"]})
  np.testing.assert_array_equal(without["b"], 0)


def test_square_weights_need_a_layout():
  config = settings(3, 3)
  W = np.random.default_rng(0).normal(size=(4, 3, 3))
  with pytest.raises(ts.UserError, match=r"array W: 3 features in 3 dimensions .* layout="):
    ts.weights(config, {"W": W})
  ours = ts.weights(config, {"W": W}, layout="hidden, feature")
  theirs = ts.weights(config, {"W": W}, layout="feature, hidden")
  np.testing.assert_array_equal(ours["W"], np.swapaxes(theirs["W"], -1, -2))


@pytest.mark.parametrize(
  ("arrays", "words"),
  [
    ({}, ["'W' is missing", "(4, 3, 6)", "the notebook's (4, 6, 3)"]),
    ({"W": np.zeros((4, 5, 3))}, ["'W' has the shape (4, 5, 3)", "(4, 6, 3)"]),
    ({"W": np.zeros((3, 6, 3))}, ["'W' has the shape (3, 6, 3)", "(4, 3, 6)"]),
    ({"W": np.zeros((4, 3, 6)), "b": np.zeros((4, 5))}, ["'b' has the shape (4, 5)", "(4, 6)"]),
    ({"W": np.zeros((4, 3, 6)), "V": np.zeros(3)}, ["'V'", "W, b"]),
  ],
)
def test_weights_of_the_wrong_layout_are_one_line(arrays, words):
  with pytest.raises(ts.UserError) as error:
    ts.weights(settings(), arrays)
  assert all(word in str(error.value) for word in words), error.value
  assert "\n" not in str(error.value)


@pytest.mark.parametrize("n", [0, 2**23])
def test_bad_input_of_samples_and_exports_is_one_line(toys, tmp_path, n):
  with pytest.raises(ts.UserError, match="n: "):
    ts.sample(toys, n)
  with pytest.raises(ts.UserError, match=r"\.npz, \.safetensors"):
    ts.export(toys, tmp_path / "toys.pt")
  with pytest.raises(ts.UserError, match="nowhere"):
    ts.export(toys, tmp_path / "nowhere" / "toys.npz")
  with pytest.raises(ts.UserError, match="not a run's dataset"):
    ts.export(toys.drop_attrs(), tmp_path / "toys.npz")


def test_a_sparse_autoencoder_has_no_directions_to_measure():
  with pytest.raises(ts.UserError, match="l1_sae has no directions of features"):
    ts.measure(ts.run(sae_config("l1_sae")), "feature_norm")
