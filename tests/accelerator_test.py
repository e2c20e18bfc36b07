"""Every estimator on an accelerator: the losses of the CPU. Skipped where there is no accelerator.

To be run on one: `python -m pytest -n0 tests/accelerator_test.py`.
"""

import functools
import importlib.util
import json
import os
import subprocess
import sys

import jax
import numpy as np
import pytest

from tests import small
from tests.command import ROOT
from toy_superposition import estimators

STEPS = 20
# What the estimators are made for; `exact` draws nothing.
SIZES = {
  "autodiff": {"n_features": 5, "n_hidden": 2},
  "fused": {"n_features": 5, "n_hidden": 2},
  "blocked": {"n_features": 100, "n_hidden": 10},
  "sparse": {"n_features": 100, "n_hidden": 10},
  "sampled": {"n_features": 100, "n_hidden": 10},
  "exact": {"n_features": 3, "n_hidden": 2},
}
# Both sides draw the same numbers in full float32; sums in another order move the loss by some
# hundred round-offs in so few steps.
TOLERANCE = 1e-4
PLUGINS = ("jax_cuda12_plugin", "jax_cuda13_plugin", "jax_rocm60_plugin", "libtpu")


def losses() -> dict[str, list[float]]:
  """Returns the losses of four models after STEPS steps, by estimator, on JAX's first device."""
  found = {}
  for name, sizes in SIZES.items():
    spec = small.spec(estimator=name, steps=STEPS, **sizes)
    found[name] = small.run(small.group(4, of=spec), (STEPS,))[-1].losses.tolist()
  return found


def in_process_of_its_own(platforms: str) -> tuple[str, dict[str, list[float]]]:
  """Returns the platform that JAX takes there, and the losses on it."""
  code = (
    "import json, jax; from toy_superposition.devices import setup; setup.configure(1); "
    "from tests import accelerator_test; "
    "print(json.dumps([jax.devices()[0].platform, accelerator_test.losses()]))"
  )
  kept = {name: value for name, value in os.environ.items() if name != "JAX_PLATFORMS"}
  path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
  environment = kept | {"PYTHONPATH": path} | ({"JAX_PLATFORMS": platforms} if platforms else {})
  done = subprocess.run(
    [sys.executable, "-c", code], env=environment, cwd=ROOT, capture_output=True, text=True
  )
  assert done.returncode == 0, done.stderr
  platform, found = json.loads(done.stdout.splitlines()[-1])
  return platform, found


@functools.cache
def on_accelerator() -> dict[str, list[float]]:
  """Returns the losses on the accelerator; skips the test if there is none."""
  if not any(importlib.util.find_spec(name) for name in PLUGINS):
    pytest.skip("no accelerator: none of JAX's plugins is installed")
  platform, found = in_process_of_its_own("")
  if platform == "cpu":
    pytest.skip("no accelerator: JAX finds CPUs only")
  return found


def test_every_estimator_has_a_size_here():
  assert set(SIZES) == set(estimators.ESTIMATORS)


@pytest.mark.slow
def test_the_comparison_runs_in_a_process_of_its_own():
  platform, found = in_process_of_its_own("cpu")
  assert platform == "cpu"
  here = losses()
  for name, expected in here.items():
    np.testing.assert_allclose(found[name], expected, rtol=TOLERANCE, err_msg=name)


@pytest.mark.parametrize("name", SIZES)
def test_an_accelerator_trains_to_the_losses_of_the_cpu(name):
  found = on_accelerator()[name]
  assert jax.devices()[0].platform == "cpu"
  spec = small.spec(estimator=name, steps=STEPS, **SIZES[name])
  expected = small.run(small.group(4, of=spec), (STEPS,))[-1].losses
  np.testing.assert_allclose(found, expected, rtol=TOLERANCE)
