"""Two stages: models that are trained on the hidden activations of trained models."""

import os
import signal
import subprocess
import sys
import time

import jax
import numpy as np
import pytest

import toy_superposition as ts
from tests.command import ROOT, assert_same_bits, in_process, reads_configs
from toy_superposition.config import base, resolve
from toy_superposition.config import source as sources
from toy_superposition.errors import UserError

FIRST = """
from toy_superposition.config import base

def get_config():
  config = base.get_config()
  config.name = "toys"
  config.model.n_features, config.model.n_hidden = 6, 3
  config.train.steps, config.train.batch_size = 40, 32
  config.train.estimator, config.data.generator = "autodiff", "hash"
  config.evaluation.n_samples = 256
  base.set_axes(
    config, density=base.points("density.base", (0.1, 0.3)), restart=base.restarts(2)
  )
  return config
"""
SECOND = """
from toy_superposition.config import base

def get_config():
  config = base.after({source!r})
  config.name = "second"
  config.model.name, config.model.n_hidden, config.model.k = "batch_topk_sae", 8, 1.0
  config.train.optimizer, config.train.steps, config.train.batch_size = "adam", {steps}, 32
  config.evaluation.n_samples = 256
  base.set_axes(config, seed=base.restarts(3))
  return config
"""


@pytest.fixture(autouse=True)
def with_the_tests_devices():
  """Runs every test on the tests' devices."""
  assert len(jax.devices()) == 8


@pytest.fixture
def toys(tmp_path):
  path = tmp_path / "toys.py"
  path.write_text(FIRST)
  return path


@pytest.fixture
def second(tmp_path, toys):
  """Returns the path of a config whose source is the config of `toys`, or another one."""

  def written(source=str(toys), steps: int = 30):
    path = tmp_path / "second.py"
    path.write_text(SECOND.format(source=str(source), steps=steps))
    return path

  return written


def main(*arguments: object) -> subprocess.CompletedProcess:
  command = [sys.executable, "-m", "toy_superposition.main", *map(str, arguments)]
  return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def relu(x):
  return np.maximum(x, 0)


def test_a_second_stage_has_the_axes_of_its_source_and_sees_its_hidden_activations(toys, second):
  first = ts.run(str(toys))
  dataset = ts.run(str(second()), source=first)
  assert dataset["loss"].dims == ("density", "restart", "seed")
  assert dataset["density"].values.tolist() == [0.1, 0.3]
  # The source's weights are stored with every model, for what is made of results alone.
  assert dataset["source_W"].dims == (*dataset["loss"].dims, "input", "feature")
  for seed in range(3):
    np.testing.assert_array_equal(dataset["source_W"].sel(seed=seed).values, first["W"].values)
  np.testing.assert_array_equal(dataset["feature_density"].isel(seed=0), first["feature_density"])
  # Loss of one model on examples of our own: of ĥ against h = W x.
  one = dataset.isel(density=1, restart=1, seed=2)
  rng = np.random.default_rng(0)
  x = rng.uniform(size=(6, 20_000)) * (rng.uniform(size=(6, 20_000)) < 0.3)
  h = one["source_W"].values @ x
  z = relu(one["W_enc"].values @ (h - one["b_dec"].values[:, None]) + one["b_enc"].values[:, None])
  z = np.where(z >= one["latent_threshold"].values[:, None], z, 0)
  error = ((h - one["W_dec"].values @ z - one["b_dec"].values[:, None]) ** 2).sum(axis=0)
  # Of 256 examples in batches of 1024: four standard errors of both means.
  spread = 4 * error.std() * (1 / 1024 + 1 / 20_000) ** 0.5
  assert float(one["loss"]) == pytest.approx(error.mean(), abs=spread)


@pytest.mark.slow
def test_a_source_that_is_a_config_is_trained_first_and_a_kill_costs_nothing(tmp_path, second):
  undisturbed, killed = tmp_path / "a", tmp_path / "b"
  done = main(f"--config={second(steps=20_000)}", f"--workdir={undisturbed}")
  assert done.returncode == 0, done.stderr
  assert (undisturbed / "source" / "results.nc").exists()
  command = [sys.executable, "-m", "toy_superposition.main"]
  process = subprocess.Popen(
    [*command, f"--config={second(steps=20_000)}", f"--workdir={killed}"],
    cwd=ROOT,
    stdout=subprocess.DEVNULL,
    stderr=subprocess.DEVNULL,
  )
  deadline = time.monotonic() + 120
  while not (killed / "metrics.jsonl").exists() and process.poll() is None:
    assert time.monotonic() < deadline
    time.sleep(0.05)
  process.send_signal(signal.SIGKILL)
  process.wait()
  assert not (killed / "results.nc").exists()
  done = main(f"--config={second(steps=20_000)}", f"--workdir={killed}")
  assert done.returncode == 0, done.stderr
  assert_same_bits(killed, undisturbed)


def test_another_content_of_the_source_makes_another_run(toys, second):
  settings = ts.get_config(str(second()))
  first = sources.from_dataset(ts.run(str(toys)))
  changed = {name: leaf.copy() for name, leaf in first.params.items()}
  changed["W"][0, 0, 0] = np.nextafter(changed["W"][0, 0, 0], np.float32(9))
  other = first._replace(params=changed, content=sources.content(changed, first.density))
  one, two = (resolve.resolve(settings, source).identity for source in (first, other))
  assert {name for name in one if one[name] != two[name]} == {"source: content"}


@pytest.mark.slow
def test_a_source_that_has_changed_is_refused(tmp_path, toys, second):
  runs = tmp_path / "toys"
  assert main(f"--config={toys}", f"--workdir={runs}").returncode == 0
  config = second(source=runs)
  assert main(f"--config={config}", f"--workdir={tmp_path / 'run'}").returncode == 0
  done = main(f"--config={toys}", "--config.seed=7", f"--workdir={runs}", "--overwrite")
  assert done.returncode == 0, done.stderr
  done = main(f"--config={config}", f"--workdir={tmp_path / 'run'}")
  assert done.returncode == 1 and len(done.stderr.splitlines()) == 1
  assert "another config" in done.stderr and "source: content" in done.stderr


@pytest.mark.slow
def test_shards_and_slices_of_a_second_stage_are_the_run(tmp_path, toys, second):
  runs = tmp_path / "toys"
  assert main(f"--config={toys}", f"--workdir={runs}").returncode == 0
  config = second(source=runs)
  for number in range(2):
    done = main(f"--config={config}", f"--workdir={tmp_path / 'parts'}", f"--shard={number}/2")
    assert done.returncode == 0, done.stderr
  done = subprocess.run(
    [sys.executable, "-m", "toy_superposition.collect", f"--workdir={tmp_path / 'parts'}"],
    cwd=ROOT,
    capture_output=True,
    text=True,
    check=False,
  )
  assert done.returncode == 0, done.stderr
  sliced = ["--config.run.memory_gib=1e-4", f"--workdir={tmp_path / 'whole'}"]
  assert main(f"--config={config}", *sliced).returncode == 0
  assert_same_bits(tmp_path / "parts", tmp_path / "whole")


@pytest.mark.slow
def test_a_dry_run_needs_no_trained_source(second, tmp_path):
  done = main(f"--config={second()}", "--dry_run", f"--workdir={tmp_path / 'none'}")
  assert done.returncode == 0, done.stderr
  assert "12 instances" in done.stdout or "density 2 × restart 2 × seed 3" in done.stdout
  assert "toys: 4 models" in done.stdout  # what is trained before is estimated before
  assert "toys.py before: " in " ".join(done.stdout.split())
  assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
  ("changes", "words"),
  [
    ({"source": ""}, ["config.source", "data.input='hidden'"]),
    ({"source": "runs/nowhere"}, ["config.source", "runs/nowhere"]),
    ({"source": "phase_chang"}, ["config.source", "phase_change"]),
    ({"model.n_features": 5}, ["config.model.n_features", "6"]),
    ({"density.base": 0.2, "axes": ()}, []),
    (
      {"data.distribution": "sparse_signed_uniform"},
      ["config.data.distribution", "sparse_uniform"],
    ),
    ({"density.profile": "geometric"}, ["config.density.profile", "uniform"]),
    ({"model.name": "relu_output"}, ["config.model.name", "relu_output"]),
  ],
)
def test_bad_input_is_one_line(second, changes, words):
  settings = ts.get_config(str(second()))
  for field, value in changes.items():
    section, _, leaf = field.rpartition(".")
    (settings[section] if section else settings)[leaf] = value
  if not words:  # an axis of the source decides the density
    resolve.resolve(settings)
    return
  with pytest.raises(UserError) as error:
    resolve.resolve(settings)
  assert all(word in str(error.value) for word in words), error.value
  assert "\n" not in str(error.value)


def test_axes_of_the_source_s_names_have_its_points(second):
  settings = ts.get_config(str(second()))
  base.set_axes(settings, density=base.points("density.base", (0.1, 0.2)))
  with pytest.raises(UserError, match=r"config\.axis\.density: sets density\.base to \(0\.1, 0\.2"):
    resolve.resolve(settings)
  base.set_axes(settings, restart=base.restarts(2), density=base.points("density.base", (0.1, 0.3)))
  assert [axis.name for axis in resolve.resolve(settings).axes] == ["restart", "density"]


@reads_configs
def test_a_source_that_is_unfinished_or_damaged_is_refused(tmp_path, toys, second, monkeypatch):
  runs = tmp_path / "toys"
  assert in_process(monkeypatch, f"--config={toys}", f"--workdir={runs}").returncode == 0
  config = second(source=runs)
  content = bytearray((runs / "results.nc").read_bytes())
  content[len(content) // 2] ^= 1
  (runs / "results.nc").write_bytes(content)
  with pytest.raises(UserError, match=r"config\.source: .*damaged"):
    resolve.resolve(ts.get_config(str(config)))
  os.remove(runs / "results.nc")
  with pytest.raises(UserError, match=r"config\.source: .*is the run finished"):
    resolve.resolve(ts.get_config(str(config)))


@pytest.mark.slow
def test_numbers_of_a_second_stage_do_not_depend_on_its_other_models(toys, second):
  first = ts.run(str(toys))
  settings = ts.get_config(str(second()))
  whole = ts.run(settings, source=first)
  one = first.isel(density=[0], restart=[0])
  alone = ts.run(settings, source=one)
  np.testing.assert_array_equal(alone["W_dec"].squeeze(), whole["W_dec"].isel(density=0, restart=0))
