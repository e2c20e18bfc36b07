"""Checkpoints: a read gives the state that was written, the previous one, or None."""

import dataclasses
import functools
import gc
import logging
import os
import re
import resource
import shutil
import signal
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest

from configs import phase_change
from toy_superposition import problem, streams, train
from toy_superposition.config import resolve as config
from toy_superposition.errors import UserError
from toy_superposition.interrupts import Interrupted
from toy_superposition.optimizers import OPTIMIZERS
from toy_superposition.records import checkpoints
from toy_superposition.records.checkpoints import MAX_CHECKPOINTS, Checkpoints
from toy_superposition.types import TrainState


@functools.cache
def like(optimizer: str = "adam", model: str = "relu_output", restarts: int = 3) -> TrainState:
  """Returns the shapes of a group's train state."""
  settings = phase_change.get_config("quick")
  settings.experiment, settings.evaluation.method = "none", "sampled"
  settings.model.name = model
  settings.axes = ("restart",)
  settings.axis.restart.num = restarts
  (group,) = config.resolve(settings).groups
  # Not through the config, which refuses bfgs on this loss: only shapes matter here.
  made = problem.make(dataclasses.replace(group.spec, optimizer=optimizer, hyperparameters=()))
  root = streams.root(0)
  return jax.eval_shape(lambda i: train.initial_state(made, i, root), group.instances)


def state(number: int, shapes: TrainState | None = None) -> TrainState:
  """Returns a state of arbitrary bits, among them nan, infinities, −0 and subnormals."""
  rng = np.random.default_rng(number)

  def fill(leaf):
    if leaf.dtype == np.bool_:  # whose bytes are 0 or 1
      return rng.integers(0, 2, leaf.shape).astype(np.bool_)
    array = np.frombuffer(rng.bytes(leaf.size * leaf.dtype.itemsize), leaf.dtype)
    array = array.reshape(leaf.shape).copy()
    if array.dtype == np.float32:
      array.ravel()[:3] = np.nan, -np.inf, -0.0
    return array

  return jax.tree.map(fill, like() if shapes is None else shapes)


def bits(tree) -> list:
  leaves, structure = jax.tree.flatten(tree)
  arrays = [np.asarray(leaf) for leaf in leaves]
  return [structure, *((a.dtype, a.shape, a.tobytes()) for a in arrays)]


def save(folder: Path, *steps: int, shapes: TrainState | None = None) -> None:
  opened = Checkpoints(folder)
  for step in steps:
    opened.save(step, state(step, shapes))
  opened.close()


def latest(folder: Path, shapes: TrainState | None = None) -> tuple[int, TrainState] | None:
  opened = Checkpoints(folder)
  try:
    return opened.latest(like() if shapes is None else shapes)
  finally:
    opened.close()


def assert_is(stored: tuple[int, TrainState] | None, step: int) -> None:
  assert stored is not None
  assert stored[0] == step
  assert bits(stored[1]) == bits(state(step))


def files_of(folder: Path, step: int) -> list[Path]:
  return sorted(path for path in (folder / str(step)).rglob("*") if path.is_file())


def truncate(path: Path) -> None:
  path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path) -> None:
  path.write_bytes(b"")


def flip(path: Path) -> None:
  content = bytearray(path.read_bytes())
  content[len(content) // 2] ^= 0x10
  path.write_bytes(content)


# Orbax's background threads report into an event loop that it has already closed. What a user sees
# of this is tested in interruption_test.py.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
DAMAGES = {"truncated": truncate, "emptied": empty, "flipped": flip, "deleted": Path.unlink}


@pytest.fixture(autouse=True, scope="module")
def background_threads_end():
  """Waits for threads that outlive their checkpointer, so that they do not fail later tests."""
  yield
  gc.collect()
  time.sleep(0.2)


@pytest.fixture
def folder(tmp_path) -> Path:
  """Checkpoints of steps 10 and 20."""
  save(tmp_path / "group_0000", 10, 20)
  return tmp_path / "group_0000"


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("model", ["relu_output", "absolute_value"])
def test_a_state_is_read_back_bit_for_bit(tmp_path, optimizer, model):
  shapes = like(optimizer, model)
  save(tmp_path / "group", 7, shapes=shapes)
  stored = latest(tmp_path / "group", shapes)
  assert stored is not None
  assert stored[0] == 7
  assert bits(stored[1]) == bits(state(7, shapes))


def test_a_state_on_devices_is_read_back_bit_for_bit(tmp_path):
  shapes = like()
  on_devices = jax.device_put(state(7))
  opened = Checkpoints(tmp_path / "group")
  opened.save(7, on_devices)
  stored = opened.latest(shapes)
  opened.close()
  assert_is(stored, 7)


def test_there_is_none_before_the_first(tmp_path):
  assert latest(tmp_path / "group") is None


def test_the_last_two_remain(tmp_path):
  folder = tmp_path / "group"
  save(folder, 10, 20, 30, 35)
  assert MAX_CHECKPOINTS == 2
  assert sorted(os.listdir(folder)) == ["30", "35"]
  assert_is(latest(folder), 35)


def test_the_newest_has_the_most_steps_and_not_the_last_name(tmp_path):
  save(tmp_path / "group", 9, 10)
  assert_is(latest(tmp_path / "group"), 10)


def test_a_state_of_the_same_step_is_replaced(folder):
  opened = Checkpoints(folder)
  opened.save(20, state(99))
  opened.save(20, state(77))
  opened.close()
  stored = latest(folder)
  assert stored is not None
  assert (stored[0], bits(stored[1])) == (20, bits(state(77)))
  assert sorted(os.listdir(folder)) == ["10", "20"]


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_damaged_data_is_reported_and_the_previous_checkpoint_is_taken(folder, damage, caplog):
  for path in files_of(folder, 20):
    if path.parent.name == "d":
      damage(path)
  with caplog.at_level(logging.WARNING, logger="toy_superposition"):
    stored = latest(folder)
  assert_is(stored, 10)
  (line,) = [r.getMessage() for r in caplog.records if r.name.startswith("toy_superposition")]
  assert str(folder) in line and "step 20" in line
  assert len(line.splitlines()) == 1


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_damage_to_any_file_gives_the_right_state_or_the_previous_one(
  folder, tmp_path, damage, caplog
):
  wrong, skipped = [], 0
  for number, path in enumerate(files_of(folder, 20)):
    copy = tmp_path / f"copy_{number}"
    shutil.copytree(folder, copy)
    damage(copy / path.relative_to(folder))
    caplog.clear()
    try:
      stored = latest(copy)
      warned = [r for r in caplog.records if r.name.startswith("toy_superposition")]
      assert_is(stored, 10 if warned else 20)
      skipped += bool(warned)
    except Exception as error:  # all files are tried before the test fails
      wrong.append((path.name, type(error).__name__, str(error).splitlines()[:1]))
  assert wrong == []
  assert skipped > 0  # some damage matters


def test_a_checkpoint_whose_numbers_differ_from_its_checksum_is_not_taken(folder, monkeypatch):
  """As if a bit had flipped between the checksum and the disk."""
  digest = checkpoints._digest
  monkeypatch.setattr(
    checkpoints, "_digest", lambda leaves, about: "no" * bool(leaves) + digest(leaves, about)
  )
  save(folder, 30)
  monkeypatch.undo()
  assert_is(latest(folder), 20)


def test_a_signal_while_reading_or_writing_does_not_count_as_damage(folder, monkeypatch, caplog):
  def interrupted(*arguments, **keywords):
    raise Interrupted(signal.SIGTERM)

  opened = Checkpoints(folder)
  monkeypatch.setattr(opened._orbax, "load", interrupted)
  monkeypatch.setattr(opened._orbax, "save", interrupted)
  with pytest.raises(Interrupted):
    opened.latest(like())
  with pytest.raises(Interrupted):
    opened.save(30, state(30))
  monkeypatch.undo()
  opened.close()
  assert caplog.records == []


def test_without_a_readable_checkpoint_there_is_none(folder, caplog):
  for step in (10, 20):
    for path in files_of(folder, step):
      if path.parent.name == "d":
        truncate(path)
  assert latest(folder) is None
  lines = [r.getMessage() for r in caplog.records if r.name.startswith("toy_superposition")]
  assert [bool(re.search("step 20", line)) for line in lines] == [True, False]


def test_saving_continues_after_a_damaged_checkpoint(folder):
  for path in files_of(folder, 20):
    if path.parent.name == "d":
      flip(path)
  opened = Checkpoints(folder)
  assert_is(opened.latest(like()), 10)
  opened.save(15, state(15))
  assert_is(latest(folder), 15)
  opened.save(20, state(20))
  opened.close()
  assert_is(latest(folder), 20)


def test_saving_continues_where_all_are_damaged(folder):
  for step in (10, 20):
    for path in files_of(folder, step):
      if path.parent.name == "d":
        flip(path)
  save(folder, 5)
  assert_is(latest(folder), 5)


@pytest.mark.parametrize(
  "name", ["30.orbax-checkpoint-tmp", "30.orbax-checkpoint-tmp-1700000000", "30"]
)
@pytest.mark.parametrize("content", ["nothing", "half"])
def test_half_written_checkpoints_are_ignored(folder, name, content):
  (folder / name).mkdir()
  if content == "half":
    for path in files_of(folder, 20)[2:5]:
      copy = folder / name / path.relative_to(folder / "20")
      copy.parent.mkdir(parents=True, exist_ok=True)
      shutil.copy(path, copy)
  assert_is(latest(folder), 20)
  save(folder, 30)
  assert_is(latest(folder), 30)


def test_files_of_others_are_ignored_and_left(folder):
  (folder / "notes.txt").write_text("mine")
  (folder / "best").mkdir()
  save(folder, 30, 40)
  assert_is(latest(folder), 40)
  assert (folder / "notes.txt").read_text() == "mine"
  assert (folder / "best").is_dir()


@pytest.mark.parametrize(
  "other",
  [
    {"optimizer": "adamw"},
    {"optimizer": "sgd"},
    {"model": "absolute_value"},
    {"restarts": 2},
    {"restarts": 4},
  ],
  ids=str,
)
def test_a_state_of_another_structure_or_shape_is_not_taken(folder, other, caplog):
  taken = latest(folder, like(**other)) is not None
  assert not taken
  assert sum(r.name.startswith("toy_superposition") for r in caplog.records) == 2
  assert_is(latest(folder), 20)


def test_a_state_of_another_type_is_not_taken(folder):
  def halve(leaf):
    return jax.ShapeDtypeStruct(leaf.shape, np.float16 if leaf.dtype == np.float32 else leaf.dtype)

  assert latest(folder, jax.tree.map(halve, like())) is None


@pytest.mark.parametrize("path", ["a_file", "a_file/group_0000"])
def test_a_folder_that_cannot_be_made_is_one_line_naming_it(tmp_path, path):
  (tmp_path / "a_file").write_text("mine")
  with pytest.raises(UserError, match=re.escape(str(tmp_path / "a_file"))) as caught:
    Checkpoints(tmp_path / path)
  assert len(str(caught.value).splitlines()) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="lets a write fail by limiting files' sizes")
def test_a_full_disk_is_one_line_and_the_earlier_ones_stay(folder):
  shapes = like(restarts=5000)
  opened = Checkpoints(folder)
  soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
  resource.setrlimit(resource.RLIMIT_FSIZE, (8192, hard))
  try:
    with pytest.raises(UserError) as caught:
      opened.save(30, state(30, shapes))
  finally:
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
  opened.close()
  message = str(caught.value)
  assert str(folder) in message and "not written" in message
  assert len(message.splitlines()) == 1
  assert_is(latest(folder), 20)
  save(folder, 30)
  assert_is(latest(folder), 30)
