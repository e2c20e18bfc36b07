"""Parameters of tests, most of which belong to the longer suite."""

from collections.abc import Collection, Iterable
from typing import Any

import pytest


def only(quick: Collection[Any], values: Iterable[Any]) -> list[Any]:
  """Returns parameters, all of which but `quick` are marked slow."""
  return [x if x in quick else pytest.param(x, marks=pytest.mark.slow) for x in values]
