"""Two theories of equal features: verdicts on losses that are known."""

import numpy as np
import pytest
import xarray as xr

from configs import uniform_theory as settings
from tests import datasets
from toy_superposition.certificates import BOUND, DIM, MEANING, TOLERANCE
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
from toy_superposition.experiments.uniform_theory import EXPERIMENT, analysis, figure
from toy_superposition.records import results
from toy_superposition.theory import mean_field

N, HIDDEN, DENSITIES = 64, (8, 16), (0.3, 0.05)


def test_a_code_is_a_tight_frame_and_a_loss_is_near_the_mean_field_s():
  W = analysis.code(64, 16, 0.7)
  assert (W**2).sum(axis=0) == pytest.approx(0.7)
  assert pytest.approx(4 * 0.7 * np.eye(16)) == W @ W.T
  assert analysis.code_ratio(1 / 2, 0.3, n=256) == pytest.approx(1, abs=0.05)
  assert np.isnan(analysis.code_ratio(1 / 16, 0.3, n=256))


@pytest.fixture(scope="module")
def gathered():
  """Returns the analysis of models of both sizes, whose losses are those of the mean field."""
  found = {}
  for m in HIDDEN:
    field = [N * mean_field.loss_per_feature(m / N, p) for p in DENSITIES]
    data = datasets.dataset(
      axes={"density": list(DENSITIES), "restart": list(range(5))},
      config={"model.n_features": N, "model.n_hidden": m, "axes": ("m", "density", "restart")},
      W=analysis.code(N, m, 1.0),
      loss=np.array(field)[:, None],
      measured=(),
    )
    data = data.assign_coords({"m": ((), m, {"config_field": "model.n_hidden"})})
    data = EXPERIMENT.run(data, meshes.make_mesh(setup.devices(1)), 2**30)
    dims = ("density", "restart", DIM)
    found[f"/m={m}"] = data.assign_coords(
      {DIM: [analysis.BLOCKS], MEANING: (DIM, ["reached"])}
    ).assign(
      {
        BOUND: (dims, np.broadcast_to(np.array(field)[:, None, None], (2, 5, 1))),
        TOLERANCE: (dims, np.full((2, 5, 1), 0.02)),
      }
    )
  return results.gathered(found)


@pytest.fixture(autouse=True)
def small_codes(monkeypatch):
  monkeypatch.setattr(analysis, "BATCHES", 1)


def verdicts(dataset: xr.Dataset, **factors: float) -> list[str]:
  """Returns the verdicts if losses or bounds are multiplied by a factor."""
  changed = {name: dataset[name] * factor for name, factor in factors.items()}
  return [claim.verdict for claim in EXPERIMENT.claims(dataset.assign(changed))]


OTHERS = [REPORTED, IDENTITY, REPORTED]


def test_losses_below_both_theories_confirm_and_the_figure_draws(gathered):
  assert verdicts(gathered, loss=0.73, code_ratio=0.0)[1:] == [CONFIRMED] * 3 + OTHERS
  assert len(figure.draw(gathered).axes) == 3


def test_losses_above_them_contradict_and_few_restarts_decide_nothing(gathered):
  assert verdicts(gathered, loss=1.1)[1:] == [CONTRADICTED] * 3 + OTHERS
  few = gathered.isel(restart=slice(2))
  assert verdicts(few, loss=0.73)[1:] == [UNDECIDED] * 3 + OTHERS


def test_a_code_s_loss_over_the_mean_field_s_is_reported_where_all_are_represented(gathered):
  claim = EXPERIMENT.claims(gathered.assign(code_ratio=gathered["code_ratio"] * 0 + 1.25))[0]
  assert claim.verdict == REPORTED
  assert claim.measured == "1.250 to 1.250 with 51 active features"


@pytest.mark.parametrize(
  ("field", "value"),
  [("model.n_features", 40), ("data.distribution", "correlated_sets"), ("loss.reduction", "mean")],
)
def test_models_that_the_theories_are_not_about_are_refused(field, value):
  changed = settings.get_config("quick")
  section, name = field.split(".")
  changed[section][name] = value
  with pytest.raises(UserError, match=rf"config\.{field}"):
    resolve(changed)
