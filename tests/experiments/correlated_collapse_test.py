"""Correlated pairs: exact losses, PCA's loss, and claims on known bands."""

import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

from configs import correlated_collapse
from toy_superposition.config import resolve as config
from toy_superposition.devices import meshes, setup
from toy_superposition.errors import UserError
from toy_superposition.experiments.correlated_collapse import claims as analysis
from toy_superposition.experiments.correlated_collapse import figure
from toy_superposition.experiments.correlated_collapse import theory as collapse
from toy_superposition.experiments.experiment import CONFIRMED, CONTRADICTED, UNDECIDED
from toy_superposition.models import TiedParams
from toy_superposition.theory import expected_loss, sets_loss

P = np.geomspace(0.02, 0.8, 17)


def test_sets_of_one_are_independent_features():
  rng = np.random.default_rng(0)
  params = TiedParams(
    W=jnp.asarray(rng.normal(size=(2, 2)), jnp.float32), b=jnp.asarray([0.1, -0.2])
  )
  ours = sets_loss.expected_loss(params, jnp.float32(0.3), set_size=1)
  exact = expected_loss.expected_feature_loss(params, jnp.full(2, 0.3), jnp.ones(2)).sum()
  assert float(ours) == pytest.approx(float(exact), rel=1e-3)


def test_losses_of_many_models_are_those_of_each():
  W = np.random.default_rng(1).normal(size=(2, 3, 2, 4)).astype(np.float32)
  params, density = TiedParams(W=W, b=np.zeros((2, 3, 4), np.float32)), np.full((2, 3), 0.1)
  one = sets_loss.expected_loss(
    TiedParams(W=jnp.asarray(W[1, 2]), b=jnp.zeros(4)), jnp.float32(0.1), set_size=2
  )
  losses = sets_loss.expected_losses(params, density, set_size=2)
  assert losses.shape == (2, 3)
  assert losses[1, 2] == pytest.approx(float(one), rel=1e-5)


def test_an_opposite_correlated_pair_of_sets_loses_its_closed_form():
  W = np.array([[1.0, 0, -1, 0], [0, 1, 0, -1]], np.float32)
  loss = sets_loss.expected_losses(
    TiedParams(W=W, b=np.zeros(4, np.float32)), np.array(0.05), set_size=2
  )
  assert float(loss) == pytest.approx(2 * 0.05**2 / 3, rel=2e-3)


def test_pca_s_loss_is_what_the_covariance_leaves():
  for p, n_hidden in ((0.1, 2), (0.7, 4)):
    variance, within = p / 3 - p**2 / 4, p / 4 - p**2 / 4
    block = np.array([[variance, within], [within, variance]])
    left = np.linalg.eigvalsh(np.kron(np.eye(3), block))[: 6 - n_hidden].sum()
    assert collapse.pca_loss(np.array([p]), 3, n_hidden)[0] == pytest.approx(left)


def model(n_collapsed: int) -> np.ndarray:
  turn = np.radians([0, 64, 120, 184, 240, 304])
  W = np.array([np.cos(turn), np.sin(turn)])
  W[:, 1 : 2 * n_collapsed : 2] = W[:, : 2 * n_collapsed : 2]
  W[:, : 2 * n_collapsed] *= 0.5**0.5
  return W


def made(edges: tuple[float, float, float], n_restarts: int = 16) -> xr.Dataset:
  """Returns results of `run` whose pairs collapse at the given densities."""
  number = np.searchsorted(edges, P)
  W = np.stack([model(k) for k in number])
  each = ("density", "restart")
  shape = (len(P), n_restarts)
  dataset = xr.Dataset(
    {
      "W": ((*each, "hidden", "feature"), np.repeat(W[:, None], n_restarts, axis=1)),
      "b": ((*each, "feature"), np.zeros((*shape, 6))),
      "loss": (each, np.ones(shape)),
      "finite": (each, np.ones(shape)),
      "feature_density": ((*each, "feature"), np.broadcast_to(P[:, None, None], (*shape, 6))),
    },
    {"density": P, "restart": np.arange(n_restarts)},
  )
  return dataset.assign(
    collapsed_pairs=(each, np.repeat(number[:, None], n_restarts, axis=1)),
    expected_loss=dataset["loss"],
    pca_loss=("density", np.ones(len(P))),
  )


def test_run_counts_collapsed_pairs_and_adds_losses():
  few = made((0.0505, 0.15, 0.22), n_restarts=1).isel(density=[0, 8, -1])
  bare = few.astype(np.float32).drop_vars(["collapsed_pairs", "expected_loss", "pca_loss"])
  result = analysis.run(bare, meshes.make_mesh(setup.devices(1)), 2**30)
  np.testing.assert_array_equal(result["collapsed_pairs"][:, 0], [0, 1, 3])
  assert np.all(np.diff(result["expected_loss"][:, 0]) > 0)
  assert result["pca_loss"].dims == ("density",)


def verdicts(dataset: xr.Dataset) -> list[str]:
  return [row.verdict for row in analysis.claims(dataset)]


def test_claims_follow_the_bands():
  paper = made((0.0505, 0.15, 0.22))
  assert analysis.transitions(analysis.best_of(paper))[1] == pytest.approx(0.15, rel=0.15)
  assert verdicts(paper)[:8] == [CONFIRMED] * 8
  late = verdicts(made((0.07, 0.15, 0.36)))
  assert late[:2] == [CONFIRMED] * 2
  assert [late[3], late[5]] == [CONTRADICTED] * 2
  assert CONTRADICTED not in verdicts(made((0.07, 0.15, 0.36), n_restarts=2))
  assert UNDECIDED in verdicts(made((0.07, 0.15, 0.36), n_restarts=2))
  never = made((0.01, 0.01, 0.01))
  assert verdicts(never)[1] == CONTRADICTED
  assert figure.draw(paper).subfigs


@pytest.mark.parametrize(
  ("field", "value"),
  [("data.distribution", "anticorrelated_sets"), ("model.n_features", 4), ("data.set_size", 3)],
)
def test_other_experiments_are_refused(field, value):
  changed = correlated_collapse.get_config("quick")
  section, name = field.split(".")
  changed[section][name] = value
  changed.density.base = 0.1
  with pytest.raises(UserError):
    config.resolve(changed)
