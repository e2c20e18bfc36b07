"""TensorBoard event files: numbers and histograms of each group during training, then figures.

They are written by tensorboardX (extra `tensorboard`), without TensorBoard or TensorFlow.
"""

import importlib.util
import struct
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from toy_superposition.errors import UserError
from toy_superposition.geometry.components import dimensionalities
from toy_superposition.records import files

EVENTS = "*/events.out.tfevents.*"
FIGURES = "figures"  # folder of the images, beside the groups' folders
# Maximum number of feature pairs, summed over models, in a histogram of dimensionalities.
MAX_PAIRS = 2**24


class EventFiles:
  """Event files in one folder per group, which TensorBoard shows as runs."""

  def __init__(self, folder: Path):
    """Makes no file; the first value does.

    Raises:
      UserError: tensorboardX is not installed.
    """
    check_installed()
    self._folder, self._before = folder, set(folder.glob(EVENTS))
    self._writers: dict[int, Any] = {}

  def _writer(self, group: int, step: int) -> Any:
    """Returns a group's writer; a new one voids an earlier session's events from `step` on."""
    if group not in self._writers:
      from tensorboardX import SummaryWriter

      folder = self._folder / f"group_{group:04d}"
      self._writers[group] = SummaryWriter(str(folder), purge_step=step)
    return self._writers[group]

  def scalars(self, record: Mapping[str, Any]) -> None:
    """Writes the numbers of one line of metrics.

    Raises:
      UserError: the disk is full or cannot be written.
    """
    with files.disk_errors(self._folder):
      writer = self._writer(record["group"], record["step"])
      for name, value in record.items():
        if name not in ("group", "step") and isinstance(value, int | float):
          writer.add_scalar(name, value, record["step"])
      writer.flush()

  def histograms(self, group: int, step: int, W: Float[np.ndarray, "model hidden feature"]) -> None:
    """Writes histograms of feature norms and dimensionalities over all finite models of a group.

    A dimensionality takes all pairs of features, so that its histogram covers the first models
    only, up to MAX_PAIRS pairs in all.

    Raises:
      UserError: the disk is full or cannot be written.
    """
    W = W[np.isfinite(W).all(axis=(1, 2))]
    arrays = {"feature_norm": np.linalg.norm(W, axis=1)}
    arrays["feature_dimensionality"] = dimensionalities(W[: MAX_PAIRS // W.shape[2] ** 2])
    with files.disk_errors(self._folder):
      writer = self._writer(group, step)
      for name, values in arrays.items():
        if values.size:
          writer.add_histogram(name, values.ravel(), step)
      writer.flush()

  def written(self) -> set[Path]:
    """Returns the event files that were made so far."""
    return set(self._folder.glob(EVENTS)) - self._before

  def close(self) -> None:
    """Closes the event files."""
    for writer in self._writers.values():
      writer.close()


def write_figures(folder: Path, pictures: Sequence[Path], own: Collection[Path]) -> set[Path]:
  """Writes PNG files as images, which replace those of an earlier session; returns the files made.

  Does nothing if tensorboardX is not installed: a run may be drawn again on another machine.

  Args:
    folder: of the run's event files.
    pictures: PNG files.
    own: files of the run, which may be deleted.

  Raises:
    UserError: the disk is full or cannot be written.
  """
  if importlib.util.find_spec("tensorboardX") is None:
    return set()
  from tensorboardX.proto.summary_pb2 import Summary
  from tensorboardX.writer import FileWriter

  with files.disk_errors(folder):
    for old in set(own).intersection((folder / FIGURES).glob("events.out.tfevents.*")):
      old.unlink()
    before = set(folder.glob(EVENTS))
    writer = FileWriter(str(folder / FIGURES))
    for path in pictures:
      content = path.read_bytes()
      width, height = struct.unpack(">II", content[16:24])  # in a PNG's first chunk
      image = Summary.Image(height=height, width=width, colorspace=4, encoded_image_string=content)
      writer.add_summary(Summary(value=[Summary.Value(tag=path.stem, image=image)]), 0)
    writer.close()
  return set(folder.glob(EVENTS)) - before


def check_installed() -> None:
  """Raises UserError if tensorboardX, which writes event files, is not installed."""
  try:
    import tensorboardX  # noqa: F401
  except ImportError as error:
    raise UserError(
      "config.run.tensorboard: True is not allowed without tensorboardX; "
      'install it with: pip install -e ".[tensorboard]"'
    ) from error
