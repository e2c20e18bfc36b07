"""Adversarial training: verdicts on models in which superposition ends early, late or never."""

import numpy as np
import pytest
import xarray as xr

from configs import adversarial_training as settings
from configs import base
from tests import datasets
from toy_superposition.config.resolve import resolve
from toy_superposition.devices import meshes, setup
from toy_superposition.errors import UserError
from toy_superposition.experiments.adversarial_training import EXPERIMENT, figure
from toy_superposition.experiments.adversarial_training.analysis import PRESENT_NORM
from toy_superposition.experiments.experiment import CONFIRMED, CONTRADICTED, REPORTED, UNDECIDED

ATTACKS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
N, M = 20, 12
N_SHARED = (18, 14, 10, 4, 0, 0)  # features in superposition, by attack


def pairs(n_shared: int, norm: float) -> np.ndarray:
  """Returns W with an even number of features in antipodal pairs, and two with a dimension each."""
  W = np.zeros((M, N))
  for k in range(n_shared // 2):
    W[k, 2 * k], W[k, 2 * k + 1] = norm, -norm
  W[-2, -2], W[-1, -1] = norm, norm
  return W


def analysed(W, attacks=ATTACKS) -> xr.Dataset:
  """Returns the analysis of one matrix of weights per attack, at all densities and restarts."""
  dataset = datasets.dataset(
    W=np.stack(W)[:, None, None],
    axes={"attack": attacks, "density": [0.05, 0.2], "restart": [0, 1]},
    loss=1 + np.arange(len(attacks))[:, None, None],
    measured=EXPERIMENT.measures,
  )
  # In another order than the claims' and the figure's.
  dataset = dataset.transpose("density", "restart", "attack", ...)
  return EXPERIMENT.run(dataset, meshes.make_mesh(setup.devices(1)), 2**30)


def made(n_shared=N_SHARED, attacks=ATTACKS) -> xr.Dataset:
  """Returns the analysis of models with given features in superposition, and norms that shrink."""
  norms = 1 - 0.05 * np.arange(len(attacks))
  return analysed([pairs(*model) for model in zip(n_shared, norms, strict=True)], attacks)


def verdicts(dataset: xr.Dataset) -> list[str]:
  return [row.verdict for row in EXPERIMENT.claims(dataset)]


def test_superposition_that_ends_between_half_and_all_of_the_paper_s_attack_confirms_it():
  dataset = made()
  assert verdicts(dataset) == [CONFIRMED] * 2 + [REPORTED] * 2
  assert EXPERIMENT.claims(dataset)[2].measured == "0.8, 0.8"
  assert len(figure.draw(dataset).axes) == 3


def test_features_per_dimension_are_the_squared_norm_of_all_weights_per_dimension():
  dataset = made()
  squared = (dataset["W"] ** 2).sum(("hidden", "feature")) / M
  xr.testing.assert_allclose(dataset["features_per_dimension"], squared)
  np.testing.assert_array_equal(dataset["n_shared"][:, 0, 0], N_SHARED)


@pytest.mark.parametrize("n_shared", [(18, 14, 10, 8, 6, 4), (18, 10, 0, 0, 0, 0)])
def test_superposition_that_stays_or_is_gone_early_contradicts_it(n_shared):
  assert verdicts(made(n_shared))[1] == CONTRADICTED


def test_an_attack_after_which_superposition_returns_is_not_where_it_ends():
  dataset = made((18, 14, 10, 0, 4, 0))
  assert verdicts(dataset)[0] == CONTRADICTED
  assert EXPERIMENT.claims(dataset)[2].measured == "1, 1"
  assert EXPERIMENT.claims(made((18, 14, 10, 8, 6, 4)))[2].measured == "none, none"


def test_a_feature_whose_weights_attacks_have_shrunk_counts_while_it_is_present():
  norms = [1, 0.7, 0.4, 1.05 * PRESENT_NORM, 0.95 * PRESENT_NORM, 0]
  W = np.zeros((6, M, N))
  W[:, 0, 0], W[:, 0, 1] = 1, np.negative(norms)  # opposite to a feature of norm 1
  # That one is in superposition while the squared norm of the other is above the threshold.
  np.testing.assert_array_equal(analysed(W)["n_shared"][:, 0, 0], [2, 2, 2, 1, 0, 0])


def test_few_attacks_decide_nothing():
  assert set(verdicts(made((18, 10, 0), (0.0, 0.4, 0.8)))) == {UNDECIDED, REPORTED}


def test_models_that_are_not_finite_decide_nothing():
  dataset = made()
  dataset["finite"][3, 0, 0] = 0
  assert set(verdicts(dataset)) == {UNDECIDED, REPORTED}


@pytest.mark.parametrize(
  ("field", "value"),
  [
    ("model.name", "absolute_value"),
    ("importance.profile", "geometric"),
    ("model.n_hidden", 5),
    ("loss.hidden_l1", 0.3),
    ("train.optimizer", "adamw"),  # with its weight decay, which shrinks weights too
    ("axis.attack", base.points("loss.attack", (0.1, 0.2))),  # no model without attacks
    ("axis.density", base.points("density.base", (0.1, 1.0))),  # nothing is in superposition at 1
  ],
)
def test_models_that_the_paper_s_remark_is_not_about_are_refused(field, value):
  changed = settings.get_config("quick")
  section, name = field.split(".")
  changed[section][name] = value
  named = "train.weight_decay" if value == "adamw" else field
  with pytest.raises(UserError, match=rf"config\.{named}.*'adversarial_training'.*=none"):
    resolve(changed)


def test_a_model_without_gram_matrix_cannot_be_attacked():
  changed = settings.get_config("quick")
  changed.model.name = "absolute_value"
  changed.experiment = "none"
  with pytest.raises(UserError, match=r"loss\.attack.*no WᵀW"):
    resolve(changed)
