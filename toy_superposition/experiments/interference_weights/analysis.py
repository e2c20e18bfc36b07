"""Which virtual weights of trained models are real, and how well rankings find them."""

from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Bool, Float

from toy_superposition import draws, streams
from toy_superposition.experiments import trained
from toy_superposition.experiments.interference_weights import theory
from toy_superposition.records import schema
from toy_superposition.types import Instance

if TYPE_CHECKING:
  import xarray as xr

EPSILON = 1e-4  # a weight is real if the loss rises by more without it: the source's
RECALL = np.linspace(0.05, 1, 20)
KEPT = np.geomspace(1e-3, 1, 40)  # shares of all weights that are kept
BINS = np.linspace(-2.5, 2.5, 251)  # of the histogram of weights; the ends take what lies beyond
N_SHOWN = 2500  # weights of two seeds that the figure shows one by one
RANKED = 4  # attributions come from 1/4 of the samples that decide which weights are real
SURELY = 5  # standard errors: of 160 000 weights, less than one lies that far off by chance
LABELS, SCORES = 1, 2  # numbers of the streams of samples


class Found(NamedTuple):
  """What is known of the models of one set-up."""

  U: Float[np.ndarray, "restart output feature"]
  real: np.ndarray  # (restart, output, feature)
  oracle: Float[np.ndarray, "output feature"]  # U*: weights of a model without loss
  fires: Bool[np.ndarray, "output"]  # outputs whose row of U* is known


def virtual(dataset: "xr.Dataset") -> Float[np.ndarray, "restart output feature"]:
  """Returns U of every restart: WᵀW of tied models, W₂ W₁ of untied ones."""
  if "W" in dataset:
    W = dataset["W"].transpose("restart", "hidden", "feature").values
    return np.swapaxes(W, 1, 2) @ W
  W1 = dataset["W1"].transpose("restart", "hidden", "feature").values
  return dataset["W2"].transpose("restart", "feature", "hidden").values @ W1


def run(dataset: "xr.Dataset", mesh: Mesh, memory_budget: int) -> "xr.Dataset":
  """Returns the dataset of one set-up with what its figure and claims are made of.

  Real weights and loss gains are those of one set of samples, attributions those of another.
  """
  del mesh, memory_budget
  models = trained.trained(dataset)
  first = jax.tree.map(lambda leaf: jnp.asarray(leaf[0]), models.instances)
  n_samples = int(schema.config(dataset)["evaluation.n_samples"])
  judged = samples(models, first, n_samples, LABELS)
  ranked = samples(models, first, n_samples // RANKED, SCORES)
  U, b = virtual(dataset), dataset["b"].transpose("restart", "feature").values
  target = models.problem.spec.row("data.target")
  n = U.shape[1]
  oracle = target.weights(n) if hasattr(target, "weights") else np.eye(n, dtype=np.float32)
  threshold = float(getattr(target, "threshold", 0.0))
  fires = theory.ever_fires(oracle, threshold)
  rows: list[dict[str, Any]] = []
  real = np.zeros(U.shape, bool)
  for k in range(len(U)):
    truth = theory.moments(U[k], b[k], *judged)
    real[k] = truth.gain > EPSILON
    scores = theory.scores(U[k], theory.moments(U[k], b[k], *ranked))
    rows.append(_numbers(U[k], truth, scores, real[k], oracle))
    by_second = [
      theory.average_precision(scores[name][fires], (oracle != 0)[fires])
      for name in theory.RANKINGS
    ]
    compared = theory.compare(U[k], real[k], oracle, fires)
    rows[-1] |= {f"definitions_{name}": value for name, value in compared.items()}
    rows[-1]["second_precision"] = np.array(by_second)
    kept = np.where(real[k], U[k], 0).astype(U.dtype)
    rows[-1]["pruned_loss"] = _loss(kept, b[k], *judged)
  silent = float((judged[1].var(axis=0, dtype=float)).sum())
  bias = np.full(n, -threshold, np.float32)
  found = Found(U, real, oracle, fires)
  return _assigned(dataset, rows, found).assign(
    best_constant_loss=((), silent), oracle_loss=((), _loss(oracle, bias, *judged))
  )


def samples(
  models: trained.Trained, instance: Instance, n_samples: int, stream: int
) -> tuple[np.ndarray, np.ndarray]:
  """Returns fresh features and targets, both (example, …), the same ones for all models, in full
  batches."""
  problem = models.problem
  key = streams.words(streams.root(problem.spec.seed), streams.Stream.EVALUATE, stream)

  def drawn(number: jax.Array) -> tuple[jax.Array, jax.Array]:
    x = problem.sample(draws.fold_in(key, number), instance, theory.BATCH)
    return x.T, jax.vmap(problem.target, (None, 0, 0))(instance, x.T, x.T)

  n_batches = -(-n_samples // theory.BATCH)
  x, target = jax.jit(jax.vmap(drawn))(jnp.arange(n_batches))
  flat = [np.asarray(a).reshape(-1, a.shape[-1]) for a in (x, target)]
  return flat[0], flat[1]


def _loss(U: np.ndarray, b: np.ndarray, x: np.ndarray, target: np.ndarray) -> float:
  error = (target - np.maximum(x @ U.T + b, 0)) ** 2
  return float(error.sum(dtype=float) / len(x))


def _numbers(
  U: np.ndarray,
  truth: theory.Moments,
  scores: dict[str, np.ndarray],
  real: np.ndarray,
  oracle: np.ndarray,
) -> dict[str, Any]:
  """Returns the numbers of one model."""
  support = oracle > 0
  learned = real & support
  inside = np.histogram(np.clip(U[real], BINS[0], BINS[-1]), BINS)[0]
  outside = np.histogram(np.clip(U[~real], BINS[0], BINS[-1]), BINS)[0]
  by_ranking = [scores[name] for name in theory.RANKINGS]
  ratio = float(np.median(U[learned] / oracle[learned])) if learned.any() else np.nan
  return {
    "n_real": int(real.sum()),
    "n_unsure": int((np.abs(truth.gain - EPSILON) < 2 * truth.gain_error).sum()),
    "n_outside": int(((truth.gain - SURELY * truth.gain_error > EPSILON) & ~support).sum()),
    "learned_share": learned.sum() / support.sum(),
    "shrinkage": ratio,
    "largest_negative": float(-U.min()),
    "n_silent": int((truth.output <= 0).sum()),
    "model_loss": truth.loss,
    "weights_real": inside,
    "weights_other": outside,
    "precision": np.array([theory.precision_at(s, real, RECALL) for s in by_ranking]),
    "average_precision": np.array([theory.average_precision(s, real) for s in by_ranking]),
    "kept_gain": np.array([theory.gain_of_kept(s, truth.gain, KEPT) for s in by_ranking]),
  }


DIMS: dict[str, tuple[str, ...]] = {
  "weights_real": ("bin",),
  "weights_other": ("bin",),
  "precision": ("ranking", "recall"),
  "average_precision": ("ranking",),
  "kept_gain": ("ranking", "kept"),
  "second_precision": ("ranking",),
}
WORDS = {
  "n_real": "weights without which the loss is higher by more than 1e-4",
  "n_unsure": "weights whose ΔL is within two standard errors of 1e-4",
  "n_outside": "weights, 0 in the circuit, whose ΔL is above 1e-4 by five standard errors",
  "learned_share": "share of the circuit's weights that are real",
  "shrinkage": "median of U / A over real weights of the circuit",
  "largest_negative": "largest −U",
  "n_silent": "outputs that never fire",
  "model_loss": "E ‖t − y‖² of the model",
  "pruned_loss": "E ‖t − y‖² with all other virtual weights at 0",
  "weights_real": "number of real weights by size",
  "weights_other": "number of other weights by size",
  "precision": "precision at a recall of real weights",
  "average_precision": "mean precision over all real weights",
  "kept_gain": "Σ ΔL of the weights that are kept, over the sum of all positive ΔL",
  "definitions_both": "share of weights that both definitions call interference",
  "definitions_first": "share of weights that only ΔL ≤ 1e-4 calls interference",
  "definitions_second": "share of weights that only U* = 0 calls interference",
  "definitions_kappa": "Cohen's κ of the two definitions",
  "definitions_correlation": "correlation of U where it is not real with U − U*",
  "second_precision": "mean precision over all weights with U* ≠ 0, of outputs that can fire",
}


def agreement(U: np.ndarray, real: np.ndarray) -> dict[str, np.ndarray]:
  """Returns correlations of U between every seed and the next one: over weights that are real in
  both, in one at least, and in none; NaN of fewer than three weights, and of equal ones."""
  n = len(U)
  found = {name: np.full(n, np.nan) for name in ("both", "either", "none")}
  for k in range(n if n > 2 else n - 1):
    a, c = U[k], U[(k + 1) % n]
    p, q = real[k], real[(k + 1) % n]
    for name, chosen in (("both", p & q), ("either", p | q), ("none", ~(p | q))):
      if chosen.sum() > 2 and np.ptp(a[chosen]) > 0 and np.ptp(c[chosen]) > 0:
        found[name][k] = np.corrcoef(a[chosen], c[chosen])[0, 1]
  return found


def _shown(found: Found) -> dict[str, np.ndarray]:
  """Returns weights of the first two seeds: those that are real in the first seed or belong to the
  circuit, then a random choice."""
  rng = np.random.default_rng(0)
  named = (found.real[0] | (found.oracle != 0)).ravel()
  first, rest = np.flatnonzero(named), rng.permutation(np.flatnonzero(~named))
  chosen = np.concatenate([first, rest])[:N_SHOWN]
  second = found.U[min(1, len(found.U) - 1)].ravel()
  return {
    "shown_first": found.U[0].ravel()[chosen],
    "shown_second": second[chosen],
    "shown_oracle": found.oracle.ravel()[chosen],
    "shown_real": found.real[0].ravel()[chosen].astype(np.int8),
    "shown_fires": found.fires[chosen // found.oracle.shape[1]].astype(np.int8),
  }


def _assigned(dataset: "xr.Dataset", rows: list[dict[str, Any]], found: Found) -> "xr.Dataset":
  variables = {
    name: (
      ("restart", *DIMS.get(name, ())),
      np.array([row[name] for row in rows]),
      {"long_name": w},
    )
    for name, w in WORDS.items()
  }
  for name, values in agreement(found.U, found.real).items():
    variables[f"agreement_{name}"] = (("restart",), values, {"long_name": "correlation of seeds"})
  shown = {name: (("shown",), values) for name, values in _shown(found).items()}
  middles = (BINS[1:] + BINS[:-1]) / 2
  return dataset.assign_coords(
    ranking=list(theory.RANKINGS), recall=RECALL, kept=KEPT, bin=middles
  ).assign(
    {
      "n_weights": ((), found.oracle.size),
      "n_circuit": ((), int((found.oracle > 0).sum())),
      "n_firing": ((), int(found.fires.sum())),
      "second_chance": ((), float((found.oracle != 0)[found.fires].mean())),
      **variables,
      **shown,
    }
  )
