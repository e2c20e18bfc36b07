"""Parameters at chosen steps of training, one file per step.

Written at the border of the step, before any checkpoint of that border or of a later one: whatever
step a run is continued from, the files up to it are there.
"""

from pathlib import Path

import jax
import numpy as np

from toy_superposition.errors import UserError
from toy_superposition.records import files
from toy_superposition.types import Params


def steps(total: int, num: int, scale: str) -> tuple[int, ...]:
  """Returns the steps at which parameters are kept: 0, the last one, and `num` in all at most.

  Evenly spaced on a linear scale, or from step 1 on evenly in the logarithm; none for num = 0.
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
    with np.load(path) as found:
      leaves = [found[f"arr_{i}"] for i in range(len(found.files))]
    return jax.tree.unflatten(jax.tree.structure(like), leaves)
  except (OSError, ValueError, KeyError, EOFError) as error:
    reason = f"missing or damaged ({files.one_line(error)}); --overwrite trains afresh"
    raise UserError(f"{path}: {reason}") from error
