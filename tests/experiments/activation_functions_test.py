"""The phase diagram under other activations: verdicts on hand-made maps; the activations."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

from configs import activation_functions as settings
from tests import small
from toy_superposition.config import resolve as config
from toy_superposition.devices import meshes, setup
from toy_superposition.errors import UserError
from toy_superposition.estimators import choose
from toy_superposition.experiments.activation_functions import claims as analysis
from toy_superposition.experiments.activation_functions import figure
from toy_superposition.experiments.experiment import CONFIRMED, CONTRADICTED, UNDECIDED
from toy_superposition.models import LEAK, MODELS, TiedParams

# Density at which superposition begins at r = 1; it falls on both sides.
BEGINS = {
  "linear": 0.0,
  "relu_output": 0.57,
  "leaky_relu_output": 0.55,
  "gelu_output": 0.15,
  "tanh_output": 0.0,
}


def made(begins, num: int = 12) -> xr.Dataset:
  """Returns maps of two restarts, the better in superposition below a line, the other nowhere."""
  r, p = np.geomspace(0.1, 10, num), np.geomspace(1, 0.01, num)
  line = np.exp(-np.abs(np.log(r)) / 2)
  superposed = p < np.multiply.outer(list(begins.values()), line)[..., None]
  dims = ("model", "relative_importance", "density", "restart", "feature")
  norm = np.stack([np.ones(superposed.shape), np.zeros(superposed.shape)], axis=-1)
  overlap = np.stack([superposed, 0 * superposed], axis=-1)
  dataset = xr.Dataset(
    {
      "feature_norm": (dims, np.repeat(norm[..., None], 2, axis=-1)),
      "superposition": (dims, np.repeat(overlap[..., None], 2, axis=-1).astype(float)),
      "loss": (dims[:-1], 1 - norm),
      "finite": (dims[:-1], np.ones(norm.shape, np.int8)),
    },
    {"model": list(begins), "relative_importance": r, "density": p},
  )
  return analysis.run(dataset, meshes.make_mesh(setup.devices(1)), 2**30)


def verdicts(dataset):
  return [row.verdict for row in analysis.claims(dataset)][:4]


def test_maps_that_differ_as_expected_confirm_all():
  dataset = made(BEGINS)
  assert verdicts(dataset) == [CONFIRMED] * 4
  assert figure.draw(dataset).axes


@pytest.mark.parametrize(
  ("name", "begins", "row"),
  [("linear", 0.5, 0), ("gelu_output", 0.02, 1), ("tanh_output", 0.5, 2)],
)
def test_superposition_where_there_should_be_none_or_none_where_it_should_contradicts(
  name, begins, row
):
  assert verdicts(made(BEGINS | {name: begins}))[row] == CONTRADICTED


def test_equal_maps_contradict_that_activations_differ_and_coarse_ones_decide_nothing():
  assert verdicts(made(BEGINS | {"gelu_output": 0.55}))[3] == CONTRADICTED
  assert verdicts(made(BEGINS, num=6))[3] == UNDECIDED


@pytest.mark.parametrize(
  ("name", "function"),
  [
    ("leaky_relu_output", lambda z: np.where(z > 0, z, LEAK * z)),
    ("squared_relu_output", lambda z: np.maximum(z, 0) ** 2),
    ("softplus_output", lambda z: np.log(1 + np.exp(z))),
    ("tanh_output", np.tanh),
    (
      "gelu_output",
      lambda z: z / 2 * (1 + np.tanh((2 / np.pi) ** 0.5 * (z + 0.044715 * z**3))),
    ),
  ],
)
def test_an_activation_is_applied_to_the_decoded_values_and_fused(name, function):
  W, b = jnp.array([[1.0, -2]]), jnp.array([0.25, 0.5])
  x = np.array([0.7, 0.1])
  z = np.array([1.0, -2]) * (0.7 - 0.2) + np.array([0.25, 0.5])
  output = jax.jit(MODELS[name].apply)(TiedParams(W=W, b=b), jnp.float32(x))
  np.testing.assert_allclose(output, function(z), rtol=1e-5)
  group = small.group(1, of=small.spec(model=name, n_features=2, n_hidden=1))
  assert choose(group.spec, group.instances, "cpu") == "fused"


def test_without_the_linear_model_there_is_nothing_to_compare_with():
  changed = settings.get_config("quick")
  changed.axis.model.points = ("relu_output", "tanh_output")
  with pytest.raises(UserError, match="linear"):
    config.resolve(changed)
