"""TensorBoard event files: numbers and histograms of each group while it trains, then figures.

What tensorboardX writes is read by TensorBoard; neither it nor TensorFlow is needed to train.
"""

import importlib.util
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from toy_superposition.errors import UserError
from toy_superposition.geometry.components import dimensionalities
from toy_superposition.records import files

FIGURES = "figures"  # the folder of images, beside those of groups
MOST_PAIRS = 2**24  # of features, over models: what histograms of dimensionalities look at, at most


class EventFiles:
  """Event files under a folder, one folder per group: appear in TensorBoard as runs."""

  def __init__(self, folder: Path):
    """Nothing is written before the first value.

    Raises:
      UserError: tensorboardX is not installed.
    """
    check_installed()
    self._folder = folder
    self._writers: dict[int, Any] = {}

  def _writer(self, group: int, step: int) -> Any:
    """Returns a group's writer; a new one voids what an earlier session wrote of later steps."""
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
    """Writes how norms and dimensionalities of features are distributed over finite models.

    Dimensionalities compare all pairs of features: of large models only the first are looked at.

    Raises:
      UserError: the disk is full or cannot be written.
    """
    W = W[np.isfinite(W).all(axis=(1, 2))]
    found = {"feature_norm": np.linalg.norm(W, axis=1)}
    found["feature_dimensionality"] = dimensionalities(W[: MOST_PAIRS // W.shape[2] ** 2])
    with files.disk_errors(self._folder):
      writer = self._writer(group, step)
      for name, values in found.items():
        if values.size:
          writer.add_histogram(name, values.ravel(), step)
      writer.flush()

  def close(self) -> None:
    """Closes the event files."""
    for writer in self._writers.values():
      writer.close()


def write_figures(folder: Path, pictures: Sequence[Path]) -> None:
  """Writes PNG files as images, in the place of those of an earlier session.

  Nothing is written where tensorboardX is not installed: a run may be drawn again elsewhere.

  Raises:
    UserError: the disk is full or cannot be written.
  """
  if importlib.util.find_spec("tensorboardX") is None:
    return
  from tensorboardX.proto.summary_pb2 import Summary
  from tensorboardX.writer import FileWriter

  with files.disk_errors(folder):
    for old in (folder / FIGURES).glob("events.out.tfevents.*"):
      old.unlink()
    writer = FileWriter(str(folder / FIGURES))
    for path in pictures:
      content = path.read_bytes()
      width, height = struct.unpack(">II", content[16:24])  # of a PNG's first chunk
      image = Summary.Image(height=height, width=width, colorspace=4, encoded_image_string=content)
      writer.add_summary(Summary(value=[Summary.Value(tag=path.stem, image=image)]), 0)
    writer.close()


def check_installed() -> None:
  """Raises UserError if event files cannot be written."""
  try:
    import tensorboardX  # noqa: F401
  except ImportError as error:
    raise UserError(
      "config.run.tensorboard: True is not allowed without tensorboardX; "
      'install it with: pip install -e ".[tensorboard]"'
    ) from error
