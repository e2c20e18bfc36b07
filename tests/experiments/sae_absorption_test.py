"""Absorption: the closed form against costs by hand, verdicts on known scores."""

import numpy as np
import pytest

from configs import sae_absorption as settings
from tests import dictionaries
from toy_superposition.config.resolve import resolve
from toy_superposition.errors import UserError
from toy_superposition.experiments.experiment import CONFIRMED, CONTRADICTED, UNDECIDED
from toy_superposition.experiments.sae_absorption import EXPERIMENT, figure
from toy_superposition.experiments.sae_absorption.theory import LARGEST, saving

VARIANTS = [
  ("l1_sae", 0.05, 1.0, False),
  ("l1_sae", 0.3, 1.0, False),
  ("batch_topk_sae", 0.0, 1.12, False),
  ("matryoshka_sae", 0.0, 1.12, False),
]


@pytest.mark.parametrize("penalty", [0.05, 0.3, 1.0, 1.9])
def test_the_saving_is_the_difference_of_two_least_costs(penalty):
  z = np.linspace(0, 2, 200_001)
  clean = 2 * ((1 - z) ** 2 + penalty * z).min()  # parent and child each by its own latent
  joint = ((2**0.5 - z) ** 2 + penalty * z).min()
  assert saving(penalty) == pytest.approx(clean - joint, abs=1e-6)
  assert saving(penalty) > 0
  assert saving(LARGEST) == pytest.approx(0, abs=1e-12)
  assert pytest.approx(2.34, abs=0.01) == LARGEST


def made(absorption=(1.0, 1.0, 0.35, 0.0), cosine=0.707, seeds: int = 10, steps: int = 5000):
  dataset = dictionaries.scored(
    VARIANTS,
    seeds,
    {"train.steps": steps},
    absorption=np.array(absorption)[:, None] + 1e-3 * np.linspace(0, 1, seeds),
  )
  return dataset.assign(child_cosine=(("variant", "seed"), np.full((4, seeds), cosine)))


def verdicts(dataset) -> list[str]:
  return [claim.verdict for claim in EXPERIMENT.claims(dataset)]


def test_the_verified_scores_confirm_all():
  assert verdicts(made()) == [CONFIRMED] * 4
  assert figure.draw(made()).subfigs


def test_each_claim_can_be_contradicted():
  assert verdicts(made(absorption=(0.5, 1, 0.35, 0)))[0] == CONTRADICTED
  assert verdicts(made(cosine=0.95))[1] == CONTRADICTED
  assert verdicts(made(absorption=(1, 1, 0.9, 0)))[2] == CONTRADICTED
  assert verdicts(made(absorption=(1, 1, 0.35, 0.3)))[3] == CONTRADICTED


def test_few_seeds_or_steps_decide_nothing():
  assert set(verdicts(made(seeds=3))) == {UNDECIDED}
  assert set(verdicts(made(steps=400))) == {UNDECIDED}


@pytest.mark.parametrize(
  ("field", "value"),
  [
    ("data.directions", "random"),
    ("data.value_law", "uniform"),
    ("data.exclusive_children", False),
  ],
)
def test_features_that_the_closed_form_is_not_about_are_refused(field, value):
  changed = settings.get_config("quick")
  section, name = field.split(".")
  changed[section][name] = value
  with pytest.raises(UserError, match=rf"config\.{field}"):
    resolve(changed)
