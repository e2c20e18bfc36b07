"""All experiments by one command: failures stay alone, and finished runs are kept."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from absl import flags

from toy_superposition import report, terminal
from toy_superposition.cli import child, claims_page, reproduce
from toy_superposition.config import catalogue
from toy_superposition.errors import UserError
from toy_superposition.experiments.experiment import CONFIRMED, CONTRADICTED, Claim
from toy_superposition.reproduce import define_flags

ROOT = Path(__file__).parent.parent
PATIENCE = 120  # seconds
# Configs that are not run with the others: on remarks without a figure, and too long.
BESIDE = {"feature_count"}


def test_every_config_is_in_a_suite():
  there = {path.stem for path in (ROOT / "configs").glob("*.py")} - {"base"}
  assert there == {*catalogue.EXPERIMENTS, *BESIDE}
  assert len(catalogue.EXPERIMENTS) + len(BESIDE) == len(there)


def options(*words: str) -> flags.FlagValues:
  values = flags.FlagValues()
  define_flags(values)
  values(["reproduce", *words])
  return values


def test_the_paper_is_run_by_default_and_each_suite_alone_or_all_of_them_in_order():
  paper, follow_ups = catalogue.SUITES["paper"], catalogue.SUITES["follow_ups"]
  chosen = {word: reproduce._chosen(options(f"--suite={word}")) for word in reproduce.TITLES}
  assert reproduce._chosen(options()) == chosen["paper"] == list(paper)
  assert chosen["follow_ups"] == list(follow_ups)
  assert chosen["all"] == [*paper, *follow_ups] == list(catalogue.EXPERIMENTS)
  assert not [name for name in paper if name.startswith("sae_")]
  named = reproduce._chosen(options("--experiments=sae_toys,thomson"))
  assert named == ["thomson", "sae_toys"]  # of any suite, in the catalogue's order


@pytest.mark.parametrize(
  ("word", "which"),
  [
    ("--quick", "every experiment of the paper, quick sizes"),
    ("--suite=follow_ups", "follow-ups"),
    ("--suite=all", "every experiment of the paper and the follow-ups"),
    ("--experiments=thomson", "chosen experiments"),
  ],
)
def test_the_page_names_its_suite(word, which):
  assert reproduce._title(options(word)) == f"Toy Models of Superposition: {which}"


RUNS = [
  report.Run("first", "About a | b.", claims=[Claim("n | m", "1", "2", CONTRADICTED)]),
  report.Run("second", "About c.", claims=[Claim("x", "3", "3", CONFIRMED)]),
]


def test_the_page_of_claims_changes_between_its_markers_only(tmp_path):
  page = tmp_path / "CLAIMS.md"
  page.write_text(f"# Mine\n\n{claims_page.BEGIN}\nold\n{claims_page.END}\n\nand mine.\n")
  claims_page.check(page)
  for _ in range(2):  # writing it again changes nothing
    claims_page.write(page, RUNS)
    text = page.read_text()
    assert text.startswith(f"# Mine\n\n{claims_page.BEGIN}\n")
    assert text.endswith(f"\n{claims_page.END}\n\nand mine.\n")
    assert "old" not in text
    assert "1 confirmed, 1 contradicted" in text.splitlines()[3]
    assert "### first" in text and "### second" in text
    assert r"| n \| m | 1 | 2 | contradicted |" in text.splitlines()


@pytest.mark.parametrize(
  "text",
  [
    "",
    claims_page.BEGIN,
    claims_page.END + claims_page.BEGIN,
    2 * (claims_page.BEGIN + claims_page.END),
    None,  # there is no file
  ],
)
def test_a_page_without_both_markers_once_is_refused_and_left_as_it_is(tmp_path, text):
  page = tmp_path / "CLAIMS.md"
  if text is not None:
    page.write_text(text)
  for refusing in (claims_page.check, lambda path: claims_page.write(path, RUNS)):
    with pytest.raises(UserError, match=r"--claims_page=.*CLAIMS\.md"):
      refusing(page)
  assert (page.read_text() if text is not None else None) == text


def start(*arguments) -> subprocess.Popen:
  return subprocess.Popen(
    [sys.executable, "-m", "toy_superposition.reproduce", *map(str, arguments)],
    cwd=ROOT,
    env=os.environ | {"PYTHONPATH": str(ROOT)},
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
  )


@pytest.mark.parametrize(
  ("words", "fragment"),
  [
    (["--experiments=introducton"], "did you mean 'introduction'?"),
    (["--experiments=introduction", "--claims_page=x.md"], "leave --experiments out"),
    (["--experiments=introduction", "--suite=paper"], "leave --suite out"),
    (["--suite=follow_up"], "allowed: paper, follow_ups, all; did you mean 'follow_ups'?"),
    (["--claims_page=x.md"], "add --suite=all"),
    (["--suite=all", "--claims_page=missing.md"], "--claims_page=missing.md: No such file"),
  ],
)
def test_bad_input_is_one_line_before_anything_runs(words, fragment, tmp_path, capsys):
  with pytest.raises(SystemExit) as ended:
    terminal.guarded(reproduce.main, options(f"--workdir={tmp_path / 'runs'}", *words))
  stdout, stderr = capsys.readouterr()
  assert (ended.value.code, stdout) == (1, "")
  assert stderr.count("\n") == 1
  assert fragment in stderr
  assert os.listdir(tmp_path) == []


def test_bad_input_ends_the_process_in_one_line(tmp_path):
  process = start(f"--workdir={tmp_path / 'runs'}", "--experiments=introducton")
  stdout, stderr = process.communicate()
  assert (process.returncode, stdout) == (1, "")
  assert stderr.count("\n") == 1 and "did you mean 'introduction'?" in stderr
  assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_so_many_run_at_a_time_and_the_report_is_in_the_order_of_the_names(
  tmp_path, monkeypatch, capsys, n_jobs
):
  """The first takes longest and the last fails."""
  names = ["first", "second", "third", "fourth"]
  (tmp_path / "logs").mkdir()
  (tmp_path / "program.py").write_text(
    "import sys, time; from pathlib import Path; folder = Path(sys.argv[2].partition('=')[2]); "
    "name, there = folder.name, folder.parent / 'running'; there.mkdir(exist_ok=True); "
    "(there / name).touch(); "
    "print(len(list(there.iterdir())), flush=True); time.sleep(.5 if name == 'first' else .1); "
    "(there / name).unlink(); sys.exit(name == 'fourth')"
  )
  monkeypatch.syspath_prepend(tmp_path)
  monkeypatch.setattr(reproduce, "PROGRAM", "program")
  monkeypatch.setattr(child, "IMPORTS", (child.__name__,))
  monkeypatch.setattr(reproduce, "_read", lambda name, *more: report.Run(name, problem=more[-1]))
  runs = reproduce.run_all(names, tmp_path, options(), n_jobs)
  assert [run.name for run in runs] == names
  assert [bool(run.problem) for run in runs] == [False, False, False, True]
  counts = [int((tmp_path / "logs" / f"{name}.txt").read_text()) for name in names]
  assert max(counts) == n_jobs
  lines = capsys.readouterr().out.splitlines()
  assert sorted(line.split()[1] for line in lines) == sorted(names)
  assert (lines[0].split()[1] == "first") == (n_jobs == 1)


@pytest.mark.slow
def test_one_failing_experiment_does_not_stop_the_others_and_a_finished_one_is_kept(tmp_path):
  (tmp_path / "introduction").write_text("a file in the way")
  chosen = "--experiments=introduction,phase_change"
  stdout, stderr = (first := start(f"--workdir={tmp_path}", "--quick", chosen)).communicate()
  assert first.returncode == 1, stderr
  assert "failed: introduction" in stdout
  results = tmp_path / "phase_change" / "results.nc"
  before = results.stat().st_mtime_ns
  assert "phase_change" in (tmp_path / "report.html").read_text()
  (tmp_path / "introduction").unlink()
  stdout, stderr = (second := start(f"--workdir={tmp_path}", "--quick", chosen)).communicate()
  assert second.returncode == 0, stderr
  assert results.stat().st_mtime_ns == before
  names = {row["experiment"] for row in json.loads((tmp_path / "claims.json").read_text())}
  assert names == {"introduction", "phase_change"}


@pytest.mark.slow
def test_a_signal_reaches_the_experiment_which_saves_and_the_same_command_continues(tmp_path):
  process = start(f"--workdir={tmp_path}", "--experiments=phase_change")
  metrics, deadline = tmp_path / "phase_change" / "metrics.jsonl", time.monotonic() + PATIENCE
  while not (metrics.exists() and metrics.read_text()):
    assert time.monotonic() < deadline
    assert process.poll() is None
    time.sleep(0.1)
  process.send_signal(signal.SIGINT)
  _, stderr = process.communicate(timeout=PATIENCE)
  assert process.returncode == 130
  assert "SIGINT: stopped; the same command continues" in stderr
  assert "SIGINT: stopped" in (tmp_path / "logs" / "phase_change.txt").read_text()
  assert list((tmp_path / "phase_change" / "checkpoints").glob("*/*"))
