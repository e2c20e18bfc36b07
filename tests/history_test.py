"""The history: parameters at the right steps, through interruptions, in the results."""

import dataclasses
import errno
import shutil
import tracemalloc
from pathlib import Path

import jax
import numpy as np
import pytest

from configs import base, introduction
from toy_superposition import runner
from toy_superposition.config import resolve as config
from toy_superposition.devices import mapping, meshes, setup
from toy_superposition.devices.plan import make_plans, scoring_bytes
from toy_superposition.errors import UserError
from toy_superposition.models import AutoencoderParams
from toy_superposition.records import history, opening
from toy_superposition.records.history import Damaged, History
from toy_superposition.records.recorder import MemoryRecorder
from toy_superposition.scoring import Scorer
from toy_superposition.types import TrainState

STEPS = (0, 1, 3, 12, 40)


def resolved() -> config.ResolvedConfig:
  settings = introduction.get_config("quick")
  settings.axis.density.num = settings.axis.restart.num = 2
  settings.train.steps, settings.train.batch_size = 40, 16
  settings.train.estimator, settings.data.generator = "autodiff", "hash"  # compile fast
  settings.history.num = 5
  settings.run.log_every, settings.run.checkpoint_seconds = 7, 0.0
  settings.evaluation.n_samples = 1024
  return config.resolve(settings)


def run(folder):
  what = resolved()
  workdir = opening.open_workdir(
    folder, what.values, what.identity, overwrite=False, command=[], devices=[]
  )
  (dataset,) = runner.run(what, workdir, meshes.make_mesh(setup.devices(2))).values()
  return dataset


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
  return tmp_path_factory.mktemp("history") / "run"


@pytest.fixture(scope="module")
def uninterrupted(finished):
  return run(finished)


def test_steps_follow_the_scale_and_include_both_ends():
  assert history.steps(40, 5, "log") == STEPS
  assert history.steps(40, 5, "linear") == (0, 10, 20, 30, 40)
  assert history.steps(40, 0, "log") == ()
  assert history.steps(40, 1, "log") == (0,)
  assert history.steps(3, 50, "log") == (0, 1, 2, 3)


def test_what_is_written_is_read(tmp_path):
  params = AutoencoderParams(W=np.arange(6.0).reshape(1, 2, 3), b=np.ones((1, 3)))
  deep = History(tmp_path / "deep", "a run", 3)
  deep.write(7, params)
  again = deep.read(7, params)
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


class Generated(MemoryRecorder):
  """A recorder that holds nothing: a step's parameters are made when they are read."""

  def history(self, step, like):
    rng = np.random.default_rng(step)
    return jax.tree.map(lambda leaf: rng.normal(size=leaf.shape).astype(leaf.dtype), like)


def test_a_history_is_held_once_and_scored_in_slices_to_the_same_bits(monkeypatch):
  n_models, n_steps, n, m = 4, 400, 100, 40
  settings = base.get_config()
  settings.update_from_flattened_dict(
    {"name": "x", "train.steps": n_steps - 1, "evaluation.n_samples": 32, "history.num": n_steps}
    | {"model.n_features": n, "model.n_hidden": m, "history.scale": "linear"}
  )
  base.set_axes(settings, restart=base.restarts(n_models))
  what, recorder = config.resolve(settings), Generated()
  shape = AutoencoderParams(
    W=np.zeros((n_models, m, n), np.float32), b=np.zeros((n_models, n), np.float32)
  )
  mesh, lengths, compute = meshes.make_mesh(setup.devices(2)), [], mapping.Mapped.run

  def spied(self, tree, cpu_options):
    lengths.append((len(self.slices), len(self.slices[0])))
    return compute(self, tree, cpu_options)

  monkeypatch.setattr(mapping.Mapped, "run", spied)

  def scored(gibibytes):
    limited = dataclasses.replace(what, values={**what.values, "run.memory_gib": gibibytes})
    (plan,) = make_plans(limited, mesh)
    return Scorer(limited, plan).history(TrainState(shape, None), recorder), plan

  whole, _ = scored(8.0)
  tracemalloc.start()
  sliced, plan = scored(1 / 8)
  _, peak = tracemalloc.get_traced_memory()
  tracemalloc.stop()
  (one, _), (several, length) = lengths
  assert one == 1 < several
  assert length * scoring_bytes(plan.group, "sampled", ()) <= 2**27
  assert whole.keys() == sliced.keys() == {"history_W", "history_b", "history_loss"}
  for name, array in whole.items():
    np.testing.assert_array_equal(array, sliced[name])
  assert peak < 1.5 * sum(array.nbytes for array in sliced.values())


@pytest.mark.slow
def test_an_interrupted_run_has_the_same_history(uninterrupted, tmp_path, monkeypatch):
  write = History.write

  def failing(self, step, params):
    if step == 12:
      raise KeyboardInterrupt
    write(self, step, params)

  with monkeypatch.context() as patch:
    patch.setattr(History, "write", failing)
    with pytest.raises(KeyboardInterrupt):
      run(tmp_path)
  assert not (tmp_path / "results.nc").exists()
  np.testing.assert_array_equal(run(tmp_path)["history_W"], uninterrupted["history_W"])


@pytest.mark.slow
def test_a_damaged_step_is_trained_again_to_the_same_bits(
  uninterrupted, finished, tmp_path, caplog
):
  folder = shutil.copytree(finished, tmp_path / "run")
  (folder / "results.nc").unlink()
  (folder / "history" / "group_0000" / "step_0000000003.npz").write_bytes(b"")
  again = run(folder)
  assert "the history of step 3 is missing or damaged" in caplog.text
  assert again.identical(uninterrupted)


def test_the_first_missing_or_damaged_step_is_found(tmp_path):
  params = AutoencoderParams(W=np.ones((1, 2, 3)), b=np.ones((1, 3)))
  ours = History(tmp_path)
  for step in (0, 3, 9):
    ours.write(step, params)
  assert ours.gap([0, 3, 9], params) is None
  assert ours.gap([0, 3, 9, 12], params) == 12
  content = ours.path(3).read_bytes()
  flipped = bytearray(content)
  flipped[200] ^= 1  # within the first array
  for damaged in (b"", content[:300], bytes(flipped), b"not a zip file"):
    ours.path(3).write_bytes(damaged)
    assert ours.gap([0, 3, 9], params) == 3
  ours.path(3).unlink()
  assert ours.gap([0, 3, 9], params) == 3


def test_a_step_of_another_run_group_or_step_is_refused_and_left_as_it_is(tmp_path):
  params = AutoencoderParams(W=np.ones((1, 2, 3)), b=np.ones((1, 3)))
  ours = History(tmp_path, "ours", 0)
  ours.write(7, params)
  content = ours.path(7).read_bytes()
  for other, step in (
    (History(tmp_path, "theirs", 0), 7),
    (History(tmp_path, "ours", 1), 7),
    (ours, 8),
  ):
    other.path(step).write_bytes(content)
    with pytest.raises(UserError, match="of another run, group or step") as caught:
      other.gap([step], params)
    assert not isinstance(caught.value, Damaged)
    assert other.path(step).read_bytes() == content


def test_a_step_that_may_not_be_read_is_not_called_damaged(tmp_path, monkeypatch):
  params = AutoencoderParams(W=np.ones((1, 2, 3)), b=np.ones((1, 3)))
  ours = History(tmp_path)
  ours.write(7, params)

  def refused(*arguments):
    raise PermissionError(errno.EACCES, "Permission denied", str(ours.path(7)))

  monkeypatch.setattr(Path, "read_bytes", refused)
  with pytest.raises(UserError, match="Permission denied") as caught:
    ours.gap([7], params)
  assert not isinstance(caught.value, Damaged)


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
  workdir = opening.open_workdir(
    tmp_path, what.values, what.identity, overwrite=False, command=[], devices=[]
  )
  (d,) = runner.run(what, workdir, meshes.make_mesh(setup.devices(1))).values()
  np.testing.assert_array_equal(d["b"], 0)
  assert np.all(np.isfinite(d["loss"]))
  assert not workdir.checkpoints(0).exists()
