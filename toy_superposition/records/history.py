"""The history: parameters at chosen steps of training, one file per step.

A step is written at its segment end, before any checkpoint of that or a later step: whatever step a
run is continued from, the history up to it is on disk.
"""

from pathlib import Path

import jax
import numpy as np

from toy_superposition.errors import UserError
from toy_superposition.records import files
from toy_superposition.types import Params


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


def _path(folder: Path, step: int) -> Path:
  return folder / f"step_{step:010d}.npz"


def write(folder: Path, step: int, params: Params) -> None:
  """Writes one step's parameters, whole or not at all.

  Raises:
    UserError: the disk is full or cannot be written.
  """
  with files.disk_errors(folder):
    folder.mkdir(parents=True, exist_ok=True)
  with files.replacing(_path(folder, step)) as temporary, open(temporary, "wb") as file:
    np.savez(file, *jax.tree.leaves(params))


def read(folder: Path, step: int, like: Params) -> Params:
  """Returns one step's parameters in the form of `like`.

  Raises:
    UserError: the file is missing or damaged.
  """
  path = _path(folder, step)
  try:
    with np.load(path) as arrays:
      leaves = [arrays[f"arr_{i}"] for i in range(len(arrays.files))]
    return jax.tree.unflatten(jax.tree.structure(like), leaves)
  except (OSError, ValueError, KeyError, EOFError) as error:
    reason = f"missing or damaged ({files.one_line(error)}); --overwrite trains afresh"
    raise UserError(f"{path}: {reason}") from error
