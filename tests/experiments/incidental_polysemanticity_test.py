"""Incidental polysemanticity: laws of chance by enumeration, the optimum, verdicts on codes."""

import itertools
import json

import numpy as np
import pytest
import xarray as xr

from configs import incidental_polysemanticity as settings
from tests import datasets
from toy_superposition.config.resolve import resolve
from toy_superposition.devices import meshes, setup
from toy_superposition.errors import UserError
from toy_superposition.experiments.experiment import CONFIRMED, CONTRADICTED, REPORTED, UNDECIDED
from toy_superposition.experiments.incidental_polysemanticity import EXPERIMENT, figure, theory

N, SIZES, RESTARTS = 64, (64, 128, 256), 6
PENALTY = 1e-3


def test_the_published_number_of_the_verified_case():
  assert theory.pairs(64, 64) == 15.75
  assert theory.pairs(256, 4096) == pytest.approx(3.98, abs=0.01)


@pytest.mark.parametrize(("n", "m"), [(2, 2), (3, 3), (3, 4)])
def test_laws_of_chance_are_the_means_of_an_enumeration(n, m):
  places = list(itertools.product(range(m), (1, -1)))

  def both(chosen) -> int:
    return sum(set(chosen) >= {(unit, 1), (unit, -1)} for unit in range(m))

  apart = [both(chosen) for chosen in itertools.permutations(places, n)]
  free = [both(chosen) for chosen in itertools.product(places, repeat=n)]
  assert theory.exclusive(n, m) == pytest.approx(np.mean(apart))
  assert theory.independent(n, m) == pytest.approx(np.mean(free))


def objective(W: np.ndarray, penalty: float) -> float:
  """Returns the mean over inputs e_i of the squared error + λ Σ|h|, in float64."""
  output = np.maximum(W.T @ W, 0)
  error = ((output - np.eye(W.shape[1])) ** 2).sum(axis=0)
  return float((error + penalty * np.abs(W).sum(axis=0)).mean())


def test_no_code_is_below_the_optimum_which_shared_and_own_units_reach():
  rng = np.random.default_rng(0)
  for penalty in (1e-3, 0.1, 0.5):
    low = theory.lowest(penalty)
    for scale in np.linspace(0.1, 1.5, 40):
      assert objective(scale * rng.normal(size=(6, 6)) / 6**0.5, penalty) >= low
    sizes = np.linspace(0, 1, 20_001)
    s = sizes[np.argmin((1 - sizes**2) ** 2 + penalty * sizes)]
    assert objective(s * np.eye(6), penalty) == pytest.approx(low, abs=1e-7)
    opposite = s * np.kron(np.eye(3), [[1, -1]])  # three units for six features
    assert objective(opposite, penalty) == pytest.approx(low, abs=1e-7)
  assert theory.lowest(1e-3) == pytest.approx(1e-3 - 1e-6 / 16, abs=1e-9)  # λ − λ²/16
  assert theory.lowest(2.0) == 1  # nothing is worth its penalty


def test_units_and_features_of_known_codes():
  W = np.array([[1.0, -1, 0, 0], [0, 0, 0.71, 0.71], [0, 0, 0.71, -0.71], [0, 0, 0.1, 0]])
  assert theory.shared(W).tolist() == [True, True, True, False]
  assert theory.crowded(W).tolist() == [False, True, False, False]
  assert theory.settled(W).tolist() == [True, True, False, False]
  before = np.diag([0.4, 0.3, 0.2, 0.1]) + 0.05
  assert theory.kept(before, W).tolist() == [True, False, False, False]


def code(m: int, n_pairs: int) -> np.ndarray:
  """Returns N features, the first pairs of which share units with opposite signs."""
  W = np.zeros((m, N))
  unit = np.concatenate([np.arange(2 * n_pairs) // 2, np.arange(n_pairs, N - n_pairs)])
  sign = np.where(np.arange(N) < 2 * n_pairs, (-1.0) ** np.arange(N), 1)
  W[unit, np.arange(N)] = sign
  return W


def of_size(m: int, counts: list[int], kept: float = 0.6) -> xr.Dataset:
  """Returns the analysis of one size: codes with these numbers of shared units, whose features had
  their largest weight on the same unit before training with a share `kept`."""
  W = np.stack([code(m, number) for number in counts])
  before = np.where(np.arange(N) < kept * N, 0.1 * W, 0.1 * np.roll(W, 1, axis=1))
  made = datasets.dataset(
    W=W,
    axes={"restart": list(range(len(counts)))},
    config={
      "model.name": "unbiased_relu_output",
      "loss.hidden_l1": PENALTY,
      "train.steps": 7500,
    },
    measured=(),
  )
  history = np.stack([before, W], axis=1).astype(np.float32)
  made = made.assign(history_W=(("restart", "step", "hidden", "feature"), history))
  found = EXPERIMENT.run(made.assign_coords(step=[0, 7500]), meshes.make_mesh(setup.devices(1)), 1)
  names = [
    *("finite", "n_shared", "n_crowded", "n_used", "settled", "kept", "objective"),
    "largest_weights",
  ]
  return found[names].drop_vars(["step"], errors="ignore").assign_attrs(found.attrs)


def made(factor: float = 1.0, restarts: int = RESTARTS, **options: float) -> xr.Dataset:
  """Returns codes whose shared units are n(n − 1)/4m times a factor, 13 to 15 at m = n."""
  parts = []
  for m in SIZES:
    mean = factor * (14 if m == N else round(theory.pairs(N, m)))
    counts = [round(mean) + shift for shift in (-1, 0, 1) * (restarts // 3 + 1)][:restarts]
    parts.append(of_size(m, counts, **options))
  together = xr.concat(parts, dim="m", combine_attrs="override")
  return together.assign_coords(m=list(SIZES))


def contradicted(dataset: xr.Dataset) -> list[int]:
  rows = EXPERIMENT.claims(dataset)
  return [k for k, row in enumerate(rows) if row.verdict == CONTRADICTED]


@pytest.fixture(scope="module")
def found() -> xr.Dataset:
  return made()


def test_codes_of_the_published_numbers_confirm_all(found):
  rows = EXPERIMENT.claims(found)
  assert [row.verdict for row in rows] == [*[CONFIRMED] * 10, REPORTED]
  assert found["n_shared"].mean("restart").values.tolist() == [14, 8, 4]
  assert len(figure.draw(found).axes) == 3


def test_other_codes_contradict_what_they_are_about(found):
  assert contradicted(made(kept=0.3)) == [9]
  assert contradicted(found.assign(n_crowded=found["n_crowded"] + 1)) == [7]
  assert contradicted(found.assign(objective=1.02 * found["objective"])) == [5, 6]
  assert contradicted(found.assign(settled=0.9 * found["settled"])) == [8]
  assert contradicted(found.assign(n_shared=found["n_shared"] * 0)) == [0, 3, 4, 6]
  assert contradicted(found.assign(n_shared=found["n_shared"] + 10)) == [0, 1, 2, 4]


def test_few_restarts_decide_nothing():
  rows = EXPERIMENT.claims(made(restarts=3))
  assert {row.verdict for row in rows} == {UNDECIDED, REPORTED}


def test_sizes_come_from_the_config_in_the_gathered_results(found):
  values = json.loads(found.attrs["config"])
  assert values["model.n_features"] == N and "feature" not in found.dims


@pytest.mark.parametrize(
  ("field", "value"),
  [
    ("model.n_features", 40),
    ("model.name", "relu_output"),
    ("data.value_law", "uniform"),
    ("data.distribution", "sparse_uniform"),
    ("loss.hidden_l1", 0.0),
    ("history.num", 0),
  ],
)
def test_other_problems_are_refused(field, value):
  changed = settings.get_config("quick")
  section, name = field.split(".")
  changed[section][name] = value
  with pytest.raises(UserError, match=r"config\."):
    resolve(changed)
