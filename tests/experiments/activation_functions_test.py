"""The phase diagram under other activations: verdicts on known maps; the activations."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

from configs import activation_functions
from tests import datasets, small
from toy_superposition.activations import LEAK
from toy_superposition.config.resolve import resolve
from toy_superposition.devices import meshes, setup
from toy_superposition.errors import UserError
from toy_superposition.estimators import choose
from toy_superposition.experiments.activation_functions import EXPERIMENT, figure
from toy_superposition.experiments.experiment import CONFIRMED, CONTRADICTED, IDENTITY, UNDECIDED
from toy_superposition.models import MODELS, AutoencoderParams

# Density at which superposition begins at r = 1; it falls on both sides.
BEGINS = {
  "linear": 0.0,
  "relu_output": 0.57,
  "leaky_relu_output": 0.55,
  "gelu_output": 0.15,
  "tanh_output": 0.0,
}


def dataset_of(begins: dict[str, float], num: int = 12) -> xr.Dataset:
  """Returns the analysed dataset of two restarts per cell, on num × num cells.

  In the better restart the features are an antipodal pair below a line in the plane, and above it
  the extra feature has the dimension to itself; in the other one nothing is represented.
  """
  r, p = np.geomspace(0.1, 10, num), np.geomspace(1, 0.01, num)
  line = np.exp(-np.abs(np.log(r)) / 2)
  superposed = p < np.multiply.outer(list(begins.values()), line)[..., None]
  W = np.zeros((*superposed.shape, 2, 1, 2))
  W[..., 0, 0, :] = np.where(superposed[..., None], [-1, 1], [0, 1])
  axes = {"model": list(begins), "relative_importance": r, "density": p, "restart": [0, 1]}
  dataset = datasets.dataset(
    W=W, axes=axes, loss=[0, 1], config={"importance.profile": "last_apart"}
  )
  return EXPERIMENT.run(dataset, meshes.make_mesh(setup.devices(1)), 2**30)


def verdicts(dataset):
  return [row.verdict for row in EXPERIMENT.claims(dataset)][:4]


def test_maps_that_differ_as_expected_confirm_all():
  dataset = dataset_of(BEGINS)
  assert verdicts(dataset) == [IDENTITY] + [CONFIRMED] * 3
  assert figure.draw(dataset).axes


@pytest.mark.parametrize(
  ("name", "begins", "row"),
  [("linear", 0.5, 0), ("gelu_output", 0.02, 1), ("tanh_output", 0.5, 2)],
)
def test_superposition_where_there_should_be_none_or_none_where_it_should_contradicts(
  name, begins, row
):
  assert verdicts(dataset_of(BEGINS | {name: begins}))[row] == CONTRADICTED


def test_equal_maps_contradict_that_activations_differ_and_coarse_ones_decide_nothing():
  assert verdicts(dataset_of(BEGINS | {"gelu_output": 0.55}))[3] == CONTRADICTED
  assert verdicts(dataset_of(BEGINS, num=6))[3] == UNDECIDED


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
  output = jax.jit(MODELS[name].apply)(AutoencoderParams(W=W, b=b), jnp.float32(x))
  np.testing.assert_allclose(output, function(z), rtol=1e-5)
  group = small.group(1, of=small.spec(model=name, n_features=2, n_hidden=1))
  assert choose(group.spec, group.instances, "cpu") == "fused"


@pytest.mark.parametrize(
  "models", [("relu_output", "tanh_output"), ("linear", "relu_output", "relu_hidden")]
)
def test_a_sweep_without_the_linear_model_or_with_a_relu_inside_is_refused(models):
  changed = activation_functions.get_config("quick")
  changed.axis.model.points = models
  with pytest.raises(UserError, match="'activation_functions', whose claims are about linear"):
    resolve(changed)


@pytest.mark.parametrize(
  ("field", "value"),
  [("model.n_features", 3), ("importance.profile", "geometric"), ("importance.base", 2.0)],
)
def test_another_plane_than_the_phase_change_s_is_refused_by_name(field, value):
  changed = activation_functions.get_config("quick")
  section, name = field.split(".")
  changed[section][name] = value
  with pytest.raises(UserError, match=rf"config\.{field}: '?{value}.*'activation_functions'"):
    resolve(changed)
