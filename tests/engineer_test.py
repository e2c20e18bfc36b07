"""The engineer's script runs from an empty folder and imports nothing but what it may."""

import ast
import runpy
from pathlib import Path

from tests.command import reads_configs
from toy_superposition import terminal
from toy_superposition.devices import mapping, setup

SCRIPT = Path(__file__).parent / "engineer.py"
MAY_IMPORT = {"toy_superposition", "numpy", "xarray", "matplotlib"}


def test_the_script_imports_nothing_but_the_package_and_its_companions():
  imports = list(ast.walk(ast.parse(SCRIPT.read_text())))
  names = {alias.name for node in imports if isinstance(node, ast.Import) for alias in node.names}
  names |= {str(node.module) for node in imports if isinstance(node, ast.ImportFrom)}
  assert {name.partition(".")[0] for name in names} <= MAY_IMPORT


@reads_configs
def test_an_engineer_does_these_things_from_an_empty_folder(tmp_path, monkeypatch, capsys):
  monkeypatch.setattr(setup, "configure", lambda *options: None)  # jax has its devices already
  monkeypatch.setattr(terminal, "show_log", lambda quiet=False: None)
  monkeypatch.chdir(tmp_path)
  slices, layout = [], mapping.layout

  def spied(*arguments, **keywords):
    found = layout(*arguments, **keywords)
    slices.append(len(found.slices))
    return found

  monkeypatch.setattr(mapping, "layout", spied)
  runpy.run_path(str(SCRIPT))
  assert {path.name for path in tmp_path.iterdir()} == {"whole", "sliced"}
  printed = capsys.readouterr()
  for words in ("memory/device", "estimate: ", "evaluation", "theory", "shards    each takes"):
    assert words in printed.out
  assert min(slices) == 1 < max(slices)
  assert len(printed.err.splitlines()) == 5, printed.err  # one for each that ended with code 1
