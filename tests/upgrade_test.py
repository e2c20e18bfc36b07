"""Runs of earlier versions: their results open, load and draw; they are not continued.

data/format_1 holds a run of the last version before folder format 2, as it was written but for the
paths in its command.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import toy_superposition as ts
from configs import base
from tests.command import report_in_process
from toy_superposition import fields
from toy_superposition.config import resolve as config
from toy_superposition.errors import UserError
from toy_superposition.records import load, opening, results, upgrade
from toy_superposition.records import workdir as workdirs
from toy_superposition.records.workdir import Workdir

STORED = Path(__file__).parent / "data" / "format_1" / "feature_count"
SIZE = "/n=8,m=2"  # the netCDF group of the run's only model size


@pytest.fixture
def run(tmp_path) -> Workdir:
  """A copy of the stored run, with an empty folder of figures."""
  shutil.copytree(STORED, tmp_path / "run")
  (tmp_path / "run" / "figures").mkdir()
  return Workdir(tmp_path / "run")


def open_again(run: Workdir, overwrite: bool = False) -> Workdir:
  values = workdirs.read_values(run)
  return opening.open_workdir(run.path, values, values, overwrite=overwrite, command=[], devices=[])


def test_the_stored_values_become_a_config_of_today_that_resolves():
  values = workdirs.read_values(Workdir(STORED))
  stored = json.loads((STORED / "manifest.json").read_text())["config"]
  assert values["experiment"] == stored["analysis"] == "feature_count"
  assert "analysis" not in values and "figures" not in values
  unchanged = stored.keys() - {"analysis", "figures"}
  assert {k: values[k] for k in unchanged} == {k: stored[k] for k in unchanged}
  what = config.resolve_values(values)
  assert [len(axis.points) for axis in what.axes] == [1, 1, 2, 2]


def test_fields_that_a_stored_config_lacks_have_their_default_and_unknown_ones_are_dropped():
  stored = {"analysis": "thomson", "figures": ["thomson"], "seed": 7, "train.pace": 3}
  assert upgrade.upgraded(stored) == fields.defaults() | {"experiment": "thomson", "seed": 7}


def test_a_renamed_field_keeps_its_value():
  values = upgrade.upgraded({"data.values": "one"})
  assert values == fields.defaults() | {"data.value_law": "one"}


def test_a_config_of_today_is_unchanged():
  settings = base.get_config()
  settings.name = "test"
  base.set_axes(settings, n=base.points("model.n_features", (3, 4)), restart=base.restarts(2))
  values = config.resolve(settings).values
  assert upgrade.upgraded(values) == values
  without = {k: v for k, v in values.items() if k != "model.n_features"}  # as in results.gathered
  assert upgrade.upgraded(without) == without


def test_results_open_and_load_with_todays_fields_and_names():
  datasets = results.read(Workdir(STORED))
  assert set(datasets) == {SIZE, results.SWEEP}
  with xr.open_dataset(STORED / "results.nc", group=SIZE) as stored:
    assert "features_per_dimension" in stored
    for name, variable in stored.variables.items():
      renamed = str(name).replace("features_per_dimension", "represented_per_dimension")
      np.testing.assert_array_equal(datasets[SIZE][renamed], variable)
  for dataset in datasets.values():
    assert "features_per_dimension" not in dataset
    assert json.loads(dataset.attrs["config"])["experiment"] == "feature_count"
  loaded = load(STORED, SIZE)
  np.testing.assert_array_equal(loaded.params.W, datasets[SIZE]["W"])
  assert loaded.values["experiment"] == "feature_count"


def test_features_per_dimension_of_other_experiments_and_of_today_keep_their_name():
  for values in ({"analysis": "l1_superposition"}, {"experiment": "feature_count"}):
    dataset = xr.Dataset({"features_per_dimension": 2.0}, attrs={"config": json.dumps(values)})
    assert set(upgrade.upgraded_dataset(dataset)) == {"features_per_dimension"}


def test_python_takes_a_file_that_xarray_opened_and_one_that_the_package_loaded():
  with xr.open_dataset(STORED / "results.nc", group="sweep") as opened:
    claims = ts.claims(opened)
    assert claims and claims == ts.claims(ts.load(STORED, "/sweep"))
    assert ts.draw(opened).axes
  with xr.open_dataset(STORED / "results.nc", group=SIZE) as opened:
    np.testing.assert_array_equal(ts.rebuild(opened).params.W, opened["W"])
    measured = ts.measure(opened, "feature_norm")
    np.testing.assert_allclose(measured, opened["feature_norm"], rtol=1e-6)


def test_the_report_draws_figure_and_page_again(run, monkeypatch):
  done = report_in_process(monkeypatch, f"--workdir={run.path}")
  assert (done.returncode, done.stderr) == (0, "")
  assert {path.name for path in run.figures.iterdir()} == {
    "feature_count.png",
    "feature_count.pdf",
  }
  assert "feature_count_small" in run.report.read_text()
  assert [path.name for path in workdirs.pictures(run)] == [
    "feature_count.pdf",
    "feature_count.png",
  ]


def test_continuing_is_refused_in_one_line_that_says_why_and_what_still_works(run):
  before = {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()}
  for attempt in (open_again, workdirs.read_identity):
    with pytest.raises(UserError) as caught:
      attempt(run)
    message = str(caught.value)
    assert message == (
      f"{run.path}: begun by an earlier version of this package (format 1), whose runs cannot be "
      "continued; use another --workdir, or --overwrite; finished results still open and draw with "
      "python -m toy_superposition.report"
    )
  assert {path: path.read_bytes() for path in before} == before


@pytest.mark.parametrize(
  ("name", "stays"),
  [
    ("feature_count.png", False),
    ("phase_diagram.pdf", False),
    ("phase_diagram_n=5.png", False),
    ("demonstration_density=0.1.png", False),
    ("new_question.png", False),  # drawn since, and listed
    ("phase_diagram.svg", True),
    ("phase_diagram_talk.pdf", True),
    ("my_phase_diagram.png", True),
    ("phase_diagrams_n=5.png", True),
  ],
)
def test_overwriting_deletes_the_pictures_of_the_earlier_run_and_no_others(run, name, stays):
  if name == "new_question.png":
    opening.add_files(run, [run.figures / name])
  (run.figures / name).write_text("picture")
  open_again(run, overwrite=True)
  assert (run.figures / name).exists() == stays
  assert not run.results.exists()
  assert json.loads(run.manifest.read_text())["format"] == workdirs.FORMAT
