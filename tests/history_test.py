"""The history: parameters at the right steps, through interruptions, in the results."""

import numpy as np
import pytest

from configs import introduction
from toy_superposition import runner
from toy_superposition.config import resolve as config
from toy_superposition.devices import meshes, setup
from toy_superposition.errors import UserError
from toy_superposition.models import AutoencoderParams
from toy_superposition.records import history
from toy_superposition.records import workdir as workdirs

STEPS = (0, 1, 3, 12, 40)


def resolved() -> config.ResolvedConfig:
  settings = introduction.get_config("quick")
  settings.axis.density.num = settings.axis.restart.num = 2
  settings.train.steps, settings.train.batch_size = 40, 16
  settings.history.num = 5
  settings.run.log_every, settings.run.checkpoint_seconds = 7, 0.0
  settings.evaluation.n_samples = 1024
  return config.resolve(settings)


def run(folder):
  what = resolved()
  workdir = workdirs.open_workdir(
    folder, what.values, what.identity, overwrite=False, command=[], devices=[]
  )
  (dataset,) = runner.run(what, workdir, meshes.make_mesh(setup.devices(2))).values()
  return dataset


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
  return run(tmp_path_factory.mktemp("history"))


def test_steps_follow_the_scale_and_include_both_ends():
  assert history.steps(40, 5, "log") == STEPS
  assert history.steps(40, 5, "linear") == (0, 10, 20, 30, 40)
  assert history.steps(40, 0, "log") == ()
  assert history.steps(40, 1, "log") == (0,)
  assert history.steps(3, 50, "log") == (0, 1, 2, 3)


def test_what_is_written_is_read(tmp_path):
  params = AutoencoderParams(W=np.arange(6.0).reshape(1, 2, 3), b=np.ones((1, 3)))
  history.write(tmp_path / "deep", 7, params)
  again = history.read(tmp_path / "deep", 7, params)
  np.testing.assert_array_equal(again.W, params.W)
  np.testing.assert_array_equal(again.b, params.b)


def test_the_history_ends_with_the_results_and_begins_before_the_first_step(uninterrupted):
  d = uninterrupted
  assert d["history_W"].dims == ("density", "restart", "step", "hidden", "feature")
  assert tuple(d["step"].values) == STEPS
  for name in ("W", "b"):
    np.testing.assert_array_equal(d[f"history_{name}"].isel(step=-1), d[name])
  np.testing.assert_allclose(d["history_loss"].isel(step=-1), d["loss"], rtol=1e-6)
  np.testing.assert_array_equal(d["history_b"].isel(step=0), 0)
  moved = np.abs(d["history_W"].diff("step")).max(("density", "restart", "hidden", "feature"))
  assert np.all(moved > 0)


def test_an_interrupted_run_has_the_same_history(uninterrupted, tmp_path, monkeypatch):
  write = history.write

  def failing(folder, step, params):
    if step == 12:
      raise KeyboardInterrupt
    write(folder, step, params)

  with monkeypatch.context() as patch:
    patch.setattr(history, "write", failing)
    with pytest.raises(KeyboardInterrupt):
      run(tmp_path)
  assert not (tmp_path / "results.nc").exists()
  np.testing.assert_array_equal(run(tmp_path)["history_W"], uninterrupted["history_W"])


def test_a_missing_step_is_named(tmp_path):
  run(tmp_path)
  (tmp_path / "results.nc").unlink()
  (tmp_path / "history" / "group_0000" / "step_0000000003.npz").unlink()
  with pytest.raises(UserError, match="step_0000000003"):
    run(tmp_path)


def test_no_history_along_an_axis_of_different_lengths():
  settings = introduction.get_config("quick")
  settings.history.num = 3
  with settings.unlocked():
    settings.axes = ("density", "restart", "length")
    settings.axis.length = {"field": "train.steps", "scale": "points", "points": (10, 20)}
  settings.experiment = "none"
  with pytest.raises(UserError, match=r"history\.num"):
    config.resolve(settings)


def test_nothing_is_trained_in_no_steps(tmp_path):
  settings = introduction.get_config("quick")
  settings.train.steps, settings.experiment = 0, "none"
  settings.axis.density.num = settings.axis.restart.num = 2
  what = config.resolve(settings)
  workdir = workdirs.open_workdir(
    tmp_path, what.values, what.identity, overwrite=False, command=[], devices=[]
  )
  (d,) = runner.run(what, workdir, meshes.make_mesh(setup.devices(1))).values()
  np.testing.assert_array_equal(d["b"], 0)
  assert np.all(np.isfinite(d["loss"]))
  assert not workdir.checkpoints(0).exists()
