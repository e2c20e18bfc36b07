"""Every config in configs/: it resolves, and its quick size runs from beginning to end.

The smallest of the quick sizes runs here; all of them in `python -m pytest -m slow`, and as
processes in `python -m toy_superposition.reproduce --suite=all --quick`.
"""

import importlib
import json
import math
from pathlib import Path

import pytest

from toy_superposition import runner
from toy_superposition.config import resolve as config
from toy_superposition.devices import meshes, setup
from toy_superposition.experiments.experiment import VERDICTS
from toy_superposition.records import load, opening
from toy_superposition.records.results import SWEEP

FOLDER = Path(__file__).parent.parent / "configs"
NAMES = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != "base")
LARGE = ("sae_benchmark", "full")  # whose dictionaries take gigabytes
# Minimum agreement with the true optimum at the quick size: fewer steps and restarts than at the
# default one, so a few cells may miss the optimum's phase.
QUICK_AGREEMENT = 0.9


def variants(name: str) -> list[str | None]:
  module = importlib.import_module(f"configs.{name}")
  return [variant or None for variant in module.SIZES]


@pytest.mark.parametrize(
  ("name", "variant"),
  [
    pytest.param(name, variant, marks=pytest.mark.slow if (name, variant) == LARGE else ())
    for name in NAMES
    for variant in variants(name)
  ],
)
def test_resolves_and_survives_json(name, variant):
  resolved = config.resolve(importlib.import_module(f"configs.{name}").get_config(variant))
  assert resolved.name == (f"{name}_{variant}" if variant else name)
  text = json.dumps(dict(resolved.values), allow_nan=False)
  assert json.loads(text).keys() == resolved.values.keys()
  sizes = [len(axis.points) for axis in resolved.axes]
  assert sum(len(group.cells) for group in resolved.groups) == math.prod(sizes)


@pytest.mark.parametrize("name", NAMES)
def test_a_config_states_how_to_run_it_its_subject_its_cost_and_its_source(name):
  module = importlib.import_module(f"configs.{name}")
  docstring = module.__doc__ or ""
  assert f"--config=configs/{name}.py" in docstring
  assert "Paper:" in docstring
  assert module.ABOUT.endswith(".")
  assert "second" in module.COST or "minute" in module.COST


@pytest.mark.quick("introduction")
@pytest.mark.parametrize("name", NAMES)
def test_quick_size_runs_draws_its_figures_and_decides_its_claims(name, tmp_path):
  resolved = config.resolve(importlib.import_module(f"configs.{name}").get_config("quick"))
  workdir = opening.open_workdir(
    tmp_path, resolved.values, resolved.identity, overwrite=False, command=[], devices=[]
  )
  mesh = meshes.make_mesh(setup.devices(2))
  datasets = runner.run(resolved, workdir, mesh)
  drawn = list(runner.draw(resolved.experiment, datasets, workdir))
  assert drawn
  assert all(path.stat().st_size > 1000 for path in drawn)
  rows = runner.claims(resolved.experiment, datasets)
  assert rows
  assert all(row.verdict in VERDICTS for row in rows)
  axes = {axis.name: len(axis.points) for axis in resolved.axes if not axis.reshapes}
  for group in datasets.keys() - {SWEEP}:
    results = load(tmp_path, group)
    stored = results.dataset
    assert dict(stored["loss"].sizes) == axes
    sizes = {"hidden": stored.sizes["hidden"], "feature": stored.sizes["feature"]}
    assert results.params.directions.shape == (*axes.values(), *sizes.values())
    assert stored["finite"].values.all()
  if resolved.experiment == "phase_change":
    assert float(stored["agreement_best_optimum_away"]) >= QUICK_AGREEMENT
    assert float((stored["best_loss"] / stored["optimum_loss"]).min()) > 1 - 1e-4
