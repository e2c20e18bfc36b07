"""Exported sparse autoencoders are the state dict of a module, in NumPy and in PyTorch."""

from typing import Any

import jax
import numpy as np
import pytest

import toy_superposition as ts
from tests.sparse_autoencoders_test import config as sae_config
from toy_superposition.config import base

SEEDS, INPUTS, LATENTS = 2, 6, 10
SHAPES = {
  "W_enc": (INPUTS, LATENTS),
  "b_enc": (LATENTS,),
  "W_dec": (LATENTS, INPUTS),
  "b_dec": (INPUTS,),
  "threshold": (LATENTS,),
}


class Module:
  """A module in NumPy with the state of a BatchTopK autoencoder of SAELens, as it is used."""

  def load_state_dict(self, state: dict[str, np.ndarray]) -> None:
    """Takes arrays of exactly the module's names, shapes and type."""
    assert state.keys() == SHAPES.keys()
    assert {name: array.shape for name, array in state.items()} == SHAPES
    assert {array.dtype for array in state.values()} == {np.dtype(np.float32)}
    assert all(array.flags.c_contiguous for array in state.values())
    self.state = state

  def __call__(self, s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns latents and outputs of inputs (example, input)."""
    w = {name: array.astype(float) for name, array in self.state.items()}
    z = (s - w["b_dec"]) @ w["W_enc"] + w["b_enc"]
    h = np.where(z > w["threshold"], np.maximum(z, 0), 0)
    return h, h @ w["W_dec"] + w["b_dec"]


@pytest.fixture(scope="module")
def trained():
  assert len(jax.devices()) == 8
  with pytest.MonkeyPatch.context() as environment:
    environment.setenv("JAX_COMPILATION_CACHE_DIR", "unused")
    return ts.run(sae_config("batch_topk_sae", restart=base.restarts(SEEDS)))


def state_dict(path: Any, instance: int | None = None) -> dict[str, np.ndarray]:
  """Returns the arrays of an exported file that a module takes, of one instance of several."""
  if path.suffix == ".npz":
    arrays = dict(np.load(path))
  else:
    arrays = pytest.importorskip("safetensors.numpy").load_file(path)
  state = {name: arrays[name] for name in SHAPES}
  return state if instance is None else {name: array[instance] for name, array in state.items()}


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_a_module_in_numpy_takes_every_autoencoder_and_computes_the_same(trained, tmp_path, suffix):
  ts.export(trained, (several := tmp_path / f"several{suffix}"))
  for k in range(SEEDS):
    one = trained.isel(restart=k)
    ts.export(one, (alone := tmp_path / f"alone{suffix}"))
    found = ts.sample(one, 200)
    for state in (state_dict(several, k), state_dict(alone)):
      module = Module()
      module.load_state_dict(state)
      h, outputs = module(found["inputs"].values)
      np.testing.assert_allclose(found["hidden"], h, atol=1e-6)
      np.testing.assert_allclose(found["outputs"], outputs, atol=1e-6)
    assert np.any(h > 0) and np.any(h == 0)


def test_a_module_of_pytorch_takes_an_autoencoder_and_computes_the_same(trained, tmp_path):
  torch = pytest.importorskip("torch")
  one = trained.isel(restart=1)
  ts.export(one, tmp_path / "sae.npz")

  class BatchTopK(torch.nn.Module):
    def __init__(self):
      super().__init__()
      for name, shape in SHAPES.items():
        setattr(self, name, torch.nn.Parameter(torch.empty(shape)))

    def forward(self, s):
      z = (s - self.b_dec) @ self.W_enc + self.b_enc
      h = torch.where(z > self.threshold, torch.relu(z), 0)
      return h @ self.W_dec + self.b_dec

  module = BatchTopK()
  state = {
    name: torch.from_numpy(array) for name, array in state_dict(tmp_path / "sae.npz").items()
  }
  module.load_state_dict(state)
  found = ts.sample(one, 200)
  outputs = module(torch.from_numpy(found["inputs"].values)).detach().numpy()
  np.testing.assert_allclose(outputs, found["outputs"], atol=1e-6)
