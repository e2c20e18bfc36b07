"""Numbers on their way into a page: small, valid JSON, within the room that there is.

Packed by hand: a number takes 2.7 bytes, as text it would take about 7.
"""

import base64
import gzip
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

LARGEST, MISSING = 32767, -32768  # of 16-bit integers; MISSING stands for what is not finite
BYTES_EACH = 8 / 3  # of a packed number: two bytes in base64


def pack(values: Any) -> dict[str, Any]:
  """Returns an array as 16-bit integers, in base64 and little-endian.

  Every row along the first axis has its own scale, so one diverged model does not affect the
  others: the error of a number is at most 1/65534 of its row's largest. Identical rows are stored
  once. What is not finite becomes null in the page.
  """
  array = np.asarray(values)
  kept = np.array(array[:1] if len(array) > 1 and _identical(array) else array, float)
  finite = np.isfinite(kept)
  rows = np.where(finite, kept, 0).reshape(len(kept), -1)
  if np.issubdtype(array.dtype, np.integer):
    scale = np.ones(len(kept))
  else:
    scale = np.array([float(f"{x:.9g}") or 1.0 for x in np.abs(rows).max(axis=1, initial=0)])
    scale = np.where(scale > 0, scale, 1) / LARGEST
  whole = np.clip(np.round(rows / scale[:, None]), -LARGEST, LARGEST).reshape(kept.shape)
  content = np.where(finite, whole, MISSING).astype("<i2").tobytes()
  return {
    "shape": [len(array), *array.shape[1:]],
    "scale": scale.tolist(),
    "int16": base64.b64encode(content).decode(),
  }


def _identical(array: np.ndarray) -> bool:
  return bool(np.array_equal(array, np.broadcast_to(array[:1], array.shape), equal_nan=True))


def rounded(values: Any, digits: int = 5) -> Any:
  """Returns numbers as nested lists with this many significant digits; None replaces what is not
  finite."""
  if isinstance(values, np.ndarray | list | tuple) and np.ndim(values):
    return [rounded(value, digits) for value in values]
  if isinstance(values, int | np.integer):
    return int(values)
  return float(f"{float(values):.{digits}g}") if np.isfinite(values) else None


def block(content: Any) -> str:
  """Returns JSON that is safe inside a script element, whatever strings it contains.

  Raises:
    ValueError: a number is not finite.
  """
  text = json.dumps(content, allow_nan=False, separators=(",", ":"))
  return text.replace("<", "\\u003c")


def compressed(text: str) -> str:
  """Returns a text as gzip in base64, which the page unpacks; equal texts become equal bytes."""
  return base64.b64encode(gzip.compress(text.encode(), compresslevel=9, mtime=0)).decode()


def evenly(count: int, kept: int) -> list[int]:
  """Returns `kept` indices below `count`, evenly spaced and including both ends."""
  return sorted({round(k) for k in np.linspace(0, count - 1, min(count, max(kept, 1)))})


def thinned(
  sizes: Mapping[str, int], most: int, stages: Sequence[tuple[str, int]] = ()
) -> dict[str, int]:
  """Returns how many points of each axis to keep so that their product is at most `most`.

  Args:
    sizes: points of each axis.
    most: maximum of the product; at least one point is kept.
    stages: pairs (axis, number), in order: the axis is thinned down to the number before any later
      stage. After all stages, the longest axis is thinned repeatedly.
  """
  kept = dict(sizes)
  for name, floor in stages:
    while kept.get(name, 0) > floor and math.prod(kept.values()) > most:
      kept[name] -= 1
  while math.prod(kept.values()) > max(most, 1):
    kept[max(kept, key=lambda name: kept[name])] -= 1
  return kept


def shares(needs: Sequence[float], total: float) -> list[float]:
  """Returns each one's share of a total: its full need or, where the needs exceed the total, an
  equal share with all others that get less than they need."""
  given, left = [0.0] * len(needs), total
  for rank, k in enumerate(sorted(range(len(needs)), key=lambda k: needs[k])):
    given[k] = min(needs[k], left / (len(needs) - rank))
    left -= given[k]
  return given
