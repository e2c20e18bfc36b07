"""How many numbers and bytes one instance takes, by abstract evaluation: no array is made."""

import functools

import jax

from toy_superposition import models, optimizers, problem
from toy_superposition.types import Instance, Leaf, Params, Spec

# Arrays of the size of one batch that a step holds at once, per feature and per hidden unit; XLA's
# own count is in tests/plan_test.py.
FEATURE_ARRAYS = 2
HIDDEN_ARRAYS = 2


def abstract_params(spec: Spec) -> Params:
  """Returns shapes and types of one instance's parameters."""
  return models.abstract_params(
    models.of(spec),
    n_inputs=n_inputs(spec),
    n_hidden=spec.n_hidden,
    n_outputs=problem.n_outputs(spec),
  )


def n_inputs(spec: Spec) -> int:
  """Returns how many numbers a model sees of an example."""
  return spec.row("data.input").size(spec)


def n_params(spec: Spec) -> int:
  """Returns the number of parameters of one instance."""
  return sum(leaf.size for leaf in jax.tree.leaves(abstract_params(spec)))


def params_bytes(spec: Spec) -> int:
  """Returns the bytes of one instance's parameters."""
  return _bytes(abstract_params(spec))


@functools.cache
def state_bytes(spec: Spec) -> int:
  """Returns the bytes of one instance's parameters and optimizer state."""

  def state(params: Params, learning_rate: Leaf):
    instance = Instance(index=None, density=None, importance=None, learning_rate=learning_rate)
    return params, optimizers.transformation(spec, instance).init(params)

  rate = jax.ShapeDtypeStruct((), "float32")
  return _bytes(jax.eval_shape(state, abstract_params(spec), rate))


def batch_bytes(spec: Spec, batch_size: int) -> int:
  """Returns the bytes of one instance's arrays of a batch that is computed together.

  They are float32 arrays of shape (feature, example), (input, example) and (hidden, example).
  """
  numbers = FEATURE_ARRAYS * spec.n_features + HIDDEN_ARRAYS * spec.n_hidden
  if spec.inputs != "identity":
    numbers += FEATURE_ARRAYS * n_inputs(spec)
  if models.of(spec).auxiliary:
    numbers += HIDDEN_ARRAYS * spec.n_hidden
  return 4 * batch_size * numbers


def _bytes(tree: Params) -> int:
  return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))
