"""Models: the paper's, and sparse autoencoders of what models see.

What kinds of parameters there are is known in this package alone.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from toy_superposition import declare
from toy_superposition.declare import integer, number
from toy_superposition.models.model import Model, abstract_params, built, names_of
from toy_superposition.models.sparse_autoencoder import SparseAutoencoderParams
from toy_superposition.models.sparse_autoencoders import SPARSE_AUTOENCODERS
from toy_superposition.models.toy import TOYS, AutoencoderParams, MLPParams, SumOfSquaresParams
from toy_superposition.models.untied import UNTIED, ReLULayerParams
from toy_superposition.types import Instance, Key, Spec

__all__ = [
  "INITIALIZERS",
  "MODELS",
  "PARAM_DIMS",
  "AutoencoderParams",
  "MLPParams",
  "Model",
  "ReLULayerParams",
  "SparseAutoencoderParams",
  "SumOfSquaresParams",
  "abstract_params",
  "built",
  "has_gram",
  "of",
  "param_names",
  "params_class",
  "sees_features",
  "with_biases",
]

# A model, or a class with declared fields and `build`.
MODELS: dict[str, Any] = declare.table("model.name", {**TOYS, **UNTIED, **SPARSE_AUTOENCODERS})
_KINDS = (
  AutoencoderParams,
  MLPParams,
  SumOfSquaresParams,
  SparseAutoencoderParams,
  ReLULayerParams,
)
# Trailing axes of every parameter of any model above, for labelling results.
PARAM_DIMS: dict[str, tuple[str, ...]] = {k: v for kind in _KINDS for k, v in kind.DIMS.items()}


def of(spec: Spec, instance: Instance | None = None) -> Model:
  """Returns the model of a Spec, with the instance's swept numbers; None in their place without."""
  return built(spec.row("model.name", instance))


def params_class(name: str) -> type[Any]:
  """Returns the class of a model's parameters."""
  model = built(declare.build("model.name", name, {}))
  return type(abstract_params(model, n_inputs=1, n_hidden=1, n_outputs=1))


def param_names(name: str) -> tuple[str, ...]:
  """Returns the names of a model's parameters, in the order of their class's fields."""
  return names_of(params_class(name))


def has_gram(name: str) -> bool:
  """Returns whether a model's decoder is its encoder's transpose, so that WᵀW is its map."""
  return issubclass(params_class(name), AutoencoderParams)


def sees_features(name: str) -> bool:
  """Returns whether a model's parameters have an axis of features, which it then has to see."""
  return any("feature" in dims for dims in params_class(name).DIMS.values())


class Scheme:
  """What rules for initial parameters inherit."""

  bias: float = 0.0  # standard deviation of the output biases of features


@dataclasses.dataclass(frozen=True)
class Xavier(Scheme):
  """Xavier's rule applied to each model by itself."""

  def std(self, *, n_features: int, n_hidden: int) -> float:
    """Returns √(2 / (n + m))."""
    return (2 / (n_features + n_hidden)) ** 0.5


@dataclasses.dataclass(frozen=True)
class Notebook(Scheme):
  """The paper's notebook: PyTorch's Xavier rule on a tensor of several models.

  `xavier_normal_` on a tensor (instances, n, m) takes n·m as fan-in and instances·m as fan-out, so
  the notebook's weights start smaller the more instances it trains.
  """

  n_instances: int = integer(10, "≥ 1", "models that the notebook trained together")

  def std(self, *, n_features: int, n_hidden: int) -> float:
    """Returns √(2 / (m (n + instances)))."""
    return (2 / (n_hidden * (n_features + self.n_instances))) ** 0.5


@dataclasses.dataclass(frozen=True)
class UnitColumns(Scheme):
  """Columns W_i of norm near 1, whatever the number of features: all begin represented."""

  bias: float = number(
    0.0, "≥ 0", "standard deviation of the initial output biases b_i of features; 0: all are 0"
  )

  def std(self, *, n_features: int, n_hidden: int) -> float:
    """Returns 1 / √m."""
    del n_features
    return n_hidden**-0.5


@dataclasses.dataclass(frozen=True)
class Constant(Scheme):
  """Weights of one standard deviation, init.scale, whatever the sizes of the model."""

  def std(self, *, n_features: int, n_hidden: int) -> float:
    """Returns 1."""
    del n_features, n_hidden
    return 1.0


def with_biases(params: Any, key: Key, std: float) -> Any:
  """Returns parameters with normal output biases of features in the place of zeros."""
  drawn = {
    name: std * jax.random.normal(key, getattr(params, name).shape, jnp.float32)
    for name, dims in type(params).DIMS.items()
    if dims == ("feature",)
  }
  return dataclasses.replace(params, **drawn)


# Rules for the standard deviation of the initial weights.
INITIALIZERS: dict[str, type] = declare.table(
  "init.scheme",
  {"xavier": Xavier, "notebook": Notebook, "unit_columns": UnitColumns, "constant": Constant},
)
