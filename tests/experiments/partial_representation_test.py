"""Partial representation: scores of known weights, verdicts on losses and shares that are known."""

import numpy as np
import pytest
import xarray as xr

from configs import partial_representation as settings
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
from toy_superposition.experiments.partial_representation import EXPERIMENT, analysis, figure
from toy_superposition.theory import mean_field

N, WIDTHS, RESTARTS = 128, np.array([4, 8, 16, 24, 32, 36, 40, 47]), 5
RATIO = WIDTHS / N
DENSITIES = (0.1, 0.2)
LABELS = ["p = 0.1", "p = 0.2", "unequal"]


def known(restarts: int = RESTARTS, **changes) -> xr.Dataset:
  """Returns what `run` adds up to if all is as expected; `changes` replace or scale variables.

  Trained models save 1.26 times what the mean field does up to the critical width, and have a loss
  in inverse proportion to m from there on; they represent all features at .93 of that width.
  """
  shape = (len(LABELS), restarts, len(WIDTHS))
  found = {name: np.full(shape, np.nan) for name in ("share", "relative_loss", "saved")}
  theory = np.full((*shape, 3), np.nan)
  for k, p in enumerate((*DENSITIES, 0.1)):
    late = 0.93 if k < len(DENSITIES) else 1.6
    critical = late / mean_field.best_load(p)
    found["share"][k] = np.minimum(RATIO / critical, 1)
    each = [analysis.of_mean_field(float(r), p) for r in RATIO]
    if k < len(DENSITIES):
      theory[k] = each
    kink = each[0][2]
    slope = 1.26 * (1 - each[0][1]) / RATIO[0]
    loss = np.where(kink > RATIO, 1 - slope * RATIO, (1 - slope * kink) * kink / RATIO)
    found["relative_loss"][k] = loss
  found |= {name: value for name, value in changes.items() if name in found}
  found["saved"] = (1 - found["relative_loss"]) / RATIO
  found["ratio"] = np.broadcast_to(RATIO, shape)
  found["mean_density"] = np.broadcast_to(np.array([0.1, 0.2, 0.1])[:, None, None], shape)
  names = ("theory_share", "theory_loss", "theory_critical")
  found |= {name: theory[..., k] for k, name in enumerate(names)}
  dims = ("features", "restart", "m")
  return xr.Dataset(
    {name: (dims, value) for name, value in found.items()} | {"finite": (dims, np.ones(shape))},
    {"features": LABELS, "restart": range(restarts), "m": WIDTHS},
  )


def verdicts(dataset: xr.Dataset) -> dict[str, str]:
  return {claim.statement: claim.verdict for claim in EXPERIMENT.decide(dataset)}


def of(rows: dict[str, str], *words: str) -> list[str]:
  """Returns the verdicts on the statements with these words."""
  chosen = [verdict for name, verdict in rows.items() if all(word in name for word in words)]
  assert chosen, words
  return chosen


def test_run_scores_known_weights():
  """A pair in one dimension, of four features of density .1, or .1 to .0125."""
  W = np.array([[1.0, -1.0, 0.2, 0.0]])
  config = {"density.profile": "geometric", "axis.features.field": "density.ratio"}
  made = datasets.dataset(
    axes={"features": [1.0, 0.5], "restart": range(2)},
    config=config | {"density.base": 0.1},
    loss=4 * mean_field.variance(0.1) * 0.6,
    measured=(),
    W=W,
  )
  result = EXPERIMENT.run(made, meshes.make_mesh(setup.devices(1)), 2**30)
  assert (result["share"] == 0.5).all()
  np.testing.assert_allclose(result["ratio"], 0.25)
  first = result.sel(features=1.0)
  np.testing.assert_allclose(first["relative_loss"], 0.6, rtol=1e-6)
  np.testing.assert_allclose(first["saved"], 1.6, rtol=1e-6)
  np.testing.assert_allclose(first["theory_critical"], 0.2585, atol=5e-5)
  assert np.isnan(result["theory_loss"].sel(features=0.5)).all()
  np.testing.assert_allclose(result["mean_density"].sel(features=0.5), 0.1 * 1.875 / 4, rtol=1e-6)


def test_the_loss_of_pairs_is_what_their_overlaps_cost():
  p = 0.3
  rng = np.random.default_rng(0)
  x = rng.uniform(size=(2, 400_000)) * (rng.uniform(size=(2, 400_000)) < p)
  errors = (np.maximum(x - x[::-1], 0) - x) ** 2
  expected = errors.sum(axis=0).mean() / 2 / mean_field.variance(p)
  assert analysis.pairs_loss(np.array([0.5]), p) == pytest.approx(expected, rel=0.02)
  assert analysis.pairs_loss(np.array([0.0]), p) == 1


def test_the_first_full_width_is_interpolated_and_nan_where_there_is_none():
  share = np.array([[0.5, 0.9, 1.0], [0.1, 0.2, 0.3], [1.0, 1.0, 1.0]])
  first = analysis.first_full(np.array([0.1, 0.2, 0.4]), share)
  np.testing.assert_allclose(first, [0.3, np.nan, np.nan])


def test_models_as_expected_confirm_all_claims():
  rows = verdicts(known())
  assert set(of(rows, "the mean field")) >= {IDENTITY, CONFIRMED}
  assert set(rows.values()) == {CONFIRMED, IDENTITY, REPORTED}


@pytest.mark.slow  # the critical width over p
def test_the_figure_draws():
  axes = figure.draw(known()).axes
  assert [a.get_title() for a in axes] == ["representation", "loss", "critical width"]


def test_other_shares_and_losses_contradict():
  dataset = known()
  share, loss = dataset["share"].values.copy(), dataset["relative_loss"].values.copy()
  rows = verdicts(known(share=np.minimum(1.3 * share, 1), relative_loss=1.05 * loss))
  assert of(rows, "1/16: share") == of(rows, "1/16: loss over") == [CONTRADICTED]
  rows = verdicts(known(relative_loss=1 - 0.5 * RATIO**2 - 0 * loss))
  for words in (("linearly",), ("packs better",), ("antipodal",), ("inversely",)):
    assert set(of(rows, *words)) == {CONTRADICTED}
  growing = np.minimum(0.1 * np.exp(8 * RATIO) + 0 * share, 1)
  rows = verdicts(known(share=growing))
  for words in (("does not depend on m",), ("delay",), ("grows as p ln 1/p: ratio",)):
    assert set(of(rows, *words)) == {CONTRADICTED}


def test_few_restarts_or_features_decide_nothing():
  assert set(verdicts(known(restarts=2)).values()) == {UNDECIDED, IDENTITY, REPORTED}
  small = known().assign(ratio=2 * known()["ratio"])
  assert set(verdicts(small).values()) == {UNDECIDED, IDENTITY, REPORTED}


@pytest.mark.parametrize(
  ("field", "value"),
  [("model.name", "linear"), ("density.profile", "uniform"), ("importance.profile", "geometric")],
)
def test_models_that_the_claims_are_not_about_are_refused(field, value):
  changed = settings.get_config("quick")
  section, name = field.split(".")
  changed[section][name] = value
  with pytest.raises(UserError, match=rf"config\.{field}|density.ratio"):
    resolve(changed)


def test_models_as_wide_as_their_features_are_many_are_refused():
  changed = settings.get_config("quick")
  changed.model.n_features = 16
  with pytest.raises(UserError, match=r"config\.model\.n_hidden: 16 .* fewer dimensions"):
    resolve(changed)


def test_the_unequal_densities_of_the_config_have_the_mean_of_the_equal_ones():
  for features, n in ((settings.FEATURES, 128), (settings.MANY, 1024)):
    base, ratio = features["unequal, mean 0.1"]
    assert np.mean(base * ratio ** np.arange(n)) == pytest.approx(0.1, abs=1e-5)
