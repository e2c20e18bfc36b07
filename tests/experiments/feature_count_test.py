"""Feature count: numbers of known frames, verdicts on known changes, the gathered dataset."""

import json

import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

from configs import base, feature_count
from tests import datasets
from toy_superposition import api, report, runner
from toy_superposition.config.resolve import ResolvedConfig, resolve
from toy_superposition.devices import meshes, setup
from toy_superposition.errors import UserError
from toy_superposition.experiments.experiment import (
  CONFIRMED,
  CONTRADICTED,
  REPORTED,
  UNDECIDED,
  Claim,
)
from toy_superposition.experiments.feature_count import EXPERIMENT, analysis, figure
from toy_superposition.geometry import features
from toy_superposition.records import metrics, results
from toy_superposition.records.opening import open_workdir
from toy_superposition.records.workdir import Workdir
from toy_superposition.report import runs

P = np.array([0.1, 0.05])
N, M = (64, 256, 1024, 4096), (8, 32)


def analysed(W: np.ndarray, loss: np.ndarray) -> xr.Dataset:
  """Returns the analysed dataset of one model, the same at every density.

  Args:
    W: its directions.
    loss: of its features.
  """
  dataset = datasets.dataset(W=W, axes={"density": P, "restart": [0]})
  dims = ("density", "restart", "feature")
  dataset["feature_loss"] = (dims, np.broadcast_to(loss, (len(P), 1, len(loss))))
  return EXPERIMENT.run(dataset, meshes.make_mesh(setup.devices(1)), 2**30)


def gathered(
  D: float = 0.2, saved: float = 3.0, n_slope: float = 0.0, m_slope: float = 0.0
) -> xr.Dataset:
  """Returns numbers of all sizes: D* lower where density is, times powers of n and m."""
  coords = {"n": list(N), "m": list(M), "density": P, "restart": [0, 1]}
  empty = xr.DataArray(np.ones((len(N), len(M), len(P), 2)), coords, tuple(coords))
  n, m, p = empty["n"], empty["m"], empty["density"]
  factor = empty * n**n_slope * m**m_slope * (p / P[0])
  return xr.Dataset(
    {
      "dimensions_per_feature": D * factor,
      "loss_saved": saved * empty * n**-n_slope,
      "judged_saved": (saved * empty * n**-n_slope).isel(restart=0, drop=True),
      "represented_per_dimension": 1 / (D * factor),
      "absent_share": 0.001 * empty,
      "relative_loss": 0.3 * empty,
      "interference": 2 * empty,
      "step_seconds": 1e-6 * n * empty,
    }
  )


def verdicts(dataset: xr.Dataset) -> list[str]:
  return [row.verdict for row in EXPERIMENT.claims(dataset)]


def rows(dataset: xr.Dataset, text: str) -> list[Claim]:
  return [row for row in EXPERIMENT.claims(dataset) if text in row.statement]


def test_a_model_that_diverged_has_no_numbers_and_has_not_converged():
  diverged = analysed(np.full((4, 20), np.nan), np.full(20, np.nan))
  for name in ("represented_per_dimension", "loss_saved", "absent_share", "interference"):
    assert diverged[name].isnull().all(), name
  complete = gathered()
  assert analysis.converged(complete).all()
  broken = complete["absent_share"].where(complete["restart"] == 0)
  assert not analysis.converged(complete.assign(absent_share=broken)).any()


def test_interference_is_the_measure_of_all_pairs():
  W = np.random.default_rng(0).normal(size=(3, 7))
  chosen = np.arange(7) % 2 == 0
  expected = features.superposition(jnp.asarray(W))[chosen]
  np.testing.assert_allclose(analysis.interference(W, chosen), expected, rtol=1e-5)


def test_numbers_of_pairs_in_orthogonal_dimensions():
  m, n = 4, 20
  W = np.concatenate([np.eye(m), -np.eye(m), np.zeros((m, n - 2 * m))], axis=1)
  W[0, -1] = 0.5  # one of the absent features is too short to be represented
  model = analysed(W, np.zeros(n)).isel(density=0, restart=0)
  assert float(model["represented_per_dimension"]) == 2
  assert float(model["absent_share"]) == pytest.approx(0.25 / 8.25)
  assert float(model["loss_saved"]) == pytest.approx(2)  # two features a dimension, without a loss
  assert float(model["relative_loss"]) == 0
  assert float(model["interference"]) == pytest.approx(1 + 2 * 0.25 / 8)


def test_the_best_model_is_chosen_on_some_examples_and_judged_on_others():
  dataset = gathered(n_slope=-0.1)  # the largest n saves most
  lucky = dataset["loss_saved"].copy(deep=True)
  lucky[{"n": 0, "restart": 1}] = 2 * float(lucky.max())
  judged = dataset["judged_saved"].copy(deep=True)
  judged[{"n": 0}] = 0.9 * judged.isel(n=-1)
  (row,) = rows(dataset.assign(loss_saved=lucky, judged_saved=judged), "padded with absent ones")
  assert "-10.0% (p = 0.1)" in row.measured
  assert "0.0% (p = 0.1)" in rows(dataset, "padded with absent ones")[0].measured


def test_run_judges_the_restart_that_saves_most():
  m, n = 4, 20
  W = np.stack([np.eye(m, n), 0.9 * np.eye(m, n), np.full((m, n), np.nan)])
  dataset = datasets.dataset(W=W, axes={"density": P, "restart": [0, 1, 2]})
  loss = np.stack([np.zeros(n), np.full(n, 0.01), np.full(n, np.nan)])
  dims = ("density", "restart", "feature")
  dataset["feature_loss"] = (dims, np.repeat(loss[None], len(P), axis=0))
  run = EXPERIMENT.run(dataset, meshes.make_mesh(setup.devices(1)), 2**30)
  np.testing.assert_allclose(run["judged_saved"], [1, 1], atol=1e-6)
  dataset["feature_loss"][:, 0] = 1.0
  run = EXPERIMENT.run(dataset, meshes.make_mesh(setup.devices(1)), 2**30)
  # x − .81 x leaves .0361 of the second moment p/3 of each of m features.
  np.testing.assert_allclose(run["judged_saved"], 1 - 0.0361 / 3 / (1 / 3 - P / 4), rtol=0.01)
  single = EXPERIMENT.run(dataset.isel(restart=1), meshes.make_mesh(setup.devices(1)), 2**30)
  np.testing.assert_allclose(single["judged_saved"], run["judged_saved"], rtol=1e-6)


def test_an_absent_features_loss_is_the_variance_of_its_values():
  x = np.random.default_rng(0).uniform(size=10**6)
  x = np.where(x < P[0], x / P[0], 0)
  density = xr.DataArray(P, dims="density")
  assert float(analysis.absent_loss(density)[0]) == pytest.approx(x.var(), rel=0.01)
  loss = np.asarray(analysis.absent_loss(density))[0] * np.ones(20)
  model = analysed(np.concatenate([np.eye(4)] * 5, axis=1), loss).isel(density=0, restart=0)
  assert float(model["loss_saved"]) == pytest.approx(0)
  assert float(model["relative_loss"]) == pytest.approx(1)


def test_a_model_that_represents_nothing_has_no_number_and_is_no_failure():
  model = analysed(np.full((4, 20), 0.1), np.ones(20)).isel(density=0, restart=0)
  assert np.isnan(model["interference"]) and np.isnan(model["relative_loss"])
  assert (float(model["loss_saved"]), float(model["absent_share"])) == (0, 1)


def test_numbers_that_depend_on_density_alone_confirm_the_statement():
  assert verdicts(gathered()) == [CONFIRMED] * 4 + [REPORTED] * 3


def test_numbers_that_grow_with_n_contradict_it():
  growing = rows(gathered(n_slope=0.05), "at fixed m and density is the same")
  assert [row.verdict for row in growing] == [CONTRADICTED] * 2


def test_numbers_that_differ_between_m_contradict_it_at_the_same_ratio_alone():
  dataset = gathered(m_slope=0.05)
  (row,) = rows(dataset, "at fixed n / m")
  assert row.verdict == CONTRADICTED
  assert all(row.verdict == CONFIRMED for row in rows(dataset, "at fixed m and density"))


def test_densities_whose_ranges_overlap_are_contradicted():
  (row,) = rows(gathered(n_slope=0.3), "density decides D*")
  assert row.verdict == CONTRADICTED


def test_sizes_whose_training_has_not_converged_are_left_out_and_reported():
  dataset = gathered()
  D = dataset["dimensions_per_feature"]
  late = (D["n"] == N[-1]) & (D["m"] == M[0])
  dataset["dimensions_per_feature"] = D.where(~late, 1.0)
  for name in ("loss_saved", "judged_saved"):
    dataset[name] = dataset[name].where(~late, 0.3)
  dataset["absent_share"] = dataset["absent_share"].where(~late, 0.9)
  same = rows(dataset, "at fixed m and density is the same")
  assert [row.verdict for row in same if "converged models" in row.statement] == [CONFIRMED] * 2
  assert [row.verdict for row in same if "all models" in row.statement] == [CONTRADICTED] * 2
  (row,) = rows(dataset, "padded with absent ones")
  assert "m = 8: 900.0% (p = 0.1)" in row.measured
  (row,) = rows(dataset, "absent features hold after training")
  assert "90.0% (n = 4096)" in row.measured


def test_a_spread_over_seeds_widens_the_tolerance():
  dataset = gathered(n_slope=0.05)
  shift = xr.DataArray([-0.1, 0.1], dims="restart")
  dataset["dimensions_per_feature"] = dataset["dimensions_per_feature"] * (1 + shift)
  (row,) = rows(dataset, "D* at fixed m and density")
  assert (row.verdict, row.expected[:7]) == (CONFIRMED, "≤ 60.0%")


def test_few_features_decide_nothing():
  small = gathered().isel(n=slice(0, 2))
  assert verdicts(small)[:4] == [UNDECIDED] * 4
  none = gathered()
  none["absent_share"] = none["absent_share"] + 1
  assert verdicts(none)[:2] == verdicts(none)[4:6] == [UNDECIDED] * 2


def test_features_that_n_itself_limits_are_not_compared():
  dataset = gathered(D=0.01)  # 100 features a dimension
  wide = analysis.many(analysis.ordered(dataset))
  expected = wide["n"] / wide["m"] * (1 - analysis.SPARE) >= 100 * P[0] / wide["density"]
  np.testing.assert_array_equal(wide, expected.transpose(*wide.dims))


def test_cost_is_reported_with_its_exponent():
  (row,) = rows(gathered(), "wall time")
  assert "m = 8: 4.1 ms, exponent 1.00" in row.measured


def test_the_figure_is_drawn_with_and_without_seeds():
  assert len(figure.draw(gathered()).axes) == 6
  assert len(figure.draw(gathered().isel(restart=0, drop=True)).axes) == 6


def tiny() -> ResolvedConfig:
  settings = feature_count.get_config("quick")
  settings.train.steps = 20
  settings.train.estimator, settings.data.generator = "blocked", "hash"  # compile fastest
  settings.evaluation.n_samples = 64
  settings.axis.n = base.points("model.n_features", (24, 12))
  settings.axis.m = base.points("model.n_hidden", (2,))
  return resolve(settings)


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> tuple[Workdir, dict[str, xr.Dataset]]:
  resolved, folder = tiny(), tmp_path_factory.mktemp("run")
  workdir = open_workdir(
    folder, resolved.values, resolved.identity, overwrite=False, command=[], devices=[]
  )
  return workdir, runner.run(resolved, workdir, meshes.make_mesh(setup.devices(1)))


def test_the_sweep_s_group_holds_the_numbers_of_every_size(trained):
  workdir, shapes = trained
  sweep = results.read(workdir)[results.SWEEP]
  xr.testing.assert_identical(sweep, shapes[results.SWEEP])
  sizes = {"n": 2, "m": 1, "density": 2, "restart": 2}
  assert {dim: sweep.sizes[dim] for dim in sizes} == sizes
  assert set(sweep.dims) - set(sizes) == {"certificate"}
  assert json.loads(sweep.attrs["config"])["train.steps"] == 20
  assert "W" not in sweep and sweep["dimensions_per_feature"].attrs["long_name"]
  np.testing.assert_array_equal(sweep["n"], [12, 24])
  names = shapes.keys() - {results.SWEEP}
  assert names == {"/n=24,m=2", "/n=12,m=2"}
  for name in names:
    shape = shapes[name]
    cell = sweep.sel(n=int(shape["n"]), m=int(shape["m"]))
    for number in ("loss", "dimensions_per_feature", "absent_share", "step_seconds"):
      np.testing.assert_array_equal(cell[number].transpose(*shape[number].dims), shape[number])


def test_seconds_per_step_are_those_of_the_metrics(trained):
  workdir, shapes = trained
  record = metrics.Metrics(workdir.metrics, None)
  rate = record.last_rate(0)
  assert 0 < float(1 / rate) == pytest.approx(float(shapes["/n=24,m=2"]["step_seconds"][0, 0]))
  assert np.isnan(record.last_rate(99))


def test_claims_and_figure_of_one_size_alone_are_refused(trained):
  _, shapes = trained
  for ask in (api.claims, api.draw):
    with pytest.raises(UserError, match=r"compares model sizes.*/sweep"):
      ask(shapes["/n=24,m=2"])
  assert api.claims(shapes[results.SWEEP])


def test_the_page_counts_every_model_once(trained):
  workdir, shapes = trained
  n_models = shapes[results.SWEEP]["finite"].size
  run = report.read(workdir, datasets=shapes)
  sizes = f"12 to 24 features in 2 hidden dimensions, relu_output: {n_models} models."
  assert run.about.endswith(sizes)
  assert dict(runs.provenance(run))["cost"].startswith(f"{n_models} models × 20 steps")


def test_one_figure_and_one_table_are_made_of_all_shapes(trained):
  workdir, shapes = trained
  paths = list(runner.draw("feature_count", shapes, workdir))
  assert [path.name for path in paths] == ["feature_count.png", "feature_count.pdf"]
  claims = runner.claims("feature_count", shapes)
  assert claims == EXPERIMENT.claims(shapes[results.SWEEP])


def test_a_shape_is_loaded_by_its_name_and_the_sweep_has_no_model(trained):
  workdir, _ = trained
  assert results.load(workdir.path, "/n=24,m=2").params.W.shape == (2, 2, 2, 24)
  with pytest.raises(UserError, match="no shape '/sweep'; there are: /n=12,m=2, /n=24,m=2"):
    results.load(workdir.path, results.SWEEP)


def test_a_sweep_without_shapes_is_refused():
  settings = feature_count.get_config("quick")
  base.set_axes(settings, density=base.points("density.base", (0.1,)))
  with pytest.raises(UserError, match=r"config\.axes"):
    resolve(settings)


@pytest.mark.parametrize(
  ("field", "value"),
  [("importance.base", 2.0), ("model.name", "linear"), ("density.profile", "geometric")],
)
def test_another_problem_is_refused_by_name(field, value):
  changed = feature_count.get_config("quick")
  section, name = field.split(".")
  changed[section][name] = value
  with pytest.raises(UserError, match=rf"config\.{field}: '?{value}.*'feature_count'.*=none"):
    resolve(changed)
