"""Parameters of tests, most of which belong to the longer suite."""

from collections.abc import Collection, Iterable
from typing import Any

import pytest


def only(quick: Collection[Any], values: Iterable[Any]) -> list[Any]:
  """Returns parameters, all of which but `quick` are marked slow; tuples are several arguments."""

  def slow(x: Any) -> Any:
    return pytest.param(*(x if isinstance(x, tuple) else (x,)), marks=pytest.mark.slow)

  return [x if x in quick else slow(x) for x in values]
