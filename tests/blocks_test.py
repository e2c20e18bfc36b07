"""Polytopes as blocks: frames, transitions, the knapsack, and verdicts on known trainings."""

import functools
import itertools

import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

from toy_superposition.experiments.experiment import CONFIRMED, CONTRADICTED, UNDECIDED
from toy_superposition.experiments.uniform_geometry import block_claims, blocks, division
from toy_superposition.theory import optimum


@pytest.mark.parametrize("frame", blocks.FRAMES)
def test_frames_are_tight_and_their_vertices_alike(frame):
  n, m = blocks.size(frame)
  F = blocks.FRAMES[frame]
  np.testing.assert_allclose(np.linalg.norm(F, axis=0), 1)
  np.testing.assert_allclose(F @ F.T, n / m * np.eye(m), atol=1e-9)
  assert len(blocks.cosines(F)) == n - 1


def test_transitions_do_not_depend_on_the_grid_of_t(monkeypatch):
  found = {f"{one.before} → {one.after}": one.inverse for one in division.transitions()}
  assert list(found) == [
    "4-simplex → tetrahedron",
    "tetrahedron → triangle",
    "triangle → digon",
    "digon → pentagon",
    "pentagon → square antiprism",
    "square antiprism → 16 in 5",
  ]
  # An independent computation of three of them: 1.254, 1.547, 4.39.
  assert found["tetrahedron → triangle"] == pytest.approx(1.254, rel=0.02)
  assert found["triangle → digon"] == pytest.approx(1.547, rel=0.02)
  assert found["digon → pentagon"] == pytest.approx(4.39, rel=0.02)
  halved = functools.partial(blocks.saving, step=blocks.STEP / 2)
  monkeypatch.setattr(division, "saving", lambda frame, density, step=0: halved(frame, density))
  for one, other in (("triangle", "digon"), ("digon", "pentagon")):
    x = found[f"{one} → {other}"]
    assert division.crossing(one, other, (0.95 * x, 1.05 * x)) == pytest.approx(x, abs=0.002)


def test_the_knapsack_finds_the_best_of_all_divisions():
  rng = np.random.default_rng(0)
  gains, ranks = rng.uniform(0.5, 4, 4).tolist(), [1, 2, 3, 5]
  found = division.knapsack(gains, ranks, 11)
  ranges = [range(11 // rank + 1) for rank in ranks]
  allowed = (c for c in itertools.product(*ranges) if np.dot(c, ranks) <= 11)
  assert np.dot(found, gains) == pytest.approx(max(np.dot(c, gains) for c in allowed))
  assert np.dot(found, ranks) <= 11


@pytest.mark.slow
@pytest.mark.parametrize(("n", "m"), [(2, 1), (3, 2), (4, 2), (4, 3), (5, 2), (5, 3)])
def test_no_small_model_uses_a_dimension_better_than_the_best_frame(n, m):
  x = np.array([1.2, 1.4, 2.0, 3.5, 4.8])
  density = jnp.float32(np.repeat(1 / x[:, None], n, axis=1))
  found = optimum.global_minimum(density, jnp.ones_like(density), m, n_starts=12)
  for point, loss in zip(x, np.asarray(found.loss), strict=True):
    unit = blocks.variance(1 / point)
    best = max(blocks.saving(frame, 1 / point) for frame in blocks.FRAMES)
    assert (n * unit - float(loss)) / (m * unit) <= best + 1e-3


# Verdicts.


def made(**changes) -> xr.Dataset:
  """Returns a dataset of a training that is the best division, and better in the continuum."""
  x = np.geomspace(1, 10, 40)
  found = division.divide((1 / x).tolist(), n_features=200, n_hidden=20)
  saving = found.total_saving + np.where(x >= 6, 0.1, 0)
  changed = division.transitions()
  dims = ("density", "restart")
  dataset = xr.Dataset(
    {
      "saving": (dims, np.stack([saving, saving], axis=1)),
      "saving_error": (dims, np.full((len(x), 2), 1e-4)),
      "dimensions_per_feature": (dims, np.stack([found.dimensions_per_feature] * 2, axis=1)),
      "division_dimensions_per_feature": ("density", found.dimensions_per_feature),
      "division_saving": ("density", found.total_saving),
      "frame_saving": (("density", "frame"), found.saving),
      "change_inverse_density": ("change", [one.inverse for one in changed]),
      "change_error": ("change", [one.error for one in changed]),
      "division_margin": ("density", found.margin),
      "division_runner_up": ("density", found.runner_up),
    },
    {
      "density": 1 / x,
      "frame": list(blocks.FRAMES),
      "change": [f"{one.before} → {one.after}" for one in changed],
    },
  )
  return dataset.assign(changes)


OF_THEORY, OF_TRAINING = slice(0, 6), slice(7, 10)  # the order, five lines; then the margins


def verdicts(dataset: xr.Dataset, large: bool = True) -> list[str]:
  return [claim.verdict for claim in block_claims.claims(dataset, large)]


def test_a_training_that_is_the_best_division_confirms_all():
  triangle = 2  # its line touches the range by less than the figure can be read
  found = verdicts(made())
  assert found[triangle] == UNDECIDED
  assert {v for k, v in enumerate(found[OF_THEORY]) if k != triangle} == {CONFIRMED}
  assert found[OF_TRAINING] == [CONFIRMED] * 3
  small = verdicts(made(), large=False)
  assert small[OF_THEORY] == found[OF_THEORY]
  assert small[OF_TRAINING] == [UNDECIDED] * 3


def test_each_claim_can_be_contradicted():
  right = made()
  other = right.assign_coords(
    change=[str(c).replace("triangle", "pentagon") for c in right.change.values]
  )
  found = verdicts(other)
  assert found[0] == CONTRADICTED
  assert CONTRADICTED in found[1:6]
  later = made(change_inverse_density=right["change_inverse_density"] * 1.5)
  assert CONTRADICTED in verdicts(later)[1:6]
  off = made(dimensions_per_feature=right["dimensions_per_feature"] + 0.06)
  assert verdicts(off)[7] == CONTRADICTED
  assert verdicts(made(saving=right["saving"] - 0.15))[8:10] == [CONTRADICTED] * 2


def test_one_density_at_which_one_seed_saves_less_than_the_second_best_is_named():
  right = made()
  saving = right["saving"].copy()
  saving[15, 1] -= 0.5
  claim = block_claims.claims(made(saving=saving), True)[8]
  assert claim.verdict == CONTRADICTED
  assert f"not at {1 / float(right['density'][15]):.2f}" in claim.measured
