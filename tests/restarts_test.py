"""Restarts: which one is the best, and how many are like it."""

import numpy as np
import xarray as xr

from toy_superposition.experiments import restarts

DIMS = ("density", "restart")


def made(loss, finite=None, **variables) -> xr.Dataset:
  loss = np.asarray(loss, float)
  finite = np.ones(loss.shape) if finite is None else finite
  data = {"loss": (DIMS, loss), "finite": (DIMS, np.asarray(finite, np.int8))}
  data |= {name: (DIMS, np.asarray(values, float)) for name, values in variables.items()}
  coords = {"density": np.arange(len(loss)), "restart": np.arange(loss.shape[1])}
  return xr.Dataset(data, coords)


def test_the_best_restart_has_the_minimum_loss_of_its_cell():
  best = restarts.best(made([[3, 1, 2], [1, 2, 3]]))
  np.testing.assert_array_equal(best["restart"], [1, 0])
  np.testing.assert_array_equal(best["loss"], [1, 1])


def test_a_restart_that_is_not_finite_is_never_the_best():
  dataset = made([[np.nan, 2, 3], [0, 2, 1]], finite=[[1, 1, 1], [0, 1, 1]])
  np.testing.assert_array_equal(restarts.best(dataset)["restart"], [1, 2])


def test_a_shortlist_decides_among_its_members_alone():
  dataset = made([[1, 2, 3]], shortlist_loss=[[5, 4, np.nan]])
  np.testing.assert_array_equal(restarts.ranked_loss(dataset), [[5, 4, np.inf]])
  np.testing.assert_array_equal(restarts.best(dataset)["restart"], [1])


def test_a_dataset_without_restarts_is_its_own_best():
  dataset = made([[1.0]]).isel(restart=0)
  xr.testing.assert_identical(restarts.best(dataset), dataset)


def test_restarts_are_counted_in_words():
  assert restarts.count(made([[1, 2, 3]])["loss"] > 1) == "2 of 3 restarts"
