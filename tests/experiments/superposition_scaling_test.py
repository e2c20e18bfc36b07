"""Superposition scaling: bounds against sampling, verdicts on losses of known powers."""

import numpy as np
import pytest
import xarray as xr

from configs import superposition_scaling as settings
from tests import datasets
from toy_superposition.config.resolve import resolve
from toy_superposition.devices import meshes, setup
from toy_superposition.errors import UserError
from toy_superposition.experiments.experiment import (
  CONFIRMED,
  CONTRADICTED,
  IDENTITY,
  REPORTED,
  UNDECIDED,
)
from toy_superposition.experiments.superposition_scaling import (
  EXPERIMENT,
  analysis,
  figure,
  theory,
)

WIDTHS, RESTARTS = np.array([4, 8, 16, 32]), 5
LAWS = {"α = 0": 0.0, "α = 0.5": 0.5, "α = 1": 1.0}
REGIMES = settings.REGIMES


def known(restarts: int = RESTARTS, slope: float = -1.0, **factors: float) -> xr.Dataset:
  """Returns what `run` adds up to if all is as expected.

  Losses are 1/m in the strong regimes, and the bound of m orthogonal features, a power law of
  exponent .2 + α, in the weak ones.

  Args:
    restarts: how many.
    slope: of log loss against log m in the strong regimes.
    **factors: variable → factor on it.
  """
  shape = (len(LAWS), len(REGIMES), restarts, len(WIDTHS))
  m = np.broadcast_to(WIDTHS, shape)
  alpha = np.array([*LAWS.values()])[:, None, None, None]
  decay = np.array([decay for decay, _ in REGIMES.values()])[None, :, None, None]
  jitter = 1 + 0.002 * (np.arange(restarts) - (restarts - 1) / 2)[None, None, :, None]
  bound = 0.9 * (m / 4.0) ** -(0.2 + alpha)
  found = {
    "loss": np.where(decay < 0, 0.8 * (m / 4.0) ** slope, bound) * jitter,
    "n_represented": np.where(decay < 0, 256, m).astype(float),
    "n": np.full(shape, 256.0),
    "ignored": np.where(decay < 0, 0, bound),
    "excess": bound * (jitter - 1),
    "excess_error": np.full(shape, 1e-3) * bound,
    "alone": bound,
    "norm": np.ones(shape),
    "zero": np.full(shape, 4 / 3),
    "orthogonal": bound,
    "random_code": np.maximum(m / 4.0, 1) ** -1.0,
    "finite": np.ones(shape),
  }
  dims = ("frequencies", "regime", "restart", "m")
  tails = [1 / (1 + a) for a in LAWS.values()]
  decays, biases = zip(*REGIMES.values(), strict=True)
  return xr.Dataset(
    {name: (dims, value * factors.get(name, 1.0)) for name, value in found.items()},
    {
      "frequencies": [*LAWS],
      "regime": [*REGIMES],
      "restart": range(restarts),
      "m": WIDTHS,
      "frequencies_density_tail": ("frequencies", tails),
      "regime_train_norm_decay": ("regime", [*decays]),
      "regime_init_bias": ("regime", [*biases]),
    },
  )


def verdicts(dataset: xr.Dataset) -> dict[str, str]:
  return {claim.statement: claim.verdict for claim in EXPERIMENT.decide(dataset)}


def of(rows: dict[str, str], *words: str) -> set[str]:
  """Returns the verdicts on the statements with these words."""
  chosen = {verdict for name, verdict in rows.items() if all(word in name for word in words)}
  assert chosen, words
  return chosen


def test_the_losses_without_superposition_are_those_of_sampled_examples():
  density = np.array([0.5, 0.3, 0.2])
  rng = np.random.default_rng(0)
  x = 2 * rng.uniform(size=(400_000, 3)) * (rng.uniform(size=(400_000, 3)) < density)
  assert theory.ignored_loss(density) == pytest.approx((x**2).sum(axis=1).mean(), rel=0.01)
  for m in (0, 1, 2, 3):
    ignored = sorted(x.var(axis=0))[: 3 - m]
    assert theory.orthogonal_loss(density, m) == pytest.approx(sum(ignored), rel=0.01)


def test_random_directions_are_better_than_nothing_and_the_wider_the_better():
  density = 1 / np.arange(1, 33)
  density /= density.sum()
  losses = [theory.random_code_loss(density, m, n_examples=2000) for m in (2, 8, 32)]
  assert 4 / 3 * 1.2 > losses[0] > losses[1] > losses[2] > 0
  alone = theory.random_code_loss(np.array([0.5]), 3, n_examples=2000)
  assert alone < 0.01  # a feature by itself needs no bias, and 0 is nearly among them


def test_an_exponent_has_intervals_over_restarts_and_over_m():
  m = np.array([4, 8, 16, 32])
  found = analysis.exponent(m, np.stack([m**-0.9, 3 * m**-1.1]))
  assert found.mean == pytest.approx(1.0)
  assert found.half == pytest.approx(12.706 * 0.1 * 2**0.5 / 2**0.5, rel=1e-3)  # t of one degree
  bent = analysis.exponent(m, np.array([[1, 0.5, 0.125, 0.125]]))
  assert (bent.low, bent.high) == pytest.approx((0, 2))
  assert np.isnan(bent.half)


def test_run_scores_known_weights():
  W = np.zeros((2, 16))
  W[0, 0], W[1, 1] = 1, 0.9
  names = {"frequencies": "density.tail", "regime": "train.norm_decay"}
  made = datasets.dataset(
    axes={"frequencies": [1.0, 0.5], "regime": [-1.0], "restart": range(2)},
    config={f"axis.{axis}.field": field for axis, field in names.items()}
    | {"density.profile": "pareto", "density.base": 1.0, "train.optimizer": "norm_adamw"}
    | {"data.distribution": "independent", "data.value_law": "uniform_to_two"},
    measured=(),
    W=W,
  )
  result = EXPERIMENT.run(made, meshes.make_mesh(setup.devices(1)), 2**30)
  density = made["feature_density"].values[:, :, 0]
  assert (result["n_represented"] == 2).all() and (result["n"] == 16).all()
  np.testing.assert_allclose(result["norm"], 1.9 / 16, rtol=1e-6)
  np.testing.assert_allclose(result["zero"], 4 / 3, rtol=1e-6)
  ignored = 4 / 3 * density[..., 2:].sum(axis=-1)
  np.testing.assert_allclose(result["ignored"][:, :, 0], ignored, rtol=1e-6)
  assert (result["orthogonal"] < result["ignored"]).all()
  # Neither feature meets the other, and the bias is 0, so that the first has no loss.
  short = 4 / 3 * density[..., 1] * (1 - 0.81) ** 2
  np.testing.assert_allclose(result["alone"][:, :, 0], ignored + short, rtol=1e-5)
  far = abs(result["excess"][:, :, 0] - short) / result["excess_error"][:, :, 0]
  assert (far < 5).all() and (result["excess_error"] < 0.02).all()


def test_losses_as_expected_confirm_all_claims_and_the_figure_draws():
  rows = verdicts(known(slope=-0.95))
  assert set(rows.values()) == {CONFIRMED, IDENTITY, REPORTED}
  assert len(figure.draw(known()).axes) == 6


def test_other_powers_representations_and_losses_contradict():
  assert of(verdicts(known(slope=-1.4)), "falls as 1/m") == {CONTRADICTED}
  assert of(verdicts(known(slope=-1.05)), "independent training") == {CONTRADICTED}
  assert of(verdicts(known(n_represented=1.5)), "no superposition") == {CONTRADICTED}
  weak = known()
  weak["excess"] = weak["excess"] + 0.1 * weak["ignored"]
  assert of(verdicts(weak), "not represented", "difference") == {CONTRADICTED}
  assert of(verdicts(known(n_represented=0.9)), "every feature") == {CONTRADICTED}
  assert CONTRADICTED in of(verdicts(known(loss=1.3)), "random unit")
  rows = verdicts(known(orthogonal=0.9))
  assert of(rows, "most frequent", "difference") == {CONTRADICTED}
  assert of(rows, "are the represented ones") == {CONTRADICTED}
  assert of(verdicts(known(zero=1.1)), "without dimensions") == {CONTRADICTED}
  turned = known()
  turned["loss"] = turned["loss"].copy(data=turned["loss"].values[::-1])
  assert of(verdicts(turned), "grows with α") == {CONTRADICTED}


def test_a_difference_whose_interval_has_the_threshold_inside_is_not_decided():
  noisy = known(excess_error=10.0)
  assert of(verdicts(noisy), "not represented", "frequencies") == {UNDECIDED}


def test_few_restarts_features_or_widths_decide_nothing():
  for dataset in (known(restarts=2), known(n=0.5), known().isel(m=slice(2))):
    assert set(verdicts(dataset).values()) == {UNDECIDED, IDENTITY, REPORTED}


@pytest.mark.parametrize(
  ("field", "value"),
  [
    ("data.value_law", "uniform"),
    ("density.base", 0.5),
    ("density.profile", "uniform"),
    ("train.optimizer", "adam"),
    ("loss.reduction", "mean"),
  ],
)
def test_models_that_the_claims_are_not_about_are_refused(field, value):
  changed = settings.get_config("quick")
  section, name = field.split(".")
  changed[section][name] = value
  with pytest.raises(UserError, match=r"config\.|axis\."):
    resolve(changed)


def test_models_too_wide_for_their_features_are_refused():
  changed = settings.get_config("quick")
  changed.model.n_features = 32
  with pytest.raises(
    UserError, match=r"config\.model\.n_hidden: 8 .* an eighth of the 32 features"
  ):
    resolve(changed)
