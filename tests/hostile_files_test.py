"""Folders of strangers, and bits that flip: read as they were written, or refused in one line.

Hostile files are made with h5py from a valid one, and end with a valid checksum: whoever makes such
a file can compute it.
"""

import io
import json
import os
import random
import shutil
import types
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import xarray as xr
from absl import flags

import toy_superposition as ts
from configs import base
from tests.results_test import assemble, encoded, resolved
from toy_superposition import collect as collect_main
from toy_superposition import fields, runner, shards, terminal, text
from toy_superposition.cli import collect
from toy_superposition.devices import setup
from toy_superposition.errors import UserError
from toy_superposition.records import load, netcdf, opening, results, workdir
from toy_superposition.records.workdir import Workdir
from toy_superposition.report import __main__ as report_main
from toy_superposition.shards import Shard

AXES = {"density": base.log("density.base", 1, 0.1, 2), "restart": base.restarts(2)}
WHAT = resolved(**AXES)
SECRET = b"somebody's own numbers, in a file of their own" * 10


def finished(path: Path, what=WHAT) -> Workdir:
  """Returns the folder of a run whose models were given, and not trained."""
  run = opening.open_workdir(
    path, what.values, what.identity, overwrite=False, command=["python"], devices=[]
  )
  datasets = assemble(what)
  for dataset in datasets.values():
    dataset["finite"][:] = 1
  results.save(run, datasets, workdir.identity_hash(what.identity))
  return run


@pytest.fixture(scope="module")
def original(tmp_path_factory) -> Workdir:
  return finished(tmp_path_factory.mktemp("original") / "run")


@pytest.fixture
def run(original, tmp_path) -> Workdir:
  """A copy of a finished run, to be made hostile, beside a file that is not to be read."""
  (tmp_path / "secret").write_bytes(SECRET)
  return Workdir(Path(shutil.copytree(original.path, tmp_path / "run")))


def edit(path: Path, change: Callable[[h5py.File], None]) -> None:
  """Changes a netCDF file, and its checksum with it."""
  content = io.BytesIO(path.read_bytes()[: -netcdf.LENGTH])
  with h5py.File(content, "r+") as file:
    change(file)
  changed = content.getvalue()
  path.write_bytes(changed + netcdf._last_line(changed))


def tree(folder: Path) -> dict[Path, Any]:
  """Returns all files below a folder: their content, or where they lead as links."""
  return {
    path: os.readlink(path) if path.is_symlink() else path.read_bytes()
    for path in folder.rglob("*")
    if path.is_symlink() or path.is_file()
  }


def refusal(function: Callable[..., Any], *arguments: Any) -> str:
  """Returns the one line with which a function refuses its arguments."""
  with warnings.catch_warnings():
    warnings.simplefilter("error")
    with pytest.raises(UserError) as caught:
      function(*arguments)
  line = str(caught.value)
  assert len(line.splitlines()) == 1 and text.visible(line) == line and len(line) < 800
  return line


def report_of(path: Path) -> None:
  """Does what python -m toy_superposition.report does, in this process."""
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(flags, "FLAGS", types.SimpleNamespace(workdir=str(path)))
    assert report_main.main([]) == 0


def assert_refused(run: Workdir, reason: str = "") -> None:
  """Asserts that loading and drawing a run end in one line and write nothing."""
  before = tree(run.path.parent)
  for function in (ts.load, report_of):
    line = refusal(function, run.path)
    assert str(run.path) in line and reason in line
  after = tree(run.path.parent)
  assert {k: v for k, v in after.items() if k.name != ".lock"} == before


def other_file(file: h5py.File, name: str) -> None:
  """Puts a variable into a file whose values are those of the file of another person."""
  dims, shape = [*file["loss"].dims], file["loss"].shape
  del file["loss"]
  secret = os.environ["SECRET_FILE"]
  if name == "external":
    variable = file.create_dataset("loss", shape, "f8", external=[(secret, 0, 8 * 4)])
  else:
    layout = h5py.VirtualLayout(shape=shape, dtype="f8")
    layout[:] = h5py.VirtualSource(secret, "loss", shape=shape)
    variable = file.create_virtual_dataset("loss", layout)
  for k, dim in enumerate(dims):
    variable.dims[k].attach_scale(dim[0])


def many(add: Callable[[int], Any], count: int) -> None:
  for k in range(count):
    add(k)


# What a stranger may put into a file, beside what a run of ours has.
STRUCTURE: dict[str, Callable[[h5py.File], Any]] = {
  "soft link": lambda f: f.__setitem__("x", h5py.SoftLink("/W")),
  "external link": lambda f: f.__setitem__("x", h5py.ExternalLink("/etc/passwd", "/x")),
  "external link as group": lambda f: f.__setitem__("a=1", h5py.ExternalLink("secret", "/")),
  "external values": lambda f: other_file(f, "external"),
  "virtual values": lambda f: other_file(f, "virtual"),
  "second name": lambda f: f.__setitem__("again", f["W"]),
  "cycle": lambda f: f.__setitem__("a=1", f["/"]),
  "group in a group": lambda f: f.create_group("a=1/b=2"),
  "climbing group": lambda f: f.create_group("../../../climbed"),
  "group of another name": lambda f: f.create_group("evil").create_dataset("x", data=1.0),
  "type": lambda f: f.__setitem__("x", np.dtype("f8")),
  "bomb": lambda f: f.create_dataset("x", (2**50,), "f8"),
  "compressed bomb": lambda f: f.create_dataset(
    "x", (2**40,), "f8", chunks=(2**20,), compression="gzip"
  ),
  "compressed": lambda f: f.create_dataset("x", data=np.zeros(1000), compression="gzip"),
  "complex": lambda f: f.create_dataset("x", data=np.zeros(2, complex)),
  "compound": lambda f: f.create_dataset("x", data=np.zeros(2, [("a", "f8")])),
  "references": lambda f: f.create_dataset("x", data=[f["W"].ref] * 2, dtype=h5py.ref_dtype),
  "opaque": lambda f: f.create_dataset("x", data=np.zeros(2, "V7")),
  "long double": lambda f: f.create_dataset("x", data=np.zeros(2, np.longdouble)),
  "fixed text": lambda f: f.create_dataset("x", data=np.array([b"abc"])),
  "nested arrays": lambda f: f.create_dataset("x", (2,), h5py.vlen_dtype(np.float64)),
  "empty": lambda f: f.create_dataset("x", data=h5py.Empty("f8")),
  "many variables": lambda f: many(lambda k: f.create_dataset(f"x{k}", data=1.0), 1001),
  "many attributes": lambda f: many(lambda k: f["W"].attrs.__setitem__(f"x{k}", 1), 101),
  "large attribute": lambda f: f["W"].attrs.__setitem__("x", np.zeros(2**13 + 1)),
  "attribute of references": lambda f: f["W"].attrs.__setitem__("x", f["W"].ref),
  "attribute of texts": lambda f: f["W"].attrs.__setitem__("x", ["a"] * 3),
  "foreign dimension": lambda f: f["W"].attrs.__setitem__("DIMENSION_LIST", [1.0, 2.0]),
  "no dimension": lambda f: f["W"].attrs.__delitem__("DIMENSION_LIST"),
  "control character in an attribute": lambda f: f.attrs.__setitem__("title", "a\x1b[31mb"),
  "control character in a name": lambda f: f.create_dataset("x\x1b[31m", data=1.0),
  "control character in an attribute's name": lambda f: f["W"].attrs.__setitem__("x\x9b", "y"),
  "control character in a coordinate": lambda f: f.create_dataset("x", data="a\x07"),
  "turned text": lambda f: f.attrs.__setitem__("title", "a\u202eb"),
  "bytes that are no text": lambda f: f.attrs.__setitem__("title", np.bytes_(b"\xff\xfe")),
}


@pytest.mark.parametrize("change", STRUCTURE.values(), ids=STRUCTURE.keys())
def test_what_our_files_do_not_have_is_refused_in_one_line(run, change, monkeypatch):
  monkeypatch.setenv("SECRET_FILE", str(run.path.parent / "secret"))
  edit(run.results, change)
  assert_refused(run, "not written by this package, or damaged")


def test_many_groups_are_refused_before_they_are_read(run, monkeypatch):
  monkeypatch.setattr(netcdf, "MAX_GROUPS", 3)
  edit(run.results, lambda f: many(lambda k: f.create_group(f"a={k}"), 4))
  assert_refused(run, "3 groups")


def test_one_large_text_in_many_places_is_refused_before_it_is_read(run):
  n, size, at = 10_000, 100_000, []

  def add(file: h5py.File) -> None:
    variable = file.create_dataset("x", data=["a" * size] + ["b"] * (n - 1))
    variable.dims[0].attach_scale(file["x_dim"])
    at.append(variable.id.get_offset())

  edit(run.results, lambda f: f.create_dataset("x_dim", data=np.arange(n)).make_scale("x_dim"))
  edit(run.results, add)
  content = bytearray(run.results.read_bytes()[: -netcdf.LENGTH])
  first = content[at[0] : at[0] + netcdf.REFERENCE]
  content[at[0] : at[0] + n * netcdf.REFERENCE] = n * first  # 10 KB become 1 GB
  run.results.write_bytes(bytes(content) + netcdf._last_line(bytes(content)))
  assert_refused(run, "larger than the file")


def config(**changes: Any) -> Callable[[h5py.File], None]:
  """Returns a change of some fields of the stored config."""
  return lambda f: f.attrs.__setitem__(
    "config",
    json.dumps(
      json.loads(f.attrs["config"]) | {k.replace("__", "."): v for k, v in changes.items()}
    ),
  )


def replaced(
  name: str, values: Any, dims: tuple[str, ...] | None = None
) -> Callable[[h5py.File], None]:
  """Returns a change of a variable's values, of its type, or of its dimensions."""

  def change(file: h5py.File) -> None:
    names = dims or tuple(scale.keys()[0].strip("/") for scale in file[name].dims)
    del file[name]
    variable = file.create_dataset(name, data=values)
    for k, dim in enumerate(names):
      variable.dims[k].attach_scale(file[dim])

  return change


DATASET: dict[str, Callable[[h5py.File], Any]] = {
  "no config": lambda f: f.attrs.__delitem__("config"),
  "config of numbers": lambda f: f.attrs.__setitem__("config", 3),
  "config no JSON": lambda f: f.attrs.__setitem__("config", "{"),
  "config a list": lambda f: f.attrs.__setitem__("config", "[1]"),
  "config deep": lambda f: f.attrs.__setitem__("config", "[" * 100_000),
  "config with an escaped control character": config(name="a\x1b[31m"),
  "config with a nested value": config(seed={"a": 1}),
  "config with a nested list": config(axes=[["density"]]),
  "steps of text": config(train__steps="many"),
  "steps of truth": config(train__steps=True),
  "experiment a list": config(experiment=["thomson"]),
  "analysis a list": config(analysis=["feature_count"]),
  "axes of numbers": config(axes=[1, 2]),
  "axes of another run": config(axes=["density"]),
  "axes of text": config(axes="density"),
  "no model": lambda f: f.attrs.__delitem__("model"),
  "model a number": lambda f: f.attrs.__setitem__("model", 3),
  "no loss": lambda f: f.__delitem__("loss"),
  "no weights": lambda f: f.__delitem__("W"),
  "no finite": lambda f: f.__delitem__("finite"),
  "loss of text": replaced("loss", [["a", "b"], ["c", "d"]]),
  "finite of text": replaced("loss", ["a", "b"], ("density",)),
  "loss of features": replaced("loss", np.zeros((2, 4)), ("density", "feature")),
  "weights without hidden": replaced("W", np.zeros((2, 2, 4)), ("density", "restart", "feature")),
  "scale": lambda f: f["W"].attrs.__setitem__("scale_factor", "x"),
  "dimensions of others": lambda f: f["density"].attrs.__setitem__("_Netcdf4Coordinates", [7]),
}


@pytest.mark.parametrize("change", DATASET.values(), ids=DATASET.keys())
def test_a_dataset_that_is_not_of_a_run_is_refused_in_one_line(run, change):
  edit(run.results, change)
  assert_refused(run, "not written by this package, or damaged")


def instead(make: Callable[[Path], Any]) -> Callable[[Path], None]:
  """Returns the replacement of a file by what `make` makes in its place."""

  def replace(path: Path) -> None:
    path.unlink()
    make(path)

  return replace


FILES: dict[str, Callable[[Path], Any]] = {
  "link": instead(lambda path: path.symlink_to("../secret")),
  "dangling link": instead(lambda path: path.symlink_to("nowhere")),
  "device": instead(lambda path: path.symlink_to("/dev/zero")),
  "pipe": instead(os.mkfifo),
  "folder": instead(Path.mkdir),
  "sparse": lambda path: os.truncate(path, 2**43),
}


@pytest.mark.parametrize("name", ["results.nc", "manifest.json", "journal.jsonl"])
@pytest.mark.parametrize("change", FILES.values(), ids=FILES.keys())
def test_what_is_no_file_of_a_bounded_size_is_refused_in_one_line(run, name, change):
  change(run.path / name)
  if name == "results.nc":
    refusal(ts.load, run.path)
  if name == "journal.jsonl" and (run.path / name).is_symlink():
    assert run.journal.sessions == []  # as without one
  else:
    refusal(report_of, run.path)


def test_nothing_is_written_through_a_link(run):
  outside = run.path.parent / "outside"
  outside.mkdir()
  mine = outside / "mine.txt"
  mine.write_text("mine")
  for name in ("report.html", ".report.html.tmp", ".results.nc.tmp"):
    (run.path / name).symlink_to(mine)
  report_of(run.path)
  assert not run.report.is_symlink() and run.report.read_text().startswith("<!doctype html>")
  run.figures.symlink_to(outside)
  before = tree(outside)
  assert "is a link" in refusal(report_of, run.path)
  assert tree(outside) == before == {mine: b"mine"}


@pytest.mark.parametrize(
  "content",
  [b"[" * 100_000, b"[]", b"null", b"\xff", b'{"format": 3, "config": {}, "identity": 1}'],
)
def test_a_manifest_that_is_none_is_one_line(run, content):
  run.manifest.write_bytes(content)
  refusal(report_of, run.path)


@pytest.mark.parametrize(
  "changes",
  [{"train.steps": "many"}, {"experiment": ["x"]}, {"name": "a\x1b"}, {"axes": None}, {"seed": []}],
)
def test_a_manifest_whose_config_is_none_is_one_line(run, changes):
  manifest = json.loads(run.manifest.read_text())
  manifest["config"] |= changes
  run.manifest.write_text(json.dumps(manifest))
  assert str(run.manifest) in refusal(report_of, run.path)


def test_an_unknown_experiment_and_one_whose_variables_are_missing_are_one_line(run):
  manifest = json.loads(run.manifest.read_text())
  for name, reason in {
    "x\x1b[31m": "",
    "unknown": "allowed",
    "phase_change": "phase_change",
  }.items():
    manifest["config"]["experiment"] = name
    run.manifest.write_text(json.dumps(manifest))
    assert reason in refusal(report_of, run.path)


def test_sessions_may_be_anything(run, capsys):
  events: list[Any] = [
    None,
    3,
    [],
    {"session": 5},
    {"ended": 1},
    {"ended": "x", "seconds": [1]},
    "[" * 99_999,
  ]
  events += [{"session": {"command": [1, "a"], "seconds": 1e400, "versions": [], "devices": {}}}]
  events += [{"session": {"started": 3, "execution": 7}}, {"files": 3}, {"files": ["../../x", 2]}]
  lines = [e if isinstance(e, str) else json.dumps(e) for e in events]
  with open(run.path / "journal.jsonl", "a") as file:
    file.write("\n".join(lines) + "\n")
  report_of(run.path)
  assert run.report.exists()
  assert "4 models" in capsys.readouterr().out


def test_rebuilding_a_dataset_that_is_not_of_a_run_is_one_line(original):
  dataset = ts.load(original.path)
  assert ts.rebuild(dataset.isel(restart=0)).params.W.shape == (2, 3, 4)
  for wrong in (
    dataset.assign_attrs(config="["),
    dataset.assign_attrs(config=3),
    dataset.assign_attrs(config='{"train.steps": "x"}'),
    dataset.assign_attrs(model=3),
    dataset.assign_attrs(model="x\x1b"),
    dataset.drop_vars("W"),
    dataset.assign(W=dataset["b"]),
    dataset.assign(W=dataset["W"].astype(str)),
  ):
    assert "not a run's" in refusal(ts.rebuild, wrong)


# Whose it is, and whether it is whole.


def test_results_of_another_run_are_refused_in_one_line(run, tmp_path):
  other = finished(tmp_path / "other", resolved({"seed": 7}, **AXES))
  shutil.copy(other.results, run.results)
  for function in (ts.load, load, report_of):
    assert "belongs to another run" in refusal(function, run.path)
  refusal(runner.stored, run)
  hashed = workdir.identity_hash(WHAT.identity)
  refusal(results.read, Workdir(other.path), hashed)
  assert results.read(run, workdir.identity_hash(resolved({"seed": 7}, **AXES).identity))


def test_results_without_a_checksum_are_those_of_an_earlier_version(run):
  content = {k: v.copy() for k, v in results.read(run).items()}
  tree = xr.DataTree.from_dict(content)
  tree.to_netcdf(run.results, engine="h5netcdf")
  xr.testing.assert_identical(results.read(run)["/"], content["/"])
  report_of(run.path)


def test_readers_of_netcdf_do_not_look_at_the_checksum(original):
  with xr.open_dataset(original.results) as opened:
    assert len(opened.attrs.pop(netcdf.IDENTITY)) == 64
    assert opened.attrs.pop(netcdf.CHECKSUM) == netcdf.ABOUT_CHECKSUM
    xr.testing.assert_identical(opened.load(), results.read(original)["/"])
  with h5py.File(original.results) as file:
    np.testing.assert_array_equal(file["W"], results.read(original)["/"]["W"])


def flipped_bits_are_noticed(run: Workdir, bits: list[int]) -> None:
  """Asserts that with any one of these bits flipped the file is read as it was, or refused."""
  content, whole = run.results.read_bytes(), results.read(run)
  for bit in bits:
    damaged = bytearray(content)
    damaged[bit // 8] ^= 1 << bit % 8
    run.results.write_bytes(damaged)
    try:
      found = results.read(run)
    except UserError as error:
      assert "damaged" in str(error)
      continue
    assert found.keys() == whole.keys()
    for group, dataset in found.items():
      xr.testing.assert_identical(dataset, whole[group])
  run.results.write_bytes(content)


def test_a_flipped_bit_of_the_results_is_noticed(run):
  size = 8 * run.results.stat().st_size
  flipped_bits_are_noticed(run, random.Random(0).sample(range(size), 100))
  last = range(size - 8 * netcdf.LENGTH, size)
  flipped_bits_are_noticed(run, random.Random(1).sample(last, 30))


@pytest.mark.slow
def test_any_flipped_bit_of_the_results_is_noticed(run):
  size = 8 * run.results.stat().st_size
  flipped_bits_are_noticed(run, random.Random(2).sample(range(size), 20_000))
  flipped_bits_are_noticed(run, [*range(size - 8 * netcdf.LENGTH, size)])


def test_damaged_results_are_made_again_and_unreadable_ones_are_not(run, caplog):
  content = run.results.read_bytes()
  run.results.write_bytes(content[:-200])
  assert runner.stored(run) is None
  assert "made anew" in caplog.text and "delete" not in caplog.text
  run.results.unlink()
  run.results.mkdir()
  refusal(runner.stored, run)


# Shards, which collect joins.

FULL = resolved(**AXES)


@pytest.fixture(scope="module")
def untouched(tmp_path_factory) -> Path:
  """A folder of two shards whose models were given."""
  root = tmp_path_factory.mktemp("shards")
  for number in range(2):
    shard = Shard(number, 2)
    own = shards.cut(FULL, shard, "cpu")
    folder = shard.folder(root)
    opening.open_workdir(
      folder, own.values, shards.identity(FULL, shard), overwrite=False, command=[], devices=[]
    )
    shards.save(folder, own, [encoded(group) for group in own.groups])
  return root


@pytest.fixture
def root(untouched, tmp_path) -> Path:
  """A copy of these shards, to be made hostile."""
  return Path(shutil.copytree(untouched, tmp_path, dirs_exist_ok=True))


def shard_file(root: Path, number: int = 0) -> Path:
  return Workdir(Shard(number, 2).folder(root)).shard


def test_a_shard_says_whose_it_is(root):
  (outcome,), _ = shards.collect(root, FULL)
  np.testing.assert_array_equal(outcome["loss_sum"], encoded(FULL.groups[0])["loss_sum"])
  shutil.copy(shard_file(root, 0), shard_file(root, 1))
  assert "belongs to another run" in refusal(shards.collect, root, FULL)


def test_the_estimators_of_shards_from_different_devices_are_recorded(root):
  assert shards.collect(root, FULL)[1] == ["fused"]
  own = shards.cut(FULL, Shard(1, 2), "tpu")
  shards.save(Shard(1, 2).folder(root), own, [encoded(group) for group in own.groups])
  assert shards.collect(root, FULL)[1] == ["autodiff and fused"]


SHARDS: dict[str, Callable[[h5py.File], Any]] = {
  "external link": STRUCTURE["external link"],
  "bomb": STRUCTURE["bomb"],
  "group in a group": lambda f: f.create_group("group_0/a"),
  "no instances": lambda f: f["group_0"].__delitem__("instance"),
  "instances of nobody": lambda f: f["group_0/instance"].__setitem__(..., 99),
  "instances of others": lambda f: f["group_0/instance"].__setitem__(..., [2, 3]),
  "no weights": lambda f: f["group_0"].__delitem__("W"),
  "a variable too many": lambda f: f["group_0"].move("loss_sum", "loss_some"),
  "no group": lambda f: f.__delitem__("group_0"),
}


@pytest.mark.parametrize("change", SHARDS.values(), ids=SHARDS.keys())
def test_a_hostile_shard_is_refused_in_one_line(root, change):
  edit(shard_file(root), change)
  refusal(shards.collect, root, FULL)


def test_shapes_of_a_shard_are_those_of_the_sweep(root):
  own = shards.cut(FULL, Shard(0, 2), "cpu")
  for name, wrong in {
    "W": np.zeros((2, 3, 5)),
    "b": np.zeros(2),
    "loss_sum": np.array(["a", "b"]),
    "feature_norm": np.zeros((2, 2)),
  }.items():
    outcome = encoded(own.groups[0]) | {name: wrong}
    shards.save(Shard(0, 2).folder(root), own, [outcome])
    assert repr(name) in refusal(shards.collect, root, FULL)


def test_a_flipped_bit_of_a_shard_is_noticed(root):
  content, path = shard_file(root).read_bytes(), shard_file(root)
  (whole,), _ = shards.collect(root, FULL)
  for bit in random.Random(0).sample(range(8 * len(content)), 100):
    damaged = bytearray(content)
    damaged[bit // 8] ^= 1 << bit % 8
    path.write_bytes(damaged)
    assert "damaged" in refusal(shards.collect, root, FULL)
  path.write_bytes(content)
  assert whole.keys() == shards.collect(root, FULL)[0][0].keys()


def test_the_command_that_joins_shards_refuses_them_in_one_line(root, monkeypatch):
  monkeypatch.setattr(setup, "configure", lambda *options, **more: None)
  monkeypatch.setattr(terminal, "show_log", lambda quiet=False: None)
  options = flags.FlagValues()
  collect_main.define_flags(options)
  options(["collect", f"--workdir={root}"])
  edit(shard_file(root), STRUCTURE["soft link"])
  assert "soft" not in refusal(collect.main, options)
  folder = Shard(0, 2).folder(root)
  folder.rename(folder.with_name(f"0-of-{10**200}"))
  refusal(collect.main, options)
  assert not Workdir(root).manifest.exists()


def test_control_characters_do_not_reach_the_terminal(capsys):
  with pytest.raises(SystemExit):
    terminal.fail("a\x1b[31m\x07b\u202ec\x9bd")
  assert capsys.readouterr().err == "a\\x1b[31m\\x07b\\u202ec\\x9bd\n"
  assert fields.defaults()  # and no field's default is refused
  for value in map(str, fields.defaults().values()):
    assert text.visible(value) == value
