"""Attacks: verdicts on features that are stored plainly, in pairs and on ever larger polygons."""

import numpy as np
import pytest
import xarray as xr

from configs import adversarial as settings
from configs import base
from tests import datasets
from toy_superposition.config.resolve import resolve
from toy_superposition.devices import meshes, setup
from toy_superposition.errors import UserError
from toy_superposition.experiments.adversarial import EXPERIMENT, figure
from toy_superposition.experiments.experiment import CONFIRMED, CONTRADICTED, UNDECIDED
from toy_superposition.geometry.components import polygon

N, M = 12, 2
DENSITIES = np.array([1, 0.5, 0.2, 0.15, 0.13, 0.12, 0.11, 0.1])
# Features that are stored at each density, and their bias.
STORED = ((2, 0.0), (2, 0.0), (4, 0.0), (4, 0.0), (5, -0.03), (6, -0.05), (7, -0.1), (8, -0.1))


def model(n_stored: int, bias: float, density: float) -> tuple[np.ndarray, np.ndarray]:
  """Returns W, on orthogonal axes or on a polygon, and b, the mean for features without weights."""
  W, b = np.zeros((M, N)), np.full(N, density / 2)
  W[:, :n_stored] = np.eye(M) if n_stored == M else polygon(n_stored)
  b[:n_stored] = bias
  return W, b


def made(densities, stored) -> xr.Dataset:
  """Returns the analysis of one model per density."""
  models = [model(n, bias, p) for (n, bias), p in zip(stored, densities, strict=True)]
  W, b = (np.stack(arrays)[:, None] for arrays in zip(*models, strict=True))
  dataset = datasets.dataset(
    W=W, b=b, axes={"density": densities, "restart": [0]}, measured=EXPERIMENT.measures
  )
  return EXPERIMENT.run(dataset, meshes.make_mesh(setup.devices(1)), 2**30)


@pytest.fixture(scope="module")
def growing() -> xr.Dataset:
  return made(DENSITIES, STORED)


AS_IN_THE_PAPER = (1.0, 1.1, 1.9, 2.0, 2.4, 2.6, 3.0, 3.5)


def verdicts(dataset: xr.Dataset) -> list[str]:
  return [row.verdict for row in EXPERIMENT.claims(dataset)]


def with_numbers(dataset: xr.Dataset, values, per_example: float = 11.0, error: float = 0.01):
  """Returns the dataset with other vulnerabilities: to one direction for all by density, and to the
  worst direction of each example."""
  dims, values = ("density", "restart"), np.asarray(values, float)[:, None]
  return dataset.assign(
    vulnerability_universal=(dims, values),
    vulnerability_universal_error=(dims, np.full_like(values, error)),
    vulnerability_per_example=(dims, np.full_like(values, per_example)),
  )


def test_more_features_per_dimension_at_lower_densities_confirm_the_paper(growing):
  assert verdicts(with_numbers(growing, AS_IN_THE_PAPER)) == [CONFIRMED] * 5
  assert len(figure.draw(growing).axes) == 3


def test_a_model_without_superposition_is_its_own_reference(growing):
  plain = growing.isel(density=slice(2))
  np.testing.assert_allclose(plain["vulnerability_universal"], 1, rtol=1e-5)
  np.testing.assert_allclose(plain["vulnerability_per_example"], 1, rtol=1e-5)


def test_the_worst_attack_of_each_example_is_no_weaker_than_one_for_all(growing):
  weaker = growing["vulnerability_universal"] * (1 - 1e-5)
  assert (growing["vulnerability_per_example"] >= weaker).all()


def test_the_order_of_the_densities_does_not_matter(growing):
  assert verdicts(growing.isel(density=slice(None, None, -1))) == verdicts(growing)


@pytest.mark.parametrize(
  ("values", "claim"),
  [
    ((1.2, 1.3, 1.9, 2.0, 2.4, 2.6, 3.0, 3.5), 0),  # dense features are more vulnerable
    ((1.0, 1.1, 1.9, 2.0, 2.1, 2.2, 2.3, 2.4), 1),  # sparse ones hardly more than pairs
    ((1.0, 1.1, 2.4, 2.5, 2.6, 2.7, 2.8, 3.5), 2),  # pairs are too vulnerable
    ((1.0, 3.3, 2.0, 1.9, 2.4, 2.3, 2.2, 3.5), 3),  # no order
  ],
)
def test_another_vulnerability_contradicts_the_claim_about_it_alone(growing, values, claim):
  expected = [CONFIRMED] * 5
  expected[claim] = CONTRADICTED
  assert verdicts(with_numbers(growing, values)) == expected


def test_other_numbers_at_the_sparsest_density_contradict_and_near_ones_are_left_open(growing):
  assert verdicts(with_numbers(growing, AS_IN_THE_PAPER, per_example=8))[4] == CONTRADICTED
  near = (*AS_IN_THE_PAPER[:-1], 3.015)
  assert verdicts(with_numbers(growing, near))[1] == UNDECIDED
  assert verdicts(with_numbers(growing, near, error=0.001))[1] == CONFIRMED


def test_the_worst_direction_is_judged_on_examples_that_did_not_choose_it(growing):
  # All features of the octagon are alike: which direction is worst is decided by chance alone.
  cell = growing.isel(density=-1, restart=0)
  chosen, judged = (float(cell[f"vulnerability_universal{s}"]) for s in ("_chosen", ""))
  assert chosen > judged - 3 * float(cell["vulnerability_universal_error"])
  assert float(cell["vulnerability_universal_error"]) > 0


def test_what_the_densities_do_not_show_is_left_open(growing):
  assert verdicts(growing.isel(density=slice(1, 2)))[:4] == [UNDECIDED] * 4


@pytest.mark.parametrize(
  ("field", "value"),
  [
    ("model.name", "linear"),
    ("model.n_features", 50),
    ("importance.base", 2.0),
    ("loss.hidden_l1", 0.3),
    ("loss.attack", 0.2),
    ("axis.density", base.points("density.base", (1.0, 0.0))),
  ],
)
def test_models_that_the_reference_is_not_for_are_refused_by_name(field, value):
  changed = settings.get_config("quick")
  section, name = field.split(".")
  changed[section][name] = value
  with pytest.raises(UserError, match=rf"config\.{field}.*'adversarial'.*=none"):
    resolve(changed)
