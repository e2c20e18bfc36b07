"""Encoder or dictionary: correlations by hand, verdicts on scores that are known."""

import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

from configs import sae_dictionary as settings
from tests import dictionaries
from toy_superposition.config.resolve import resolve
from toy_superposition.errors import UserError
from toy_superposition.experiments.experiment import CONFIRMED, CONTRADICTED, UNDECIDED
from toy_superposition.experiments.sae_dictionary import EXPERIMENT, figure
from toy_superposition.experiments.sae_dictionary.analysis import correlations

EXAMPLES = [300, 5000, 125_000]


def test_correlations_are_pearson_s():
  rng = np.random.default_rng(0)
  codes, x = rng.normal(size=(3, 500)), rng.normal(size=(2, 500))
  codes[0] = 3 * x[1] + 1
  codes[2] = 0
  found = np.asarray(correlations(jnp.float32(codes), jnp.float32(x)))
  expected = np.asarray(np.corrcoef(np.vstack([codes[:2], x])))[:2, 2:]
  np.testing.assert_allclose(found[:2], expected, atol=1e-5)
  np.testing.assert_array_equal(found[2], 0)


def made(
  mcc=(0.5, 0.9, 0.99),
  encoder=(0.4, 0.7, 0.9),
  learned=(0.45, 0.8, 0.97),
  true=0.98,
  simple=0.7,
  classical=(0.5, 0.9, 0.98),
  directions=(0.6, 0.97, 0.99),
  seeds=10,
) -> xr.Dataset:
  variants = [("topk_sae", 0.0, 5.0, False)] * 3
  dataset = dictionaries.scored(variants, seeds, mcc=np.array(mcc)[:, None])
  dataset = dataset.drop_vars("variant").rename(variant="examples")
  dataset = dataset.assign_coords(examples=EXAMPLES)
  ones = np.ones((3, seeds))
  columns = {
    "codes_encoder": encoder,
    "codes_fista": learned,
    "codes_true": [true] * 3,
    "codes_true_encoder": [simple] * 3,
    "codes_classical": classical,
    "mcc_classical": directions,
  }
  return dataset.assign(
    {n: (("examples", "seed"), np.array(c)[:, None] * ones) for n, c in columns.items()}
  )


def verdicts(dataset) -> list[str]:
  return [claim.verdict for claim in EXPERIMENT.claims(dataset)]


def test_a_dictionary_that_is_learned_from_many_examples_confirms_all():
  assert verdicts(made()) == [CONFIRMED] * 7
  assert figure.draw(made()).axes


def test_each_claim_can_be_contradicted_and_few_seeds_decide_nothing():
  assert verdicts(made(mcc=(0.5, 0.9, 0.8)))[0] == CONTRADICTED
  assert verdicts(made(true=0.9))[1] == CONTRADICTED
  assert verdicts(made(encoder=(0.5, 0.7, 0.9)))[2] == CONTRADICTED
  assert verdicts(made(learned=(0.45, 0.8, 0.92)))[3] == CONTRADICTED
  assert verdicts(made(simple=0.99))[4] == CONTRADICTED
  assert verdicts(made(directions=(0.9, 0.9, 0.99)))[5] == CONTRADICTED
  assert verdicts(made(classical=(0.5, 0.7, 0.98)))[6] == CONTRADICTED
  assert verdicts(made(seeds=2)) == [UNDECIDED] * 7


@pytest.mark.parametrize(
  ("field", "value"),
  [("model.k", 4.0), ("data.examples", "fresh"), ("data.distribution", "independent")],
)
def test_other_set_ups_are_refused(field, value):
  changed = settings.get_config("quick")
  section, name = field.split(".")
  changed[section][name] = value
  with pytest.raises(UserError, match=rf"config\.({field}|axis\.examples)"):
    resolve(changed)
