"""The interface between training and an estimator of the gradient."""

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

  # The loss comes along if it costs nothing, else it is None.
  gradient: Callable[[Params, Instance, KeyWords], tuple[Scalar | None, Params]]
  loss: Callable[[Params, Instance, KeyWords], Scalar]  # the same loss, without the gradient
  # The inputs of both, for tests and inspection; None if nothing is drawn.
  inputs: Callable[[Instance, KeyWords], Batch] | None


class Estimator(NamedTuple):
  """A way to the gradient of the loss: which problems it accepts, and its functions for them."""

  # Why it does not accept a Spec with these instances; "" if it does.
  refuses: Callable[[Spec, Instance], str]
  make: Callable[[Problem, Instance], Method]  # all instances that train together: static bounds
  # Bytes that an instance holds while it is worked on, beyond the copies of its parameters.
  working_bytes: Callable[[Spec, Instance], int]
  # Whether instances are visited one after another (their arrays fill the cache) or vmapped.
  one_by_one: bool = False
  # XLA options for CPU without which the estimator is slow, not wrong.
  cpu_options: Mapping[str, bool | str] = types.MappingProxyType({})
