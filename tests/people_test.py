"""Four scripts, one per person, run from an empty folder and import nothing but what they may."""

import ast
import runpy
from pathlib import Path

import jax
import matplotlib as mpl
import pytest
from matplotlib import pyplot

from tests import pages
from tests.command import reads_configs
from toy_superposition import terminal
from toy_superposition.cli import reproduce
from toy_superposition.devices import mapping, setup

FOLDER = Path(__file__).parent
PEOPLE = ("student", "researcher", "engineer", "teacher")
MAY_IMPORT = {"toy_superposition", "numpy", "xarray", "matplotlib"}


def made_by(person: str, folder: Path) -> set[str]:
  """Runs a script in an empty folder; returns the names that it leaves there."""
  runpy.run_path(str(FOLDER / f"{person}.py"))
  return {path.name for path in folder.iterdir()}


@pytest.fixture
def in_process(tmp_path, monkeypatch) -> Path:
  """An empty folder to work in, in a process whose devices and log are those of the tests."""
  assert len(jax.devices()) == 8
  monkeypatch.setattr(setup, "configure", lambda *options, **more: None)
  monkeypatch.setattr(terminal, "show_log", lambda quiet=False: None)
  monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "unused")
  monkeypatch.chdir(tmp_path)
  return tmp_path


@pytest.mark.parametrize("person", PEOPLE)
def test_a_script_imports_nothing_but_the_package_and_its_companions(person):
  imports = list(ast.walk(ast.parse((FOLDER / f"{person}.py").read_text())))
  names = {alias.name for node in imports if isinstance(node, ast.Import) for alias in node.names}
  names |= {str(node.module) for node in imports if isinstance(node, ast.ImportFrom)}
  assert {name.partition(".")[0] for name in names} <= MAY_IMPORT


@reads_configs
def test_a_student_does_these_things_from_an_empty_folder(in_process, capsys):
  assert made_by("student", in_process) == {"first", "second", "panels.html"}
  assert "phase_change" in capsys.readouterr().out


def test_a_researcher_does_these_things_from_an_empty_folder(in_process):
  with mpl.rc_context():
    made = made_by("researcher", in_process)
  pyplot.close("all")
  assert made == {"theirs.html", "figure.pdf", "figure.svg"}


@reads_configs
def test_an_engineer_does_these_things_from_an_empty_folder(in_process, monkeypatch, capsys):
  slices, layout = [], mapping.layout

  def spied(*arguments, **keywords):
    found = layout(*arguments, **keywords)
    slices.append(len(found.slices))
    return found

  monkeypatch.setattr(mapping, "layout", spied)
  assert made_by("engineer", in_process) == {"whole", "sliced"}
  printed = capsys.readouterr()
  for words in ("memory/device", "estimate: ", "evaluation", "theory", "shards    each takes"):
    assert words in printed.out
  assert min(slices) == 1 < max(slices)
  assert len(printed.err.splitlines()) == 5, printed.err  # one for each that ended with code 1


def test_a_teacher_makes_a_page_from_an_empty_folder(in_process, monkeypatch):
  """Small results stand for those of the six experiments, which take two minutes."""
  data = pages.dataset({"density": [1.0, 0.5, 0.1]}, m=2, n=5)
  monkeypatch.setattr(
    reproduce, "run_all", lambda names, *more: [pages.run(name, data) for name in names]
  )
  assert made_by("teacher", in_process) == {"lecture"}


@pytest.mark.slow
def test_a_teacher_s_page_is_made_of_six_runs(in_process):
  made_by("teacher", in_process)
