"""The tiling of a circle: the bound against a lasso by hand, verdicts on known objectives."""

import numpy as np
import pytest
import xarray as xr
from scipy.optimize import nnls

from configs import sae_manifold as settings
from toy_superposition.config.resolve import resolve
from toy_superposition.errors import UserError
from toy_superposition.experiments.experiment import CONFIRMED, CONTRADICTED, IDENTITY, UNDECIDED
from toy_superposition.experiments.sae_manifold import EXPERIMENT, figure
from toy_superposition.experiments.sae_manifold.theory import bound, limit


@pytest.mark.parametrize("n", [3, 4, 8, 24])
def test_the_bound_is_the_least_cost_of_nonnegative_codes(n):
  angles = 2 * np.pi * np.arange(n) / n
  D = np.stack([np.cos(angles), np.sin(angles)])
  points = 2 * np.pi * (np.arange(400) + 0.5) / 400
  cost = []
  for s in np.stack([np.cos(points), np.sin(points)]).T:
    # ‖s − D z‖² + λ Σ z as least squares: a row √ε (λ / 2ε) completes the square.
    epsilon = 1e-8
    A = np.vstack([D, np.full(n, epsilon**0.5)])
    z = nnls(A, np.append(s, -0.1 / (2 * epsilon**0.5)))[0]
    cost.append(((s - D @ z) ** 2).sum() + 0.1 * z.sum())
  assert bound(n, 0.1) == pytest.approx(np.mean(cost), abs=1e-4)


def test_the_verified_bounds_and_the_rate_at_which_they_fall():
  assert bound(4, 0.1) == pytest.approx(0.12238, abs=1e-5)
  assert bound(8, 0.1) == pytest.approx(0.10256, abs=1e-5)
  excess = [bound(n, 0.1) - limit(0.1) for n in (50, 100)]
  assert excess[0] / excess[1] == pytest.approx(4, rel=0.05)


def made(four: float, eight: float, restarts: int = 10) -> xr.Dataset:
  objective = np.array([[four] * restarts, [eight] * restarts])
  objective = objective + 1e-4 * np.linspace(0, 1, restarts)
  bounds = np.array([[bound(n, 0.1)] * restarts for n in (4, 8)])
  dims = ("latents", "restart")
  return xr.Dataset(
    {
      "objective": (dims, objective),
      "bound": (dims, bounds),
      "penalty": (dims, np.full_like(bounds, 0.1)),
      "n_live": (dims, np.full_like(bounds, 4.0)),
      "finite": (dims, np.ones_like(bounds)),
    },
    {"latents": [4, 8], "restart": range(restarts)},
  )


def verdicts(dataset) -> list[str]:
  return [claim.verdict for claim in EXPERIMENT.claims(dataset)][:3]


def test_four_latents_at_the_bound_and_eight_above_it_confirm():
  dataset = made(0.1224, 0.11)
  assert verdicts(dataset) == [CONFIRMED] * 2 + [IDENTITY]
  assert figure.draw(dataset).axes


def test_each_number_of_latents_can_contradict():
  assert verdicts(made(0.13, 0.11))[0] == CONTRADICTED
  assert verdicts(made(0.1224, 0.1027))[1] == CONTRADICTED
  assert verdicts(made(0.1224, 0.09))[2] == CONTRADICTED
  assert verdicts(made(0.1224, 0.11, restarts=3)) == [UNDECIDED] * 3


@pytest.mark.parametrize(
  ("field", "value"),
  [("model.sparsity", 1.5), ("data.radius", "uniform"), ("model.decoder_bias", True)],
)
def test_models_that_the_bound_is_not_about_are_refused(field, value):
  changed = settings.get_config("quick")
  section, name = field.split(".")
  changed[section][name] = value
  with pytest.raises(UserError, match=rf"config\.{field}"):
    resolve(changed)
