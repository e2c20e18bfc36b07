"""Wrong numbers of active latents: verdicts on scores that are known."""

import numpy as np
import pytest
import xarray as xr

from configs import base
from configs import sae_wrong_l0 as settings
from tests import dictionaries
from toy_superposition.config.resolve import resolve
from toy_superposition.errors import UserError
from toy_superposition.experiments.experiment import CONFIRMED, CONTRADICTED, UNDECIDED
from toy_superposition.experiments.sae_wrong_l0 import EXPERIMENT, figure

K = [1.0, 1.6, 2.4, 3.2, 4.2, 5.6]
MCC = np.array([0.6, 0.7, 0.9, 0.95, 0.94, 0.9])
F1 = np.array([0.3, 0.4, 0.6, 0.8, 0.7, 0.5])
FVU = np.array([0.6, 0.5, 0.3, 0.2, 0.1, 0.05])


def made(mcc=MCC, f1=F1, fvu=FVU, seeds: int = 10) -> xr.Dataset:
  variants = [("batch_topk_sae", 0.0, k, False) for k in K]
  scores = {"mcc": mcc[:, None], "f1": f1[:, None], "fvu": fvu[:, None], "active": 3.2}
  dataset = dictionaries.scored(variants, seeds, **scores)
  return dataset.drop_vars("variant").rename(variant="k").assign_coords(k=K)


def verdicts(dataset) -> list[str]:
  return [claim.verdict for claim in EXPERIMENT.claims(dataset)][:3]


def test_detection_that_peaks_at_the_true_number_confirms_all():
  assert verdicts(made()) == [CONFIRMED] * 3
  assert figure.draw(made()).axes


def test_each_claim_can_be_contradicted_and_few_seeds_decide_nothing():
  assert verdicts(made(fvu=FVU[::-1]))[0] == CONTRADICTED
  assert verdicts(made(f1=F1[[3, 1, 2, 0, 4, 5]]))[1] == CONTRADICTED
  assert verdicts(made(mcc=np.full(6, 0.9)))[2] == CONTRADICTED
  assert verdicts(made(seeds=2)) == [UNDECIDED] * 3


@pytest.mark.parametrize(
  ("field", "value"),
  [
    ("model.name", "topk_sae"),
    ("data.distribution", "independent"),
    ("axis.k", base.points("model.k", (1.0, 2.0))),
  ],
)
def test_other_sweeps_are_refused(field, value):
  changed = settings.get_config("quick")
  section, name = field.split(".")
  changed[section][name] = value
  with pytest.raises(UserError, match=rf"config\.{field}"):
    resolve(changed)
