"""At the default size, what the paper says is confirmed: python -m pytest -m slow"""

import importlib

import pytest

from toy_superposition import runner
from toy_superposition.config import resolve as config
from toy_superposition.devices import meshes, setup
from toy_superposition.experiments.experiment import CONFIRMED, CONTRADICTED
from toy_superposition.records import opening

# Claims that this size is fine enough to decide, by config.
DECIDED = {
  "demonstration": 8,
  "demonstration_large": 7,
  "feature_benefit": 1,  # the others are identities
  "local_bases": 4,
  "phase_change": 5,
  "phase_change_three": 3,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(DECIDED))
def test_claims_are_confirmed_at_the_default_size(name, tmp_path):
  resolved = config.resolve(importlib.import_module(f"configs.{name}").get_config())
  workdir = opening.open_workdir(
    tmp_path, resolved.values, resolved.identity, overwrite=False, command=[], devices=[]
  )
  datasets = runner.run(resolved, workdir, meshes.make_mesh(setup.devices(2)))
  rows = runner.claims(resolved.experiment, datasets)
  assert not [row for row in rows if row.verdict == CONTRADICTED]
  assert len([row for row in rows if row.verdict == CONFIRMED]) >= DECIDED[name]
