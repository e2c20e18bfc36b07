"""Models worked by hand, their symmetries, and the spread of their first weights."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests import small
from toy_superposition import declare, problem, streams
from toy_superposition.models import (
  INITIALIZERS,
  MODELS,
  AutoencoderParams,
  MLPParams,
  Notebook,
  ReLULayerParams,
  Xavier,
  built,
  has_gram,
)
from toy_superposition.models.untied import ReLULayer, UntiedLinear
from toy_superposition.streams import Stream

W = jnp.array([[1.0, -2, 0], [0, 1, 3]])
W2 = jnp.array([[1.0, 2], [0, -1], [2, 1]])
b = jnp.array([0.25, -5, 0.5])
x = jnp.array([0.5, 1, 0.25])  # W x = (−1.5, 1.75)
BY_HAND = {  # parameters, h, x′
  "linear": (AutoencoderParams(W=W, b=b), [-1.5, 1.75], [-1.25, -0.25, 5.75]),
  "relu_output": (AutoencoderParams(W=W, b=b), [-1.5, 1.75], [0, 0, 5.75]),
  "relu_hidden": (AutoencoderParams(W=W, b=b), [0, 1.75], [0.25, 0, 5.75]),
  "unbiased_relu_output": (AutoencoderParams(W=W, b=b), [-1.5, 1.75], [0, 4.75, 5.25]),
  "absolute_value": (MLPParams(W1=W, W2=W2, b=b), [0, 1.75], [3.75, 0, 2.25]),
  "untied_linear": (MLPParams(W1=W, W2=W2, b=b), [-1.5, 1.75], [2.25, -6.75, -0.75]),
  "untied_relu": (MLPParams(W1=W, W2=W2, b=b), [-1.5, 1.75], [2.25, 0, 0]),
  "relu_mlp": (MLPParams(W1=W, W2=W2, b=b), [0, 1.75], [3.75, -6.75, 2.25]),
  "relu_layer": (
    ReLULayerParams(W_in=W, b_in=jnp.array([2.0, -1]), W_out=W2, b_out=b),
    [0.5, 0.75],
    [2.25, -5.75, 2.25],
  ),
}
ROUND_OFF = 1e-6  # float32, sums of a few terms of order one
VISIBLE = 0.05  # a change that is no round-off
N, M = 500, 200  # 10⁵ weights: their standard deviation is known to σ/√(2·10⁵) = 0.22 %
SPREAD_ERROR = 0.01  # 4.5 of these standard errors


@pytest.mark.parametrize("name", BY_HAND)
def test_hidden_values_and_outputs_by_hand(name):
  params, h, output = BY_HAND[name]
  model = built(declare.build("model.name", name, {}))
  np.testing.assert_array_equal(model.encode(params, x), h)
  np.testing.assert_array_equal(model.decode(params, jnp.float32(h)), output)
  np.testing.assert_array_equal(model.apply(params, x), output)


def test_an_untied_model_without_a_bias_ignores_it():
  params = MLPParams(W1=W, W2=W2, b=b)
  output = UntiedLinear(output_bias=False).build().apply(params, x)
  np.testing.assert_array_equal(output, np.array([2.25, -6.75, -0.75]) - b)


def test_a_layer_s_sums_begin_of_one_size_if_their_deviation_counts_what_they_add_up():
  model = ReLULayer(fan_in=True).build()
  params = model.init(jax.random.key(0), n_inputs=50, n_hidden=400, n_outputs=100, std=0.5)
  for name, n_terms in (("W_in", 50), ("W_out", 400)):
    expected = 0.5 / n_terms**0.5
    assert float(jnp.std(getattr(params, name))) == pytest.approx(expected, rel=0.03)


def test_a_layer_begins_with_its_neurons_bias_and_may_lack_one_of_outputs():
  model = ReLULayer(output_bias=False, neuron_bias=-1.0).build()
  params = model.init(jax.random.key(0), n_inputs=3, n_hidden=2, n_outputs=4, std=1.0)
  np.testing.assert_array_equal(params.b_in, [-1, -1])
  np.testing.assert_array_equal(params.b_out, np.zeros(4))
  shifted = dataclasses.replace(params, b_out=jnp.ones(4))
  np.testing.assert_array_equal(model.apply(shifted, x), model.apply(params, x))


@pytest.mark.quick("adamw")  # its weight decay moves weights that have no gradient
@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
def test_a_frozen_encoder_keeps_its_random_columns_of_norm_one(optimizer):
  fast = {"estimator": "autodiff", "generator": "hash"}  # to compile
  frozen = {"model": "untied_relu", "frozen_encoder": True, "optimizer": optimizer}
  spec = small.spec(**frozen, **fast, n_features=4, n_hidden=3)
  first, last = (end.state.params for end in small.run(small.group(2, of=spec), (1, 30)))
  np.testing.assert_allclose(np.linalg.norm(first.W1, axis=1), 1, atol=ROUND_OFF)
  np.testing.assert_allclose(last.W1, first.W1, atol=ROUND_OFF)
  assert np.abs(last.W2 - first.W2).max() > VISIBLE


def turned(name):
  """Returns random inputs and a model's outputs for them before and after a rotation of the
  hidden space: W → O W, and for a decoder of its own W₂ → W₂ Oᵀ."""
  rng = np.random.default_rng(0)
  rotation = np.linalg.qr(rng.normal(size=(3, 3)))[0]
  enter, leave = rng.normal(size=(3, 4)), rng.normal(size=(4, 3))
  inputs = jnp.float32(rng.uniform(size=(16, 4)))

  def outputs(W1, W2):
    bias = jnp.full(4, 0.1)
    W1, W2 = jnp.float32(W1), jnp.float32(W2)
    params = AutoencoderParams(W=W1, b=bias) if has_gram(name) else MLPParams(W1=W1, W2=W2, b=bias)
    return np.asarray(jax.vmap(MODELS[name].apply, (None, 0))(params, inputs))

  return outputs(enter, leave), outputs(rotation @ enter, leave @ rotation.T)


@pytest.mark.parametrize("name", ["linear", "relu_output"])
def test_without_a_hidden_relu_rotating_the_hidden_space_changes_nothing(name):
  before, after = turned(name)
  np.testing.assert_allclose(before, after, atol=10 * ROUND_OFF)


@pytest.mark.parametrize("name", ["relu_hidden", "absolute_value"])
def test_a_hidden_relu_makes_the_basis_privileged(name):
  before, after = turned(name)
  assert np.abs(before - after).mean() > VISIBLE


@pytest.mark.parametrize(
  ("n", "m", "instances", "notebook", "xavier"),
  [(200, 20, 20, 0.0213, 0.0953), (5, 2, 10, 0.2582, 0.5345)],
)
def test_initial_standard_deviations_of_the_notebook_and_of_xavier(
  n, m, instances, notebook, xavier
):
  last_digit, sizes = 0.5e-4, {"n_features": n, "n_hidden": m}
  assert Notebook(n_instances=instances).std(**sizes) == pytest.approx(notebook, abs=last_digit)
  assert Xavier().std(**sizes) == pytest.approx(xavier, abs=last_digit)


def initial(**changes):
  spec = small.spec(n_features=N, n_hidden=M, **changes)
  return problem.make(spec).init(streams.key(streams.root(0), Stream.INIT, 0))


@pytest.mark.parametrize("name", ["relu_output", "absolute_value"])
@pytest.mark.parametrize("scheme", INITIALIZERS)
def test_first_weights_are_normal_with_the_scheme_s_deviation_and_biases_zero(name, scheme):
  params = initial(model=name, init_scheme=scheme)
  std = INITIALIZERS[scheme]().std(n_features=N, n_hidden=M)
  weights = [np.asarray(w, np.float64) for w in jax.tree.leaves(params) if w.ndim == 2]
  for values in weights:
    assert values.std() == pytest.approx(std, rel=SPREAD_ERROR)
    assert abs(values.mean()) < SPREAD_ERROR * 2 * std  # its error is √2 that of the deviation
    assert np.mean((values / std) ** 4) == pytest.approx(3, rel=5 * SPREAD_ERROR)  # normal
  if len(weights) == 2:
    correlation = np.corrcoef(weights[0].ravel(), weights[1].T.ravel())[0, 1]
    assert abs(correlation) < 2 * SPREAD_ERROR
  np.testing.assert_array_equal(params.b, 0)


@pytest.mark.parametrize("name", ["relu_output", "absolute_value"])
def test_first_biases_are_normal_with_their_own_deviation_and_leave_the_weights_alone(name):
  scheme = {"model": name, "init_scheme": "unit_columns"}
  zero, drawn = initial(**scheme), initial(**scheme, bias=0.5)
  assert drawn.b.std() == pytest.approx(0.5, rel=3 / N**0.5)
  assert len(np.unique(drawn.b)) == N
  for field in set(type(drawn).DIMS) - {"b"}:
    np.testing.assert_array_equal(getattr(drawn, field), getattr(zero, field))


@pytest.mark.parametrize("name", ["relu_output", "absolute_value"])
def test_the_init_scale_multiplies_the_first_weights(name):
  once, scaled = initial(model=name), initial(model=name, init_scale=0.1)
  for a, c in zip(jax.tree.leaves(once), jax.tree.leaves(scaled), strict=True):
    np.testing.assert_allclose(c, 0.1 * np.asarray(a), rtol=ROUND_OFF)
