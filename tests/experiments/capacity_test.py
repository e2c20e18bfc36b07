"""Capacity: exact losses against samples, and verdicts on known models."""

import numpy as np
import pytest
import xarray as xr

from configs import capacity as settings
from tests import datasets
from toy_superposition.config.resolve import resolve
from toy_superposition.devices import meshes, setup
from toy_superposition.drawing import plots
from toy_superposition.errors import UserError
from toy_superposition.experiments.capacity import EXPERIMENT, figure
from toy_superposition.experiments.capacity.analysis import descend, exact_loss, kurtosis
from toy_superposition.experiments.experiment import CONFIRMED, CONTRADICTED, IDENTITY, UNDECIDED
from toy_superposition.report import explorer
from toy_superposition.theory import water_filling

N, M = 6, 3
AXES = {"density": [1.0, 0.2], "ratio": [0.8, 1.0]}


def test_the_exact_loss_is_that_of_samples():
  rng = np.random.default_rng(0)
  W, v, density, c = rng.normal(0, 0.5, (2, 4)), 0.7 ** np.arange(4), 0.4, 0.3
  x = rng.uniform(-1, 1, (400_000, 4)) * (rng.uniform(size=(400_000, 4)) < density)
  each = (x**2 @ v - ((x @ W.T) ** 2).sum(axis=1) - c) ** 2
  error = each.std() / len(each) ** 0.5
  found = exact_loss(W[None], np.array([c]), v, density)[0]
  assert abs(each.mean() - found) < 4 * error


def test_water_fills_the_dimensions_of_the_most_important_first():
  v = 0.8 ** np.arange(10)
  for density in (0.9, 0.5, 0.1):
    capacity = water_filling.capacities(v, kurtosis(density), 4)
    assert capacity.sum() == pytest.approx(4)
    assert (np.diff(capacity) <= 1e-12).all()
  assert water_filling.capacities(v, kurtosis(0.6), 4).tolist() == [1.0] * 4 + [0.0] * 6
  assert water_filling.capacities(np.ones(10), 36.0, 4) == pytest.approx(np.full(10, 0.4))
  assert water_filling.capacities(np.ones(3), 36.0, 4).tolist() == [1.0] * 3


def best_weights(density: float, ratio: float) -> np.ndarray:
  """Returns W of the optimum: dedicated features, and a projection with a given diagonal."""
  v, k = ratio ** np.arange(N), kurtosis(density)
  capacity = water_filling.capacities(v, k, M)
  own = (k - 1) * v * capacity / (2 + (k - 3) * capacity)
  rank = round(capacity.sum())
  Q = _projection(capacity, rank)
  return Q * np.sqrt(np.where(capacity > 0, own / np.where(capacity > 0, capacity, 1), 0))


def _projection(diagonal: np.ndarray, rank: int) -> np.ndarray:
  """Returns rank orthonormal rows whose columns have these squared norms (Schur and Horn)."""
  n = len(diagonal)
  Q = np.eye(rank, n)
  order = np.argsort(-diagonal, kind="stable")
  goal = diagonal[order]
  for _ in range(200 * n):
    norms = (Q**2).sum(axis=0)
    high, low = int(np.argmax(norms - goal)), int(np.argmin(norms - goal))
    if abs(norms[high] - goal[high]) < 1e-13:
      break
    # Turn two columns into each other until one of them has its norm.
    a, b, c = norms[high], norms[low], Q[:, high] @ Q[:, low]
    wanted = max(goal[high], a + b - goal[low])
    half, size = (a - b) / 2, np.hypot((a - b) / 2, c)
    turn = (np.arctan2(c, half) - np.arccos(np.clip((wanted - (a + b) / 2) / size, -1, 1))) / 2
    cos, sin = np.cos(turn), np.sin(turn)
    Q[:, [high, low]] = Q[:, [high, low]] @ np.array([[cos, -sin], [sin, cos]])
  out = np.zeros_like(Q)
  out[:, order] = Q
  return out


def made(change=lambda W: W, restarts: int = 5) -> xr.Dataset:
  """Returns the analysis of models at the optimum, with changed weights."""
  axes = AXES | {"restart": list(range(restarts))}
  W = np.array([[best_weights(p, r) for r in AXES["ratio"]] for p in AXES["density"]])
  v = np.array(AXES["ratio"])[:, None] ** np.arange(N)
  own = (W**2).sum(axis=-2)
  c = np.array(AXES["density"])[:, None] / 3 * (v - own).sum(axis=-1)
  data = datasets.dataset(
    axes=axes,
    config={"model.name": "sum_of_squares"},
    W=np.repeat(change(W)[:, :, None], restarts, axis=2),
    c=np.repeat(c[:, :, None, None], restarts, axis=2),
    measured=(),
  )
  return EXPERIMENT.run(data, meshes.make_mesh(setup.devices(1)), 2**30)


def verdicts(dataset) -> list[str]:
  return [claim.verdict for claim in EXPERIMENT.claims(dataset)]


def test_the_optimum_confirms_all_and_the_figure_draws():
  dataset = made()
  assert (dataset["exact_loss"] / dataset["optimum_loss"]).values == pytest.approx(1, abs=1e-5)
  assert verdicts(dataset) == [IDENTITY] + [CONFIRMED] * 5
  assert len(figure.draw(dataset).axes) == 3


def test_other_weights_contradict_and_few_restarts_decide_nothing():
  def disturbed(W):
    noise = np.random.default_rng(0).normal(0, 0.3, W.shape)
    noise[..., -1, :] = 0
    return (W + noise) * np.array([1, 1, 0])[:, None]  # rank 2 of 3

  assert verdicts(made(disturbed)) == [IDENTITY] + [CONTRADICTED] * 5
  assert verdicts(made(restarts=2)) == [IDENTITY] + [UNDECIDED] * 5


def test_descents_find_the_closed_form_of_a_cell_of_the_config():
  v, k = 0.85 ** np.arange(12), kurtosis(0.2)
  assert descend(v, k, 4) == pytest.approx(water_filling.optimum(v, k, 4), rel=1e-6)


@pytest.mark.parametrize(
  ("field", "value"),
  [
    ("model.n_hidden", 12),
    ("data.distribution", "sparse_uniform"),
    ("loss.reduction", "mean"),
    ("importance.profile", "geometric"),
  ],
)
def test_models_that_the_theory_is_not_about_are_refused(field, value):
  changed = settings.get_config("quick")
  section, name = field.split(".")
  changed[section][name] = value
  with pytest.raises(UserError, match=r"config\."):
    resolve(changed)


def test_models_without_a_bias_of_each_feature_have_their_panel_and_their_matrix():
  data = made(restarts=1)
  assert np.isfinite(explorer.data(data, 1e6)["loss"]).all()
  assert plots.gram(data.isel(density=0, ratio=0, restart=0), bias=False).images
