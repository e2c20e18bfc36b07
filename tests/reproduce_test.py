"""The whole paper by one command: failures stay alone, the page holds everything, and is text."""

import ast
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from toy_superposition import page, reproduce
from toy_superposition.analyses.analysis import CONFIRMED, CONTRADICTED, VERDICTS, Claim

ROOT = Path(__file__).parent.parent
PNG = b"\x89PNG\r\n\x1a\n"
PATIENCE = 120  # seconds
# Configs beside the paper's list: on remarks without a figure, and too long for the whole paper.
BESIDE = {"feature_count"}


def test_every_config_is_an_experiment_of_the_paper():
  there = {path.stem for path in (ROOT / "configs").glob("*.py")} - {"base"}
  assert there == {*reproduce.EXPERIMENTS, *BESIDE}
  assert len(reproduce.EXPERIMENTS) + len(BESIDE) == len(there)


@pytest.mark.parametrize("name", reproduce.EXPERIMENTS)
def test_an_experiment_is_described_in_one_line(name):
  line = reproduce.about(name)
  assert line.endswith(".")
  assert ast.get_docstring(ast.parse((ROOT / "configs" / f"{name}.py").read_text())) != line


def made(name: str, folder: Path, problem: str = "") -> page.Run:
  figure = folder / f"{name}.png"
  figure.write_bytes(PNG + name.encode())
  claims = [
    Claim('the sky is <blue> & "clear"', "1 < 2", "👍", CONFIRMED),
    Claim("<script>alert(1)</script>", "0", "1", CONTRADICTED),
  ]
  return page.Run(
    name, "About <b>it</b>.", "phase_change", claims, [figure], 3.2, "run it", {}, problem
  )


def test_the_page_shows_what_is_there_as_text_and_needs_no_network(tmp_path):
  page.write(tmp_path / "page.html", "a <title>", [made("one", tmp_path), made("two", tmp_path)])
  text = (tmp_path / "page.html").read_text()
  assert "<script" not in text
  assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
  assert "About &lt;b&gt;it&lt;/b&gt;." in text
  assert "👍" in text
  assert text.count("data:image/png;base64,") == 2
  assert not re.search(r"""(src|href)=["']?(https?:|//)""", text)
  assert "2 confirmed, 2 contradicted" in text
  assert text.index('id="one"') < text.index('id="two"')


def test_a_failed_experiment_is_on_the_page_with_its_reason(tmp_path):
  run = made("one", tmp_path)._replace(problem="out of <memory>", claims=(), figures=())
  page.write(tmp_path / "page.html", "title", [run])
  assert "out of &lt;memory&gt;" in (tmp_path / "page.html").read_text()


def test_claims_are_stored_with_their_experiment_and_section(tmp_path):
  page.write_claims(tmp_path / "claims.json", [made("one", tmp_path)])
  first, second = json.loads((tmp_path / "claims.json").read_text())
  assert first["experiment"] == second["experiment"] == "one"
  assert first["section"] == "Superposition as a Phase Change"
  assert {first["verdict"], second["verdict"]} == {CONFIRMED, CONTRADICTED}


def test_claims_are_a_markdown_table_whatever_they_say(tmp_path):
  run = made("one", tmp_path)
  odd = Claim("|cos| < .05", "a\nb", "|", CONFIRMED)
  page.write_markdown(tmp_path / "claims.md", [run._replace(claims=[odd])])
  title, _, head, rule, row = (tmp_path / "claims.md").read_text().splitlines()
  assert title == "### one: Superposition as a Phase Change"
  assert head == "| statement | measured | expected | verdict |"
  assert row == r"| \|cos\| < .05 | a b | \| | confirmed |"
  assert len({line.replace(r"\|", "").count("|") for line in (head, rule, row)}) == 1


def test_counts_are_of_each_verdict():
  claims = [Claim("", "", "", verdict) for verdict in (*VERDICTS, CONFIRMED)]
  assert page.summary(claims).startswith("2 confirmed, 1 contradicted")
  assert page.summary([]) == "no claims"


def start(*arguments) -> subprocess.Popen:
  return subprocess.Popen(
    [sys.executable, "-m", "toy_superposition.reproduce", *map(str, arguments)],
    cwd=ROOT,
    env=os.environ | {"PYTHONPATH": str(ROOT)},
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
  )


def test_an_unknown_experiment_is_one_line():
  stdout, stderr = (process := start("--workdir=x", "--experiments=introducton")).communicate()
  assert (process.returncode, stdout) == (1, "")
  assert stderr.count("\n") == 1
  assert "did you mean 'introduction'?" in stderr


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
