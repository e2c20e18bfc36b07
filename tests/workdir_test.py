"""The folder of a run: its manifest, which run may continue it, and what --overwrite deletes."""

import json
import platform
from pathlib import Path

import jax
import pytest

from configs import phase_change
from toy_superposition.config import resolve as config
from toy_superposition.errors import UserError
from toy_superposition.records import opening, versions
from toy_superposition.records import workdir as workdirs
from toy_superposition.records.workdir import Workdir

NEW = {"manifest.json", "journal.jsonl"}  # the files of a run that has only begun
VALUES = {"name": "x", "seed": 0, "axes": ("a", "b"), "train.steps": 10, "train.b1": 0.9}
OTHER = VALUES | {"seed": 1}


def open_at(path: Path, values=VALUES, identity=None, **changes) -> Workdir:
  arguments: dict = {"overwrite": False, "command": ["program", "--flag"], "devices": ["cpu:0"]}
  identity = values if identity is None else identity
  return opening.open_workdir(path, values, identity, **(arguments | changes))


def open_with(path: Path, settings, **changes) -> Workdir:
  what = config.resolve(settings)
  return open_at(path, what.values, what.identity, **changes)


def manifest(path: Path) -> dict:
  def refuse(constant):
    raise AssertionError(f"{constant} is not JSON")

  return json.loads((path / "manifest.json").read_text(), parse_constant=refuse)


def refusal(path: Path, *arguments, **changes) -> str:
  """Returns the line with which opening is refused."""
  with pytest.raises(UserError) as caught:
    open_at(path, *arguments, **changes)
  assert len(str(caught.value).splitlines()) == 1
  return str(caught.value)


def fill(workdir: Workdir) -> None:
  """Puts files where a run puts them."""
  workdir.metrics.write_text("{}\n")
  workdir.results.write_text("results")
  for group, step in ((0, "10"), (0, "20"), (12, "20"), (0, "30.orbax-checkpoint-tmp-1")):
    folder = workdir.checkpoints(group) / step / "state"
    opening.add_files(workdir, [workdir.checkpoints(group) / step.split(".")[0]])
    folder.mkdir(parents=True)
    (folder / "data").write_text("weights")
  draw(workdir, "question.png", "question_n=5.pdf")
  (workdir.tensorboard / "group_0000").mkdir(parents=True)
  events = workdir.tensorboard / "group_0000" / "events.out.tfevents.1.host"
  events.write_text("events")
  opening.add_files(workdir, [events], written=True)


def draw(workdir: Workdir, *names: str) -> None:
  """Puts pictures where a run puts them, and lists them as it does."""
  workdir.figures.mkdir(exist_ok=True)
  opening.add_files(workdir, [workdir.figures / name for name in names])
  for name in names:
    (workdir.figures / name).write_text("picture")


def tree(path: Path) -> dict[str, bytes | None]:
  """Returns every file below a folder with its content, and every folder with None."""
  return {
    str(p.relative_to(path)): p.read_bytes() if p.is_file() else None for p in path.rglob("*")
  }


def test_manifest_and_journal_hold_config_command_versions_devices_and_times(tmp_path):
  workdir = open_at(tmp_path / "run", VALUES, {"seed": 0})
  opening.close_session(workdir, 12.34)
  assert manifest(workdir.path) == {
    "format": workdirs.FORMAT,
    "config": VALUES | {"axes": ["a", "b"]},
    "identity": {"seed": 0},
  }
  (session,) = workdirs.sessions(workdir)
  assert session["command"] == ["program", "--flag"]
  assert session["devices"] == ["cpu:0"]
  assert session["versions"]["python"] == platform.python_version()
  assert session["versions"]["jax"] == jax.__version__
  assert set(versions.PACKAGES) <= session["versions"].keys()
  assert "not installed" not in session["versions"].values()
  assert session["started"] <= session["ended"]
  assert session["seconds"] == 12.3
  assert "commit" in session
  assert workdirs.pictures(workdir) == []


def test_config_is_read_back_from_the_manifest(tmp_path):
  what = config.resolve(phase_change.get_config("quick"))
  workdir = open_at(tmp_path, what.values, what.identity)
  assert workdirs.read_values(workdir) == json.loads(json.dumps(what.values))


def test_the_same_identity_continues_and_adds_a_session(tmp_path):
  workdir = open_at(tmp_path)
  fill(workdir)
  before = tree(tmp_path)
  opening.close_session(workdir, 1.0)
  first = workdirs.sessions(workdir)
  open_at(tmp_path, command=["second"])
  sessions = workdirs.sessions(workdir)
  assert sessions[:1] == first
  assert [session["command"] for session in sessions] == [["program", "--flag"], ["second"]]
  after = tree(tmp_path)
  for files in (before, after):
    del files["journal.jsonl"]
  assert after == before


def test_execution_settings_may_differ_when_a_run_is_continued(tmp_path):
  settings = phase_change.get_config("quick")
  open_with(tmp_path, settings)
  settings.run.log_every = 7
  settings.run.checkpoint_seconds = 0.5
  settings.run.memory_gib = 0.25
  settings.run.tensorboard = True
  open_with(tmp_path, settings)
  assert len(workdirs.sessions(Workdir(tmp_path))) == 2
  assert workdirs.read_values(Workdir(tmp_path))["run.log_every"] == 7  # of the last session


def test_another_config_is_refused_with_each_field_and_both_values(tmp_path):
  settings = phase_change.get_config("quick")
  open_with(tmp_path, settings)
  before = tree(tmp_path)
  settings.train.steps = 1234
  settings.model.name = "linear"
  settings.experiment = "none"
  settings.run.log_every = 7
  with pytest.raises(UserError) as caught:
    open_with(tmp_path, settings)
  message = str(caught.value)
  assert "train.steps 1000 → 1234" in message
  assert "model.name 'relu_output' → 'linear'" in message
  assert "experiment 'phase_change' → 'none'" in message
  assert "run.log_every" not in message
  assert "seed" not in message  # only what differs
  assert str(tmp_path) in message and "--overwrite" in message
  assert len(message.splitlines()) == 1
  assert tree(tmp_path) == before


def test_a_field_that_only_one_config_has_is_a_difference(tmp_path):
  open_at(tmp_path)
  more = VALUES | {"axis.a.num": 3}
  assert "axis.a.num '(absent)' → 3" in refusal(tmp_path, more)
  less = {k: v for k, v in VALUES.items() if k != "seed"}
  assert "seed 0 → '(absent)'" in refusal(tmp_path, less)


@pytest.mark.parametrize("left", ["results.nc", "checkpoints/group_0000/10/data"])
def test_results_or_checkpoints_without_a_manifest_are_refused(tmp_path, left):
  (tmp_path / left).parent.mkdir(parents=True, exist_ok=True)
  (tmp_path / left).write_text("of what?")
  before = tree(tmp_path)
  message = refusal(tmp_path)
  assert str(tmp_path) in message
  assert "manifest.json" in message and "--workdir" in message
  assert refusal(tmp_path, overwrite=True) == message
  assert tree(tmp_path) == before


def test_a_folder_with_files_of_others_is_taken_and_they_stay(tmp_path):
  (tmp_path / "notes.txt").write_text("mine")
  open_at(tmp_path)
  assert (tmp_path / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize(
  "content",
  [
    b"",
    b"{",
    b'{"format": 2, "config": {"na',
    b"\x00\x00\x00\x00",
    b"\xff\xfe\x00",
    b"[]",
    b"3",
    b"{}",
    b'{"format": 2, "config": {}, "sessions": [], "pictures": []}',
    b'{"format": "two", "config": {}, "identity": {}, "sessions": [], "pictures": []}',
    b'{"format": 0, "config": {}, "identity": {}, "sessions": [], "pictures": []}',
    b'{"format": 2, "config": {}, "identity": 3, "sessions": [], "pictures": []}',
    b'{"format": 2, "config": {}, "identity": {}, "sessions": 3, "pictures": []}',
    b'{"format": 2, "config": {}, "identity": {}, "sessions": []}',
    b'{"format": 1, "config": {}, "identity": {}, "sessions": 3}',
  ],
)
def test_a_manifest_of_another_kind_is_one_line_naming_it(tmp_path, content):
  (tmp_path / "manifest.json").write_bytes(content)
  identity: dict = {}
  message = refusal(tmp_path, VALUES, identity)
  assert str(tmp_path / "manifest.json") in message and "earlier version" not in message
  assert (tmp_path / "manifest.json").read_bytes() == content


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"identity": {}}'])
def test_a_config_read_from_a_manifest_of_another_kind_is_one_line_naming_it(tmp_path, content):
  (tmp_path / "manifest.json").write_text(content)
  with pytest.raises(UserError) as caught:
    workdirs.read_values(Workdir(tmp_path))
  assert str(tmp_path / "manifest.json") in str(caught.value)


@pytest.mark.parametrize("fields", ["all", "format_only"])
def test_a_folder_of_a_newer_format_is_refused_as_such(tmp_path, fields):
  open_at(tmp_path)
  content = manifest(tmp_path) if fields == "all" else {}
  content["format"] = workdirs.FORMAT + 1
  (tmp_path / "manifest.json").write_text(json.dumps(content))
  before = tree(tmp_path)
  message = refusal(tmp_path)
  assert str(tmp_path / "manifest.json") in message and "newer version" in message
  assert tree(tmp_path) == before


@pytest.mark.parametrize("obstacle", ["a_file", "a_file/below"])
def test_a_workdir_that_cannot_be_made_is_one_line_naming_it(tmp_path, obstacle):
  (tmp_path / "a_file").write_text("mine")
  assert str(tmp_path / "a_file") in refusal(tmp_path / obstacle)
  assert tree(tmp_path) == {"a_file": b"mine"}


def test_overwrite_deletes_the_files_of_the_earlier_run(tmp_path):
  fill(open_at(tmp_path))
  open_at(tmp_path, VALUES | {"train.steps": 11}, overwrite=True)
  assert tree(tmp_path).keys() == NEW
  assert manifest(tmp_path)["config"]["train.steps"] == 11
  assert len(workdirs.sessions(Workdir(tmp_path))) == 1


def test_pictures_are_listed_once_and_over_all_sessions(tmp_path):
  workdir = open_at(tmp_path)
  draw(workdir, "b.png", "a.pdf")
  open_at(tmp_path)
  draw(workdir, "b.png", "c.png")
  assert [path.name for path in workdirs.pictures(workdir)] == ["a.pdf", "b.png", "c.png"]


def test_overwrite_deletes_the_listed_pictures_and_no_others(tmp_path):
  workdir = open_at(tmp_path)
  draw(workdir, "any name of the future.png")
  (workdir.figures / "phase_diagram.png").write_text("a name that format 1 gave")
  open_at(tmp_path, OTHER, overwrite=True)
  assert tree(tmp_path).keys() == NEW | {"figures", "figures/phase_diagram.png"}


@pytest.mark.parametrize(
  "name",
  ["figures/../../a.png", "../a.png", "{root}/a.png", "figures", "", "figures/..", "link/a.png"],
)
def test_overwrite_deletes_no_folder_and_nothing_outside_whatever_the_journal_lists(tmp_path, name):
  run = tmp_path / "run"
  open_at(run)
  for path in (run / "a.png", run / "figures" / "mine" / "a.png", tmp_path / "a.png"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("mine")
  (run / "link").symlink_to(tmp_path)
  Workdir(run).journal.append(files=[name.format(root=tmp_path)])
  before = tree(tmp_path)
  open_at(run, OTHER, overwrite=True)
  assert tree(tmp_path).keys() == before.keys()


@pytest.mark.parametrize("before", ["nothing", "an_empty_folder"])
def test_overwrite_of_no_run_is_a_fresh_start(tmp_path, before):
  if before == "an_empty_folder":
    (tmp_path / "run").mkdir()
  open_at(tmp_path / "run", overwrite=True)
  assert tree(tmp_path / "run").keys() == NEW


@pytest.mark.parametrize(
  "theirs",
  [
    "notes.txt",
    "data/results.nc",
    "figures/notes.txt",
    "figures/mine.png",
    "figures/question.svg",
    "figures/question_talk.pdf",
    "figures/mine/question.png",
    "checkpoints/notes.txt",
    "checkpoints/group_0000/notes.txt",
    "checkpoints/group_0000/10-notes.txt",
    "checkpoints/group_0000/10.txt",
    "checkpoints/group_0000/best/weights",
    "checkpoints/group_backup/10/data",
    "tensorboard/notes.txt",
    "tensorboard/group_0000/notes.txt",
    "tensorboard/figures/notes.txt",
    "profile/notes.txt",
    "profile/plugins/profile/today/notes.txt",
    # Under names that a run gives.
    "checkpoints/group_0000/15/data",
    "checkpoints/group_0000/40.orbax-checkpoint-tmp-1/data",
    "history/group_0000/step_0000000003.npz",
    "tensorboard/group_0000/events.out.tfevents.2.host",
    "tensorboard/figures/events.out.tfevents.2.host",
    "profile/plugins/profile/today/host.xplane.pb",
    "figures/question_n=6.pdf",
    "shards/00000-of-00002/shard.nc",
  ],
)
def test_overwrite_leaves_the_files_of_others(tmp_path, theirs):
  fill(open_at(tmp_path))
  (tmp_path / theirs).parent.mkdir(parents=True, exist_ok=True)
  (tmp_path / theirs).write_text("mine")
  open_at(tmp_path, VALUES | {"seed": 1}, overwrite=True)
  left = {name: content for name, content in tree(tmp_path).items() if content is not None}
  assert left.keys() == NEW | {theirs}
  assert left[theirs] == b"mine"
  assert manifest(tmp_path)["config"]["seed"] == 1


def test_overwrite_follows_no_link_out_of_the_folder(tmp_path):
  theirs = tmp_path / "elsewhere" / "10"
  theirs.mkdir(parents=True)
  (theirs / "data").write_text("mine")
  workdir = open_at(tmp_path / "run")
  fill(workdir)
  workdir.results.unlink()
  workdir.results.symlink_to(theirs / "data")
  open_at(tmp_path / "run", OTHER, overwrite=True)
  assert (theirs / "data").read_text() == "mine"
  assert not workdir.results.exists()


def test_paths_are_distinct(tmp_path):
  workdir = Workdir(tmp_path)
  paths = [workdir.manifest, workdir.metrics, workdir.results, workdir.figures]
  paths += [workdir.profile, workdir.tensorboard, workdir.checkpoints(0), workdir.checkpoints(1)]
  assert len(set(paths)) == len(paths)
  assert all(tmp_path in path.parents for path in paths)
