"""Words about a latent point: exact moments, shares of known weights, verdicts on known models."""

import json

import numpy as np
import pytest
import xarray as xr

from configs import correlated_geometry as settings
from toy_superposition import fields
from toy_superposition.config.resolve import resolve
from toy_superposition.devices import meshes, setup
from toy_superposition.distributions.latent import finite
from toy_superposition.errors import UserError
from toy_superposition.experiments.correlated_geometry import EXPERIMENT, figure, theory
from toy_superposition.experiments.experiment import (
  CONFIRMED,
  CONTRADICTED,
  IDENTITY,
  REPORTED,
  UNDECIDED,
)
from toy_superposition.records.results import gathered

N, HIDDEN, DECAYS = 12, (2, 6), (0.0, 1.0, 6.0)
MANIFOLDS = ("circle", "independent")


@pytest.mark.parametrize("manifold", ["circle", "figure_eight", "sphere", "independent"])
def test_moments_are_those_of_all_examples(manifold):
  x, weight = finite(manifold, 10.0, 6)
  made = theory.moments(manifold, 6)
  mean = x @ weight
  np.testing.assert_allclose(made.mean, mean, atol=2e-6)
  np.testing.assert_allclose(made.covariance, (x * weight) @ x.T - np.outer(mean, mean), atol=5e-6)
  np.testing.assert_allclose(made.coordinates @ made.coordinates, made.coordinates, atol=1e-12)
  assert np.trace(made.coordinates) == pytest.approx(made.n_coordinates)


def test_the_verified_spectrum_and_optimum_and_the_ring_is_the_best_plane():
  made = theory.moments("circle", N)
  expected = [1.196, 1.196, 0.123, 0.123, 0.049, 0.049, *[0.044] * 6]
  np.testing.assert_allclose(theory.spectrum(made.covariance), expected, atol=6e-4)
  assert np.trace(made.covariance) == pytest.approx(3)
  assert theory.linear_optimum(made.covariance, 2) == pytest.approx(0.608, abs=5e-4)
  plane = np.linalg.eigh(made.covariance)[1][:, -2:].T
  assert theory.share(plane, made.coordinates) == pytest.approx(1)


def test_shares_and_modes_of_known_weights():
  made = theory.moments("circle", N)
  assert theory.share(np.eye(N), made.coordinates) == pytest.approx(2 / N)
  assert theory.n_modes(np.eye(N)) == pytest.approx(N)
  assert np.isnan(theory.share(np.zeros((2, N)), made.coordinates))


def made(decayed_ring: bool = True, worse: float = 0.0, restarts: int = 5) -> xr.Dataset:
  """Returns all m of models that are principal components, or with decay 6 the ring."""
  axes: dict[str, list] = {
    "manifold": list(MANIFOLDS),
    "model": ["linear", "relu_output"],
    "decay": list(DECAYS),
    "restart": list(range(restarts)),
  }
  shape, rng, parts = tuple(map(len, axes.values())), np.random.default_rng(0), {}
  for m in HIDDEN:
    W, loss = np.zeros((*shape, m, N)), np.zeros(shape)
    for i, manifold in enumerate(MANIFOLDS):
      exact = theory.moments(manifold, N)
      vectors = np.linalg.eigh(exact.covariance)[1][:, ::-1]
      for at in np.ndindex(shape[1:]):
        free = np.linalg.qr(rng.standard_normal((N, m)))[0].T
        W[i, *at] = vectors[:, :m].T if manifold == "circle" else free
        if decayed_ring and DECAYS[at[1]] == 6:
          W[i, *at] = 0.1 * np.resize(vectors[:, :2].T, (m, N))
        loss[i, *at] = theory.linear_optimum(exact.covariance, m) + worse + (at[1] == 2)
    dims = tuple(axes)
    dataset = xr.Dataset(
      {
        "W": ((*dims, "hidden", "feature"), W),
        "loss": (dims, loss),
        "finite": (dims, np.ones(shape)),
      },
      axes | {"m": m},
      {"config": json.dumps(fields.defaults())},
    )
    parts[f"m={m}"] = EXPERIMENT.run(dataset, meshes.make_mesh(setup.devices(1)), 2**30)
  return gathered(parts)


def verdicts(dataset) -> list[str]:
  return [claim.verdict for claim in EXPERIMENT.claims(dataset)][:10]


def test_principal_components_and_a_ring_that_stays_confirm_all():
  dataset = made()
  assert verdicts(dataset) == [
    *(IDENTITY, IDENTITY, CONFIRMED, IDENTITY),
    *(CONFIRMED, CONFIRMED, CONFIRMED, CONFIRMED, REPORTED, CONFIRMED),
  ]
  assert figure.draw(dataset).axes


def test_other_models_contradict_and_few_restarts_decide_nothing():
  found = verdicts(made(decayed_ring=False, worse=0.1))
  assert (found[2], found[5], found[6]) == (CONTRADICTED,) * 3
  assert verdicts(made(restarts=2))[2] == UNDECIDED
  better = made(worse=-0.1)
  assert verdicts(better)[3] == CONTRADICTED  # no linear model is better than the best one


@pytest.mark.parametrize(
  ("field", "value"),
  [("data.concentration", 5.0), ("model.n_features", 10), ("loss.reduction", "mean")],
)
def test_models_that_the_claims_are_not_about_are_refused(field, value):
  changed = settings.get_config("quick")
  section, name = field.split(".")
  changed[section][name] = value
  with pytest.raises(UserError, match=rf"config\.{field}"):
    resolve(changed)
