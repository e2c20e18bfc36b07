"""The history: parameters at chosen steps of training, one file per step.

A step is written at its segment end, before any checkpoint of that or a later step: whatever step a
run is continued from, the history up to it is on disk.
"""

import io
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from toy_superposition.errors import UserError
from toy_superposition.records import files
from toy_superposition.types import Params

ABOUT = "about"  # name of the array that says whose parameters a file holds


def steps(total: int, num: int, scale: str) -> tuple[int, ...]:
  """Returns the history steps, at most `num`: 0, `total` and steps between; none for num = 0.

  Args:
    total: optimizer steps of the training.
    num: steps, fewer where rounding makes two of them equal.
    scale: "linear", evenly spaced; or "log", evenly spaced in the logarithm from step 1 on.
  """
  if num < 2:
    return (0,) * num
  spaced = np.linspace(0, total, num) if scale == "linear" else np.geomspace(1, total, num - 1)
  return tuple(sorted({0, total, *(int(step) for step in np.round(spaced))}))


class History(NamedTuple):
  """The history of one group on disk."""

  folder: Path
  run: str = ""  # the run's hash, see workdir.training_hash
  group: int = 0

  def path(self, step: int) -> Path:
    """File of a step."""
    return self.folder / f"step_{step:010d}.npz"

  def write(self, step: int, params: Params) -> None:
    """Writes one step's parameters, whole or not at all.

    Raises:
      UserError: the disk is full or cannot be written.
    """
    with files.disk_errors(self.folder):
      self.folder.mkdir(parents=True, exist_ok=True)
    arrays = {f"arr_{i}": leaf for i, leaf in enumerate(jax.tree.leaves(params))}
    arrays[ABOUT] = np.array(json.dumps(self._about(step)))
    with files.replacing(self.path(step)) as temporary, open(temporary, "wb") as file:
      np.savez(file, allow_pickle=False, **arrays)

  def read(self, step: int, like: Params) -> Params:
    """Returns one step's parameters in the form of `like`.

    Raises:
      Damaged: the file is missing or damaged.
      UserError: it is of another run, group or step, or is there and cannot be read.
    """
    path = self.path(step)
    with files.disk_errors(path):
      try:
        with np.load(io.BytesIO(path.read_bytes())) as arrays:
          leaves = [arrays[f"arr_{i}"] for i in range(len(arrays.files) - 1)]
          about = json.loads(str(arrays[ABOUT]))
      except FileNotFoundError as error:
        raise Damaged(f"{path}: missing") from error
      except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise Damaged(f"{path}: damaged ({files.one_line(error)})") from error
    if about != self._about(step):
      raise UserError(f"{path}: the history of another run, group or step; move it away")
    expected = jax.tree.leaves(like)
    if [x.shape for x in leaves] != [x.shape for x in expected]:
      raise Damaged(f"{path}: damaged (its arrays have other shapes)")
    return jax.tree.unflatten(jax.tree.structure(like), leaves)

  def gap(self, steps: Sequence[int], like: Params) -> int | None:
    """Returns the first of the steps whose file is missing or damaged, None if all are there.

    Raises:
      UserError: as `read`, but for damage.
    """
    for step in steps:
      try:
        self.read(step, like)
      except Damaged:
        return step
    return None

  def _about(self, step: int) -> dict[str, Any]:
    return {"run": self.run, "group": self.group, "step": step}


class Damaged(UserError):
  """A file of the history is missing or damaged, and can be made again by training."""
