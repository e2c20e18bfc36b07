"""Weights out, weights in, and the page of a dataset in memory."""

import html
import json
import sys

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


def test_a_module_of_pytorch_takes_the_exported_weights_and_computes_the_same(toys, tmp_path):
  torch = pytest.importorskip("torch")
  ts.export(toys, tmp_path / "toys.npz")
  arrays = np.load(tmp_path / "toys.npz")

  class Notebook(torch.nn.Module):
    def __init__(self):
      super().__init__()
      self.W = torch.nn.Parameter(torch.empty(4, N, M))
      self.b_final = torch.nn.Parameter(torch.empty(4, N))

    def forward(self, x):
      hidden = torch.einsum("...if,ifh->...ih", x, self.W)
      return torch.relu(torch.einsum("...ih,ifh->...if", hidden, self.W) + self.b_final)

  model = Notebook()
  model.load_state_dict({name: torch.tensor(arrays[name]) for name in ("W", "b_final")})
  found = ts.sample(toys.sel(density=0.4).isel(restart=1), 50)
  x = torch.tensor(found["features"].values)[:, None].repeat(1, 4, 1)
  outputs = model(x)[:, 3].detach().numpy()
  np.testing.assert_allclose(outputs, found["outputs"], atol=1e-5)
  back = ts.weights(settings(), {"W": model.W.detach(), "b_final": model.b_final.detach()})
  np.testing.assert_array_equal(back["loss"], toys["loss"])


def test_a_file_has_the_config(toys, tmp_path):
  ts.export(toys, tmp_path / "toys.npz")
  ts.export(toys, tmp_path / "toys.safetensors")
  texts = [str(np.load(tmp_path / "toys.npz")["config"])]
  safe_open = pytest.importorskip("safetensors").safe_open
  with safe_open(tmp_path / "toys.safetensors", "numpy") as file:
    texts.append(file.metadata()["config"])
  assert [json.loads(text)["model.n_hidden"] for text in texts] == [M, M]


COMMON = ["W_enc", "b_enc", "W_dec", "b_dec"]
STATE = {  # names of the state of SAELens' modules
  "l1_sae": COMMON,
  "topk_sae": COMMON,
  "jumprelu_sae": [*COMMON, "threshold"],
  "batch_topk_sae": [*COMMON, "threshold"],
  "matryoshka_sae": [*COMMON, "threshold"],
  "gated_sae": ["W_enc", "b_gate", "W_dec", "b_dec", "r_mag", "b_mag"],
  "matching_pursuit_sae": ["W_dec", "b_dec"],
}


def sae_lens(name, a, s):
  """Returns the latents of SAELens' modules; k = 2 of topk_sae and matching_pursuit_sae."""
  drive = s - a["b_dec"]
  if name == "matching_pursuit_sae":
    h = np.zeros((len(s), len(a["W_dec"])))
    for _ in range(2):
      fit = relu(drive @ a["W_dec"].T)
      fit[fit < fit.max(axis=1, keepdims=True)] = 0
      h, drive = h + fit, drive - fit @ a["W_dec"]
    return h
  z = drive @ a["W_enc"] + a["b_gate" if name == "gated_sae" else "b_enc"]
  if name == "gated_sae":
    return (z > 0) * relu(drive @ (a["W_enc"] * np.exp(a["r_mag"])) + a["b_mag"])
  if name == "topk_sae":
    return relu(z) * (z >= np.sort(z, axis=1)[:, [-2]])
  return relu(z) * (z > a.get("threshold", 0))


@pytest.mark.slow
@pytest.mark.parametrize("name", STATE)
def test_a_sparse_autoencoder_is_exported_in_the_layout_of_its_field_and_comes_back(name, tmp_path):
  config = sae_config(name)
  config.train.steps = 4  # none of its arrays is 0 any more
  dataset = ts.run(config)
  names = ts.export(dataset, tmp_path / "sae.npz")
  assert sorted(names) == sorted([*STATE[name], "dictionary"])
  arrays = dict(np.load(tmp_path / "sae.npz"))
  assert arrays["W_dec"].shape == (10, 6)
  found = ts.sample(dataset, 100)
  assert found["hidden"].dims == ("example", "latent") and found["outputs"].dims[1] == "input"
  s = found["inputs"].values
  np.testing.assert_allclose(s, found["features"].values @ arrays["dictionary"].T, atol=1e-5)
  h = sae_lens(name, arrays, s)
  assert np.any(h > 0)
  np.testing.assert_allclose(found["hidden"], h, atol=1e-5)
  np.testing.assert_allclose(found["outputs"], h @ arrays["W_dec"] + arrays["b_dec"], atol=1e-5)
  back = ts.weights(config, arrays)
  np.testing.assert_array_equal(back["loss"], dataset["loss"])
  ours = {n: dataset[n].values for n in ("W_dec", "W_enc", "b_dec", "b_enc", "latent_threshold")}
  gated = {n: dataset[n].values for n in ("r_mag", "b_mag")}
  np.testing.assert_array_equal(ts.weights(config, ours | gated)["loss"], dataset["loss"])
  ts.export(ts.run(sae_config(name, restart=base.restarts(2))), tmp_path / "two.npz")
  assert np.load(tmp_path / "two.npz")["W_dec"].shape == (2, 10, 6)


def test_a_dictionary_from_elsewhere_takes_the_place_of_the_config_s():
  config = sae_config("l1_sae", density=base.points("density.base", (0.1, 0.2)))
  rng = np.random.default_rng(0)
  A, W = rng.normal(size=(6, 8)), rng.normal(size=(2, 6, 10))
  arrays = {"dictionary": A, "W_enc": W, "W_dec": np.swapaxes(W, 1, 2)}
  dataset = ts.weights(config, arrays)
  np.testing.assert_array_equal(dataset["dictionary"], np.stack([A, A]).astype(np.float32))
  # The loss of an autoencoder of 0 is the second moment of what it sees: A E[x xᵀ] Aᵀ.
  zero = ts.weights(config, arrays | {"W_dec": np.zeros((2, 10, 6)), "W_enc": np.zeros_like(W)})
  for k, p in enumerate((0.1, 0.2)):
    moments = np.diag(np.full(8, p / 3 - p**2 / 4)) + p**2 / 4
    expected = np.trace(A @ moments @ A.T)
    assert abs(zero["loss_sum"].values[k] / expected - 1) < 0.5  # of 256 samples
  with pytest.raises(ts.UserError, match=r"'dictionary' has the shape \(6, 7\).*\(2, 6, 8\)"):
    ts.weights(config, arrays | {"dictionary": A[:, 1:]})
  with pytest.raises(ts.UserError, match=r"'W_enc' is missing.*\(2, 10, 6\).*SAELens.*6, 10"):
    ts.weights(config, {"W_dec": W})
  twice = {"W_enc": W[0], "W_dec": W[0].T, "threshold": W[0, 0], "latent_threshold": W[0, 0]}
  with pytest.raises(ts.UserError, match="'latent_threshold' and 'threshold' are the same"):
    ts.weights(sae_config("jumprelu_sae"), twice)


@pytest.mark.quick("notebook")
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


@pytest.fixture(scope="module")
def with_an_experiment():
  """A config with claims and a figure, and its results."""
  assert len(jax.devices()) == 8
  config = ts.get_config("introduction:quick")
  config.train.steps, config.train.batch_size, config.evaluation.n_samples = 20, 32, 256
  return config, ts.run(config)


def test_weights_from_elsewhere_have_the_claims_and_the_figure_of_their_experiment(
  with_an_experiment, tmp_path
):
  config, dataset = with_an_experiment
  ts.export(dataset, tmp_path / "toys.npz")
  back = ts.weights(config, dict(np.load(tmp_path / "toys.npz")))
  assert ts.claims(back) == ts.claims(dataset) != []
  assert set(dataset.data_vars) <= set(back.data_vars)
  assert ts.draw(back).axes
  page = tmp_path / "page.html"
  ts.write_report(back, page)
  text = html.unescape(page.read_text())
  assert exchange.ELSEWHERE in text and 'src="data:image/png' in text
  assert all(claim.statement in text for claim in ts.claims(back))


def test_a_selection_has_a_page_without_claims(with_an_experiment, tmp_path):
  dataset = ts.best(with_an_experiment[1]).isel(density=0)
  ts.write_report(dataset, tmp_path / "page.html")
  text = html.unescape((tmp_path / "page.html").read_text())
  assert "1 models" not in text and "1 model, relu_output" in text
  assert not any(claim.statement in text for claim in ts.claims(with_an_experiment[1]))


def test_square_weights_need_a_layout():
  config = settings(3, 3)
  W = np.random.default_rng(0).normal(size=(4, 3, 3))
  with pytest.raises(ts.UserError, match=r"hidden and feature have the same length 3.*layout="):
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
    ({"W": np.zeros((2, 2, 3, 5))}, ["'W' has the shape (2, 2, 3, 5)", "(4, 3, 6)"]),
    ({"W": np.zeros((4, 1, 3, 6))}, ["'W' has the shape (4, 1, 3, 6)", "(4, 3, 6)"]),
    ({"W": np.full((4, 3, 6), "x")}, ["'W' is not one of real numbers"]),
    ({"W": np.zeros((4, 3, 6), complex)}, ["'W' is not one of real numbers"]),
    ({"W": np.zeros((4, 3, 6)), "b": 0, "b_final": 0}, ["'b' and 'b_final'", "give one"]),
    ({"W": np.zeros((4, 3, 6)), "b": np.zeros((4, 5))}, ["'b' has the shape (4, 5)", "(4, 6)"]),
    ({"W": np.zeros((4, 3, 6)), "V": np.zeros(3)}, ["'V'", "W, b"]),
  ],
)
def test_weights_of_the_wrong_layout_are_one_line(arrays, words):
  with pytest.raises(ts.UserError) as error:
    ts.weights(settings(), arrays)
  assert all(word in str(error.value) for word in words), error.value
  assert "\n" not in str(error.value)


def test_a_layout_that_the_shape_contradicts_is_refused():
  W = np.zeros((4, 3, 6))
  with pytest.raises(ts.UserError, match=r"'W' has the shape \(4, 3, 6\)"):
    ts.weights(settings(), {"W": W}, layout="feature, hidden")
  with pytest.raises(ts.UserError, match="layout: 'hf' is not allowed; allowed: 'hidden, feature'"):
    ts.weights(settings(), {"W": W}, layout="hf")


def test_bad_input_of_exports_is_one_line(toys, tmp_path):
  with pytest.raises(ts.UserError, match=r"\.npz, \.safetensors"):
    ts.export(toys, tmp_path / "toys.pt")
  with pytest.raises(ts.UserError, match="nowhere"):
    ts.export(toys, tmp_path / "nowhere" / "toys.npz")
  with pytest.raises(ts.UserError, match="not a run's dataset"):
    ts.export(toys.drop_attrs(), tmp_path / "toys.npz")
  with pytest.raises(ts.UserError, match="the variable 'b' is missing"):
    ts.export(toys.drop_vars("b"), tmp_path / "toys.npz")
  assert list(tmp_path.iterdir()) == []


def test_a_missing_safetensors_is_one_line_and_leaves_nothing(toys, tmp_path, monkeypatch):
  monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
  with pytest.raises(ts.UserError, match="pip install safetensors"):
    ts.export(toys, tmp_path / "toys.safetensors")
  assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_models_of_several_kinds_or_shapes_are_refused(tmp_path):
  config = settings()
  base.set_axes(config, model=base.points("model.name", ("relu_output", "linear")))
  with pytest.raises(ts.UserError, match=r"the models differ in model\.name"):
    ts.export(ts.run(config), tmp_path / "toys.npz")
  base.set_axes(config, n=base.points("model.n_features", (5, 6)))
  with pytest.raises(ts.UserError, match="models of several shapes"):
    ts.weights(config, {})


def test_a_sparse_autoencoder_has_no_directions_to_measure():
  with pytest.raises(ts.UserError, match="l1_sae has no directions of features"):
    ts.measure(ts.run(sae_config("l1_sae")), "feature_norm")


def test_a_figure_has_the_size_in_inches_that_is_asked_for(with_an_experiment):
  _, dataset = with_an_experiment
  assert tuple(ts.draw(dataset, size=(5.5, 2)).get_size_inches()) == (5.5, 2)
  for size in ((3,), (3, 0), (3, float("nan"))):
    with pytest.raises(ts.UserError, match=r"size: .* is not allowed.*inches"):
      ts.draw(dataset, size=size)


def test_what_claims_and_figure_lack_is_named(with_an_experiment):
  _, dataset = with_an_experiment
  for name in dataset.variables:
    lacking = dataset.drop_vars([name])
    for call in (ts.draw, ts.claims):
      try:
        call(lacking)
      except ts.UserError as error:
        assert repr(name) in str(error) and "\n" not in str(error)
  with pytest.raises(ts.UserError, match="'W'"):
    ts.draw(dataset.drop_vars("W"))
