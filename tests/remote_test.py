"""Runs in folders of object storage, for which fsspec's memory and local file systems stand."""

import itertools
from pathlib import Path

import fsspec
import pytest
from absl import flags

import toy_superposition as ts
from tests.command import NO_THEORY, TINY, in_process, report_in_process
from toy_superposition import reproduce as program
from toy_superposition.cli import child, reproduce
from toy_superposition.config import base
from toy_superposition.config.resolve import resolve
from toy_superposition.errors import UserError
from toy_superposition.records import remote
from toy_superposition.records.checkpoints import Checkpoints

FAST = ("--config.train.estimator=autodiff", "--config.train.steps=40")  # to compile and to train
NUMBERS = itertools.count()


@pytest.fixture(params=["memory", "file"])
def url(request, tmp_path) -> str:
  """A folder that does not exist yet."""
  if request.param == "file":
    return f"file://{tmp_path}/bucket/run"
  return f"memory://bucket/run{next(NUMBERS)}"


def contents(url: str) -> dict[str, bytes]:
  """Returns the files of a remote folder by their names in it."""
  system, root = fsspec.core.url_to_fs(url)
  return {path[len(root) :].lstrip("/"): system.cat_file(path) for path in system.find(root)}


def test_what_is_written_is_sent_and_what_is_sent_comes_back(url):
  with remote.opened(url) as folder:
    (folder / "a").mkdir()
    (folder / "a" / "one").write_bytes(b"1")
    (folder / "two").write_bytes(b"2")
    remote.send(folder)
    assert contents(url).keys() == {".lock", "a/one", "two"}
    (folder / "a" / "one").write_bytes(b"11")
    (folder / "two").unlink()
  assert not folder.exists()
  assert contents(url) == {"a/one": b"11"}
  with remote.opened(url) as again:
    assert (again / "a" / "one").read_bytes() == b"11"
    assert remote.shown(f"see {again}/a") == f"see {url}/a"
  with remote.opened(url, lambda name: name == "other") as part:
    assert list(part.iterdir()) == []
  assert contents(url) == {"a/one": b"11"}  # what was not copied is left alone


def test_only_what_has_changed_is_sent_the_journal_first_and_results_last(url, monkeypatch):
  sent: list[str] = []
  with remote.opened(url) as folder:
    (copy,) = remote._open
    put_file = copy._system.put_file

    def spied(self, local, path):
      sent.append(path.rpartition("/")[2])
      put_file(local, path)

    monkeypatch.setattr(type(copy._system), "put_file", spied)
    for name in ("results.nc", "metrics.jsonl", "journal.jsonl", "manifest.json"):
      (folder / name).write_text("{}")
    remote.send(folder)
    assert sent == ["journal.jsonl", "manifest.json", "metrics.jsonl", "results.nc"]
    sent.clear()
    with open(folder / "metrics.jsonl", "a") as file:
      file.write("more")
  assert sent == ["metrics.jsonl"]


@pytest.mark.quick("memory")
def test_a_run_is_continued_and_drawn_again_as_in_a_local_folder(url, tmp_path, monkeypatch):
  local = tmp_path / "local"
  words = (*TINY, *NO_THEORY, *FAST, "--config.run.checkpoint_seconds=0.0")
  assert in_process(monkeypatch, *words, f"--workdir={local}").returncode == 0

  save = Checkpoints.save
  saved: list[int] = []

  def failing(self, step, state):
    if saved:
      raise UserError(f"{self._folder}: the machine is gone")
    save(self, step, state)
    saved.append(step)

  with monkeypatch.context() as patch:
    patch.setattr(Checkpoints, "save", failing)
    done = in_process(monkeypatch, *words, f"--workdir={url}")
  assert done.returncode == 1
  assert done.stderr.startswith(f"{url}/checkpoints/group_0000: the machine is gone")
  kept = contents(url)
  assert any(name.startswith("checkpoints/") for name in kept) and "results.nc" not in kept

  done = in_process(monkeypatch, *words, f"--workdir={url}")
  assert done.returncode == 0
  assert f"writing to {url}" in done.stdout and f"\n{url}/results.nc" in done.stdout
  there = contents(url)
  ours = {p.relative_to(local).as_posix() for p in local.rglob("*") if p.is_file()} - {".lock"}
  assert {n for n in there if "/" not in n} == {n for n in ours if "/" not in n}
  assert there["results.nc"] == (local / "results.nc").read_bytes()
  assert "finished" in in_process(monkeypatch, *words, f"--workdir={url}").stdout
  assert report_in_process(monkeypatch, f"--workdir={url}").returncode == 0


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
  """A finished run in a local folder."""
  folder = tmp_path_factory.mktemp("remote") / "run"
  with pytest.MonkeyPatch.context() as patch:
    done = in_process(patch, *TINY, *NO_THEORY, *FAST, f"--workdir={folder}")
  assert done.returncode == 0, done.stderr
  return folder


@pytest.fixture
def stored(url, finished) -> str:
  """A finished run in object storage."""
  system, root = fsspec.core.url_to_fs(url)
  system.put(f"{finished}/", root, recursive=True)
  return url


def test_results_are_loaded_and_are_a_source_and_nothing_is_written(stored, monkeypatch):
  before, copied = contents(stored), []
  get_file = (system := fsspec.core.url_to_fs(stored)[0]).get_file

  def spied(self, path, local):
    copied.append(path.rpartition("/")[2])
    get_file(path, local)

  monkeypatch.setattr(type(system), "get_file", spied)
  dataset = ts.load(stored)
  assert dataset["loss"].shape == (2, 2, 2)
  assert {*copied} == {"results.nc", "manifest.json", "journal.jsonl"}  # and no checkpoint

  second = base.after(stored)
  assert second.source == stored
  second.name = "second"
  second.model.name, second.model.n_hidden, second.model.k = "batch_topk_sae", 4, 1.0
  source = resolve(second).source
  assert source is not None and source.params["W"].shape == (8, 1, 2)
  assert contents(stored) == before and remote._open == []


def test_what_is_not_there_to_be_read_is_one_line_with_its_url(url):
  with pytest.raises(UserError, match=f"^{url}/results.nc: not found; is the run finished"):
    ts.load(url)
  with pytest.raises(UserError, match=f"^{url}/manifest.json"):
    base.after(url)
  with pytest.raises(UserError, match=r"^s3://bucket/run: s3:// needs a package"):
    base.after("s3://bucket/run")
  with pytest.raises(UserError, match=r"^s3://bucket/run: s3:// needs a package"):
    ts.load("s3://bucket/run")


def test_a_file_is_not_written_to_a_url(stored):
  dataset = ts.load(stored)
  for write in (
    lambda: ts.export(dataset, "s3://bucket/model.npz"),
    lambda: ts.write_report(dataset, "s3://bucket/page.html"),
    lambda: ts.explore(dataset).save("s3://bucket/page.html"),
  ):
    with pytest.raises(UserError, match=r"^s3://bucket/\S+: allowed here: a file of a mounted"):
      write()


def options(*words: str) -> flags.FlagValues:
  """Returns the flags of `reproduce`."""
  known = flags.FlagValues()
  program.define_flags(known)
  known(["reproduce", *words])
  return known


def test_all_experiments_are_reproduced_in_object_storage(tmp_path, stored, monkeypatch, capsys):
  """The experiment, here one that is finished, is a process of its own."""
  root, _, name = stored.rpartition("/")
  given = []

  def started(module, words, log):
    given.append(words)
    return child.Child("this", (), log)  # prints and ends

  monkeypatch.setattr(reproduce, "EXPERIMENTS", (name,))
  monkeypatch.setattr(reproduce, "about", lambda name: "About it.")
  monkeypatch.setattr(reproduce, "Child", started)
  monkeypatch.setattr(child, "IMPORTS", (child.__name__,))
  if root.startswith("memory://"):  # other processes do not see it
    with pytest.raises(UserError, match="--workdir=memory://bucket: allowed: a folder, or object"):
      reproduce.main(options(f"--workdir={root}"))
    return
  assert reproduce.main(options(f"--workdir={root}", f"--experiments={name}")) == 0
  assert given[0][-1] == f"--workdir={stored}"
  made = contents(root)
  assert {"report.html", "claims.json", "claims.md", f"logs/{name}.txt"} <= made.keys()
  assert b"About it." in made["report.html"]
  assert f"\n{root}/report.html" in capsys.readouterr().out


def test_two_runs_do_not_write_over_each_other(url, caplog):
  stopped = pytest.raises(UserError, match=f"{url}: was written by another run")
  with stopped, remote.opened(url) as one:
    (one / "journal.jsonl").write_text("1\n")
    remote.send(one)
    assert "perhaps in use" not in caplog.text
    with remote.opened(url) as other:
      assert "perhaps in use" in caplog.text
      (other / "journal.jsonl").write_text("1\n2\n")
    (one / "journal.jsonl").write_text("1\n3\n")
  assert contents(url)["journal.jsonl"] == b"1\n2\n"


def test_a_name_that_leads_out_of_the_folder_is_refused(monkeypatch):
  url = f"memory://bucket/run{next(NUMBERS)}"
  system, root = fsspec.core.url_to_fs(url)
  system.pipe_file(f"{root}/fine", b"1")
  monkeypatch.setattr(type(system), "find", lambda self, path: [f"{root}/../outside"])
  with pytest.raises(UserError, match="leads out of it"), remote.opened(url):
    raise AssertionError("must not be opened")


@pytest.mark.parametrize(
  ("text", "fragment"),
  [
    ("gs://bucket/run", "gcsfs"),  # the packages of both are not among those of the tests
    ("s3://bucket/run", "s3fs"),
    ("nothing://bucket/run", "Protocol not known"),
    ("memory://", "allowed: a folder, such as memory://bucket/run"),
  ],
)
def test_what_cannot_be_reached_is_refused_at_once(text, fragment, monkeypatch):
  done = in_process(monkeypatch, *TINY, f"--workdir={text}")
  assert done.returncode == 1
  (line,) = done.stderr.splitlines()
  assert f"--workdir={text}" in line and fragment in line


def test_a_folder_that_cannot_be_written_is_refused_before_training(monkeypatch):
  url = f"memory://bucket/run{next(NUMBERS)}"

  def refused(self, path, value, **keywords):
    raise PermissionError("no credentials\nfor this")

  monkeypatch.setattr(fsspec.get_filesystem_class("memory"), "pipe_file", refused)
  done = in_process(monkeypatch, *TINY, f"--workdir={url}")
  assert (
    done.returncode == 1
    and f"{url}: not reached or not written (PermissionError: no cred" in done.stderr
  )
