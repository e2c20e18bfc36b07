"""Programs that wait for XLA's threads run on one CPU device, and all others on all devices.

On several devices of one process they may wait for each other for ever.
"""

import functools
import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import toy_superposition as ts
from tests import small
from toy_superposition import models
from toy_superposition.devices import mapping, meshes, setup
from toy_superposition.distributions import DISTRIBUTIONS
from toy_superposition.measures import MEASURES, Measure
from toy_superposition.models import MODELS
from toy_superposition.train import Program

ROUND_OFF = 1e-5


def symmetric(W):
  return W @ W.T + jnp.eye(len(W))


def called(W):
  return jax.pure_callback(lambda x: x, W, W, vmap_method="sequential")


WAITING = {
  "svd": lambda W: jnp.linalg.svd(W, compute_uv=False),
  "eigh": lambda W: jnp.linalg.eigh(symmetric(W))[0],
  "eig": lambda W: jnp.abs(jnp.linalg.eig(symmetric(W))[0]),
  "qr": lambda W: jnp.linalg.qr(W)[1],
  "solve": lambda W: jnp.linalg.solve(symmetric(W), W),
  "cholesky": lambda W: jnp.linalg.cholesky(symmetric(W)),
  "lu": lambda W: jax.scipy.linalg.lu(W)[2],
  "schur": lambda W: jax.scipy.linalg.schur(symmetric(W))[0],
  "inverse": lambda W: jnp.linalg.inv(symmetric(W)),
  "triangular": lambda W: jax.scipy.linalg.solve_triangular(symmetric(W), W),
  "callback": called,
  "within a loop": lambda W: jax.lax.fori_loop(0, 3, lambda i, x: jnp.linalg.qr(x)[0], W.T),
}
OTHERS = {
  "product": lambda W: W.T @ W,
  "sort": lambda W: jnp.sort(W, axis=1),
  "fft": lambda W: jnp.abs(jnp.fft.fft(W)),
  "convolution": lambda W: jnp.convolve(W[0], W[1]),
  "normal": lambda W: W + jax.random.normal(jax.random.key(0), W.shape),
  "norm": lambda W: jnp.linalg.norm(W, axis=0),
}


@pytest.fixture
def used(monkeypatch) -> list[int]:
  """The numbers of devices of the programs that are compiled for slices and for training."""
  sizes: list[int] = []
  original = mapping.compile_for

  def compile_for(mesh, *arguments):
    sizes.append(mesh.size)
    return original(mesh, *arguments)

  monkeypatch.setattr(mapping, "compile_for", compile_for)
  return sizes


def mapped(function, n_devices: int) -> np.ndarray:
  W = np.random.default_rng(0).normal(size=(8, 3, 5)).astype(np.float32)
  return mapping.map_slices(
    jax.vmap(function), W, mesh=meshes.make_mesh(setup.devices(n_devices)), bytes_each=1, budget=4
  )


@pytest.mark.parametrize("name", WAITING)
def test_a_function_that_waits_for_threads_is_mapped_on_one_device(used, name):
  result = mapped(WAITING[name], 4)
  assert used == [1]
  np.testing.assert_array_equal(result, mapped(WAITING[name], 1))


@pytest.mark.parametrize("name", OTHERS)
def test_every_other_function_is_mapped_on_all_devices(used, name):
  mapped(OTHERS[name], 4)
  assert used == [4]


def test_devices_with_memories_of_their_own_have_threads_of_their_own(monkeypatch):
  monkeypatch.setattr(mapping.memory, "is_shared", lambda devices: False)
  lowered = jax.jit(WAITING["svd"]).lower(np.ones((3, 5), np.float32))
  assert not mapping.must_be_alone(meshes.make_mesh(setup.devices(4)), lowered)


def scored(n_restarts: int = 4, **measures: Measure):
  """Returns the results of untrained models with these measures beside the usual ones."""
  settings = ts.get_config()
  settings.train.steps, settings.evaluation.n_samples = 0, 64
  settings.measures = (*settings.measures, *measures)
  with settings.unlocked():
    settings.axes = ("restart",)
    settings.axis = {"restart": {"field": "", "scale": "restarts", "num": n_restarts}}
  return ts.run(settings)


def test_a_measure_that_waits_for_threads_leaves_all_devices_to_the_others(monkeypatch, used):
  ordinary = scored()
  assert used == [4]
  used.clear()
  singular = Measure(lambda p, i: jnp.linalg.svd(p.W, compute_uv=False), ("hidden",), "σ")
  monkeypatch.setitem(MEASURES, "singular", singular)
  results = scored(singular=singular)
  assert sorted(used) == [1, 4, 4, 4, 4, 4]  # the losses and the four usual measures
  np.testing.assert_allclose(
    results["singular"], np.linalg.svd(results["W"], compute_uv=False), rtol=ROUND_OFF
  )
  for name in ordinary.data_vars:
    np.testing.assert_allclose(results[name], ordinary[name], rtol=ROUND_OFF)


def whitened(encode, params, x):
  return jnp.linalg.cholesky(symmetric(params.W)).T @ encode(params, x)


def orthogonal(init, key, **sizes):
  params = init(key, **sizes)
  return params.replace(W=jnp.linalg.qr(params.W.T)[0].T)


class Projected(DISTRIBUTIONS["sparse_uniform"]):  # type: ignore[misc, name-defined]
  """Features projected on the range of a fixed matrix."""

  def features(self, u, instance):
    Q = jnp.linalg.qr(jnp.cos(jnp.outer(jnp.arange(len(u)), jnp.arange(3.0))))[0]
    return Q @ (Q.T @ super().features(u, instance))


def with_model(**changes):
  return lambda patch: patch.setitem(MODELS, "mine", MODELS["relu_output"]._replace(**changes))


RELU = models.MODELS["relu_output"]
ROWS = {
  "encoder": ({"model": "mine"}, with_model(encode=functools.partial(whitened, RELU.encode))),
  "initial weights": ({"model": "mine"}, with_model(init=functools.partial(orthogonal, RELU.init))),
  "distribution": (
    {"distribution": "mine"},
    lambda patch: patch.setitem(DISTRIBUTIONS, "mine", Projected),
  ),
}


@pytest.mark.quick("encoder")
@pytest.mark.parametrize("name", ROWS)
def test_training_that_waits_for_threads_is_that_of_one_device(monkeypatch, name):
  changes, register = ROWS[name]
  register(monkeypatch)
  group = small.group(4, of=small.spec(estimator="autodiff", **changes))
  compiled: list[Program] = []
  several = small.run(group, n_devices=4, on_compiled=compiled.append)[-1]
  alone = small.run(group, n_devices=1)[-1]
  assert compiled[0].mesh.size == (4 if name == "initial weights" else 1)
  for a, b in zip(jax.tree.leaves(several.state), jax.tree.leaves(alone.state), strict=True):
    np.testing.assert_allclose(a, b, rtol=ROUND_OFF, atol=ROUND_OFF)


RUN = """
import jax, jax.numpy as jnp, toy_superposition as ts
jax.config.update("jax_num_cpu_devices", 2)
assert len(jax.devices()) == 2
ts.MEASURES["norm"] = ts.Measure(
  lambda params, instance: jnp.sum(jnp.linalg.svd(params.W, compute_uv=False)), (), "Σ σ"
)
config = ts.get_config()
config.model.n_features, config.model.n_hidden, config.train.steps = 20, 8, 0
config.measures = (*config.measures, "norm")
with config.unlocked():
  config.axes = ("restart",)
  config.axis = {"restart": {"field": "", "scale": "restarts", "num": 120}}
for _ in range(2):
  ts.run(config)
"""


@pytest.mark.slow
def test_a_measure_that_calls_lapack_ends_on_two_devices_of_a_fresh_process():
  for _ in range(3):  # without the rule it hangs in most runs
    subprocess.run([sys.executable, "-c", RUN], check=True, timeout=120, env=os.environ)
