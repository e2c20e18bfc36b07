"""A small SynthSAEBench: scores at equal L0 by hand, verdicts on known scores."""

import jax.numpy as jnp
import numpy as np
import pytest

from configs import sae_benchmark as settings
from tests import dictionaries
from toy_superposition.config.resolve import resolve
from toy_superposition.errors import UserError
from toy_superposition.experiments.experiment import CONFIRMED, CONTRADICTED, UNDECIDED
from toy_superposition.experiments.sae_benchmark import EXPERIMENT, figure
from toy_superposition.experiments.sae_benchmark.analysis import oracle
from toy_superposition.experiments.sae_benchmark.claims import at_equal_l0

METHODS = ("l1_sae", "jumprelu_sae", "batch_topk_sae", "matryoshka_sae", "matching_pursuit_sae")
VARIANTS = [(name, 0.0, k, False) for name in METHODS for k in (2.0, 4.0)]
VARIANTS += [("batch_topk_sae", 0.0, 4.0, True)]
L0 = np.array([2.0, 4.0] * len(METHODS) + [4.0])
TRUTH = 4.0  # compared at 2.8
F1 = {"l1_sae": 0.5, "jumprelu_sae": 0.7, "batch_topk_sae": 0.7, "matryoshka_sae": 0.8}
PUBLISHED = F1 | {"matching_pursuit_sae": 0.4}
FVU = dict.fromkeys(METHODS, 0.2) | {"matching_pursuit_sae": 0.1}


def made(f1=PUBLISHED, fvu=FVU, frozen=0.1, true=0.9, seeds: int = 10, steps: int = 1500):
  noise = 1e-3 * np.random.default_rng(0).normal(size=(len(VARIANTS), seeds))

  def column(values, last):
    return np.array([*np.repeat([values[name] for name in METHODS], 2), last])[:, None] + noise

  dataset = dictionaries.scored(
    VARIANTS,
    seeds,
    {"train.steps": steps},
    l0=L0[:, None],
    active=TRUTH,
    f1_live=column(f1, frozen),
    fvu=column(fvu, 0.9),
  )
  penalties = np.array([0.1, 1.0])
  numbers = {
    "oracle_l0": np.array([5.0, 2.0]),
    "oracle_f1": np.full(2, true),
    "oracle_fvu": np.arange(2.0),
  }
  variables = {
    name: (("seed", "oracle_penalty"), np.broadcast_to(row, (seeds, 2)).astype(float))
    for name, row in numbers.items()
  }
  return dataset.assign(variables).assign_coords(oracle_penalty=penalties)


def verdicts(dataset) -> list[str]:
  return [claim.verdict for claim in EXPERIMENT.claims(dataset)][:7]


def test_the_published_order_confirms_all():
  assert verdicts(made()) == [CONFIRMED] * 7
  assert figure.draw(made()).axes


@pytest.mark.parametrize(
  ("at", "changes"),
  [
    (0, {"f1": PUBLISHED | {"matryoshka_sae": 0.68}}),
    (1, {"f1": PUBLISHED | {"l1_sae": 0.75}}),
    (2, {"f1": PUBLISHED | {"matching_pursuit_sae": 0.6}}),
    (3, {"f1": PUBLISHED | {"jumprelu_sae": 0.6}}),
    (4, {"fvu": FVU | {"batch_topk_sae": 0.05}}),
    (5, {"frozen": 0.8}),
    (6, {"true": 0.7}),
  ],
)
def test_each_claim_can_be_contradicted(at, changes):
  assert verdicts(made(**changes))[at] == CONTRADICTED


def test_few_seeds_or_steps_and_differences_within_their_errors_decide_nothing():
  assert set(verdicts(made(seeds=3))) == {UNDECIDED}
  assert set(verdicts(made(steps=400))) == {UNDECIDED}
  assert verdicts(made(f1=PUBLISHED | {"matryoshka_sae": 0.7}))[0] == UNDECIDED


def test_scores_are_interpolated_in_the_logarithm_of_l0():
  dataset = made().isel(seed=[0])
  values = np.where(L0 == 2, 0.0, 1.0)[:, None]
  found = at_equal_l0(dataset.assign(mcc=(("variant", "seed"), values)), "mcc")
  assert sorted(found) == sorted(METHODS)  # the frozen one is a baseline
  for value in found.values():
    assert value == pytest.approx(np.log(2.8 / 2) / np.log(2))
  short = dataset.isel(variant=dataset["l0"].values[:, 0] < 4)
  assert at_equal_l0(short, "mcc") == {}


def test_the_scores_of_codes_are_those_of_their_definition():
  A = jnp.eye(3)
  x = jnp.float32([[1, 0, 2, 0], [0, 1, 0, 0], [0, 0, 0, 0]])  # feature 2 is never active
  z = jnp.float32([[1, 0, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0]])
  l0, f1, left = oracle(A, A @ x, x, z, 2)
  assert float(l0) == pytest.approx(3 / 4)
  assert float(f1) == pytest.approx((2 / 3 + 2 / 3) / 2)
  variance = float(np.var(np.asarray(x), axis=1).sum() * 4)
  assert float(left) == pytest.approx((1 + 4) / variance)


@pytest.mark.parametrize(
  ("field", "value"),
  [("data.scaled", False), ("data.exclusive_children", False), ("data.noise", 0.1)],
)
def test_another_world_is_refused(field, value):
  changed = settings.get_config("quick")
  section, name = field.split(".")
  changed[section][name] = value
  with pytest.raises(UserError, match=rf"config\.{field}"):
    resolve(changed)


def test_the_small_world_has_its_densities():
  group = resolve(settings.get_config()).groups[0]
  density = group.instances.density[0].astype(float)
  assert density[0] == pytest.approx(0.3) and density[-1] == pytest.approx(0.002)
  roots, children = density[:16], density[16:64].reshape(16, 3)
  assert np.all(children.sum(axis=1) <= roots * (1 + 1e-5))
  assert density.sum() == pytest.approx(5.03, abs=0.1)  # measured on 20 480 examples
