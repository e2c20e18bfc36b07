"""What agreement with the true directions a decoder has by chance."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from toy_superposition.recovery.metrics import Cosines, cosines

N_DRAWS = 20
# First entry of the seeds of random decoders. Dictionaries are seeded by (seed, stream, number): a
# decoder from the same numbers would be the dictionary itself, of MCC 1.
OTHER = 2**31 + 1


class Chance(NamedTuple):
  """Mean of a score over random decoders, and its standard deviation over them."""

  mean: float
  std: float


def chance(
  score: Callable[[Cosines], float],
  dictionary: Float[np.ndarray, "input feature"],
  n_latents: int,
  n_draws: int = N_DRAWS,
) -> Chance:
  """Returns a score of decoders with independent columns on the unit sphere."""
  scores = [
    score(cosines(random_decoder(len(dictionary), n_latents, number), dictionary))
    for number in range(n_draws)
  ]
  return Chance(float(np.mean(scores)), float(np.std(scores, ddof=1)))


def random_decoder(n_inputs: int, n_latents: int, number: int) -> Float[np.ndarray, "input latent"]:
  """Returns independent columns on the unit sphere."""
  generator = np.random.default_rng([OTHER, n_inputs, n_latents, number])
  columns = generator.standard_normal((n_inputs, n_latents))
  return columns / np.linalg.norm(columns, axis=0)
