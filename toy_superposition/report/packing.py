"""Numbers on their way into a page: small, valid JSON, and no more of them than there is room."""

import base64
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

LARGEST, MISSING = 32767, -32768  # of 16-bit integers; the second stands for what is not finite
BYTES_EACH = 8 / 3  # of a packed number: two bytes in base64


def pack(values: Any) -> dict[str, Any]:
  """Returns an array as 16-bit integers, in base64 and little-endian.

  Every row along the first axis has a scale of its own, so that one model that grew without bounds
  leaves the others as they are: a number is off by at most 1/65534 of its row's largest. Rows that
  are all alike are stored once. What is not finite becomes null in the page.
  """
  array = np.asarray(values)
  kept = np.array(array[:1] if len(array) > 1 and _alike(array) else array, float)
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


def _alike(array: np.ndarray) -> bool:
  return bool(np.array_equal(array, np.broadcast_to(array[:1], array.shape), equal_nan=True))


def rounded(values: Any, digits: int = 5) -> Any:
  """Returns numbers as nested lists with this many significant digits, None for what is not
  finite."""
  if isinstance(values, np.ndarray | list | tuple) and np.ndim(values):
    return [rounded(value, digits) for value in values]
  if isinstance(values, int | np.integer):
    return int(values)
  return float(f"{float(values):.{digits}g}") if np.isfinite(values) else None


def block(content: Any) -> str:
  """Returns JSON that may stand in a script element, whatever strings are in it.

  Raises:
    ValueError: a number is not finite.
  """
  text = json.dumps(content, allow_nan=False, separators=(",", ":"))
  return text.replace("<", "\\u003c")


def evenly(count: int, kept: int) -> list[int]:
  """Returns `kept` indices below `count`, evenly spaced, both ends among them."""
  return sorted({round(k) for k in np.linspace(0, count - 1, min(count, max(kept, 1)))})


def thinned(
  sizes: Mapping[str, int], most: int, stages: Sequence[tuple[str, int]] = ()
) -> dict[str, int]:
  """Returns how many points of each axis are kept so that their product is at most `most`.

  Args:
    sizes: points of each axis.
    most: in all; one is kept in any case.
    stages: (axis, number) in order: the axis is thinned to this number before anything else is.
      After them, the longest axis is thinned until it is no longer the longest, and so on.
  """
  kept = dict(sizes)
  for name, least in stages:
    while kept.get(name, 0) > least and math.prod(kept.values()) > most:
      kept[name] -= 1
  while math.prod(kept.values()) > max(most, 1):
    kept[max(kept, key=lambda name: kept[name])] -= 1
  return kept


def shares(needs: Sequence[float], total: float) -> list[float]:
  """Returns what each gets of a total: all it needs, or, where that is too much, the same as every
  other one that gets less than it needs."""
  given, left = [0.0] * len(needs), total
  for place, k in enumerate(sorted(range(len(needs)), key=lambda k: needs[k])):
    given[k] = min(needs[k], left / (len(needs) - place))
    left -= given[k]
  return given
