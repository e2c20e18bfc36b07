"""What a way to the gradient is: the interface that training knows."""

import types
from collections.abc import Callable, Mapping
from typing import NamedTuple

from jaxtyping import Array, Float

from toy_superposition.draws import KeyWords
from toy_superposition.problem import Problem
from toy_superposition.types import Instance, Params, Spec

Scalar = Float[Array, ""]
Batch = Float[Array, "feature example"]


class Method(NamedTuple):
  """Loss and gradient of one instance at one step; `key` is that step's and no other's."""

  # The loss comes along where it costs nothing, else it is None.
  gradient: Callable[[Params, Instance, KeyWords], tuple[Scalar | None, Params]]
  loss: Callable[[Params, Instance, KeyWords], Scalar]  # the same loss, without the gradient
  # What both see, for tests and for looking at it; None if nothing is drawn.
  inputs: Callable[[Instance, KeyWords], Batch] | None


class Estimator(NamedTuple):
  """A way to the gradient of the loss: which problems it takes, and what it makes of them."""

  # Why a Spec for these instances cannot be estimated so; "" if it can.
  refuses: Callable[[Spec, Instance], str]
  make: Callable[[Problem, Instance], Method]  # all instances of the group, for static bounds
  # Bytes that an instance keeps at once, while it is worked on, beyond the parameters' copies.
  working_bytes: Callable[[Spec, Instance], int]
  # Whether instances are visited one after another (their arrays fill the cache) or vmapped.
  one_by_one: bool = False
  # XLA options for CPU without which the estimator is slow, not wrong.
  cpu_options: Mapping[str, bool | str] = types.MappingProxyType({})


# Arrays of the size of one batch that a step keeps at once, per feature and per hidden unit; XLA's
# own count is in tests/planning_test.py.
FEATURE_ARRAYS = 2


HIDDEN_ARRAYS = 2


def batch_bytes(spec: Spec, batch_size: int) -> int:
  """Returns the bytes of the arrays of (feature, example) and (hidden, example) float32 that one
  instance keeps at once when a whole batch is computed together."""
  return 4 * batch_size * (FEATURE_ARRAYS * spec.n_features + HIDDEN_ARRAYS * spec.n_hidden)
