"""Verdicts at the default sizes are those of the page of claims: python -m pytest -m slow"""

import importlib

import pytest

from tests.claims_page import claims
from toy_superposition import runner
from toy_superposition.config import catalogue
from toy_superposition.config import resolve as config
from toy_superposition.devices import meshes, setup
from toy_superposition.records import opening


@pytest.mark.slow
@pytest.mark.parametrize("name", catalogue.EXPERIMENTS)
def test_verdicts_at_the_default_size_are_those_of_the_page(name, tmp_path):
  resolved = config.resolve(importlib.import_module(f"configs.{name}").get_config())
  workdir = opening.open_workdir(
    tmp_path, resolved.values, resolved.identity, overwrite=False, command=[], devices=[]
  )
  datasets = runner.run(resolved, workdir, meshes.make_mesh(setup.devices(2)))
  rows = runner.claims(resolved.experiment, datasets)
  found = {row.statement: row.verdict for row in rows}
  assert found == {row[1].replace("\\|", "|"): row[-1] for row in claims() if row[0] == name}
