"""The notebooks: kept without outputs, and executed from the first cell to the last."""

import os
from importlib import metadata

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from tests.command import CACHE, GRID, PATIENCE, ROOT

NOTEBOOK = ROOT / "launch" / "colab.ipynb"
TUTORIAL = ROOT / "launch" / "tutorial.ipynb"
LONGER = "autoencoders"  # a cell of 10 seconds, for the longer suite
FLAGS = [*GRID, "--config.train.batch_size=16", "--config.train.steps=40"]
FLAGS += ["--config.train.estimator=autodiff"]  # fast to compile


# A second after the compilation, what the button that interrupts a cell sends.
INTERRUPTED = """
import logging, os, signal, threading

class Stop(logging.Handler):
  def emit(self, record):
    if "compiled in" in record.getMessage():
      threading.Timer(1, os.kill, (os.getpid(), signal.SIGINT)).start()

logging.getLogger("toy_superposition").addHandler(Stop())
logging.getLogger("toy_superposition").setLevel("INFO")
config.train.steps, config.run.log_every = 10_000_000, 100
"""


def notebook(path=NOTEBOOK) -> nbformat.NotebookNode:
  node = nbformat.read(path, as_version=4)
  nbformat.validate(node)
  return node


def code(node: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
  return [cell for cell in node.cells if cell.cell_type == "code"]


def text(cell: nbformat.NotebookNode) -> str:
  return "".join(output.get("text", "") for output in cell.outputs)


@pytest.mark.parametrize("path", [NOTEBOOK, TUTORIAL], ids=lambda path: path.stem)
def test_outputs_are_cleared(path):
  for cell in code(notebook(path)):
    assert cell.outputs == [] and cell.execution_count is None


@pytest.mark.slow
def test_all_cells_run_and_training_runs_again(tmp_path, monkeypatch):
  metadata.version("toy_superposition")  # else it would be installed
  monkeypatch.setenv("PYTHONPATH", str(ROOT))
  monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", CACHE)
  node = notebook()
  choice, *_, training, figures, results = code(node)
  choice.source += f"\nRUNS = {str(tmp_path)!r}\nFLAGS = {FLAGS!r}\n"
  there = {"metadata": {"path": str(NOTEBOOK.parent)}}
  client = NotebookClient(node, timeout=PATIENCE, kernel_name="python3", resources=there)
  with client.setup_kernel():
    for i, cell in enumerate(node.cells):
      client.execute_cell(cell, i)
    assert "8 models, 0 not finite" in text(training)
    for cell in (figures, results):
      assert any("image/png" in output.get("data", {}) for output in cell.outputs)
    client.execute_cell(training, node.cells.index(training))
    assert "this run is finished" in text(training)


def pictures(cell: nbformat.NotebookNode) -> int:
  return sum("image/png" in output.get("data", {}) for output in cell.outputs)


@pytest.fixture(scope="module")
def kernel(tmp_path_factory):
  """Gives a client with a notebook of its own, whose kernel has started in an empty folder."""
  folder = tmp_path_factory.mktemp("tutorial") / "empty"
  folder.mkdir()
  there = {"metadata": {"path": str(folder)}}
  client = NotebookClient(
    notebook(TUTORIAL), timeout=PATIENCE, kernel_name="python3", resources=there
  )
  with pytest.MonkeyPatch.context() as environment:
    environment.setenv("PYTHONPATH", str(ROOT))
    environment.setenv("JAX_COMPILATION_CACHE_DIR", CACHE)
    environment.delenv("MPLBACKEND")  # the notebook's own
    with client.setup_kernel():
      yield client
  assert os.listdir(folder) == []  # nothing is written


@pytest.mark.slow
def test_the_tutorial_has_eleven_cells_that_run_and_draw(kernel):
  node = notebook(TUTORIAL)
  assert len(node.cells) == 11
  cells = [(i, cell) for i, cell in enumerate(node.cells) if cell.id != LONGER]
  found = {cell.id: kernel.execute_cell(cell, i) for i, cell in cells}
  drawn = {cell.id for cell in code(node) if pictures(cell)}
  plain = {"config", "train", LONGER}
  assert drawn == {cell.id for cell in code(node)} - plain
  assert "compiled in" in text(found["train"])
  table = str(found["statements"].outputs)
  assert "verdict" in table and "contradicted" not in table


@pytest.mark.slow
def test_the_tutorial_s_autoencoders_are_drawn_sampled_and_exported(kernel):
  node = notebook(TUTORIAL)
  needed = {"config", "measure", LONGER}
  for i, cell in enumerate(node.cells):
    if cell.id in needed:
      kernel.execute_cell(cell, i)
  (cell,) = (cell for cell in code(node) if cell.id == LONGER)
  assert pictures(cell) == 1
  assert "(100, 40)" in text(cell) and "'threshold'" in text(cell)


@pytest.mark.slow
def test_an_interrupted_cell_says_so_and_the_next_one_runs(kernel):
  node = notebook(TUTORIAL)
  config, train = code(node)[:2]
  kernel.execute_cell(config, node.cells.index(config))
  train.source = INTERRUPTED + train.source
  with pytest.raises(CellExecutionError, match=r"KeyboardInterrupt.*nothing is stored"):
    kernel.execute_cell(train, node.cells.index(train))
  train.source = "print(config.train.steps)"
  assert "10000000" in text(kernel.execute_cell(train, node.cells.index(train)))
