"""The AND of all pairs: bounds for any layer, and the construction without training.

Inputs are n independent bits, active with probability p; y_ij = x_i x_j of all N = n(n − 1)/2
pairs. Losses are squared errors summed over pairs. With z = x − p of variance v = p(1 − p),
y_ij = z_i z_j + p (z_i + z_j) + p²: products, which no affine map of the inputs has any part of,
and an affine rest.
"""

import numpy as np
from jaxtyping import Bool, Float

ReadIn = Bool[np.ndarray, "neuron feature"]
Patterns = Float[np.ndarray, "feature pattern"]
Weights = Float[np.ndarray, "pattern"]
CASES = ("both", "one", "none")  # of a pair's inputs are active
# The published layer's sizes in this experiment's source.
INPUTS, NEURONS = 400, 4000
SINGULAR = 1e-12  # relative, of eigenvalues in float64


def n_pairs(n: int) -> int:
  """Returns N = n(n − 1)/2."""
  return n * (n - 1) // 2


def linear_loss(n: int, p: float) -> float:
  """Returns the loss of the best affine map of the inputs, N v²: it has no part of a product."""
  return n_pairs(n) * (p * (1 - p)) ** 2


def constant_loss(n: int, p: float) -> float:
  """Returns the loss of the best constants, N (v² + 2p²v)."""
  return linear_loss(n, p) + 2 * n_pairs(n) * p**2 * p * (1 - p)


def lowest_loss(n: int, d: int, p: float) -> float:
  """Returns a loss that no d hidden numbers with an affine read-out are below.

  Outputs lie in an affine space of d dimensions, so the loss is at least the sum of all but the d
  largest eigenvalues of the targets' covariance v² + p²v B Bᵀ, B (pair, feature) with 1 where a
  pair has a feature: one v² + 2(n − 1)p²v, n − 1 of v² + (n − 2)p²v, all others v².
  """
  v = p * (1 - p)
  first, others = v**2 + 2 * (n - 1) * p**2 * v, v**2 + (n - 2) * p**2 * v
  rest = n_pairs(n) - n
  eigenvalues = [first, *[others] * (n - 1), *[v**2] * max(rest, 0)]
  return float(sum(eigenvalues[d:]))


def read_out(q: float, others: int) -> Float[np.ndarray, "case"]:
  """Returns the construction's mean read-out of a pair of which both, one or none are active.

  Of `others` further active inputs a neuron reads K, binomial with q. Its value is K + 1, K or
  max(K − 1, 0), of mean 1 + rq, rq and rq − 1 + (1 − q)^r.
  """
  mean = others * q
  return np.array([1 + mean, mean, mean - 1 + (1 - q) ** others])


def read_in(rng: np.random.Generator, n: int, d: int, q: float) -> ReadIn:
  """Returns which inputs each neuron reads: each with probability q."""
  return rng.random((d, n)) < q


def sampled_read_out(
  rng: np.random.Generator, n: int, d: int, q: float, others: int, n_trials: int
) -> tuple[Float[np.ndarray, "case"], float]:
  """Returns the mean read-out of random pairs beside random active inputs, by case, and the share
  of pairs that no neuron reads, which are left out of the means."""
  R = np.ascontiguousarray(read_in(rng, n, d, q).T)
  chosen = rng.random((n_trials, n)).argpartition(others + 2, axis=1)[:, : others + 2]
  trial, neuron = np.nonzero(R[chosen[:, 0]] & R[chosen[:, 1]])
  K = R[chosen[trial, 2:], neuron[:, None]].sum(axis=1)
  count = np.bincount(trial, minlength=n_trials)
  read = count > 0
  totals = [np.bincount(trial, np.maximum(K + active - 1, 0), n_trials) for active in (2, 1, 0)]
  means = [(total[read] / count[read]).mean() for total in totals]
  return np.array(means), float(1 - read.mean())


def hidden(R: ReadIn, x: Patterns) -> Float[np.ndarray, "neuron pattern"]:
  """Returns the construction's neurons, ReLU(Σ x_i − 1) over the inputs that each reads."""
  return np.maximum(R.astype(float) @ x - 1, 0)


def averages(R: ReadIn) -> Float[np.ndarray, "pair neuron"]:
  """Returns the construction's read-out: the mean over neurons that read both inputs of a pair; 0
  for a pair without any."""
  i, j = np.triu_indices(R.shape[1], 1)
  both = (R[:, i] & R[:, j]).T
  return both / np.maximum(both.sum(axis=1, keepdims=True), 1)


def fitted(
  h: Float[np.ndarray, "neuron pattern"], y: Float[np.ndarray, "pair pattern"], weights: Weights
) -> Float[np.ndarray, "pair pattern"]:
  """Returns the outputs of the affine read-out of hidden values with the least squared error."""
  design = np.concatenate([h, np.ones((1, h.shape[1]))])
  weighted = design * weights
  # Normal equations: singular if neurons are alike, or silent.
  solution = np.linalg.lstsq(weighted @ design.T, weighted @ y.T, rcond=SINGULAR)[0]
  return solution.T @ design


def scores(
  output: Float[np.ndarray, "pair pattern"], x: Patterns, weights: Weights
) -> Float[np.ndarray, "score"]:
  """Returns the loss summed over pairs, then the mean outputs by case, then the root mean square
  errors by case."""
  i, j = np.triu_indices(len(x), 1)
  square = (output - x[i] * x[j]) ** 2
  there = [(x[i] + x[j] == number) * weights for number in (2, 1, 0)]
  means = [(one * output).sum() / one.sum() for one in there]
  errors = [((one * square).sum() / one.sum()) ** 0.5 for one in there]
  return np.array([(square @ weights).sum(), *means, *errors])


def spread_over(w: Float[np.ndarray, "neuron other"]) -> Float[np.ndarray, "neuron"]:
  """Returns the density of each row: (Σ w²)² / (n Σ w⁴), the share of its entries that equal
  sizes would need; 1 if all are ± the same, k/n if k are, 0 for a row of zeros."""
  square = np.asarray(w, float) ** 2
  fourth = (square**2).sum(axis=1)
  return square.sum(axis=1) ** 2 / (w.shape[1] * np.where(fourth > 0, fourth, 1))


def normal_density(n: int) -> float:
  """Returns 1 / (n E Σ û⁴) = (n + 2)/(3n): the density of weights as they are drawn, about."""
  return (n + 2) / (3 * n)
