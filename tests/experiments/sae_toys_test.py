"""Autoencoders of toy models: the count of represented features, verdicts on known scores."""

from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

from tests import dictionaries, small
from toy_superposition.experiments.dictionaries import bound, directions
from toy_superposition.experiments.experiment import CONFIRMED, CONTRADICTED, REPORTED, UNDECIDED
from toy_superposition.experiments.sae_toys import EXPERIMENT, figure
from toy_superposition.experiments.trained import Trained
from toy_superposition.types import Instance

DENSITIES = [0.1, 0.01]


def made(mcc=(0.8, 0.9), seeds: int = 10, represented: int = 4) -> xr.Dataset:
  variants = [("batch_topk_sae", 0.0, 2.0, False)] * 2
  dataset = dictionaries.scored(
    variants, seeds, mcc=np.array(mcc)[:, None], mcc_chance=0.5, mcc_chance_std=0.02
  )
  dataset = dataset.drop_vars("variant").rename(variant="density").assign_coords(density=DENSITIES)
  number = np.full((2, seeds), represented)
  return dataset.assign(n_represented=(("density", "seed"), number))


def verdicts(dataset) -> list[str]:
  return [claim.verdict for claim in EXPERIMENT.claims(dataset)]


def test_scores_above_chance_confirm_and_others_contradict():
  assert verdicts(made()) == [CONFIRMED, REPORTED, REPORTED]
  assert verdicts(made(mcc=(0.55, 0.9)))[0] == CONTRADICTED
  assert verdicts(made(seeds=2))[0] == UNDECIDED
  assert figure.draw(made()).axes


def test_the_bound_is_the_share_of_represented_features_that_there_are_latents_for():
  np.testing.assert_array_equal(bound(made(represented=4)), 1)  # of six latents
  np.testing.assert_array_equal(bound(made(represented=12)), 0.5)
  np.testing.assert_array_equal(bound(made(represented=0)), 1)


def test_features_that_a_toy_model_does_not_represent_have_no_direction():
  W = np.array([[[1.0, 0.1, -0.8], [0, 0.2, 0]]], np.float32)
  given = {"source_W": W, "source_b": np.zeros((1, 3), np.float32)}
  zero = jnp.zeros(1)
  instances = Instance(index=zero, density=zero, importance=zero, learning_rate=zero, given=given)

  source = small.spec(n_features=3, n_hidden=2)
  problem = SimpleNamespace(spec=SimpleNamespace(source=source))
  found = directions(Trained(problem, None, instances, (), ()), 0)  # type: ignore[arg-type]
  np.testing.assert_array_equal(found, [[1, 0, np.float32(-0.8)], [0, 0, 0]])


@pytest.mark.parametrize("name", ["relu_output", "linear"])
def test_only_sparse_autoencoders_are_judged(name):
  assert name not in EXPERIMENT.requires["model.name"]
