"""The notebook for Colab: kept without outputs, and executed from its first cell to its last."""

from importlib import metadata

import nbformat
from nbclient import NotebookClient

from tests.main_test import CACHE, GRID, PATIENCE, ROOT

NOTEBOOK = ROOT / "launch" / "colab.ipynb"
FLAGS = [*GRID, "--config.train.batch_size=16", "--config.train.steps=40"]
FLAGS += ["--config.train.estimator=autodiff"]  # fast to compile


def notebook() -> nbformat.NotebookNode:
  node = nbformat.read(NOTEBOOK, as_version=4)
  nbformat.validate(node)
  return node


def code(node: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
  return [cell for cell in node.cells if cell.cell_type == "code"]


def text(cell: nbformat.NotebookNode) -> str:
  return "".join(output.get("text", "") for output in cell.outputs)


def test_outputs_are_cleared():
  for cell in code(notebook()):
    assert cell.outputs == [] and cell.execution_count is None


def test_all_cells_run_and_training_runs_again(tmp_path, monkeypatch):
  metadata.version("toy_superposition")  # else it would be installed
  monkeypatch.setenv("PYTHONPATH", str(ROOT))
  monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", CACHE.name)
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
