"""Features tuned to a circle: the ring in closed form, verdicts on known losses."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

from configs import feature_circle as settings
from toy_superposition import declare
from toy_superposition.config.resolve import resolve
from toy_superposition.errors import UserError
from toy_superposition.experiments.experiment import (
  CONFIRMED,
  CONTRADICTED,
  IDENTITY,
  REPORTED,
  UNDECIDED,
)
from toy_superposition.experiments.feature_circle import EXPERIMENT, figure, theory
from toy_superposition.types import Instance


def examples(n: int, resolution: float, amplitude: str) -> tuple[np.ndarray, np.ndarray]:
  row = declare.build("data.distribution", "tuned_circle", {"data.amplitude": amplitude})
  density = jnp.full(n, resolution / 2, jnp.float32)
  one = Instance(jnp.int32(0), density, jnp.ones(n), jnp.float32(1))
  x, weights = (np.asarray(array, float) for array in jax.jit(row.patterns)(one))
  return x, weights / weights.sum()


@pytest.mark.parametrize("amplitude", ["one", "uniform"])
def test_a_ring_loses_nothing_of_an_even_number_of_rectified_cosines_and_aliases_with_an_odd(
  amplitude,
):
  x, w = examples(8, 1.0, amplitude)
  assert theory.reconstruction_loss(theory.ring(8, 2), x, w) < 1e-10
  x, w = examples(7, 1.0, amplitude)
  left = theory.reconstruction_loss(theory.ring(7, 3), x, w) / theory.total_variance(x, w)
  assert left == pytest.approx(0.0024, abs=3e-4)


def test_the_best_linear_code_of_a_plane_leaves_a_third_of_the_mean_square():
  x, w = examples(12, 1.0, "uniform")
  # Harmonics 0, 1, 2 … of the rectified cosine: 1/π², 1/8, … of 1/4.
  expected = 1 - (1 / np.pi**2 + 1 / 16) / (1 / 4)
  assert theory.linear_share(x, w, 2, bias=False) == pytest.approx(expected, abs=1e-3)
  assert expected == pytest.approx(0.345, abs=5e-4)


def test_an_ideal_ring_is_exact_at_resolution_one_and_nearly_so_below():
  assert theory.ideal_ring_share(1.0) < 1e-9
  assert max(theory.ideal_ring_share(x) for x in (0.8, 0.4, 0.1)) < 5e-4


def test_irregularity_is_that_of_the_angles_between_neighbours():
  assert theory.irregularity(theory.ring(7, 3)) == pytest.approx(0, abs=1e-12)
  pairs = theory.ring(4, 2)[:, [0, 0, 1, 1, 2, 2, 3, 3]]  # angles 0 and 90° by turns
  assert theory.irregularity(pairs) == pytest.approx(1)
  assert np.isnan(theory.irregularity(np.zeros((2, 4))))
  flat = theory.flattened(theory.ring(5, 4))
  np.testing.assert_allclose(np.linalg.norm(flat, axis=0), (4 / 5) ** 0.5)


def made(best: float = 0.2, ring: float = 0.1, uneven: float = 0.4, restarts: int = 10):
  """Returns gathered results: losses at ℓ = 1 are 0, at ℓ = .2 those given, twice as large with a
  random amplitude."""
  axes: dict[str, Any] = {
    "n": [8],
    "m": [2, 3],
    "amplitude": ["one", "uniform"],
    "resolution": [0.1, 0.5],
    "restart": range(restarts),
  }
  cells = [len(points) for points in axes.values()][:-1]
  factor = np.array([[1.0, 0], [2, 0]])  # (amplitude, resolution)
  each = best * factor[..., None] * (1 + 0.1 * np.arange(restarts) / restarts)
  dims = tuple(axes)
  columns = np.broadcast_to(theory.ring(8, 2), (*cells, 2, 8))
  variables = {
    "fvu": (dims, np.broadcast_to(each, (*cells, restarts))),
    "ring_fvu": (dims[:-1], np.broadcast_to(ring * factor, cells)),
    "plain_ring_fvu": (dims[:-1], np.broadcast_to(ring * factor, cells)),
    "linear_fvu": (dims[:-1], np.full(cells, 0.5)),
    "linear_share": (dims[:-1], np.full(cells, 0.3446)),
    "found_share": (dims[:-1], np.full(cells, 1.0)),
    "irregularity": (
      dims,
      np.broadcast_to(np.array([uneven, 0])[:, None], (*cells, restarts)),
    ),
    "ring_irregularity": (dims[:-1], np.full(cells, 0.01)),
    "columns": ((*dims[:-1], "axis", "angle"), columns),
    "finite": (dims, np.ones((*cells, restarts))),
  }
  return xr.Dataset(variables, axes)


def verdicts(dataset) -> list[str]:
  return [claim.verdict for claim in EXPERIMENT.claims(dataset)]


def test_a_ring_that_restarts_miss_and_codes_that_become_discrete_confirm_all():
  dataset = made()
  first = [IDENTITY, CONFIRMED, IDENTITY, IDENTITY]
  assert verdicts(dataset) == [*first, *[CONFIRMED] * 4, REPORTED]
  assert figure.draw(dataset).axes


def test_restarts_that_find_the_ring_and_even_codes_contradict_and_few_restarts_decide_nothing():
  found = verdicts(made(best=0.1, uneven=0.0))
  assert found[5:7] == [CONTRADICTED, CONTRADICTED]
  assert verdicts(made(best=0.05))[7] == CONTRADICTED  # an uneven code is the best
  assert verdicts(made(restarts=3))[5:7] == [UNDECIDED, UNDECIDED]
  odd = made()
  odd["plain_ring_fvu"] = odd["plain_ring_fvu"] + 0.0026
  assert verdicts(odd.assign_coords(n=[7]))[0] == CONTRADICTED


@pytest.mark.parametrize(
  ("field", "value"),
  [
    ("density.profile", "last_apart"),
    ("evaluation.method", "sampled"),
    ("data.target", "absolute"),
  ],
)
def test_models_that_the_claims_are_not_about_are_refused(field, value):
  changed = settings.get_config("quick")
  section, name = field.split(".")
  changed[section][name] = value
  with pytest.raises(UserError, match=rf"config\.{field}"):
    resolve(changed)
