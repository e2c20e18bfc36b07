"""results.nc: every value in its cell, readable by anyone, rebuilt into the same model."""

import json
import re
import subprocess
import sys
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

from configs import base
from toy_superposition import activations, evaluation, problem, runner
from toy_superposition.config import resolve as config
from toy_superposition.devices import meshes, setup
from toy_superposition.errors import UserError
from toy_superposition.measures import MEASURES
from toy_superposition.models import MODELS, params_class, toy
from toy_superposition.records import load, results
from toy_superposition.records.opening import open_workdir
from toy_superposition.records.workdir import Workdir

STEP = 1000.0  # between the values of two instances; positions within an instance are below it


def resolved(fields=(), **axes) -> config.ResolvedConfig:
  """Returns a config with the given axes and fields."""
  settings = base.get_config()
  settings.name = "test"
  settings.model.n_features, settings.model.n_hidden = 4, 3
  settings.evaluation.n_samples = 64
  settings.train.steps, settings.train.batch_size = 3, 8
  for field, value in dict(fields).items():
    settings.update_from_flattened_dict({field: value})
  base.set_axes(settings, **axes)
  return config.resolve(settings)


def encoded(group) -> dict[str, np.ndarray]:
  """Returns outcomes of a group in which a number encodes its instance and its position there."""
  n, m = group.spec.n_features, group.spec.n_hidden
  sizes = {"feature": n, "hidden": m, "output": n}
  index = group.instances.index.astype(np.float64)

  def fill(dims):
    shape = tuple(sizes[dim] for dim in dims)
    position = np.arange(np.prod(shape, dtype=int)).reshape(shape)
    return index.reshape(-1, *[1] * len(dims)) * STEP + position

  dims = params_class(group.spec.model).DIMS | {
    name: measure.dims for name, measure in MEASURES.items()
  }
  for name in ("feature_loss", "feature_density", "feature_importance"):
    dims[name] = ("feature",)
  for name in ("loss_sum", "loss_mean", "peak_learning_rate", "finite"):
    dims[name] = ()
  outcome = {name: fill(axes) for name, axes in dims.items()}
  outcome["loss_mean"] = outcome["loss_sum"] + 0.5  # no two variables of one instance are equal
  return outcome


def assemble(what: config.ResolvedConfig) -> dict[str, xr.Dataset]:
  outcomes = [encoded(group) for group in what.groups]
  estimators = [group.spec.estimator for group in what.groups]
  return results.assemble(what.values, what.axes, what.groups, outcomes, estimators)


def check_cells(what: config.ResolvedConfig, datasets: dict[str, xr.Dataset]) -> None:
  """Asserts that every cell, selected by its coordinates, holds the instance of these points."""
  shape = [len(axis.points) for axis in what.axes]
  seen = set()
  for index in range(int(np.prod(shape, dtype=int))):
    where = np.unravel_index(index, shape) if shape else ()
    chosen = {axis.name: axis.points[int(k)] for axis, k in zip(what.axes, where, strict=True)}
    shaping = [f"{axis.name}={chosen.pop(axis.name)}" for axis in what.axes if axis.reshapes]
    path = "/" + ",".join(shaping)
    seen.add(path)
    cell = datasets[path].sel(chosen)
    for name, variable in cell.data_vars.items():
      if name == "loss":
        continue
      values = np.asarray(variable.values)
      offset = 0.5 if name == "loss_mean" else 0
      expected = index * STEP + np.arange(values.size).reshape(values.shape) + offset
      np.testing.assert_array_equal(values, expected, err_msg=f"{path} {chosen} {name}")
  assert seen == datasets.keys()


def attributes(dataset: xr.Dataset) -> dict:
  def refuse(constant):
    raise AssertionError(f"{constant} is not JSON")

  return {
    name: json.loads(dataset.attrs[name], parse_constant=refuse) for name in ("config", "versions")
  }


SWEEPS = {
  "no_axes": {},
  "restart": {"restart": base.restarts(3)},
  "instance_axes": {
    "density": base.log("density.base", 1, 0.01, 3),
    "importance": base.linear("importance.base", 0, 2, 2),
    "restart": base.restarts(2),
  },
  "static_axis_first": {
    "decay": base.points("train.b2", (0.3, 0.0, 0.1)),
    "density": base.log("density.base", 1, 0.01, 2),
    "restart": base.restarts(2),
  },
  "static_axis_between": {
    "density": base.log("density.base", 1, 0.01, 3),
    "decay": base.points("train.b2", (0.3, 0.0)),
    "restart": base.restarts(2),
  },
  "static_axes_of_names": {
    "restart": base.restarts(2),
    "optimizer": base.points("train.optimizer", ("sgd", "adam", "adamw")),
    "schedule": base.points("train.schedule", ("linear", "constant")),
  },
  "shape_axis_alone": {"n_features": base.points("model.n_features", (5, 2))},
  "shape_axis": {
    "density": base.log("density.base", 1, 0.01, 2),
    "n_features": base.points("model.n_features", (5, 2)),
    "restart": base.restarts(2),
  },
  "two_shape_axes_and_a_static_one": {
    "m": base.points("model.n_hidden", (1, 2)),
    "decay": base.points("train.b2", (0.0, 0.1)),
    "restart": base.restarts(2),
    "n": base.points("model.n_features", (3, 5)),
  },
  "models": {
    "model": base.points("model.name", ("relu_output", "absolute_value")),
    "restart": base.restarts(2),
  },
}


@pytest.mark.quick("two_shape_axes_and_a_static_one")
@pytest.mark.parametrize("axes", SWEEPS.values(), ids=SWEEPS.keys())
def test_every_value_is_in_its_cell_on_disk_too(tmp_path, axes):
  what = resolved(**axes)
  datasets = assemble(what)
  check_cells(what, datasets)
  results.save(Workdir(tmp_path), datasets)
  stored = results.read(Workdir(tmp_path))
  check_cells(what, stored)
  for path, dataset in datasets.items():
    xr.testing.assert_identical(stored[path], dataset)


def test_dimensions_are_the_axes_in_their_order_then_hidden_and_feature():
  (dataset,) = assemble(resolved(**SWEEPS["static_axis_between"])).values()
  axes = ("density", "decay", "restart")
  assert dataset["W"].dims == (*axes, "hidden", "feature")
  assert dataset["b"].dims == dataset["feature_loss"].dims == (*axes, "feature")
  assert dataset["loss"].dims == dataset["dimensions_per_feature"].dims == axes
  np.testing.assert_allclose(dataset["density"], [1, 0.1, 0.01])
  np.testing.assert_array_equal(dataset["decay"], [0.3, 0])
  np.testing.assert_array_equal(dataset["restart"], [0, 1])
  assert dataset["density"].attrs["config_field"] == "density.base"
  assert dataset["decay"].attrs["config_field"] == "train.b2"


def test_without_axes_variables_have_no_leading_dimension():
  (dataset,) = assemble(resolved()).values()
  assert dataset["W"].dims == ("hidden", "feature")
  assert dataset["loss"].dims == ()
  assert dict(dataset.sizes) == {"hidden": 3, "feature": 4}


def test_each_shape_is_a_group_named_by_its_axis():
  datasets = assemble(resolved(**SWEEPS["shape_axis"]))
  assert list(datasets) == ["/n_features=5", "/n_features=2"]
  assert [dataset.sizes["feature"] for dataset in datasets.values()] == [5, 2]
  assert all(dataset["W"].dims[:2] == ("density", "restart") for dataset in datasets.values())
  several = assemble(resolved(**SWEEPS["two_shape_axes_and_a_static_one"]))
  assert set(several) == {f"/m={m},n={n}" for m in (1, 2) for n in (3, 5)}


def test_a_file_of_groups_names_them_in_its_root(tmp_path):
  datasets = assemble(resolved(**SWEEPS["shape_axis"]))
  results.save(Workdir(tmp_path), datasets)
  with xr.open_dataset(tmp_path / "results.nc") as root:
    assert json.loads(root.attrs["groups"]) == list(datasets)
    assert root.attrs["title"] == "test"
  loaded = results.load(tmp_path, "/n_features=2")
  assert loaded.values["model.n_features"] == 2 == loaded.params.W.shape[-1]


def test_the_model_of_each_group_is_its_own():
  datasets = assemble(resolved(**SWEEPS["models"]))
  assert {dataset.attrs["model"] for dataset in datasets.values()} == set(
    SWEEPS["models"]["model"].points
  )
  assert "W" in datasets["/model=relu_output"] and "W1" in datasets["/model=absolute_value"]


@pytest.mark.quick("shape_axis")
@pytest.mark.parametrize("sweep", ["static_axis_first", "shape_axis"])
def test_anyone_can_read_the_file(tmp_path, sweep):
  what = resolved(**SWEEPS[sweep])
  datasets = assemble(what)
  results.save(Workdir(tmp_path), datasets)
  code = """
import sys, numpy, xarray
for group in sys.argv[2:]:
  with xarray.open_dataset(sys.argv[1], group=group) as dataset:
    print(group, dict(dataset.sizes), float(dataset["loss"].sum()))
assert not any(name.startswith(("toy_superposition", "jax")) for name in sys.modules)
"""
  command = [sys.executable, "-c", code, str(tmp_path / "results.nc"), *datasets]
  done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
  assert (done.returncode, done.stderr) == (0, "")
  expected = [f"{k} {dict(v.sizes)} {float(v['loss'].sum())}" for k, v in datasets.items()]
  assert done.stdout.splitlines() == expected


def test_attributes_are_json_with_the_config_and_versions():
  what = resolved({"seed": 5}, **SWEEPS["shape_axis"])
  for dataset in assemble(what).values():
    stored = attributes(dataset)
    n = dataset.sizes["feature"]
    expected = {**what.values, "model.n_features": n}  # the group's own point of the axis
    assert stored["config"] == json.loads(json.dumps(expected))
    assert stored["config"]["experiment"] == "none"
    assert dataset.coords["n_features"] == n
    assert stored["versions"]["jax"] == jax.__version__
    assert stored["versions"]["python"].startswith("3.")
    assert dataset.attrs["seed"] == 5
    assert (dataset.attrs["title"], dataset.attrs["loss_evaluation"]) == ("test", "sampled")


def test_every_variable_has_a_description():
  for dataset in assemble(resolved(**SWEEPS["models"])).values():
    for name, variable in dataset.data_vars.items():
      assert len(variable.attrs["long_name"]) > 3, name


@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_loss_is_the_training_objective(reduction):
  what = resolved({"loss.reduction": reduction}, **SWEEPS["static_axis_first"])
  (dataset,) = assemble(what).values()
  np.testing.assert_array_equal(dataset["loss"], dataset[f"loss_{reduction}"])
  other = {"sum": "mean", "mean": "sum"}[reduction]
  assert not np.array_equal(dataset["loss"], dataset[f"loss_{other}"])
  assert dataset["loss"].attrs["reduction"] == reduction


def test_loss_is_the_training_objective_of_each_cell_of_a_sweep_over_reductions():
  axes = {
    "reduction": base.points("loss.reduction", ("sum", "mean")),
    "restart": base.restarts(2),
  }
  (dataset,) = assemble(resolved(**axes)).values()
  for reduction in ("sum", "mean"):
    cells = dataset.sel(reduction=reduction)
    np.testing.assert_array_equal(cells["loss"], cells[f"loss_{reduction}"])


def finished(path, fields=(), **axes) -> Workdir:
  """Returns the folder of a tiny finished run."""
  what = resolved(fields, **axes)
  workdir = open_workdir(path, what.values, what.identity, overwrite=False, command=[], devices=[])
  runner.run(what, workdir, meshes.make_mesh(setup.devices(1)))
  return workdir


def relu(x):
  return np.maximum(x, 0)


OUTPUTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
  "linear": lambda z: z,
  "leaky_relu_output": lambda z: np.maximum(z, activations.LEAK * z),
  "squared_relu_output": lambda z: relu(z) ** 2,
  # The common approximation by a hyperbolic tangent (Hendrycks and Gimpel, 2016).
  "gelu_output": lambda z: z / 2 * (1 + np.tanh((2 / np.pi) ** 0.5 * (z + 0.044715 * z**3))),
  "softplus_output": lambda z: np.log1p(np.exp(z)),
  "tanh_output": np.tanh,
}


def output(name: str, p: dict[str, np.ndarray], x: np.ndarray) -> np.ndarray:
  """Returns the outputs of the paper's models for inputs (feature,), by their formulas."""
  if name == "absolute_value":
    return relu(p["W2"] @ relu(p["W1"] @ x) + p["b"])
  hidden = p["W"] @ x
  if name == "sum_of_squares":
    return (hidden**2).sum() + p["c"]
  if name == "relu_hidden":
    hidden = relu(hidden)
  bias = 0 if name == "unbiased_relu_output" else p["b"]
  return OUTPUTS.get(name, relu)(p["W"].T @ hidden + bias)


@pytest.mark.quick("relu_output")
@pytest.mark.parametrize("name", toy.TOYS)
def test_a_loaded_model_computes_the_papers_formula_on_the_stored_numbers(tmp_path, name):
  axes = {"model": base.points("model.name", tuple(toy.TOYS)), "restart": base.restarts(2)}
  datasets = assemble(resolved(**axes))
  rng = np.random.default_rng(0)
  stored = datasets[f"/model={name}"]
  for parameter in params_class(name).DIMS:
    stored[parameter] = stored[parameter].copy(data=rng.normal(size=stored[parameter].shape))
  results.save(Workdir(tmp_path), datasets)
  loaded = load(tmp_path, f"/model={name}")
  assert loaded.model is MODELS[name]
  for restart in range(2):
    cell = loaded.dataset.isel(restart=restart)
    numbers = {k: cell[k].values for k in params_class(name).DIMS}
    params = jax.tree.map(lambda leaf, k=restart: leaf[k], loaded.params)
    x = rng.normal(size=4).astype(np.float32)
    computed = loaded.model.apply(params, jnp.asarray(x))
    np.testing.assert_allclose(computed, output(name, numbers, x), rtol=1e-5, atol=1e-5)


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Workdir:
  """A finished run of two models, in two netCDF groups."""
  return finished(
    tmp_path_factory.mktemp("results") / "run",
    {"density.base": 0.5, "importance.profile": "geometric", "importance.ratio": 0.5},
    model=base.points("model.name", ("relu_output", "absolute_value")),
    restart=base.restarts(2),
  )


@pytest.mark.quick("absolute_value")
@pytest.mark.parametrize("name", ("relu_output", "absolute_value"))
def test_stored_losses_and_norms_are_those_of_the_loaded_parameters(trained, name):
  loaded = load(trained.path, f"/model={name}")
  stored = loaded.dataset
  fields = ("density.base", "importance.profile", "importance.ratio")
  values = {field: loaded.values[field] for field in fields}
  (group,) = resolved(values | {"model.name": name}, restart=base.restarts(2)).groups
  np.testing.assert_array_equal(group.instances.density, stored["feature_density"])
  np.testing.assert_array_equal(group.instances.importance, stored["feature_importance"])
  np.testing.assert_array_equal(group.instances.learning_rate, stored["peak_learning_rate"])
  # The sweep's second model has other indices, which evaluation does not depend on.
  loss = evaluation.evaluate(
    problem.make(group.spec), loaded.params, group.instances, "sampled", 64
  )
  np.testing.assert_allclose(stored["feature_loss"], loss, rtol=1e-5, atol=1e-7)
  np.testing.assert_allclose(stored["loss_sum"], loss.sum(axis=1), rtol=1e-5)
  np.testing.assert_allclose(stored["loss_mean"], loss.mean(axis=1), rtol=1e-5)
  norm = np.linalg.norm(loaded.params.directions, axis=1)
  np.testing.assert_allclose(stored["feature_norm"], norm, rtol=1e-5)
  assert (stored["finite"] == 1).all()
  assert len(np.unique(stored["loss"])) == 2  # restarts differ


def test_loaded_values_are_the_config(trained):
  values = load(trained.path, "/model=relu_output").values
  assert values["density.base"] == 0.5
  assert values["axes"] == ["model", "restart"]


@pytest.mark.parametrize("group", ["/", "/model=none"])
def test_an_unknown_group_is_refused_with_the_names_of_the_known_ones(trained, group):
  with pytest.raises(UserError) as caught:
    load(trained.path, group)
  assert "/model=relu_output" in str(caught.value) and "/model=absolute" in str(caught.value)
  assert len(str(caught.value).splitlines()) == 1


def test_a_run_is_loaded_by_its_folders_name(tmp_path):
  what = resolved(restart=base.restarts(3))
  results.save(Workdir(tmp_path), assemble(what))
  loaded = load(str(tmp_path))
  assert loaded.params.W.shape == (3, 3, 4)
  assert loaded.params.b.shape == (3, 4)


@pytest.mark.parametrize("folder", ["", "missing"])
def test_a_run_without_results_is_one_line(tmp_path, folder):
  with pytest.raises(UserError, match=r"results\.nc: not found") as caught:
    load(tmp_path / folder)
  assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("share", [0, 0.001, 0.01, 0.25, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("sweep", ["static_axis_first", "shape_axis"])
def test_a_truncated_file_is_one_line_naming_it(tmp_path, share, sweep):
  workdir = Workdir(tmp_path)
  results.save(workdir, assemble(resolved(**SWEEPS[sweep])))
  content = workdir.results.read_bytes()
  workdir.results.write_bytes(content[: int(share * len(content))])
  with pytest.raises(UserError, match=re.escape(f"{workdir.results}: ") + ".*damaged") as caught:
    load(tmp_path)
  assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("content", [b"", b"not netCDF at all\n" * 500, b"\x89HDF\r\n\x1a\n"])
def test_a_file_of_another_kind_is_one_line_naming_it(tmp_path, content):
  (tmp_path / "results.nc").write_bytes(content)
  with pytest.raises(UserError, match=re.escape(str(tmp_path / "results.nc"))) as caught:
    load(tmp_path)
  assert len(str(caught.value).splitlines()) == 1


def test_a_damaged_config_within_the_file_is_one_line_naming_it(tmp_path):
  workdir = Workdir(tmp_path)
  results.save(workdir, assemble(resolved(restart=base.restarts(2))))
  content = workdir.results.read_bytes()
  assert content.count(b'"train.b1":') == 1
  workdir.results.write_bytes(content.replace(b'"train.b1":', b'"train.b1"\xa5'))
  with pytest.raises(UserError, match=re.escape(str(workdir.results))) as caught:
    load(tmp_path)
  assert len(str(caught.value).splitlines()) == 1


def test_a_netcdf_file_of_others_is_one_line(tmp_path):
  xr.Dataset({"temperature": ("time", np.arange(3.0))}).to_netcdf(
    tmp_path / "results.nc", engine="h5netcdf"
  )
  with pytest.raises(UserError, match=re.escape(str(tmp_path / "results.nc"))):
    load(tmp_path)


def test_what_a_crash_left_half_written_does_not_matter(tmp_path):
  what = resolved(**SWEEPS["shape_axis"])
  (tmp_path / ".results.nc.tmp").write_bytes(b"half")
  results.save(Workdir(tmp_path), assemble(what))
  assert [path.name for path in tmp_path.iterdir()] == ["results.nc"]
  check_cells(what, results.read(Workdir(tmp_path)))
