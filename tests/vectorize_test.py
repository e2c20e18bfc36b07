"""A function of one example over a batch's last axis: the numbers of jax.vmap, by other rules."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from tests import small
from toy_superposition import activations, problem, sizes, vectorize
from toy_superposition.estimators.blocked import BLOCKED

N, M, EXAMPLES = 5, 3, 7
MATRIX = np.random.default_rng(0).normal(size=(M, N)).astype(np.float32)
VECTOR = np.random.default_rng(1).normal(size=N).astype(np.float32)
BATCH = np.random.default_rng(2).normal(size=(N, EXAMPLES)).astype(np.float32)

unstack = getattr(lax, "unstack", jnp.unstack)  # older versions of jax have no operation for it

# Of a matrix W, a vector b and an example x: one function for each rule, and for their mixtures.
FUNCTIONS = {
  "elementwise": lambda W, b, x: jnp.where(x > b, jnp.exp(x) * b, 2 * x - 1),
  "relu": lambda W, b, x: activations.relu(x + b),
  "leaky_relu": lambda W, b, x: activations.leaky_relu(x + b),
  "clip": lambda W, b, x: jnp.clip(x, -0.5, 0.5) * b,
  "power": lambda W, b, x: x**3 + jnp.sqrt(jnp.abs(x)),
  "matrix and example": lambda W, b, x: W @ x,
  "example and matrix": lambda W, b, x: (W @ x) @ W + b,
  "matrix and an example's matrix": lambda W, b, x: W @ (W * x[None, :]).T,
  "example and a matrix's last axis": lambda W, b, x: lax.dot_general(
    x, W, (((0,), (1,)), ((), ()))
  ),
  "vector and example": lambda W, b, x: b @ x,
  "scalar of an example": lambda W, b, x: jnp.where(x[0] > 0, 1.0, jnp.sum(b)) * 2,
  "sums": lambda W, b, x: jnp.sum(x) + jnp.max(x) * jnp.min(x) + jnp.prod(x),
  "broadcast": lambda W, b, x: W * x[None, :] + jnp.ones((M, 1)),
  "of an example's matrix": lambda W, b, x: (
    jnp.sum(W * x[None, :], axis=1) + jnp.cumsum(W * x[None, :], axis=0)[0, :1]
  ),
  "shapes": lambda W, b, x: (
    (W * x[None, :]).T.reshape(M, N)[1:, ::2] + jnp.squeeze((W * x[None, :])[:1, :1])
  ),
  "concatenate": lambda W, b, x: jnp.concatenate([b, x[:2], jnp.zeros(3)]),
  "stack": lambda W, b, x: jnp.stack([b, jnp.abs(x)], axis=1)[:, 1] * b,
  "unstack": lambda W, b, x: (
    sum(k * row for k, row in enumerate(unstack(W * x[None, :]))) + unstack(x)[1]
  ),
  "nothing of the example": lambda W, b, x: (W @ b, x),
  "jitted": lambda W, b, x: jax.jit(lambda x: jnp.tanh(x) + b)(x),
}
# What has no rule.
OTHERS = {
  "its own derivative": lambda W, b, x: jax.nn.relu(x + b),
  "two of an example": lambda W, b, x: x @ x,
  "an example's matrix and a matrix": lambda W, b, x: (W * x[None, :]) @ W.T,
  "sorted": lambda W, b, x: jnp.sort(x) * b,
}


def of(function, over):
  return over(function, (MATRIX, VECTOR), jnp.asarray(BATCH))


@pytest.mark.parametrize("name", [*FUNCTIONS, *OTHERS])
def test_values_and_derivatives_are_those_of_vmap(name):
  function = {**FUNCTIONS, **OTHERS}[name]

  def total(over, W, b, batch):
    found = over(function, (W, b), batch)
    return sum(
      jnp.sum(jnp.sin(x) @ jnp.arange(1.0, 1 + x.shape[-1])) for x in jax.tree.leaves(found)
    )

  for x, expected in zip(
    *(jax.tree.leaves(of(function, o)) for o in (vectorize.over_examples, vectorize.by_vmap)),
    strict=True,
  ):
    assert x.shape == expected.shape and x.shape[-1] == EXAMPLES
    np.testing.assert_allclose(x, expected, rtol=1e-6, atol=1e-6)
  arguments = (jnp.asarray(MATRIX), jnp.asarray(VECTOR), jnp.asarray(BATCH))
  own, reference = (
    jax.jit(jax.grad(total, (1, 2, 3)), static_argnums=0)(over, *arguments)
    for over in (vectorize.over_examples, vectorize.by_vmap)
  )
  for x, expected in zip(own, reference, strict=True):
    np.testing.assert_allclose(x, expected, rtol=1e-5, atol=1e-5)


def left_to_vmap(function, monkeypatch) -> bool:
  """Returns whether a function, or one that it calls, is left to jax.vmap."""
  called = []

  def noted(*arguments):
    called.append(1)
    return vmap(*arguments)

  vmap = vectorize.by_vmap
  with monkeypatch.context() as patched:
    patched.setattr(vectorize, "by_vmap", noted)
    jax.eval_shape(function)
  return bool(called)


@pytest.mark.parametrize("name", [*FUNCTIONS, *OTHERS])
def test_what_has_no_rule_is_left_to_vmap_and_nothing_else(name, monkeypatch):
  function = {**FUNCTIONS, **OTHERS}[name]
  found = left_to_vmap(lambda: of(function, vectorize.over_examples), monkeypatch)
  assert found == (name in OTHERS)


@pytest.mark.parametrize("loss", ["squared", "absolute"])
@pytest.mark.parametrize(
  "distribution", ["sparse_uniform", "sparse_signed_uniform", "correlated_sets", "independent"]
)
@pytest.mark.parametrize(
  "model", ["linear", "relu_output", "relu_hidden", "absolute_value", "leaky_relu_output"]
)
def test_steps_of_the_paper_s_models_are_not_left_to_vmap(model, distribution, loss, monkeypatch):
  """They would be slower without a word."""
  spec = small.spec(model=model, distribution=distribution, loss=loss, n_features=6, n_hidden=3)
  instances = small.group(1, of=spec).instances
  instance = jax.tree.map(lambda leaf: jnp.asarray(leaf[0]), instances)
  method = BLOCKED.make(problem.make(spec), instances)
  params, key = sizes.abstract_params(spec), jnp.zeros(2, jnp.uint32)
  assert not left_to_vmap(
    lambda: jax.eval_shape(method.gradient, params, instance, key), monkeypatch
  )


def test_the_relu_is_jax_s_and_its_derivative_at_zero_is_zero():
  """Models without biases see inputs of exactly 0: silent examples would move them otherwise."""
  z = jnp.array([-2.0, -0.0, 0.0, 3.0, jnp.inf, jnp.nan])
  np.testing.assert_array_equal(activations.relu(z), jax.nn.relu(z))
  slopes = jax.vmap(jax.grad(activations.relu))(z[:5])
  np.testing.assert_array_equal(slopes, [0, 0, 0, 1, 1])
  np.testing.assert_array_equal(slopes, jax.vmap(jax.grad(jax.nn.relu))(z[:5]))
