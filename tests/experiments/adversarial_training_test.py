"""Adversarial training: verdicts on models in which superposition ends early, late or never."""

import numpy as np
import pytest
import xarray as xr

from configs import adversarial_training as settings
from configs import base
from toy_superposition.config import resolve as config
from toy_superposition.devices import meshes, setup
from toy_superposition.errors import UserError
from toy_superposition.experiments import FIGURES
from toy_superposition.experiments.adversarial_training.claims import ANALYSIS
from toy_superposition.experiments.experiment import CONFIRMED, CONTRADICTED, REPORTED, UNDECIDED

ATTACKS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


def made(n_shared, attacks=ATTACKS) -> xr.Dataset:
  """Returns the analysis of models with so many of 20 features in superposition, by attack."""
  dims = ("density", "restart", "attack")  # not the order of the figure
  superposition = np.zeros((2, 2, len(attacks), 20), np.float32)
  norm = np.zeros_like(superposition)
  for k, number in enumerate(n_shared):
    superposition[:, :, k, :number] = 1
    norm[:, :, k, : number + 2] = 1 - 0.05 * k
  loss = np.broadcast_to(1 + np.arange(len(attacks)), (2, 2, len(attacks)))
  dataset = xr.Dataset(
    {
      "feature_norm": ((*dims, "feature"), norm),
      "superposition": ((*dims, "feature"), superposition),
      "W": ((*dims, "hidden", "feature"), np.zeros((*loss.shape, 2, 20))),
      "loss": (dims, loss),
      "finite": (dims, np.ones(loss.shape, np.int8)),
    },
    {"attack": list(attacks), "density": [0.05, 0.2], "restart": [0, 1]},
  )
  return ANALYSIS.run(dataset, meshes.make_mesh(setup.devices(1)), 2**30)


def verdicts(dataset: xr.Dataset) -> list[str]:
  return [row.verdict for row in ANALYSIS.claims(dataset)]


def test_superposition_that_ends_between_half_and_all_of_the_paper_s_attack_confirms_it():
  dataset = made((18, 15, 10, 4, 0, 0))
  assert verdicts(dataset) == [CONFIRMED] * 2 + [REPORTED] * 2
  assert ANALYSIS.claims(dataset)[2].measured == "0.8, 0.8"
  assert len(FIGURES["adversarial_training"].draw(dataset).axes) == 3


@pytest.mark.parametrize("n_shared", [(18, 15, 10, 8, 6, 4), (18, 10, 0, 0, 0, 0)])
def test_superposition_that_stays_or_is_gone_early_contradicts_it(n_shared):
  assert verdicts(made(n_shared))[1] == CONTRADICTED


def test_an_attack_after_which_superposition_returns_is_not_where_it_ends():
  dataset = made((18, 15, 10, 0, 4, 0))
  assert verdicts(dataset)[0] == CONTRADICTED
  assert ANALYSIS.claims(dataset)[2].measured == "1, 1"
  assert ANALYSIS.claims(made((18, 15, 10, 8, 6, 4)))[2].measured == "none, none"


def test_few_attacks_decide_nothing():
  assert set(verdicts(made((18, 10, 0), (0.0, 0.4, 0.8)))) == {UNDECIDED, REPORTED}


def test_what_it_is_not_about_is_refused():
  changed = settings.get_config("quick")
  changed.importance.profile = "geometric"
  with pytest.raises(UserError, match=r"importance\.profile"):
    config.resolve(changed)
  changed = settings.get_config("quick")
  changed.axis.attack = base.points("loss.attack", (0.1, 0.2))
  with pytest.raises(UserError, match="compares with none"):
    config.resolve(changed)
  changed = settings.get_config("quick")
  changed.model.name = "absolute_value"
  with pytest.raises(UserError, match=r"loss\.attack.*no WᵀW"):
    config.resolve(changed)
