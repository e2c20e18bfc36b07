"""Models rebuilt from results: their losses are those of the models that were stored."""

import json
from typing import Any

import jax
import numpy as np
import pytest

from tests import datasets
from toy_superposition import evaluation, models, streams
from toy_superposition.devices import mapping, meshes, setup
from toy_superposition.errors import UserError
from toy_superposition.experiments import trained
from toy_superposition.types import Instance

N, M = 5, 2
AXES: dict[str, list[float]] = {"density": [0.5, 0.1], "restart": [0, 1, 2]}
N_SAMPLES = 2048


def weights(name: str) -> dict[str, Any]:
  rng = np.random.default_rng(0)
  sizes = {"hidden": M, "feature": N}
  dims = models.params_class(name).DIMS
  return {key: rng.normal(size=(2, 3, *(sizes[dim] for dim in dims[key]))) for key in dims}


@pytest.mark.parametrize("name", ["relu_output", "absolute_value"])
def test_rebuilt_models_have_the_losses_of_the_stored_weights(name):
  given, root = weights(name), streams.root(0)
  dataset = datasets.dataset(axes=AXES, config={"model.name": name}, measured=(), **given)
  # Whatever the order of a variable's dimensions.
  rebuilt = trained.trained(dataset.transpose("feature", "restart", ...))
  made = rebuilt.problem

  def loss(params, instance):
    return made.reduction(evaluation.sampled(made, params, instance, root, N_SAMPLES))

  mesh = meshes.make_mesh(setup.devices(2))
  dims, losses = rebuilt.unflatten(trained.each(loss, rebuilt, mesh))
  assert dims == ("restart", "density")
  for k, restart in np.ndindex(2, 3):
    own = {key: np.float32(array[k, restart]) for key, array in given.items()}
    density = np.full(N, AXES["density"][k], np.float32)
    instance = Instance(
      index=np.int32(0),
      density=density,
      importance=np.ones(N, np.float32),
      learning_rate=np.float32(1e-3),
    )
    expected = jax.jit(loss)(models.params_class(name)(**own), instance)
    np.testing.assert_allclose(losses[restart, k], expected, rtol=1e-5)


def test_a_field_that_an_axis_sets_may_be_changed_for_some_of_the_models():
  dataset = datasets.dataset(axes=AXES, measured=(), **weights("relu_output"))
  assert trained.trained(dataset).problem.spec.model == "relu_output"
  changed = trained.trained(dataset, **{"model.name": "relu_hidden"})
  assert changed.problem.spec.model == "relu_hidden"


def test_results_of_an_earlier_version_are_rebuilt():
  dataset = datasets.dataset(axes=AXES, measured=(), **weights("relu_output"))
  values = json.loads(dataset.attrs["config"])
  # As they were: other names of the experiment, and fewer fields.
  values |= {"analysis": values.pop("experiment"), "figures": []}
  del values["loss.attack"], values["train.momentum"]
  earlier = dataset.assign_attrs(config=json.dumps(values))
  rebuilt, expected = trained.trained(earlier), trained.trained(dataset)
  assert rebuilt.problem.spec == expected.problem.spec
  jax.tree.map(np.testing.assert_array_equal, rebuilt.params, expected.params)


def test_models_are_analysed_within_the_runs_memory_to_the_same_bits(monkeypatch):
  dataset = datasets.dataset(axes=AXES, measured=(), **weights("relu_output"))
  mesh, used, layout = meshes.make_mesh(setup.devices(4)), [], mapping.layout

  def spied(*arguments, **keywords):
    used.append(layout(*arguments, **keywords))
    return used[-1]

  monkeypatch.setattr(mapping, "layout", spied)

  def found(kib):
    values = json.loads(dataset.attrs["config"]) | {"run.memory_gib": kib / 2**20}
    models = trained.trained(dataset.assign_attrs(config=json.dumps(values)))
    root = streams.root(0)

    def loss(params, instance):
      return evaluation.sampled(models.problem, params, instance, root, N_SAMPLES)

    return trained.each(loss, models, mesh, bytes_each=2**20)

  plenty, tight = found(2**20), found(2**11)
  assert [layout.mesh.size for layout in used] == [4, 2]  # two models fit at a time
  np.testing.assert_array_equal(plenty, tight)
  with pytest.raises(UserError, match=r"n_features=5.*analysis.*config\.run\.memory_gib"):
    found(2**10 - 1)
