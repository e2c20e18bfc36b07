"""What a model is: pure functions of one example and their parameters."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
from jaxtyping import Array, Float

from toy_superposition.types import Params

Input = Float[Array, "input"]
Hidden = Float[Array, "hidden"]
Output = Float[Array, "output"]
Inputs = Float[Array, "input example"]
Activations = Float[Array, "hidden example"]
Outputs = Float[Array, "output example"]
Scalar = Float[Array, ""]


class Rows(NamedTuple):
  """What parameters have of each feature i, where h = g(Σ_i x_i W_i) and its output is
  f(out_i · h + bias_i)."""

  directions: Float[Array, "hidden feature"]  # column i is W_i
  bias: Float[Array, "feature"]
  out: Float[Array, "feature hidden"] | None = None  # None: out_i is W_i


class Model(NamedTuple):
  """Pure functions, like an optimizer; `encode` and `decode` see ONE example."""

  # key, *, n_inputs, n_hidden, n_outputs, std → parameters before training
  init: Callable[..., Params]
  encode: Callable[[Params, Input], Hidden]  # parameters, input → h, as the model is used
  decode: Callable[[Params, Hidden], Output]  # parameters, h → output
  # g where h = g(directions @ x), element by element, for the sparse estimator, which computes that
  # product in its own way. None for another form of encoder.
  hidden: Callable[[Hidden], Hidden] | None = None
  # The parameters by feature, and f, element by element: for an estimator that evaluates some of
  # the outputs. None for another form of decoder.
  rows: Callable[[Params], Rows] | None = None
  output: Callable[[Output], Output] | None = None
  # In training, where the examples of a batch are coupled; None: `encode` of each.
  encode_batch: Callable[[Params, Inputs], Activations] | None = None
  # (parameters, inputs, h, loss of outputs, share) → what is added to the loss of a training batch.
  # The fourth is the function (output, example) → reduced mean loss against the batch's targets.
  # The last is the reduction's factor on a sum over outputs: terms with weights of their own are
  # multiplied by it, so that these weigh the same under every reduction.
  auxiliary: (
    Callable[[Params, Inputs, Activations, Callable[[Outputs], Scalar], Scalar], Scalar] | None
  ) = None
  # Parameters that are running means: a step moves them by −running_rate · gradient.
  running: tuple[str, ...] = ()
  running_rate: float = 0.01
  project: Callable[[Params], Params] | None = None  # applied to the parameters after every step
  # (parameters, gradients) → gradients along what `project` leaves free. Without it Adam, which
  # scales every number by itself, would turn what the projection takes away into a bias.
  tangent: Callable[[Params, Params], Params] | None = None

  def apply(self, params: Params, x: Input) -> Output:
    """Returns the model's output for one input x."""
    return self.decode(params, self.encode(params, x))


@functools.cache
def _params(model: Model, n_inputs: int, n_hidden: int, n_outputs: int) -> Params:
  # Abstract from end to end: no device is touched, so that a config can be checked before any is.
  return jax.eval_shape(
    lambda: model.init(
      jax.random.key(0), n_inputs=n_inputs, n_hidden=n_hidden, n_outputs=n_outputs, std=1.0
    )
  )


def abstract_params(model: Model, *, n_inputs: int, n_hidden: int, n_outputs: int) -> Params:
  """Returns shapes and types of one instance's parameters, without touching a device."""
  return _params(model, n_inputs, n_hidden, n_outputs)


def built(row: Any) -> Model:
  """Returns the model of a row of MODELS: itself, or what its class with declared fields builds."""
  return row.build() if hasattr(row, "build") else row


def names_of(kind: type[Any]) -> tuple[str, ...]:
  """Returns the names of the parameters of a class, in the order of its fields."""
  return tuple(field.name for field in dataclasses.fields(kind))
