"""A config of 25 lines asks when sparse autoencoders find the features of toy models."""

import jax
import numpy as np
import pytest

import toy_superposition as ts
from tests.command import in_process
from toy_superposition import train

# Toy models over density, a BatchTopK autoencoder on each with ten seeds; MCC, chance and bound.
CONFIG = """from toy_superposition.config import base


def get_config(variant=None):
  if variant == "toys":
    config = base.get_config()
    config.model.n_features, config.model.n_hidden = 6, 3
    axes = {"density": base.points("density.base", (0.3, 0.1))}
  else:
    config = base.after(f"{__file__}:toys")
    config.model.name, config.model.n_hidden, config.model.k = "batch_topk_sae", 8, 1.5
    axes = {"seed": base.restarts(10)}
    config.experiment = "sae_toys"
  config.name = "mine"
  config.train.optimizer = "adam"
  config.train.steps, config.train.batch_size = 30, 32
  config.evaluation.n_samples = 256
  config.run.checkpoint_seconds = 0.0
  base.set_axes(config, **axes)
  return config
"""


class Killed(BaseException):
  """Ends a run between two checkpoints, as nothing in the program may catch it."""


@pytest.fixture(autouse=True)
def with_the_tests_devices():
  """Runs every test on the tests' devices."""
  assert len(jax.devices()) == 8


@pytest.mark.slow
def test_it_continues_when_killed_draws_one_figure_and_goes_to_pytorch(tmp_path, monkeypatch):
  assert len(CONFIG.splitlines()) <= 25
  config = tmp_path / "mine.py"
  config.write_text(CONFIG)
  workdir = tmp_path / "run"
  arguments = f"--config={config}", f"--workdir={workdir}"

  def killed(problem, *arguments, of=train.run, **keywords):
    for number, snapshot in enumerate(of(problem, *arguments, **keywords)):
      if problem.spec.model == "batch_topk_sae" and number == 1:
        raise Killed
      yield snapshot

  with monkeypatch.context() as patch, pytest.raises(Killed):
    patch.setattr(train, "run", killed)
    in_process(patch, *arguments)
  assert not (workdir / "results.nc").exists()
  done = in_process(monkeypatch, *arguments)
  assert done.returncode == 0, done.stderr
  assert "MCC with the" in done.stdout and "by chance" in done.stdout
  assert len(list((workdir / "figures").glob("*.png"))) == 1
  results = ts.load(workdir)
  assert results["mcc"].sizes == {"density": 2, "seed": 10}
  assert {"mcc_chance", "n_represented"} <= set(results)
  found = ts.sample(results.isel(density=0, seed=0), 50)
  assert found["inputs"].shape == (50, 3) and found["hidden"].shape == (50, 8)
  names = ts.export(results, tmp_path / "sae.npz")
  assert np.load(tmp_path / "sae.npz")["W_dec"].shape == (20, 8, 3) and "threshold" in names
