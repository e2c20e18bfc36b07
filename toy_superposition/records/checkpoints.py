"""Checkpoints: train states on disk, written by Orbax; each is verified when it is read.

The checksum, the name of the run and the return to the previous checkpoint are ours: Orbax detects
most damage, but not all damage inside a data file, and loads whatever lies in the folder.
"""

import contextlib
import hashlib
import json
import logging
import shutil
from pathlib import Path
from typing import Any

import jax
import numpy as np
from orbax.checkpoint import v1 as ocp

from toy_superposition.errors import UserError
from toy_superposition.records import files
from toy_superposition.types import TrainState

MAX_CHECKPOINTS = 2  # of each group
log = logging.getLogger(__name__)


def _named(state: Any) -> dict[str, Any]:
  """Returns the leaves of a state by path, such as params.W or opt_state.0.mu.W."""
  leaves, _ = jax.tree_util.tree_flatten_with_path(state)
  return {jax.tree_util.keystr(path, simple=True, separator="."): leaf for path, leaf in leaves}


def _digest(leaves: dict[str, Any], about: dict[str, Any]) -> str:
  """Returns a hash of whose state it is, and of names, types, shapes and bytes."""
  sha = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
  for name, leaf in sorted(leaves.items()):
    array = np.ascontiguousarray(leaf)
    sha.update(f"{name} {array.dtype} {array.shape}".encode())
    sha.update(array.tobytes())
  return sha.hexdigest()


def _by_step(folder: Path) -> int:
  return int(folder.name)


def _is_described(folder: Path) -> bool:
  """Returns whether Orbax's description of a checkpoint is JSON.

  Raises:
    OSError: it is there and cannot be read.
  """
  try:
    json.loads((folder / "_CHECKPOINT_METADATA").read_text())
  except (FileNotFoundError, ValueError):
    return False
  return True


def _check_readable(folder: Path) -> None:
  """Raises OSError for a file that is there and cannot be read, which is not damage."""
  for path in folder.rglob("*"):
    if path.is_file():
      with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
        file.read(1)


def _owner_text(name: str, value: Any) -> str:
  return f"run {str(value)[:12]}…" if name == "run" else f"{name} {value}"


class Checkpoints:
  """The last checkpoints of one group, each a step and a state in the form of Snapshot.state."""

  def __init__(self, folder: Path, run: str = "", group: int = 0):
    """Opens the folder, makes it if it does not exist, and removes half-written checkpoints.

    Args:
      folder: of the group's checkpoints.
      run: the run's hash, see workdir.training_hash.
      group: number of the group.

    Raises:
      UserError: the folder cannot be made or read.
    """
    self._folder = folder.absolute()
    self._owner = {"run": run, "group": group}
    with files.disk_errors(self._folder):
      self._folder.mkdir(parents=True, exist_ok=True)
      self._orbax = self._open()

  def _open(self) -> ocp.training.Checkpointer:
    """Returns Orbax's view of the folder. A checkpoint whose description is unreadable, which would
    make Orbax refuse the whole folder, is reported and deleted."""
    while True:
      try:
        return ocp.training.Checkpointer(
          self._folder,
          preservation_policy=ocp.training.preservation_policies.LatestN(MAX_CHECKPOINTS),
          cleanup_tmp_directories=True,
        )
      except OSError:
        raise
      except Exception as error:
        steps = sorted((p for p in self._folder.iterdir() if p.name.isdigit()), key=_by_step)
        if not steps:
          raise UserError(f"{self._folder}: {files.one_line(error)}") from error
        damaged = next((path for path in steps if not _is_described(path)), steps[-1])
        self._report(int(damaged.name), error)
        shutil.rmtree(damaged)

  def _report(self, step: int, error: BaseException) -> None:
    log.warning(
      "%s: checkpoint of step %d is damaged and skipped (%s)",
      *(self._folder, step, files.one_line(error)[:200]),
    )

  def save(self, step: int, state: TrainState) -> None:
    """Writes a state, whole or not at all; replaces one of the same step.

    Raises:
      UserError: the disk is full or cannot be written.
    """
    leaves, about = _named(state), self._owner | {"step": step}
    metadata = about | {"sha256": _digest(leaves, about), "about_sha256": _digest({}, about)}
    try:
      self._orbax.save(step, leaves, force=True, overwrite=True, custom_metadata=metadata)
      if (self._folder / str(step)).is_dir():  # in the process that writes
        files.sync_tree(self._folder / str(step))
    except Exception as error:
      reason = files.one_line(error)
      raise UserError(f"{self._folder}: checkpoint not written: {reason}") from error

  def latest(self, like: TrainState, before: int | None = None) -> tuple[int, TrainState] | None:
    """Returns step and state of the newest readable checkpoint, None if there is none.

    Damaged checkpoints are reported and skipped.

    Args:
      like: a state with the expected names, shapes and types, such as from jax.eval_shape.
      before: a step; only checkpoints of earlier ones count.

    Raises:
      UserError: a checkpoint is of another run, group or step, or is there and cannot be read.
    """
    for checkpoint in sorted(self._orbax.checkpoints, key=lambda c: c.step, reverse=True):
      if before is not None and checkpoint.step >= before:
        continue
      with files.disk_errors(self._folder):
        _check_readable(self._folder / str(checkpoint.step))
      try:
        return checkpoint.step, self._load(checkpoint.step, like)
      except UserError:
        raise
      except Exception as error:
        self._report(checkpoint.step, error)
    return None

  def _load(self, step: int, like: TrainState) -> TrainState:
    metadata = self._orbax.metadata(step).custom_metadata or {}
    about = {name: metadata.get(name) for name in ("run", "group", "step")}
    if metadata.get("about_sha256") != _digest({}, about):
      raise ValueError("its description does not match its checksum")
    for name, value in (self._owner | {"step": step}).items():
      if about[name] != value:
        raise UserError(
          f"{self._folder / str(step)}: a checkpoint of {_owner_text(name, about[name])}, not of "
          f"{_owner_text(name, value)}; move it away"
        )
    expected = {k: np.empty(leaf.shape, leaf.dtype) for k, leaf in _named(like).items()}
    stored = self._orbax.load(step, expected)
    for name, leaf in expected.items():
      array = stored[name]
      if (array.shape, array.dtype) != (leaf.shape, leaf.dtype):
        raise ValueError(f"{name} is {array.dtype}{array.shape}, not {leaf.dtype}{leaf.shape}")
    if metadata.get("sha256") != _digest(stored, about):
      raise ValueError("its content does not match its checksum")
    structure = jax.tree.structure(like)
    return jax.tree.unflatten(structure, [stored[name] for name in expected])

  def close(self) -> None:
    """Releases the folder. An error of a save was raised by `save` and is not raised again."""
    with contextlib.suppress(Exception):
      self._orbax.close()
