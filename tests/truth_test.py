"""Training finds what is known to be optimal."""

import numpy as np
import pytest

from tests import small
from toy_superposition.types import Group, Instance


def train(density, importance, n_hidden, n_restarts, **changes):
  """Returns the parameters of the restart of least loss, trained with a decaying rate."""
  n = len(importance)
  spec = small.spec(
    n_features=n, n_hidden=n_hidden, warmup_steps=0, steps=3000, batch_size=512, **changes
  )
  instances = Instance(
    index=np.arange(n_restarts, dtype=np.int32),
    density=np.full((n_restarts, n), density, np.float32),
    importance=np.tile(np.asarray(importance, np.float32), (n_restarts, 1)),
    learning_rate=np.full(n_restarts, 1e-2, np.float32),
  )
  group = Group(spec, instances, np.zeros((n_restarts, 1), int))
  last = small.run(group, [spec.steps], n_devices=2)[-1]
  best = int(np.argmin(last.losses))
  return last.state.params.W[best], last.state.params.b[best]


@pytest.mark.quick("0.1")
@pytest.mark.parametrize("density", [1.0, 0.1])
def test_the_linear_model_learns_the_most_important_features_and_the_mean_of_the_others(density):
  # Paper, "Basic Results": at every sparsity; independently verified to .03 and .05 in norm.
  W, b = train(density, 0.5 ** np.arange(6), n_hidden=3, n_restarts=2, model="linear")
  norm = np.linalg.norm(W, axis=0)
  np.testing.assert_allclose(norm[:3], 1, atol=0.03)
  np.testing.assert_allclose(norm[3:], 0, atol=0.05)
  overlap = W.T @ W
  np.testing.assert_allclose(overlap - np.diag(np.diag(overlap)), 0, atol=0.03)
  np.testing.assert_allclose(b[3:], density / 2, atol=0.02)


def test_five_sparse_features_in_two_dimensions_find_the_pentagon():
  # Paper, introduction; best of 8 restarts, gaps of 72° ± 12°, norms above 0.9.
  W, _ = train(0.06, np.ones(5), n_hidden=2, n_restarts=8)
  angle = np.sort(np.degrees(np.arctan2(W[1], W[0])))
  gaps = np.diff(np.append(angle, angle[0] + 360))
  np.testing.assert_allclose(gaps, 72, atol=12)
  assert np.linalg.norm(W, axis=0).min() > 0.9


@pytest.mark.slow
def test_dense_features_in_two_dimensions_keep_the_two_most_important():
  W, _ = train(1.0, 0.9 ** np.arange(5), n_hidden=2, n_restarts=4)
  norm = np.linalg.norm(W, axis=0)
  np.testing.assert_allclose(norm[:2], 1, atol=0.05)
  np.testing.assert_allclose(norm[2:], 0, atol=0.05)
  assert abs(W[:, 0] @ W[:, 1]) < 0.05
