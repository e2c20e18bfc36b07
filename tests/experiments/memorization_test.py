"""Examples as features: the memorizing code, and verdicts on models that are known."""

import json

import numpy as np
import pytest
import xarray as xr

from configs import memorization as settings
from toy_superposition import fields
from toy_superposition.config.resolve import resolve
from toy_superposition.errors import UserError
from toy_superposition.experiments.experiment import CONFIRMED, CONTRADICTED, UNDECIDED
from toy_superposition.experiments.memorization import EXPERIMENT, figure, theory
from toy_superposition.experiments.memorization.analysis import DECAY, EXAMPLES

CASES = ((5, 0.01), (10, 0.01), (300, 0.01), (1000, 0.01), (300, 1.0))
SHOWN, N_FEATURES = 12, 8


def disjoint(n: int) -> np.ndarray:
  """Returns n examples of norm 1, each with two active features of its own."""
  rng = np.random.default_rng(0)
  x = np.zeros((2 * n, n))
  for t in range(n):
    values = rng.uniform(0.2, 1, size=2)
    x[2 * t : 2 * t + 2, t] = values / np.linalg.norm(values)
  return x


@pytest.mark.parametrize("n", [2, 3, 5, 12])
def test_the_memorizing_code_has_no_loss_on_disjoint_examples(n):
  x = disjoint(n)
  W, b = theory.memorizing_code(x)
  np.testing.assert_allclose(np.maximum(W.T @ W @ x + b[:, None], 0), x, atol=1e-9)
  own = theory.dimensionalities(W @ x)
  if n > 2:  # two points lie on a line
    np.testing.assert_allclose(own, 2 / n)
  assert theory.largest_turn(W @ x) == pytest.approx(0, abs=1e-9)


def test_dimensionalities_add_up_to_no_more_than_the_dimensions():
  h = np.random.default_rng(1).normal(size=(2, 40)) * np.array([[3.0], [1.0]])
  assert 0.1 < theory.dimensionalities(h).sum() <= 2
  assert theory.dimensionalities(np.zeros((2, 3))).tolist() == [0, 0, 0]


def test_features_alone_leave_the_share_of_all_others():
  rng = np.random.default_rng(2)
  x = np.where(rng.uniform(size=(20, 20_000)) < 0.3, rng.uniform(size=(20, 20_000)), 0)
  x /= np.maximum(np.linalg.norm(x, axis=0), 1e-9)
  assert (x[2:] ** 2).sum(axis=0).mean() == pytest.approx(theory.alone(20, 2), abs=0.005)


def made(
  restarts: int = 10,
  steps: int = 2000,
  test: tuple[float, ...] = (1.0, 1.01, 3.0, 0.99, 1.0),
  train: float = 0.001,
  turned: float = 0.0,
  total: float = 1.99,
) -> xr.Dataset:
  """Returns the analysis of models with one loss per case; the five examples form a pentagon, of
  which one point is `turned` by some degrees."""
  shape = (len(CASES), restarts)
  hidden = np.full((*shape, SHOWN, 2), np.nan)
  angle = np.radians(72 * np.arange(5) + turned * (np.arange(5) == 0))
  hidden[:, :, :5] = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
  own = np.full((*shape, SHOWN), np.nan)
  own[:, :, :5] = theory.dimensionalities(hidden[0, 0, :5].T)
  rng = np.random.default_rng(0)
  spread = np.linspace(-1e-3, 1e-3, restarts)
  dims = ("case", "restart")
  return xr.Dataset(
    {
      "loss": (dims, np.array(test)[:, None] + spread),
      "finite": (dims, np.ones(shape)),
      "train_loss": (dims, np.full(shape, train)),
      "example_hidden": ((*dims, "example", "hidden"), hidden),
      "example_dimensionality": ((*dims, "example"), own),
      "example_dimensionality_sum": (dims, np.full(shape, total)),
      "feature_dimensionality": ((*dims, "feature"), rng.uniform(0.01, 1, (*shape, N_FEATURES))),
      "feature_density": ((*dims, "feature"), np.full((*shape, N_FEATURES), 0.01)),
      "W": ((*dims, "hidden", "feature"), rng.normal(size=(*shape, 2, N_FEATURES))),
    },
    {
      "case": [str(case) for case in CASES],
      "restart": range(restarts),
      EXAMPLES: ("case", [n for n, _ in CASES]),
      DECAY: ("case", np.array([decay for _, decay in CASES], np.float32)),
    },
    {"config": json.dumps(fields.defaults() | {"train.steps": steps})},
  )


def verdicts(dataset: xr.Dataset) -> list[str]:
  return [claim.verdict for claim in EXPERIMENT.claims(dataset)]


def contradicted(dataset: xr.Dataset) -> tuple[int, ...]:
  return tuple(k for k, verdict in enumerate(verdicts(dataset)) if verdict == CONTRADICTED)


def test_a_pentagon_and_a_double_descent_confirm_all():
  found = verdicts(made())
  assert found.count(CONFIRMED) == 8 and not contradicted(made())
  assert len(figure.draw(made()).axes) >= 6


def test_other_models_contradict_what_they_are_about():
  assert contradicted(made(turned=20)) == (0,)
  assert contradicted(made(train=0.1)) == (2,)
  assert contradicted(made(total=1.5)) == (3,)
  assert contradicted(made(test=(1.2, 1.2, 3.0, 0.99, 1.0))) == (4,)
  assert contradicted(made(test=(1.0, 1.0, 1.5, 0.99, 1.0))) == (5,)
  assert contradicted(made(test=(1.0, 1.0, 3.0, 1.01, 1.0))) == (6,)
  assert contradicted(made(test=(1.0, 1.0, 3.0, 0.99, 2.0))) == (8,)


def test_few_restarts_or_steps_decide_nothing():
  for few in (made(restarts=2), made(steps=100)):
    assert set(verdicts(few)) == {UNDECIDED, "reported"}


@pytest.mark.parametrize(
  ("field", "value"),
  [
    ("model.n_hidden", 3),
    ("data.distribution", "sparse_uniform"),
    ("data.whole", False),
    ("density.base", 0.0),
    ("loss.hidden_l1", 0.1),
  ],
)
def test_another_problem_is_refused_by_name(field, value):
  changed = settings.get_config("quick")
  section, name = field.split(".")
  changed[section][name] = value
  with pytest.raises(UserError, match=rf"config\.{field}"):
    resolve(changed)


def test_the_axis_sets_examples_batches_and_decay():
  groups = resolve(settings.get_config("quick")).groups
  numbers = np.concatenate([group.instances.numbers["data.n_examples"] for group in groups])
  assert sorted(set(numbers.tolist())) == [5, 30]
