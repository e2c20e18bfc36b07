"""Which run may go on in a folder, and whose files are never touched."""

import json
from pathlib import Path

import pytest

from configs import introduction
from tests.workdir_test import OTHER, VALUES, fill, open_at, refusal, tree
from toy_superposition import runner
from toy_superposition.config import resolve as config
from toy_superposition.devices import meshes, setup
from toy_superposition.errors import UserError
from toy_superposition.records import opening, results
from toy_superposition.records import workdir as workdirs
from toy_superposition.records.workdir import Workdir

SCORED_OTHERWISE = VALUES | {"evaluation.n_samples": 7, "measures": [], "experiment": "none"}


def damage(workdir: Workdir, how: str) -> None:
  content = workdir.manifest.read_bytes()
  match how:
    case "missing":
      workdir.manifest.unlink()
    case "torn":
      workdir.manifest.write_bytes(content[: len(content) // 2])
    case "empty":
      workdir.manifest.write_bytes(b"")


@pytest.mark.parametrize("how", ["missing", "torn", "empty"])
def test_a_damaged_manifest_is_made_again_for_the_same_run_and_no_other(tmp_path, how):
  workdir = open_at(tmp_path)
  fill(workdir)
  workdir.results.unlink()
  expected = workdir.manifest.read_bytes()
  damage(workdir, how)
  before = tree(tmp_path)
  message = refusal(tmp_path, OTHER)
  assert "its manifest.json is missing or damaged" in message and "--overwrite" in message
  assert tree(tmp_path) == before
  open_at(tmp_path)
  assert workdir.manifest.read_bytes() == expected
  assert tree(tmp_path).keys() == before.keys() | {"manifest.json"}
  damage(workdir, how)
  open_at(tmp_path, OTHER, overwrite=True)
  assert tree(tmp_path).keys() == {"manifest.json", "journal.jsonl"}


def test_a_manifest_of_another_run_than_the_journal_is_refused(tmp_path):
  for name, values in (("a", VALUES), ("b", OTHER)):
    open_at(tmp_path / name, values)
  Workdir(tmp_path / "a").manifest.write_bytes(Workdir(tmp_path / "b").manifest.read_bytes())
  assert "journal.jsonl is of another run" in refusal(tmp_path / "a", OTHER)
  assert "seed" in refusal(tmp_path / "a", VALUES)


@pytest.mark.parametrize(
  "theirs",
  [
    *("results.nc", "shard.nc", "metrics.jsonl", "report.html", "manifest.json", "journal.jsonl"),
    *("checkpoints/group_0000/10/data", "history/group_0000/step_0000000003.npz"),
  ],
)
def test_files_of_others_under_a_runs_names_are_neither_replaced_nor_deleted(tmp_path, theirs):
  (tmp_path / theirs).parent.mkdir(parents=True, exist_ok=True)
  (tmp_path / theirs).write_text('{"mine": true}')
  before = tree(tmp_path)
  for overwrite in (False, True):
    message = refusal(tmp_path, overwrite=overwrite)
    assert str(tmp_path / Path(theirs).parts[0]) in message and "--workdir" in message
    assert tree(tmp_path) == before


def test_a_picture_of_somebody_else_is_not_drawn_over(tmp_path):
  workdir = open_at(tmp_path)
  workdir.figures.mkdir()
  (workdir.figures / "question.png").write_text("mine")
  with pytest.raises(UserError, match="not written by this run"):
    opening.add_files(workdir, [workdir.figures / "question.png"])
  (workdir.figures / "question.png").unlink()
  for _ in range(2):  # ours from here on
    opening.add_files(workdir, [workdir.figures / "question.png"])
    (workdir.figures / "question.png").write_text("ours")


@pytest.mark.parametrize("folder", ["checkpoints", "history/group_0000", "figures", "tensorboard"])
@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_that_is_a_link_is_refused(tmp_path, folder, overwrite):
  run, elsewhere = tmp_path / "run", tmp_path / "elsewhere"
  open_at(run)
  elsewhere.mkdir()
  (run / folder).parent.mkdir(exist_ok=True)
  (run / folder).symlink_to(elsewhere)
  before = tree(tmp_path)
  assert "is a link" in refusal(run, overwrite=overwrite)
  assert tree(tmp_path) == before


def test_the_same_command_with_overwrite_goes_on_with_what_it_began(tmp_path):
  workdir = open_at(tmp_path, overwrite=True)
  fill(workdir)
  workdir.results.unlink()
  before = tree(tmp_path)
  open_at(tmp_path, overwrite=True)
  assert tree(tmp_path).keys() == before.keys()
  assert len(workdirs.sessions(workdir)) == 2


@pytest.mark.parametrize("change", ["finished", "another_config", "another_version"])
def test_overwrite_begins_anew_where_going_on_could_give_other_results(
  tmp_path, monkeypatch, change
):
  workdir = open_at(tmp_path, overwrite=True)
  fill(workdir)
  if change != "finished":
    workdir.results.unlink()
  if change == "another_version":
    made_by = {"versions": {"jax": "9"}, "commit": None}
    monkeypatch.setattr(opening.versions, "made_by", lambda: made_by)
  open_at(tmp_path, OTHER if change == "another_config" else VALUES, overwrite=True)
  assert tree(tmp_path).keys() == {"manifest.json", "journal.jsonl"}


def test_trained_models_may_be_scored_in_another_way_until_they_are(tmp_path):
  workdir = open_at(tmp_path)
  open_at(tmp_path, SCORED_OTHERWISE)
  assert workdirs.read_identity(workdir) == SCORED_OTHERWISE | {"axes": ["a", "b"]}
  assert "seed" in refusal(tmp_path, SCORED_OTHERWISE | {"seed": 1})
  workdir.results.write_text("results")
  message = refusal(tmp_path)
  assert "evaluation.n_samples 7 → '(absent)'" in message and "seed" not in message


@pytest.mark.slow
def test_results_of_another_run_are_refused_where_a_run_wrote_them(tmp_path):
  """The whole way: two finished runs that differ in their seed exchange their results."""
  for seed in (0, 1):
    settings = introduction.get_config("quick")
    settings.experiment, settings.seed = "none", seed
    settings.axis.density.num = settings.axis.restart.num = 1
    settings.train.steps, settings.evaluation.n_samples = 2, 16
    what, mesh = config.resolve(settings), meshes.make_mesh(setup.devices(1))
    workdir = open_at(tmp_path / str(seed), what.values, what.identity)
    runner.run(what, workdir, mesh)
    assert runner.stored(workdir) is not None
  content = Workdir(tmp_path / "1").results.read_bytes()
  Workdir(tmp_path / "0").results.write_bytes(content)
  for read in (runner.stored, results.read):
    with pytest.raises(UserError, match="belongs to another run"):
      read(Workdir(tmp_path / "0"))
  assert Workdir(tmp_path / "0").results.read_bytes() == content


def test_a_journal_that_was_torn_is_read_and_goes_on(tmp_path):
  workdir = open_at(tmp_path)
  with open(tmp_path / "journal.jsonl", "a") as file:
    file.write('{"files": ["figures/a.p')
  opening.close_session(workdir, 2.0)
  open_at(tmp_path)
  assert [s.get("seconds") for s in workdirs.sessions(workdir)] == [2.0, None]
  lines = (tmp_path / "journal.jsonl").read_text().splitlines()
  assert [bool(json.loads(line)) for k, line in enumerate(lines) if k != 2] == [True] * 4


@pytest.mark.parametrize(
  ("text", "fragment"),
  [
    ("", "the name of a folder"),
    ("  ", "the name of a folder"),
    ("a\nb", "the name of a folder"),
    ("a\0b", "the name of a folder"),
    ("~nobody_of_this_name/run", "--workdir=~nobody_of_this_name/run"),
  ],
)
def test_a_path_that_is_no_folder_is_refused_in_one_line(text, fragment):
  with pytest.raises(UserError) as caught:
    workdirs.path_of(text)
  assert fragment in str(caught.value) and len(str(caught.value).splitlines()) == 1


def test_a_tilde_is_the_home_folder(monkeypatch, tmp_path):
  monkeypatch.setenv("HOME", str(tmp_path))
  assert workdirs.path_of("~/runs/x") == tmp_path / "runs" / "x"
  assert workdirs.path_of("runs/x") == Path("runs/x")
