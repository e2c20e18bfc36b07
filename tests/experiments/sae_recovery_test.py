"""Recovery of a dictionary: verdicts on scores that are known."""

import numpy as np
import pytest

from configs import sae_recovery as settings
from tests import dictionaries
from toy_superposition.config.resolve import resolve
from toy_superposition.errors import UserError
from toy_superposition.experiments.experiment import CONFIRMED, CONTRADICTED, UNDECIDED
from toy_superposition.experiments.sae_recovery import EXPERIMENT, figure

VARIANTS = [
  ("l1_sae", 0.01, 1.0, False),
  ("l1_sae", 0.05, 1.0, False),
  ("l1_sae", 0.5, 1.0, False),
  ("l1_sae", 0.05, 1.0, True),
  ("topk_sae", 0.0, 2.0, False),
]
MCC = np.array([0.63, 0.972, 0.9996, 0.47, 0.999])
FVU = np.array([0.003, 0.036, 0.196, 0.02, 0.118])


def made(mcc=MCC, fvu=FVU, seeds: int = 10, steps: int = 5000):
  noise = np.linspace(-1, 1, seeds)
  return dictionaries.scored(
    VARIANTS,
    seeds,
    {"train.steps": steps},
    mcc=mcc[:, None] + 1e-4 * noise,
    fvu=fvu[:, None] + 1e-4 * noise,
    l0=np.array([40, 11, 1.9, 12, 2])[:, None],
    mcc_chance=0.42,
    mcc_chance_std=0.008,
  )


def verdicts(dataset) -> list[str]:
  return [claim.verdict for claim in EXPERIMENT.claims(dataset)][:9]


def test_the_verified_numbers_confirm_all():
  assert verdicts(made()) == [CONFIRMED] * 9
  assert figure.draw(made()).axes


def test_recovery_in_the_order_of_reconstruction_contradicts():
  found = verdicts(made(mcc=np.array([0.99, 0.972, 0.9, 0.47, 0.999])))
  assert found[0] == CONTRADICTED


def test_reconstruction_that_improves_with_the_penalty_contradicts():
  assert verdicts(made(fvu=FVU[[2, 1, 0, 3, 4]]))[1] == CONTRADICTED


def test_decoders_at_chance_contradict_unless_they_are_frozen():
  assert verdicts(made(mcc=np.array([0.43, 0.972, 0.9996, 0.47, 0.999])))[2] == CONTRADICTED
  assert verdicts(made(mcc=np.array([0.63, 0.972, 0.9996, 0.42, 0.999])))[2] == CONFIRMED


def test_other_numbers_than_the_verified_ones_contradict():
  assert verdicts(made(mcc=np.array([0.63, 0.95, 0.9996, 0.47, 0.999])))[3] == CONTRADICTED
  assert verdicts(made(fvu=np.array([0.003, 0.036, 0.196, 0.02, 0.13])))[8] == CONTRADICTED


def test_few_seeds_or_steps_decide_nothing():
  assert set(verdicts(made(seeds=3))) == {UNDECIDED}
  assert set(verdicts(made(steps=4000))) == {UNDECIDED}
  diverged = made()
  diverged["finite"][0, 0] = 0
  assert set(verdicts(diverged)) == {UNDECIDED}


@pytest.mark.parametrize(
  ("field", "value"),
  [
    ("data.input", "identity"),
    ("data.noise", 0.1),
    ("loss.hidden_l1", 0.1),
    ("model.decoder_bias", False),
    ("model.n_features", 32),
  ],
)
def test_models_that_the_claims_are_not_about_are_refused(field, value):
  changed = settings.get_config("quick")
  section, name = field.split(".")
  changed[section][name] = value
  with pytest.raises(UserError, match=rf"config\.{field}"):
    resolve(changed)
