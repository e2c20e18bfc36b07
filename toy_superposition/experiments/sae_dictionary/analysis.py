"""Codes of fresh examples, by encoders and by sparse coding, with learned and true dictionaries."""

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Array, Float

from toy_superposition import draws, streams
from toy_superposition.evaluation import GENERATOR
from toy_superposition.experiments import dictionaries, trained
from toy_superposition.models.topk import keep_largest
from toy_superposition.problem import Columns
from toy_superposition.recovery import metrics
from toy_superposition.theory import sparse_coding
from toy_superposition.types import Spec

if TYPE_CHECKING:
  import xarray as xr

N_EXAMPLES = 4096
PENALTY, STEPS = 0.02, 300  # of FISTA: the values of codes are shrunk by half of the first
CODES = {
  "codes_encoder": "MCC of the encoder's codes with the features",
  "codes_fista": "MCC of sparse codes of the learned dictionary with the features",
  "codes_classical": "MCC of sparse codes of the dictionary of classical learning",
  "codes_true": "MCC of sparse codes of the true dictionary with the features",
  "codes_true_encoder": "MCC of the k largest inner products with the true dictionary",
}
# Classical dictionary learning, on the autoencoder's first batches. λ was chosen among five on a
# dictionary that is none of the experiment's.
LEARN_PENALTY, N_BATCHES, LEARN_STEPS = 0.2, 200, 40


def correlations(
  codes: Float[Array, "latent example"], x: Float[Array, "feature example"]
) -> Float[Array, "latent feature"]:
  """Returns Pearson's correlation of every code with every feature; 0 of one that does not vary."""

  def unit(rows: Array) -> Array:
    rows = rows - jnp.mean(rows, axis=1, keepdims=True)
    norm = jnp.linalg.norm(rows, axis=1, keepdims=True)
    return rows / jnp.where(norm > 0, norm, 1)

  return unit(codes) @ unit(x).T


def working_bytes(spec: Spec) -> int:
  """Returns the bytes that sparse coding beside one model is planned to take."""
  return dictionaries.coding_bytes(spec, N_EXAMPLES)


def run(dataset: "xr.Dataset", mesh: Mesh, memory_budget: int) -> "xr.Dataset":
  """Returns the dataset with scores of the dictionaries, and with CODES: the mean |correlation| of
  the best one-to-one assignment of codes to features, on fresh examples."""
  del memory_budget
  dataset = dictionaries.scored(dataset, mesh)
  models = trained.trained(dataset)
  problem = models.problem

  def classical(instance) -> Float[Array, "input latent"]:
    """Returns a dictionary that is learned from an instance's examples without an encoder."""
    spec, root = problem.spec, streams.root(problem.spec.seed)
    stream = problem.training_stream(root, instance)  # batches of the autoencoder's training

    def batch(number):
      columns = Columns(draws.fold_in(stream, number), spec.batch_size, generator=spec.generator)
      return instance.given["dictionary"] @ problem.training_sample(instance, columns)

    key = streams.key(root, streams.Stream.INIT, instance.index)
    start = problem.init(key).W_dec  # the directions from which the autoencoder's began
    return sparse_coding.learned_dictionary(
      batch, start, LEARN_PENALTY, n_batches=N_BATCHES, steps=LEARN_STEPS
    )

  def of_one(params, instance):
    stream = streams.words(streams.root(problem.spec.seed), streams.Stream.EVALUATE, 0)
    key = draws.fold_in(stream, 0)
    x = problem.sample(key, instance, N_EXAMPLES, generator=GENERATOR)
    s = instance.given["dictionary"] @ x
    own = jax.vmap(problem.model_of(instance).encode, (None, 1), 1)(params, s)
    centred, A = s - params.b_dec[:, None], instance.given["dictionary"]
    dictionary = classical(instance)
    codes = (
      own,
      sparse_coding.fista(params.W_dec, centred, PENALTY, STEPS),
      sparse_coding.fista(dictionary, s, PENALTY, STEPS),
      sparse_coding.fista(A, s, PENALTY, STEPS),
      keep_largest(jax.nn.relu(A.T @ s), instance.numbers["model.k"], (0,)),
    )
    cosine = dictionary.T @ A
    return *(correlations(each, x) for each in codes), cosine

  *found, cosines = trained.each(of_one, models, mesh, working_bytes(problem.spec))
  about = CODES | {"mcc_classical": "MCC of the directions of classical dictionary learning"}
  variables = {}
  for (name, text), each in zip(about.items(), (*found, cosines), strict=True):
    scores = [metrics.mcc(c) if np.isfinite(c).all() else np.nan for c in np.asarray(each)]
    variables[name] = (models.dims, np.reshape(scores, models.shape), {"long_name": text})
  return dataset.assign(variables)
