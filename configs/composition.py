"""Objects, or a colour and a shape each: what a code keeps of the composition of its features.

Paper: "Toy Models of Superposition"; the question is that of Olah (May 2023), "Distributed
Representations: Composition & Superposition", and the codes are Thorpe's: local, compositional,
dense and mixed ones of four colours and four shapes.

  python -m toy_superposition.main --config=configs/composition.py        4 codes × 3 n × 3 m × 10
  python -m toy_superposition.main --config=configs/composition.py:quick  2 × 2 × 1 × 3
  python -m toy_superposition.main --config=configs/composition.py:full   4 × 5 × 5 × 50

Codes: `objects`, one of n features is active; `attributes`, one of each half; `any_two` and
`any_three`, every subset of two or three. The field evaluation.n_samples is how many of the 65 536
sets of 16 objects are tried by a linear programme; from 65 536 on, as in full, all of them.

To expect: one active feature needs two dimensions for any n, a feature of each of two attributes
four; where every subset of two can be active, zero loss needs n − 1 dimensions. A linear unit
selects 6 902 of 65 536 sets of objects in a code of one neuron per attribute's value, and 242 in
any plane. Attributes are decoded in combinations that training has left out, and objects are not.

Chosen here: BFGS on the exact loss over all combinations.
"""

from toy_superposition.config import base

ABOUT = "Objects, or their colours and shapes: what one linear unit can select of a code."
COST = "62 seconds; quick 20 seconds; full was not run"  # on 2 CPU cores
CODES = {
  "objects": ("exactly_k", 1),
  "attributes": ("attributes", 2),
  "any_two": ("exactly_k", 2),
  "any_three": ("exactly_k", 3),
}
# variant: (codes, numbers of features, hidden dimensions, restarts, steps, sets of objects tried)
SIZES = {
  "": (4, (4, 8, 16), (2, 3, 4), 10, 400, 400),
  "quick": (2, (8, 16), (4,), 3, 60, 40),
  "full": (4, (4, 6, 8, 12, 16), (2, 3, 4, 5, 6), 50, 1000, 65_536),
}


def get_config(variant: str | None = None):
  """Returns the experiment's config; variant is quick, full or nothing."""
  variant = base.choose(variant, ("quick", "full"))
  n_codes, features, hidden, n_restarts, steps, n_sets = SIZES[variant]
  names = tuple(CODES)[:n_codes]
  config = base.get_config()
  config.name = "_".join(filter(None, ("composition", variant)))
  config.data.value_law = "one"
  config.train.estimator = "exact"
  config.train.optimizer = "bfgs"
  config.train.steps = steps
  config.train.batch_size = 1  # nothing is drawn
  chosen: dict[str, list] = {
    "data.distribution": [CODES[name][0] for name in names],
    "data.k_active": [CODES[name][1] for name in names],
  }
  base.set_axes(
    config,
    code=base.together(chosen, names),
    n=base.points("model.n_features", features),
    m=base.points("model.n_hidden", hidden),
    restart=base.restarts(n_restarts),
  )
  config.evaluation.method = "exact"
  config.evaluation.n_samples = n_sets
  config.experiment = "composition"
  return config
