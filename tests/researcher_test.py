"""The researcher's script runs from an empty folder and imports nothing but what it may."""

import ast
import runpy
from pathlib import Path

import jax
import matplotlib as mpl
from matplotlib import pyplot

SCRIPT = Path(__file__).parent / "researcher.py"
MAY_IMPORT = {"toy_superposition", "numpy", "xarray", "matplotlib"}


def test_the_script_imports_nothing_but_the_package_and_its_companions():
  imports = list(ast.walk(ast.parse(SCRIPT.read_text())))
  names = {alias.name for node in imports if isinstance(node, ast.Import) for alias in node.names}
  names |= {str(node.module) for node in imports if isinstance(node, ast.ImportFrom)}
  assert {name.partition(".")[0] for name in names} == MAY_IMPORT


def test_a_researcher_does_these_things_from_an_empty_folder(tmp_path, monkeypatch):
  assert len(jax.devices()) == 8
  monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "unused")
  monkeypatch.chdir(tmp_path)
  with mpl.rc_context():
    runpy.run_path(str(SCRIPT))
  pyplot.close("all")
  made = {"theirs.html", "figure.pdf", "figure.svg"}
  assert {path.name for path in tmp_path.iterdir()} == made
