"""Shards of an experiment, run separately, are together the full experiment."""

import dataclasses
import shutil

import numpy as np
import pytest
from absl import flags

from toy_superposition import collect as entry_point
from toy_superposition import measures, runner, shards, terminal
from toy_superposition.cli import collect as cli
from toy_superposition.config import base, catalogue, execute
from toy_superposition.config.resolve import resolve
from toy_superposition.devices import meshes, setup
from toy_superposition.devices.plan import make_plans
from toy_superposition.errors import UserError
from toy_superposition.records import results
from toy_superposition.records.opening import open_workdir
from toy_superposition.records.workdir import Workdir
from toy_superposition.shards import Shard

MESH = meshes.make_mesh(setup.devices(2))


def resolved(**fields):
  settings = base.get_config()
  settings.name = "test"
  settings.train.batch_size, settings.train.steps = 8, 12
  settings.train.estimator = "autodiff"  # fast to compile
  settings.evaluation.n_samples = 64
  settings.history.num = 3
  for field, value in fields.items():
    settings[field] = value
  base.set_axes(
    settings,
    density=base.log("density.base", 1, 0.1, 3),
    n=base.points("model.n_features", (3, 5)),
    restart=base.restarts(2),
  )
  return resolve(settings)


FULL = resolved()
N = 12


def opened(path, what, identity):
  return open_workdir(path, what.values, identity, overwrite=False, command=[], devices=[])


def run(root, shard, what=FULL, mesh=MESH):
  shards.check_neighbours(root, what, shard)
  workdir = opened(shard.folder(root), what, shards.identity(what, shard))
  own = shards.cut(what, shard, "cpu")
  shards.save(workdir.path, own, runner.outcomes(own, workdir, make_plans(own, mesh)))


@pytest.fixture(scope="module")
def root(tmp_path_factory):
  path = tmp_path_factory.mktemp("sharded")
  for number in range(3):
    run(path, Shard(number, 3))
  return path


def test_joined_shards_are_the_unsharded_run(root, tmp_path):
  expected = runner.run(FULL, opened(tmp_path / "full", FULL, FULL.identity), MESH)
  workdir = Workdir(tmp_path / "merged")
  workdir.path.mkdir()
  merged = runner.finish(FULL, *shards.collect(root, FULL), workdir, MESH)
  assert merged.keys() == expected.keys() == {"/n=3", "/n=5"}
  for name, dataset in expected.items():
    assert merged[name].sizes == dataset.sizes
    assert merged[name].attrs["estimator"] == dataset.attrs["estimator"] == "autodiff"
    assert set(merged[name].variables) == set(dataset.variables)
    for variable, values in dataset.data_vars.items():
      np.testing.assert_allclose(merged[name][variable], values, rtol=1e-5, atol=1e-6)
  assert workdir.results.exists()


@pytest.mark.parametrize("total", [1, 2, 5, 7, N])
def test_shards_are_every_instance_once_and_of_about_one_size(total):
  chunks = [shards.cut(FULL, Shard(number, total), "cpu") for number in range(total)]
  index = [i for chunk in chunks for group in chunk.groups for i in group.instances.index]
  assert sorted(index) == list(range(N))
  sizes = [sum(len(group.cells) for group in chunk.groups) for chunk in chunks]
  assert max(sizes) - min(sizes) <= 1
  for chunk in chunks:
    for group in chunk.groups:
      cells = dict(zip(group.instances.index.tolist(), group.cells.tolist(), strict=True))
      for full in FULL.groups:
        for i, cell in zip(full.instances.index.tolist(), full.cells.tolist(), strict=True):
          assert cells.get(i, cell) == cell


def test_a_shard_has_the_estimator_of_the_full_sweep():
  # By itself the first half is rare enough for the sparse estimator; the full sweep is not.
  settings = base.get_config()
  settings.name = "test"
  settings.model.n_features = 5000
  base.set_axes(settings, density=base.points("density.base", (0.001, 0.1)))
  (group,) = shards.cut(resolve(settings), Shard(0, 2), "cpu").groups
  assert group.instances.density.max() < 0.005
  assert group.spec.estimator == "blocked"


@pytest.mark.parametrize("text", ["3/3", "-1/3", "1", "a/b", "0/0", "1/2/3", "13/15", "0/13"])
def test_what_is_no_shard_is_refused(text):
  with pytest.raises(UserError, match=r"--shard=.*allowed"):
    shards.parse(text, FULL)
  assert shards.parse("11/12", FULL) == Shard(11, 12)


def copied(root, tmp_path):
  return shutil.copytree(root, tmp_path / "copy")


def test_missing_shards_are_named(root, tmp_path):
  path = copied(root, tmp_path)
  Workdir(Shard(1, 3).folder(path)).shard.unlink()
  shutil.rmtree(Shard(2, 3).folder(path))
  with pytest.raises(UserError, match=r"2 of 3 shards missing: 1–2; .*--shard=1/3"):
    shards.collect(path, FULL)


def test_a_damaged_shard_is_named(root, tmp_path):
  path = copied(root, tmp_path)
  file = Workdir(Shard(1, 3).folder(path)).shard
  file.write_bytes(file.read_bytes()[:3000])
  with pytest.raises(UserError, match=r"00001-of-00003.*damaged"):
    shards.collect(path, FULL)


def test_shards_of_another_config_or_number_are_refused(root, tmp_path):
  path = copied(root, tmp_path)
  with pytest.raises(UserError, match=r"another config \(seed 0 → 7\)"):
    shards.check_neighbours(path, resolved(seed=7), Shard(1, 3))
  with pytest.raises(UserError, match="one of 3 shards, not of 4"):
    shards.check_neighbours(path, FULL, Shard(1, 4))
  with pytest.raises(UserError, match="another config"):
    shards.collect(path, resolved(seed=7))
  logged = dataclasses.replace(FULL, values=FULL.values | {"run.log_every": 1})
  shards.check_neighbours(path, logged, Shard(1, 3))  # an execution setting


def test_shards_do_not_go_where_a_full_run_is(tmp_path):
  opened(tmp_path, FULL, FULL.identity)
  with pytest.raises(UserError, match="not in shards"):
    shards.check_neighbours(tmp_path, FULL, Shard(0, 2))


def collect(monkeypatch, root, config=None) -> int:
  """Returns the exit code of collect.py, on the tests' devices."""
  monkeypatch.setattr(setup, "configure", lambda *options, **keywords: None)
  monkeypatch.setattr(terminal, "show_log", lambda quiet=False: None)
  options = flags.FlagValues()
  entry_point.define_flags(options)
  options(["collect", f"--workdir={root}", *([f"--config={config}"] if config else [])])
  return cli.main(options)


OWN = """
import toy_superposition as ts
from toy_superposition.config import base

FACTOR = 2.0
ts.MEASURES["theirs"] = ts.Measure(lambda params, instance: FACTOR * params.W.sum(), (), "theirs")


def get_config():
  config = base.get_config()
  config.name, config.measures = "test", ("theirs",)
  config.train.steps, config.evaluation.n_samples = 0, 64
  base.set_axes(config, restart=base.restarts(4))
  return config
"""


def test_shards_with_a_row_of_their_own_are_collected_with_the_config_that_registers_it(
  tmp_path, monkeypatch
):
  monkeypatch.setitem(measures.MEASURES, "theirs", None)  # so that the row goes with the test
  config, root = tmp_path / "own.py", tmp_path / "run"
  config.write_text(OWN)
  what = resolve(execute.get_config(str(config)))
  for number in range(2):
    run(root, Shard(number, 2), what)
  del measures.MEASURES["theirs"]
  with pytest.raises(UserError, match=r"config\.measures: 'theirs' is not .*--config=FILE"):
    collect(monkeypatch, root)
  config.write_text(OWN.replace("2.0", "3.0"))
  with pytest.raises(UserError, match=r"another config \(measures: code of 'theirs' '\w+' → '\w+'"):
    collect(monkeypatch, root, config)
  assert not Workdir(root).results.exists()
  config.write_text(OWN)
  assert collect(monkeypatch, root, config) == 0
  dataset = results.read(Workdir(root))["/"]
  expected = 2 * dataset["W"].sum(("hidden", "feature"))
  np.testing.assert_allclose(dataset["theirs"], expected, rtol=1e-5)


def smallest(name: str):
  """Returns a config of configs/ in its quick variant, trained as little as can be."""
  settings = execute.get_config(f"{name}:quick")
  if settings.train.steps:
    # Claims about a course of training need a history.
    settings.train.steps, settings.train.batch_size = max(2, settings.history.num), 8
    settings.evaluation.n_samples = 64
    if settings.train.estimator == "auto":
      settings.train.estimator = "autodiff"
  return settings


CHEAP = ("optimizer_basis",)


@pytest.mark.slow
@pytest.mark.parametrize(
  "name",
  [
    name if name in CHEAP else pytest.param(name, marks=pytest.mark.slow)
    for name in catalogue.names()
  ],
)
def test_every_experiment_can_be_sharded_and_collected(name, tmp_path, monkeypatch):
  monkeypatch.setattr(cli.finish, "present", lambda *run: None)  # figures of untrained models
  what = resolve(smallest(name))
  total = min(2, sum(len(group.cells) for group in what.groups))
  for number in range(total):
    run(tmp_path, Shard(number, total), what)
  assert collect(monkeypatch, tmp_path) == 0
  assert Workdir(tmp_path).results.exists()
