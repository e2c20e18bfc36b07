"""One binary neuron that predicts the next token: on which of K features should it fire?

"Towards Monosemanticity" (Bricken et al., 2023), on why polysemantic neurons may be preferred
without superposition. K mutually exclusive features each imply a token of their own. The model
outputs one distribution over tokens if the neuron fires and another if it does not.
"""

import itertools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax
from jaxtyping import Array, Float

LEARNING_RATE = 0.03
START = 1.0  # standard deviation of all parameters at the start


def cross_entropy(n_features: int, size: int) -> float:
  """Returns the minimum cross-entropy of a neuron that fires on s = `size` of K features, in nats.

  Features are equally likely, and so are tokens within a group: s/K ln s + (K − s)/K ln(K − s).
  """
  groups = (size, n_features - size)
  return sum(group / n_features * float(np.log(group)) for group in groups if group)


def squared_error(n_features: int, size: int) -> float:
  """Returns the minimum squared error of the one-hot token, summed over tokens.

  It is (K − 2)/K for every size, and (K − 1)/K for a neuron that never or always fires.
  """
  n_groups = 2 if 0 < size < n_features else 1
  return (n_features - n_groups) / n_features


def best_losses(
  fires: Float[np.ndarray, "feature"], weight: Float[np.ndarray, "feature"]
) -> tuple[float, float]:
  """Returns cross-entropy and squared error with the best outputs for given firing and weights.

  Args:
    fires: 1 for features on which the neuron fires, 0 for the others.
    weight: of each feature's loss; its frequency, or its importance.
  """
  entropy = error = 0.0
  for group in (fires > 0.5, fires <= 0.5):
    total = weight[group].sum()
    if total > 0:
      share = weight * group / total  # the best output is the mean token of the group
      known = weight[group] > 0
      entropy -= float(np.sum(weight[group][known] * np.log(share[group][known])))
      for k in np.flatnonzero(group):
        error += float(weight[k] * np.sum((np.eye(len(weight))[k] - share) ** 2))
  return entropy, error


def best_sizes(weight: Float[np.ndarray, "feature"]) -> tuple[int, int]:
  """Returns how many features the best neuron singles out, for cross-entropy and squared error.

  A neuron that fires on all other features carries the same information, so at most half are
  counted. Ties go to fewer features.
  """
  n = len(weight)
  sizes, losses = [], []
  for size in range(1, n // 2 + 1):
    for chosen in itertools.combinations(range(n), size):
      sizes.append(size)
      losses.append(best_losses(np.isin(np.arange(n), chosen).astype(float), weight))
  # Rounded, so that round-off decides no tie: argmin takes the first.
  entropy, error = (np.argmin(np.round(column, 12)) for column in zip(*losses, strict=True))
  return sizes[entropy], sizes[error]


class Neuron(NamedTuple):
  """Parameters: the log-odds of firing, and the outputs if the neuron fires and if not."""

  drive: Float[Array, "feature"]
  on: Float[Array, "feature"]
  off: Float[Array, "feature"]


def expected_loss(neuron: Neuron, kind: str) -> Float[Array, ""]:
  """Returns the loss, averaged over features and over the firing of the neuron.

  The neuron fires with probability σ(drive), so that there is a gradient. It is always 0 or 1, so
  that no information leaks through values in between. `kind` is cross_entropy or squared_error.
  """
  n = neuron.drive.shape[0]
  fires = jax.nn.sigmoid(neuron.drive)
  if kind == "cross_entropy":
    on, off = -jax.nn.log_softmax(neuron.on), -jax.nn.log_softmax(neuron.off)
  else:
    token = jnp.eye(n)
    on, off = (jnp.sum((token - out[None]) ** 2, axis=1) for out in (neuron.on, neuron.off))
  return jnp.mean(fires * on + (1 - fires) * off)


def train(key: Array, n_features: int, kind: str, n_steps: int) -> tuple[Neuron, Array]:
  """Returns a neuron trained from a random start, and its loss."""
  keys = jax.random.split(key, 3)
  start = Neuron(*(START * jax.random.normal(k, (n_features,)) for k in keys))
  optimizer = optax.adam(LEARNING_RATE)

  def step(_, carry):
    neuron, state = carry
    updates, state = optimizer.update(jax.grad(expected_loss)(neuron, kind), state)
    return optax.apply_updates(neuron, updates), state

  neuron, _ = lax.fori_loop(0, n_steps, step, (start, optimizer.init(start)))
  return neuron, expected_loss(neuron, kind)
