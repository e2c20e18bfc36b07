"""The AND of all pairs of sparse inputs by one layer of neurons: a construction, and training.

Paper: "Toy Models of Superposition", section "Computation in Superposition"; follow-ups: Hänni,
Mendel, Vaintrob and Chan (2024), "Mathematical Models of Computation in Superposition", whose
neurons ReLU(Σ x_i − 1) read random subsets of the inputs, and Newgas (2025), arXiv 2507.09816,
whose trained networks find a dense circuit instead. y_ij = x_i x_j is asked for, of binary inputs
that are active with probability p, of one layer of d neurons with fewer neurons than pairs.

  python -m toy_superposition.main --config=configs/pairwise_and.py        2 × 4 × 8 models
  python -m toy_superposition.main --config=configs/pairwise_and.py:quick  2 × 2 × 2
  python -m toy_superposition.main --config=configs/pairwise_and.py:full   3 × 6 × 10

To expect: the loss of trained layers lies between the bound of any d hidden numbers and that of the
construction's neurons with their best affine read-out. From ten neurons on it is below the best
affine map of the inputs. Trained neurons read about half of the inputs, with one weight: they are
like the construction's, and not as dense as the source of 2025 has them.

Neither source states sizes that fit here. Chosen: ten inputs, so that all 1 024 inputs are
enumerated and no loss is sampled; 5 to 45 neurons for 45 pairs; Adam at 1e-2 falling to 0 by a
cosine.
"""

from toy_superposition.config import base

ABOUT = "The AND of all pairs of sparse inputs: a construction without training, and training."
COST = "36 seconds; quick 10 seconds"  # on 2 CPU cores
# variant: (features, neurons, densities, seeds, steps)
SIZES = {
  "": (10, (5, 10, 20, 45), (0.1, 0.3), 8, 3000),
  "quick": (6, (6, 15), (0.1, 0.3), 2, 300),
  "full": (12, (6, 12, 18, 24, 36, 66), (0.05, 0.1, 0.3), 10, 10_000),
}


def get_config(variant: str | None = None):
  """Returns the experiment's config; variant is quick, full or nothing."""
  variant = base.choose(variant, ("quick", "full"))
  n, neurons, densities, n_seeds, steps = SIZES[variant]
  config = base.get_config()
  config.name = "_".join(filter(None, ("pairwise_and", variant)))
  config.model.name, config.model.n_features = "relu_layer", n
  config.data.distribution, config.data.value_law = "independent", "one"
  config.data.target = "pairs"
  config.train.optimizer = "adam"
  config.train.estimator = config.evaluation.method = "exact"
  config.train.learning_rate, config.train.schedule = 1e-2, "cosine"
  config.train.steps = steps
  base.set_axes(
    config,
    neurons=base.points("model.n_hidden", neurons),
    density=base.points("density.base", densities),
    restart=base.restarts(n_seeds),
  )
  config.measures = ()
  config.experiment = "pairwise_and"
  return config
