"""Losses that are known without training: against other computations, and what is said of them."""

import dataclasses
import functools
import math

import numpy as np
import pytest
import xarray as xr
from scipy.optimize import minimize

import toy_superposition as ts
from tests import datasets, pages, small
from toy_superposition import certificates, runner, terminal
from toy_superposition.certificates import BOUND, CERTIFICATES, LOWER, TOLERANCE
from toy_superposition.config import outside
from toy_superposition.experiments import excess
from toy_superposition.experiments.experiment import CONFIRMED, UNDECIDED, Claim, Experiment
from toy_superposition.theory import blocks, division, optimum, polygons, water_filling
from toy_superposition.types import Group, Instance

UNIFORM = {"optimizer": "adam", "model": "relu_output", "n_features": 5, "n_hidden": 2}


def group(densities, *, importance=1.0, numbers=None, **changes) -> Group:
  spec = small.spec(**UNIFORM | changes)
  shape = (len(densities), spec.n_features)
  density = np.broadcast_to(np.asarray(densities, np.float32).reshape(len(densities), -1), shape)
  instances = Instance(
    index=np.arange(len(densities), dtype=np.int32),
    density=density.copy(),
    importance=np.full(shape, importance, np.float32),
    learning_rate=np.full(len(densities), 1e-3, np.float32),
    numbers=numbers or {},
  )
  return Group(spec, instances, np.zeros((len(densities), 0)))


def bound(name: str, of: Group) -> np.ndarray:
  (column,) = certificates.known(of, [name], method="exact", n_samples=1).bounds.T
  return column


def test_the_linear_optimum_is_that_of_a_search_and_no_other_projection_is_below():
  rng = np.random.default_rng(0)
  variance, importance, m = rng.uniform(0.1, 1, 6), rng.uniform(0.1, 1, 6), 2

  def loss(flat):
    W = flat.reshape(m, 6)
    error = np.eye(6) - W.T @ W
    return float(importance @ error**2 @ variance)

  found = [minimize(loss, rng.normal(0, 0.5, 2 * 6)).fun for _ in range(8)]
  assert min(found) == pytest.approx(optimum.linear_loss(variance, importance, m), rel=1e-6)
  assert optimum.linear_loss(variance, importance, 6) == 0


def test_the_linear_optimum_of_a_run_is_of_its_moments_and_in_the_units_of_its_loss():
  of = group([[0.9, 0.5, 0.4, 0.2, 0.1]], importance=2.0, model="linear")
  variances = sorted(p / 3 - p**2 / 4 for p in (0.9, 0.5, 0.4, 0.2, 0.1))
  assert bound("linear_optimum", of) == pytest.approx([2 * sum(variances[:3])], rel=1e-6)
  mean = group([[0.9, 0.5, 0.4, 0.2, 0.1]], importance=2.0, model="linear", reduction="mean")
  assert bound("linear_optimum", mean) == pytest.approx([2 * sum(variances[:3]) / 5], rel=1e-6)


def test_the_block_bound_is_the_published_optimum_of_five_features_in_two_dimensions():
  # Of the model that is the target of parameter decomposition (APD, SPD): a pentagon.
  assert bound("block_division", group([0.05])) == pytest.approx([0.0089036], rel=1e-4)


def test_divisions_with_few_features_are_those_with_many_where_both_are_known():
  p = 0.2
  for n, m in ((64, 12), (36, 10)):
    many = division.divide([p], n_features=n, n_hidden=m).loss[0]
    assert division.lowest_loss(p, n_features=n, n_hidden=m) == pytest.approx(many)
    gains = [division.saving(f, p) * blocks.size(f)[1] for f in blocks.FRAMES]
    sizes = [blocks.size(f) for f in blocks.FRAMES]
    limited = division._limited(gains, sizes, n_features=n, n_hidden=m)
    assert (n - limited) * blocks.variance(p) == pytest.approx(many)
  one = [division.lowest_loss(p, n_features=n, n_hidden=4) for n in range(1, 13)]
  assert one[:4] == pytest.approx([0, 0, 0, 0], abs=1e-9)
  assert (np.diff(one[3:]) > 0).all()  # a further feature costs something
  pairs = 4 * blocks.size("digon")[0] * blocks.best_block("digon", p).loss
  assert one[7] <= pairs + 1e-12


def test_the_mean_field_is_of_all_features_and_nothing_is_known_where_noise_is_not_normal():
  of = group([0.05, 1.0, 0.03], n_features=512, n_hidden=128)
  found = bound("mean_field", of)
  assert found[0] == pytest.approx(512 * 0.005789, rel=2e-4)
  assert np.isnan(found[1:]).all()  # always active, and too few for normal noise


def test_polygons_have_the_levels_that_descents_end_at():
  levels = [polygons.level(6, 6), polygons.level(5, 6)]
  assert levels == pytest.approx([0.04819, 0.06180], abs=5e-6)
  without_mean = 1 / 18 - polygons.absent_loss(6)  # what the bias of an absent feature saves
  assert polygons.level(5, 6) + without_mean == pytest.approx(0.06874, abs=5e-6)
  assert polygons.level(4, 6) + 2 * without_mean == pytest.approx(1 / 9, abs=5e-6)
  assert polygons.lowest(6) == (6, pytest.approx(0.04819, abs=5e-6))


@pytest.mark.parametrize("distribution", ["anticorrelated_sets", "one_hot"])
def test_only_inputs_with_exactly_one_active_feature_have_polygons(distribution):
  settings = {"data.distribution": distribution, "data.set_size": 6, "data.value_law": "uniform"}
  of = group([1 / 6, 0.1], n_features=6)
  values = datasets.fields.defaults() | {"model.n_features": 6, "train.steps": 5} | settings
  of = of._replace(spec=datasets.fields.make_spec(values))
  found = bound("polygon_levels", of)
  assert found[0] == pytest.approx(0.04819, abs=5e-6) and math.isnan(found[1])


@pytest.mark.parametrize(("kurtosis", "m"), [(8.0, 2), (36.0, 3), (5.0, 2), (2.0, 2)])
def test_water_filling_is_the_optimum_to_six_digits(kurtosis, m):
  rng, v = np.random.default_rng(1), 0.7 ** np.arange(5)
  loss = functools.partial(_square_loss, v=v, kurtosis=kurtosis, m=m)
  starts = rng.normal(0, 0.5, (12, m * 5))
  found = min(float(minimize(loss, start, options={"gtol": 1e-9}).fun) for start in starts)
  assert water_filling.optimum(v, kurtosis, m) == pytest.approx(found, rel=1e-6)
  capacity = water_filling.capacities(v, kurtosis, m)
  assert capacity.sum() == pytest.approx(m)
  assert ((capacity > 0) & (capacity < 1)).any() == (kurtosis > 3)


def _square_loss(flat, v, kurtosis, m):
  return float(water_filling.loss(flat.reshape(m, -1), v, kurtosis))


def test_water_filling_of_a_run_has_the_units_of_its_loss():
  changes = {"model": "sum_of_squares", "target": "weighted_squares"}
  changes |= {"distribution": "sparse_signed_uniform"}
  numbers = {"data.weight_ratio": np.array([0.5, 0.9], np.float32)}
  of = group([0.3, 0.3], numbers=numbers, **changes)
  expected = [0.1**2 * water_filling.optimum(r ** np.arange(5), 6.0, 2) for r in (0.5, 0.9)]
  assert bound("water_filling", of) == pytest.approx(expected, rel=1e-5)


@pytest.mark.slow
def test_the_exact_optimum_of_two_features_is_at_most_the_closed_forms():
  of = group([0.05, 0.9], n_features=2, n_hidden=1)
  found = bound("exact_optimum", of)
  assert found == pytest.approx(bound("block_division", of), rel=0.02)
  assert (found <= bound("block_division", of) * (1 + 1e-3)).all()


def test_cheap_rows_are_computed_by_default_and_others_only_where_asked_for():
  few, many = group([0.1, 0.1, 0.2]), group(np.linspace(0.1, 0.9, 40))
  assert certificates.names_for([few]) == ["block_division"]
  assert certificates.names_for([many]) == []
  assert certificates.names_for([many], ["block_division"]) == ["block_division"]
  assert certificates.names_for([few], ["exact_optimum"]) == ["exact_optimum", "block_division"]


@pytest.mark.parametrize(
  "changes",
  [
    {"steps": 0},
    {"target": "absolute"},
    {"loss": "absolute"},
    {"attack": 0.1},
    {"active": ("loss.hidden_l1",)},
    {"model": "tanh_output"},
    {"distribution": "correlated_sets"},
  ],
)
def test_of_models_that_are_trained_on_something_else_nothing_is_known(changes):
  active = changes.pop("active", ())
  of = group([0.1], **changes)
  of = of._replace(spec=dataclasses.replace(of.spec, active=active))
  assert certificates.names_for([of], list(CERTIFICATES)) == []


def test_unequal_features_have_no_block_bound():
  of = group([[0.1, 0.1, 0.1, 0.1, 0.2], [0.1] * 5])
  assert np.isnan(bound("block_division", of)).tolist() == [True, False]


def config():
  values = ts.get_config()
  values.model.n_features, values.model.n_hidden, values.model.name = 4, 2, "linear"
  values.train.steps, values.train.batch_size, values.train.estimator = 2, 4, "autodiff"
  values.train.weight_decay, values.evaluation.n_samples, values.measures = 0.0, 64, ()
  return ts.sweep(values, density=[0.5, 0.1], seed=2)


def test_results_have_the_bound_its_kind_and_its_tolerance_and_old_numbers_stay():
  results = ts.run(config())
  assert results["certificate"].values.tolist() == ["linear_optimum"]
  assert results["certificate_meaning"].values.tolist() == ["optimum"]
  assert results[BOUND].dims == results[TOLERANCE].dims == ("density", "seed", "certificate")
  assert (results[TOLERANCE] > 0.01).all()
  assert "linear optimum" in excess.sentence(results)
  without = results.drop_dims("certificate")  # as of models of which nothing is known
  assert excess.excess(without) is None and excess.sentence(without) == ""


def made(losses, *, bounds=1.0, tolerance=0.02, meaning="reached", decay=0.0) -> xr.Dataset:
  """Returns results over densities and restarts with these losses, and what is known of them."""
  losses = np.asarray(losses, float)
  points = {"density": [1.0, 0.1][: len(losses)], "restart": range(losses.shape[1])}
  settings = {"train.optimizer": "adamw", "train.weight_decay": decay}
  settings |= {"axis.restart.scale": "restarts"}
  data = datasets.dataset(axes=points, config=settings, W=np.eye(2, 3), loss=losses)
  dims, shape = ("density", "restart", "certificate"), (*losses.shape, 1)
  data["loss"].attrs["reduction"] = "sum"
  data.attrs["title"] = "small"
  return data.assign_coords(
    certificate=["block_division"], certificate_meaning=("certificate", [meaning])
  ).assign(
    optimum_bound=(dims, np.broadcast_to(bounds, shape)),
    optimum_tolerance=(dims, np.full(shape, tolerance)),
  )


def test_one_sentence_says_how_far_the_best_run_is_and_how_many_come_near():
  assert excess.sentence(made([[1.003, 1.2, 1.009]])) == (
    "best run 0.3 % above the block bound; 2 of 3 restarts within 1 %"
  )
  assert excess.sentence(made([[0.99, 1.2], [1.04, 1.06]])) == (
    "best runs 1.0 % below to 4.0 % above the block bound (median +1.5 %); 1 of 4 restarts within "
    "1 %; 1 of 2 cells under-trained (density = 0.1)"
  )
  assert "with weight decay on" in excess.sentence(made([[1.04, 1.06]], decay=0.01))


def test_a_lower_bound_marks_nothing_and_the_lowest_of_several_counts():
  assert excess.mark(made([[2.0, 2.0]], meaning=LOWER)) is None
  data = excess.with_bound(made([[1.0, 1.1]]), "exact_optimum", xr.DataArray(0.8))
  assert data["certificate"].values.tolist() == ["block_division", "exact_optimum"]
  found = excess.excess(data)
  assert found is not None
  assert found.nouns == ("exact optimum",)
  assert found.best == pytest.approx([0.25])


def test_of_diverged_models_and_unknown_optima_nothing_is_counted():
  data = made([[1.0, 1.5], [1.0, 1.0]], bounds=np.array([1.0, np.nan])[:, None, None])
  data["finite"][0, 1] = 0
  found = excess.excess(data)
  assert found is not None and found.n_models == 1
  assert excess.sentence(made([[1.0]], bounds=np.nan)) == ""


def test_claims_of_an_under_trained_run_say_so_and_others_stay_as_they_are():
  row = Experiment("none", lambda dataset: [Claim("s", "m", "e", CONFIRMED)])
  assert [claim.verdict for claim in row.decide(made([[1.0, 1.5]]))] == [CONFIRMED]
  claims = row.decide(made([[1.1, 1.5]]))
  assert [claim.verdict for claim in claims] == [CONFIRMED, UNDECIDED]
  assert "10.0 % above; under-trained" in claims[1].measured


def test_the_page_and_the_terminal_have_the_sentence_beside_the_loss(capsys):
  data = made([[1.003, 1.2, 1.009]])
  (line,) = pages.run("small", data).losses
  sentence = "best run 0.3 % above the block bound; 2 of 3 restarts within 1 %"
  assert line.endswith(f"median loss 1.009 (sum over features); {sentence}.")
  terminal.print_summary({"/": data}, [], [], 1.0)
  assert sentence in " ".join(capsys.readouterr().out.split())


def test_a_row_from_a_notebook_is_computed_and_part_of_the_identity(monkeypatch):
  def mine(factor):
    return ts.Certificate(
      lambda spec: spec.model == "tanh_output",
      lambda spec, instances: factor * instances.density[:, 0],
      "my bound",
      "reached",
    )

  monkeypatch.setitem(ts.CERTIFICATES, "mine", mine(2.0))
  of = group([0.5, 0.1], model="tanh_output")
  assert certificates.names_for([of]) == ["mine"]
  assert bound("mine", of) == pytest.approx([1.0, 0.2])
  values = datasets.fields.defaults() | {"measures": ()}
  hashes = []
  for factor in (2.0, 3.0):
    monkeypatch.setitem(ts.CERTIFICATES, "mine", mine(factor))
    hashes.append(outside.identity(values, (), [of])["certificates: code of 'mine'"])
  assert hashes[0] != hashes[1]
  assert outside.identity(values, (), [group([0.5])]) == {}


def test_certified_adds_what_was_not_computed_and_refuses_what_does_not_apply():
  data = made([[0.5, 0.6]]).drop_dims("certificate")
  data = data.assign(feature_density=data["feature_density"] * 0 + 0.1)
  found = ts.certified(data, "block_division")
  expected = division.lowest_loss(0.1, n_features=3, n_hidden=2)
  assert found[BOUND].values == pytest.approx(np.full((1, 2, 1), expected))
  with pytest.raises(ts.UserError, match="did you mean 'block_division'"):
    ts.certified(data, "block_divison")
  with pytest.raises(ts.UserError, match="'linear_optimum' does not apply"):
    ts.certified(data, "linear_optimum")


def test_a_run_in_memory_takes_the_certificates_that_its_experiment_asks_for():
  assert runner.experiments.get("uniform_geometry").certificates == ("block_division",)
