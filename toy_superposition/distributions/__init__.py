"""Feature distributions: an example's uniform numbers become its features."""

from toy_superposition import declare
from toy_superposition.distributions.distribution import (
  ERROR,
  LEAST,
  RARE,
  VALUES,
  Distribution,
  Valued,
  Values,
  any_rare,
  is_rare,
)
from toy_superposition.distributions.finite import Attributes, ExactlyK, Independent, OneHot
from toy_superposition.distributions.hierarchy import Copula, Tree
from toy_superposition.distributions.latent import BagOfWords, SharedCoin
from toy_superposition.distributions.manifold import Circle, TunedCircle
from toy_superposition.distributions.paper import (
  AnticorrelatedSets,
  CorrelatedSets,
  Sets,
  SparseSignedUniform,
  SparseUniform,
  UnitSparseUniform,
)

__all__ = [
  "DISTRIBUTIONS",
  "ERROR",
  "LEAST",
  "RARE",
  "VALUES",
  "Distribution",
  "Sets",
  "Tree",
  "Valued",
  "Values",
  "any_rare",
  "is_rare",
]

DISTRIBUTIONS: dict[str, type[Distribution]] = declare.table(
  "data.distribution",
  {
    "sparse_uniform": SparseUniform,
    "sparse_signed_uniform": SparseSignedUniform,
    "correlated_sets": CorrelatedSets,
    "anticorrelated_sets": AnticorrelatedSets,
    "independent": Independent,
    "copula": Copula,
    "tree": Tree,
    "exactly_k": ExactlyK,
    "one_hot": OneHot,
    "circle": Circle,
    "bag_of_words": BagOfWords,
    "tuned_circle": TunedCircle,
    "attributes": Attributes,
    "shared_coin": SharedCoin,
    "unit_sparse_uniform": UnitSparseUniform,
  },
)
