"""Trained models as weights of a module of PyTorch, for other programs that decompose them."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
  import xarray as xr

State = dict[str, np.ndarray]


def state_dict(model: "xr.Dataset", has_middle: bool) -> State:
  """Returns the state dict of linear layers that compute what a trained model does.

  Weights are [out, in]: `linear1.weight`, with `has_middle` the identity `hidden_layers.0.weight`,
  `linear2.weight` (the transpose of the first) and `linear2.bias`; a ReLU follows. All arrays are
  contiguous, as torch.from_numpy and safetensors.numpy.save_file take them. `ts.export` writes the
  weights of all models of a run in the layout of the paper's notebook instead.

  Args:
    model: one model of a run's dataset.
    has_middle: whether there is a layer between encoder and decoder.
  """
  W = model["W"].transpose("hidden", "feature").values.astype(np.float32)
  state = {"linear1.weight": W}
  if has_middle:
    state["hidden_layers.0.weight"] = np.eye(len(W), dtype=np.float32)
  state |= {"linear2.weight": W.T, "linear2.bias": model["b"].values.astype(np.float32)}
  return {name: np.ascontiguousarray(array) for name, array in state.items()}
