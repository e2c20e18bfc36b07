"""Restarts: which one is the best, and how many are like it."""

import numpy as np
import pytest
import xarray as xr

from tests import datasets
from toy_superposition import evaluation
from toy_superposition.devices import meshes, setup
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


def alike(n_restarts: int, n_samples: int) -> xr.Dataset:
  """Returns models of nearly the same loss, ranked by their losses on the first stream."""
  rng = np.random.default_rng(0)
  dataset = datasets.dataset(
    axes={"density": [0.1, 0.3], "restart": range(n_restarts)},
    config={"evaluation.n_samples": n_samples},
    measured=(),
    W=0.3 * rng.normal(size=(2, n_restarts, 2, 6)),
    b=0.1 * rng.normal(size=(2, n_restarts, 6)),
  )
  loss = restarts.batch_losses(dataset, n_samples, evaluation.RANKING, MESH).mean("batch")
  return dataset.assign(loss=loss.astype(np.float32))


MESH = meshes.make_mesh(setup.devices(2))


def test_the_best_restart_is_judged_on_examples_that_did_not_rank_it():
  dataset = alike(64, 16)
  judged = restarts.judged(dataset, MESH, n_samples=2**17)
  assert judged["judged_loss"].dims == judged["judged_error"].dims == ("density",)
  best = restarts.best(dataset)
  true = restarts.batch_losses(best.drop_vars("restart"), 2**18, 7, MESH).mean("batch")
  deviation = np.abs(judged["judged_loss"] - true)
  assert np.all(deviation < 4 * judged["judged_error"])
  assert np.all(best["loss"] < true - 4 * judged["judged_error"])  # the minimum of 64 is too low


def test_by_default_as_many_examples_judge_as_ranked():
  dataset = alike(3, 2048)
  default, given = restarts.judged(dataset, MESH), restarts.judged(dataset, MESH, 2048)
  xr.testing.assert_identical(default, given)
  assert np.all(default["judged_error"] > 0)


def test_a_dataset_without_restarts_is_judged_too():
  dataset = alike(1, 2048).isel(restart=0)
  judged = restarts.judged(dataset, MESH)
  assert np.all(judged["judged_loss"] != dataset["loss"])


def test_the_standard_error_is_that_of_the_mean_of_batches():
  batches = xr.DataArray(np.random.default_rng(0).normal(size=(3, 50)), dims=("model", "batch"))
  expected = batches.values.std(axis=1, ddof=1) / 50**0.5
  np.testing.assert_allclose(restarts.standard_error(batches), expected)
  assert np.isnan(restarts.standard_error(batches[:, :1])).all()


@pytest.mark.parametrize("stream", [evaluation.RANKING, evaluation.JUDGING])
def test_batches_are_what_a_sampled_loss_averages(stream):
  dataset = alike(2, 16)
  by_feature = restarts.batch_losses(dataset, 4096, stream, MESH, by_feature=True)
  reduced = restarts.batch_losses(dataset, 4096, stream, MESH)
  assert by_feature.sizes["batch"] == 4
  np.testing.assert_allclose(by_feature.sum("feature"), reduced, rtol=1e-5)
  other = restarts.batch_losses(dataset, 4096, 1 - stream, MESH)
  assert np.all(other != reduced)


ROUNDS = ((16, 1024), (4, 8192))


def test_the_last_round_chooses_and_fresh_examples_judge():
  dataset = alike(64, 16)
  again = restarts.shortlisted(dataset, ROUNDS, MESH)
  np.testing.assert_array_equal((again["shortlist_round"] == 2).sum("restart"), [4, 4])
  np.testing.assert_array_equal((again["shortlist_round"] == 1).sum("restart"), [12, 12])
  np.testing.assert_array_equal(again["shortlist_loss"].notnull().sum("restart"), [4, 4])
  for k in range(2):
    members = np.argsort(dataset["loss"][k].values)[:16]
    cell = dataset.isel(density=[k], restart=members)
    first, second, judge = (
      restarts.batch_losses(cell, n, stream, MESH)[0].values
      for n, stream in ((1024, 2), (8192, 3), (8192, evaluation.JUDGING))
    )
    last = np.argsort(first.mean(axis=1))[:4]
    best = last[second.mean(axis=1)[last].argmin()]
    model = again.isel(density=k)
    assert int(restarts.best(again)["restart"][k]) == members[best]
    difference = judge[last] - judge[best]
    shown = model.isel(restart=members[last])
    np.testing.assert_allclose(
      shown["judged_difference"], difference.mean(axis=1), rtol=1e-3, atol=1e-7
    )
    error = difference.std(axis=1, ddof=1) / 8**0.5
    np.testing.assert_allclose(shown["difference_error"], error, rtol=1e-3, atol=1e-7)
    assert float(model["judged_loss"]) == pytest.approx(judge[best].mean(), rel=1e-5)
    out = np.setdiff1d(np.arange(16), last)
    np.testing.assert_allclose(
      model["judged_difference"][members[out]],
      (first[out] - first[best]).mean(axis=1),
      rtol=1e-3,
      atol=1e-7,
    )


def test_a_model_that_is_not_finite_takes_part_and_is_never_near():
  dataset = alike(3, 16)
  dataset["W"][0, 1] = np.nan
  dataset["finite"][0, 1] = 0
  again = restarts.shortlisted(dataset, ((3, 2048),), MESH).isel(density=0)
  assert int(restarts.best(again)["restart"]) != 1
  assert restarts.nearest(again, np.arange(3) == 1) is None
  assert restarts.ahead(again, np.arange(3) == 1)
