"""Rank correlation of two samples."""

import numpy as np
from jaxtyping import Num


def rank_correlation(a: Num[np.ndarray, "sample"], b: Num[np.ndarray, "sample"]) -> float:
  """Returns Spearman's coefficient, in [−1, 1]; nan if either sample is constant."""
  from scipy import stats  # takes a second to import

  if np.ptp(a) == 0 or np.ptp(b) == 0:
    return float("nan")  # as spearmanr does, which also warns
  return float(stats.spearmanr(a, b).statistic)
