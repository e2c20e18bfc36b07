"""What an L1 autoencoder saves by absorbing a parent into its child."""

import numpy as np

# λ below which absorbing saves, for features of value 1. Above 2 no latent is on anyway.
LARGEST = 4 * (2 - np.sqrt(2))


def saving(penalty: float) -> float:
  """Returns λ (2 − √2) − λ²/4, by which the cost of an example with parent and child of value 1
  falls if one latent of direction (parent + child) / √2 replaces two clean ones.

  Clean latents cost λ − λ²/4 each. The joint latent codes a vector of length √2 at the cost
  √2 λ − λ²/4.
  """
  return penalty * (2 - np.sqrt(2)) - penalty**2 / 4
