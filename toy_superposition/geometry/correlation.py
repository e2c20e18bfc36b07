"""Whether one number rises with another."""

import numpy as np
from jaxtyping import Num


def rank_correlation(a: Num[np.ndarray, "sample"], b: Num[np.ndarray, "sample"]) -> float:
  """Returns Spearman's coefficient, ties at their mean rank; nan where one of both is constant."""
  first, second = _ranks(a), _ranks(b)
  if np.ptp(first) == 0 or np.ptp(second) == 0:
    return float("nan")
  return float(np.corrcoef(first, second)[0, 1])


def _ranks(values: np.ndarray) -> np.ndarray:
  _, place, count = np.unique(values, return_inverse=True, return_counts=True)
  last = np.cumsum(count)
  return (last - (count - 1) / 2)[place]
