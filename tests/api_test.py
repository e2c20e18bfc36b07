"""The package in Python: cheap to import, the command's results without a folder, open tables."""

import ast
import json
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
import xarray as xr

import toy_superposition as ts
from configs import base
from toy_superposition import runner
from toy_superposition.config import resolve as config
from toy_superposition.devices import meshes, setup
from toy_superposition.records.opening import open_workdir


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
  """Runs every test in a folder that stays empty, without the user's cache."""
  assert len(jax.devices()) == 8
  monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "unused")
  folder = tmp_path / "empty"
  folder.mkdir()
  monkeypatch.chdir(folder)
  yield
  assert os.listdir(folder) == []


def small(**axes):
  """Returns a config that trains in a moment."""
  settings = ts.get_config()
  settings.train.steps, settings.train.batch_size = 6, 8
  settings.train.estimator, settings.data.generator = "autodiff", "hash"  # compile fast
  settings.evaluation.n_samples = 64
  base.set_axes(settings, **(axes or {"density": base.points("density.base", (0.5, 0.1))}))
  return settings


def test_importing_the_package_imports_nothing_else_until_a_name_is_used():
  code = (
    "import sys; before = set(sys.modules); import toy_superposition as ts; dir(ts); "
    "assert not {'jax', 'numpy', 'xarray', 'matplotlib'} & (set(sys.modules) - before); "
    "ts.UserError; assert 'jax' not in sys.modules; ts.run; assert 'jax' in sys.modules"
  )
  subprocess.run([sys.executable, "-c", code], check=True)


def test_every_public_name_exists_is_listed_documented_and_typed():
  tree = ast.parse(Path(ts.__file__).read_text())
  guarded = next(node for node in tree.body if isinstance(node, ast.If))
  typed = [
    alias.asname or alias.name
    for node in guarded.body
    if isinstance(node, ast.ImportFrom)
    for alias in node.names
  ]
  assert sorted(typed) == sorted(ts.__all__)
  assert set(ts.__all__) <= set(dir(ts))
  for name in ts.__all__:
    assert getattr(ts, name).__doc__


def test_a_mistyped_name_is_answered_with_the_nearest():
  with pytest.raises(AttributeError, match=r"'get_confg'; did you mean 'get_config'\?"):
    ts.get_confg


@pytest.mark.slow
def test_a_run_in_memory_has_the_results_of_a_run_in_a_folder_bit_for_bit(tmp_path):
  settings = small(density=base.points("density.base", (0.5, 0.1)), restart=base.restarts(3))
  settings.name, settings.history.num = "test", 3
  in_memory = ts.run(settings)
  what = config.resolve(settings)
  workdir = open_workdir(
    tmp_path / "run", what.values, what.identity, overwrite=False, command=[], devices=[]
  )
  mesh = meshes.make_mesh(setup.devices())
  in_folder = runner.run(what, workdir, mesh)["/"]
  xr.testing.assert_identical(in_memory, in_folder)
  xr.testing.assert_identical(ts.load(workdir.path), in_folder)
  assert in_memory["history_W"].sizes["step"] == 3
  rebuilt = ts.rebuild(in_memory)
  np.testing.assert_array_equal(rebuilt.params.W, in_memory["W"])
  assert rebuilt.values["name"] == "test"


def test_a_config_needs_no_name_and_is_not_changed():
  settings = small()
  assert ts.run(settings).attrs["title"] == "untitled"
  assert settings.name == ""


def test_several_shapes_are_refused_before_training_or_returned_by_name():
  settings = small(n=base.points("model.n_features", (3, 4)), restart=base.restarts(2))
  with pytest.raises(ts.UserError, match=r"'n'.*run_shapes"):
    ts.run(settings)
  datasets = ts.run_shapes(settings)
  assert {name: ds.sizes["feature"] for name, ds in datasets.items()} == {"/n=3": 3, "/n=4": 4}
  one_point = small(n=base.points("model.n_features", (3,)), restart=base.restarts(2))
  assert ts.run(one_point).sizes["feature"] == 3


def test_an_interrupt_at_the_next_pause_raises_pythons_own_and_leaves_no_trace(monkeypatch):
  seen = []

  def update(self, snapshot):
    seen.append(snapshot.step)
    signal.raise_signal(signal.SIGINT)

  handler, logger = signal.getsignal(signal.SIGINT), logging.getLogger("toy_superposition")
  before = (logger.handlers[:], logger.level, logger.propagate)
  monkeypatch.setattr(runner.Progress, "update", update)
  with pytest.raises(KeyboardInterrupt, match="nothing is stored"):
    ts.run(small())
  assert seen == [1]
  assert signal.getsignal(signal.SIGINT) is handler
  assert (logger.handlers, logger.level, logger.propagate) == before


def test_progress_is_shown_on_the_standard_output(capsys):
  ts.run(small())
  shown = capsys.readouterr()
  assert "compiled in" in shown.out and "step 6 of 6" in shown.out
  assert shown.err == ""


def of(dataset: xr.Dataset, experiment: str) -> xr.Dataset:
  """Returns the dataset with the config of an experiment."""
  return dataset.assign_attrs(config=json.dumps({"experiment": experiment}))


@pytest.mark.parametrize(
  ("call", "fragments"),
  [
    (lambda ds: ts.get_config("introductoin"), ["'introductoin'", "did you mean 'introduction'"]),
    (lambda ds: ts.get_config("introduction:quik"), ["introduction:quik", "quick"]),
    (lambda ds: ts.get_config("base:quick"), ["base:quick"]),
    (lambda ds: ts.get_config("no/such.py"), ["'no/such.py'"]),
    (lambda ds: ts.run("introductoin:quick"), ["'introductoin'", "did you mean 'introduction'"]),
    (lambda ds: ts.draw(ds), ["config.experiment is 'none'", "no figure", "ts.plots"]),
    (lambda ds: ts.claims(of(ds, "introdction")), ["did you mean 'introduction'"]),
    (lambda ds: ts.claims(of(ds, "feature_count")), ["compares model sizes", "'/sweep'"]),
    (lambda ds: ts.draw(of(ds, "feature_count")), ["compares model sizes", "'/sweep'"]),
    (lambda ds: ts.measure(ds, "feature_nrm"), ["did you mean 'feature_norm'"]),
    (lambda ds: ts.measure(ds, "feature_norm", weights="b"), ["'b'", "W"]),
    (lambda ds: ts.claims(ds.drop_attrs()), ["not a run's dataset"]),
    (lambda ds: ts.load("nowhere"), ["nowhere", "not found"]),
    (lambda ds: ts.rebuild(xr.Dataset()), ["not a run's dataset"]),
  ],
)
def test_a_mistake_is_one_line_that_says_what_is_allowed(call, fragments):
  W = xr.DataArray(np.ones((2, 5)), dims=("hidden", "feature"))
  dataset = of(xr.Dataset({"W": W}, attrs={"model": "relu_output"}), "none")
  with pytest.raises(ts.UserError) as caught:
    call(dataset)
  assert len(str(caught.value).splitlines()) == 1
  for fragment in fragments:
    assert fragment in str(caught.value)


def test_a_measure_of_a_dataset_is_what_a_run_stores():
  settings = small(density=base.points("density.base", (0.5, 0.1)), restart=base.restarts(3))
  settings.history.num = 3
  dataset = ts.run(settings)
  for name in ts.MEASURES:
    again = ts.measure(dataset.transpose("restart", ..., "density"), name)
    xr.testing.assert_allclose(again.transpose(*dataset[name].dims), dataset[name], rtol=1e-5)
  during = ts.measure(dataset, "feature_norm", weights="history_W")
  assert during.dims == ("density", "restart", "step", "feature")
  xr.testing.assert_allclose(
    during.isel(step=-1, drop=True), dataset["feature_norm"].drop_attrs(), rtol=1e-5
  )


def test_an_experiment_s_claims_and_figure_come_from_its_dataset():
  settings = ts.get_config("introduction:quick")
  settings.train.steps, settings.train.estimator = 4, "autodiff"
  dataset = ts.run(settings)
  assert [claim.verdict for claim in ts.claims(dataset)]
  assert ts.draw(dataset).axes
  assert ts.best(dataset)["loss"].dims == ("density",)
