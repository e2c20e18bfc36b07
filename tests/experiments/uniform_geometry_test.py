"""Uniform superposition: clusters, components and verdicts on known frames."""

import numpy as np
import pytest
import xarray as xr
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from configs import uniform_geometry
from tests import datasets
from toy_superposition import api
from toy_superposition.config import base
from toy_superposition.config.resolve import resolve
from toy_superposition.devices import meshes, setup
from toy_superposition.drawing import graphs
from toy_superposition.errors import UserError
from toy_superposition.experiments.experiment import (
  CONFIRMED,
  CONTRADICTED,
  IDENTITY,
  REPORTED,
  UNDECIDED,
  Claim,
)
from toy_superposition.experiments.uniform_geometry import (
  EXPERIMENT,
  analysis,
  capacity_claims,
  figure,
  lines,
  trainings,
)
from toy_superposition.experiments.uniform_geometry.claims import CURVE, PLATEAU
from toy_superposition.experiments.uniform_geometry.lines import SHOWN
from toy_superposition.geometry.capacity import capacities, leverages
from toy_superposition.geometry.components import IDEALS, dimensionalities

N, M = 400, 30
CONTINUUM = 5.5  # 1/(1 − S)
X = np.geomspace(1, 10, 25)  # half the densities of the config, each of which is divided
PUBLISHED = {1.0: 1.0} | CURVE | dict.fromkeys(PLATEAU, 0.5)  # 1/(1 − S) → D*


def sum_of(kinds: dict[str, int]) -> np.ndarray:
  """Returns the given number of polytopes of each kind in orthogonal subspaces."""
  W, row, column = np.zeros((M, N)), 0, 0
  for name, count in kinds.items():
    for _ in range(count):
      rank, n = IDEALS[name].shape
      W[row : row + rank, column : column + n] = IDEALS[name]
      row, column = row + rank, column + n
  assert row == M
  return W


def smear(n: int = 5 * M) -> np.ndarray:
  """Returns a tight frame of that many random features: WWᵀ = 2, D_i of all sizes about M / n."""
  columns = np.random.default_rng(0).normal(size=(n, M))
  return np.pad(2**0.5 * np.linalg.qr(columns)[0].T, ((0, 0), (0, N - n)))


def models(plateau: str = "digon") -> list[np.ndarray]:
  """Returns a model per density: dedicated features, triangles beside pairs, pairs, pairs beside
  pentagons, a continuum."""
  dense, middle = sum_of({"dedicated": M}), sum_of({plateau: M // IDEALS[plateau].shape[0]})
  mixed, sparse = sum_of({"triangle": 10, "digon": 10}), sum_of({"digon": 10, "pentagon": 10})
  kinds = {1.55: dense, 1.9: mixed, 3.8: middle, CONTINUUM: sparse, np.inf: smear()}
  return [next(W for end, W in kinds.items() if x < end) for x in X]


BY_KURTOSIS = ("one", "near_one", "uniform", "half_normal", "exponential")


def again(dataset, at, share, mesh, law="") -> np.ndarray:
  """Returns what stands for further trainings: the fewer steps, the more of a continuum, and the
  more features the higher the kurtosis of the law."""
  del mesh
  if law:
    return np.eye(M, N)[None, :, : BY_KURTOSIS.index(law)]
  return np.array([smear(round(2 * M / share**0.25)) for _ in at])


def dataset_of(W: list[np.ndarray], n_restarts: int = 2) -> xr.Dataset:
  """Returns the analysed dataset, D* set to the published curve."""
  axes = {"density": 1 / X, "restart": list(range(n_restarts))}
  dataset = datasets.dataset(W=np.array(W)[:, None], axes=axes)
  x, D = np.transpose(sorted(PUBLISHED.items()))
  line = np.interp(np.log(X), np.log(x), D)
  dataset["dimensions_per_feature"][:] = line[:, None]
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(analysis, "SAVING_BATCHES", 1)
    patch.setattr(trainings, "directions", again)
    return EXPERIMENT.run(dataset, meshes.make_mesh(setup.devices(1)), 2**30)


@pytest.fixture(scope="module")
def published():
  """Returns polytopes on the published curve that save what the best division does, and more in the
  continuum."""
  dataset = dataset_of(models())
  more = dataset["division_saving"] + np.where(X >= 6, 0.1, 0)
  dataset["saving"] = more.expand_dims(restart=dataset["restart"]).transpose("density", "restart")
  dataset["saving_error"] = xr.full_like(dataset["saving"], 1e-3)
  return dataset


@pytest.fixture(scope="module")
def divided(published):
  """The same models, saving what the best division saves and with its D*."""
  best = published["division_saving"].expand_dims(restart=published["restart"].values, axis=-1)
  line = published["division_dimensions_per_feature"]
  return published.assign(
    saving=(("density", "restart"), best.transpose("density", "restart").values),
    saving_error=published["saving_error"] * 0 + 1e-4,
    dimensions_per_feature=published["dimensions_per_feature"] * 0 + line,
  )


THEORY = ("the polytope that makes the best use", "line of the")  # without any training
TRAINED = ("are those of the best division", "second best polytope", "shows a continuum")


def about(claim: Claim, texts: tuple[str, ...]) -> bool:
  return any(text in claim.statement for text in texts)


DECIDED: dict[int, tuple[xr.Dataset, list[Claim]]] = {}  # holds the datasets: no id is used twice


def decided(dataset: xr.Dataset) -> list[Claim]:
  """Returns the claims of a dataset, which no test changes afterwards; computed once."""
  if id(dataset) not in DECIDED:
    DECIDED[id(dataset)] = dataset, EXPERIMENT.claims(dataset)
  return DECIDED[id(dataset)][1]


def row(dataset: xr.Dataset, text: str) -> Claim:
  """Returns the only claim whose statement contains a text."""
  (claim,) = [claim for claim in decided(dataset) if text in claim.statement]
  return claim


def test_polytopes_on_the_published_curve_confirm_every_statement(published):
  # But one: the published curve is above that of the best division before the plateau.
  off = row(published, "those of the best division")
  assert off.verdict == CONTRADICTED
  touching = row(published, "line of the triangle is")  # by less than the figure can be read
  others = {c.verdict for c in decided(published) if c not in (off, touching)}
  assert others == {CONFIRMED, IDENTITY, REPORTED}
  assert "2/5: 2 of 2" in row(published, "second fraction").measured
  assert figure.draw(published).axes


def test_a_dataset_without_restarts_and_in_another_order_says_the_same(published):
  single = published.isel(restart=0, drop=True).sortby("density").transpose("feature", ...)
  verdicts = [claim.verdict for claim in decided(single)]
  assert verdicts == [claim.verdict for claim in decided(published)]


def test_components_are_counted_by_kind_and_absent_features_have_none(published):
  cell = published.sel(density=1 / 5, method="nearest").isel(restart=0)
  assert int(cell["kind_count"].sel(kind="pentagon")) == 10
  assert int(cell["kind_count"].sum()) == 20
  kinds = cell["component_kind"].values
  assert (kinds == analysis.KINDS.index("pentagon")).sum() == 50
  assert (kinds == analysis.ABSENT).sum() == N - 70
  assert cell["component"].values.max() == 19


def test_results_of_an_earlier_version_are_drawn_and_say_what_their_claims_lack(published):
  theory = [name for name in published if str(name).startswith(analysis.OF_THEORY)]
  earlier = published.drop_vars([*theory, "saving", "saving_error"])
  earlier = earlier.drop_vars(["frame", "change", "searched"])
  assert len(figure.draw(earlier).axes) == len(figure.draw(published).axes)
  (claim,) = EXPERIMENT.decide(earlier)
  assert claim.verdict == UNDECIDED and "no variable" in claim.measured


@pytest.mark.slow
def test_triangles_where_pairs_should_be_are_contradicted():
  dataset = dataset_of(models("triangle"), n_restarts=1)
  for text in ("within .03 of 1/2, 1/(1−S)", "components of the graph"):
    assert row(dataset, text).verdict == CONTRADICTED


def test_dedicated_features_alone_contradict_every_cluster():
  dataset = dataset_of([sum_of({"dedicated": M})] * len(X), n_restarts=1)
  for text in ("cluster at 1/2", "second fraction"):
    assert row(dataset, text).verdict == CONTRADICTED


def test_dimensions_that_are_not_used_are_contradicted(published):
  empty = published["feature_dimensionality"] * 0.97
  assert row(published.assign(feature_dimensionality=empty), "use all m").verdict == CONTRADICTED


def test_a_curve_off_the_published_one_or_rising_is_contradicted(published):
  line = published["dimensions_per_feature"]
  lower = published.assign(dimensions_per_feature=line - 0.1)
  places = ("dense features", "on the plateau of pairs", "pairs begins", "sparser than on")
  for text in (*places, "D* stays at 1/2", "D* stays at 1 over"):
    assert row(lower, text).verdict == CONTRADICTED
  rising = published.assign(dimensions_per_feature=line.copy(data=line.values[::-1]))
  assert row(rising, "never rises").verdict == CONTRADICTED


def test_few_dimensions_or_coarse_densities_decide_nothing(published):
  coarse = published.isel(density=[0, -1])
  assert row(coarse, "on the plateau of pairs").verdict == UNDECIDED
  small = published.isel(hidden=slice(0, 10))
  others = (*THEORY, "is its capacity", "where WWᵀ")  # of weights that no longer fit D_i
  claims = [claim for claim in decided(small) if not about(claim, others)]
  assert {claim.verdict for claim in claims} == {UNDECIDED, IDENTITY, REPORTED}


def test_a_cluster_needs_features_and_contrast():
  at, beside = np.full(10, 0.4), np.full(6, 0.4125)
  assert lines.is_cluster(at, 0.4)
  assert not lines.is_cluster(at[:9], 0.4)
  assert not lines.is_cluster(np.concatenate([at, beside]), 0.4)
  assert not lines.is_cluster(np.linspace(0, 1, 2000), 0.4)  # a continuum has no clusters


def test_models_of_the_best_division_confirm_the_block_claims_and_worse_ones_do_not(divided):
  for text in TRAINED:
    assert row(divided, text).verdict == CONFIRMED
  worse = divided.assign(saving=divided["saving"] * 0.95)
  for text in TRAINED[1:]:
    assert row(worse, text).verdict == CONTRADICTED
  off = divided.assign(dimensions_per_feature=divided["dimensions_per_feature"] + 0.06)
  assert row(off, TRAINED[0]).verdict == CONTRADICTED


def test_the_published_curve_is_above_the_best_division_where_digons_begin(published):
  assert row(published, TRAINED[0]).verdict == CONTRADICTED


def test_theory_is_in_the_papers_order_and_a_line_that_only_touches_its_range_decides_nothing(
  published,
):
  assert row(published, THEORY[0]).verdict == CONFIRMED
  verdicts = {name: row(published, f"line of the {name} is").verdict for name in SHOWN}
  assert verdicts.pop("triangle") == UNDECIDED
  assert set(verdicts.values()) == {CONFIRMED}
  moved = published.assign_coords(change=published["change"].values[::-1])
  assert row(moved, THEORY[0]).verdict == CONTRADICTED
  early = published.assign(change_inverse_density=published["change_inverse_density"] * 0 + 1.1)
  assert row(early, "line of the pentagon is").verdict == CONTRADICTED


def changed(dataset: xr.Dataset, name: str, values: np.ndarray) -> xr.Dataset:
  return dataset.assign(
    {name: dataset[name].copy(data=np.broadcast_to(values, dataset[name].shape))}
  )


def test_weak_features_that_are_not_absent_have_no_line_at_0(published):
  D = published["feature_dimensionality"].values
  weak = changed(published, "feature_dimensionality", np.where(D == 0, 0.05, D))
  assert row(weak, "cluster at 0").verdict == CONTRADICTED
  few = weak.copy(deep=True)
  few["feature_dimensionality"][..., -9:] = 0
  assert row(few, "cluster at 0").verdict == CONTRADICTED
  full = changed(published, "feature_norm", np.ones(1))  # nothing is absent
  assert row(full, "cluster at 0").verdict == UNDECIDED


def test_lines_that_do_not_end_contradict_the_continuum(published):
  kept = published.copy(deep=True)
  kept["feature_dimensionality"][X > CONTINUUM] = 0.5
  assert row(kept, "lines end").verdict == CONTRADICTED


def test_capacity_and_leverage_are_identities_that_a_wrong_dimensionality_breaks(published):
  wrong = published.assign(feature_dimensionality=published["feature_dimensionality"] + 1e-3)
  assert row(wrong, "is its capacity").verdict == CONTRADICTED
  for text in ("is its capacity", "no more than the hidden", "where WWᵀ is a multiple"):
    assert row(published, text).verdict == IDENTITY


def test_leverage_scores_are_those_of_a_projection_and_bounded_by_the_condition():
  rng = np.random.default_rng(1)
  W = rng.normal(size=(4, 3, 7))
  W[0, 2] = 0  # of rank 2
  h, condition = leverages(W)
  projection = np.linalg.pinv(W) @ W
  np.testing.assert_allclose(h, np.diagonal(projection, axis1=1, axis2=2), atol=1e-9)
  np.testing.assert_allclose(h.sum(axis=1), [2, 3, 3, 3])
  D = dimensionalities(W)
  np.testing.assert_allclose(capacities(W), D)
  ratio, bound = h / D, (condition + 1) ** 2 / (4 * condition)
  assert np.all(ratio >= 1) and np.all(ratio.max(axis=1) <= bound) and ratio.max() > 1.1
  tight = smear()
  h, condition = leverages(tight)
  np.testing.assert_allclose(h, dimensionalities(tight), atol=1e-12)
  assert condition == pytest.approx(1)
  assert np.isnan(leverages(W * np.nan)[0]).all()


def bent(at: float) -> np.ndarray:
  """Returns digons one of which is turned towards another: ΣD_i is less than m by that pair's."""
  W = sum_of({"digon": M})
  W[0, 2], W[1, 2] = np.sin(at), np.cos(at)
  return W


def test_models_that_use_all_dimensions_unevenly_contradict_that_leverage_is_dimensionality():
  dataset = datasets.dataset(W=np.array([bent(0.8)]), axes={"density": [0.4]})
  dataset = analysis.ordered(analysis._with_components(dataset))
  leverage = {c.statement: c for c in capacity_claims.claims(dataset, True)}
  (claim,) = [c for text, c in leverage.items() if "in trained models" in text]
  assert claim.verdict == CONTRADICTED
  (bound,) = [c for text, c in leverage.items() if "where WWᵀ" in text]
  assert bound.verdict == IDENTITY


def test_five_features_in_three_dimensions_that_hang_together_contradict_the_mixture(published):
  claim = row(published, "a triangular bipyramid is")
  assert claim.verdict == CONFIRMED and "D 0.667 and 0.500" in claim.measured
  joined = published.copy(deep=True)
  cell = {"density": int(np.argmin(np.abs(X - 1.7))), "restart": 0}
  number = joined["component"].isel(cell).values.copy()
  triangle, digon = (number[at] for at in (0, 30))
  joined["component"][cell] = np.where(number == digon, triangle, number)
  assert row(joined, "a triangular bipyramid is").verdict == CONTRADICTED
  without = published.isel(density=X > 1.9)
  assert row(without, "a triangular bipyramid is").verdict == UNDECIDED


LONGER, KURTOSIS = "longer training sharpens", "the higher the kurtosis"


def test_lines_that_longer_training_does_not_sharpen_are_contradicted(published):
  assert row(published, LONGER).verdict == CONFIRMED
  lines = published["shorter_density"].values
  final = published["feature_dimensionality"].isel(restart=0).sel(density=lines).values
  same = changed(published, "shorter_dimensionality", final)
  assert row(same, LONGER).verdict == UNDECIDED
  sharper = changed(published, "shorter_dimensionality", np.where(final > 0.1, 0.5, 0))
  assert row(sharper, LONGER).verdict == CONTRADICTED
  one = same.copy(deep=True)  # a smear everywhere but at one density, where the line dissolves
  one["shorter_dimensionality"][:, 1:] = 0.3
  one["feature_dimensionality"][np.isin(X, 1 / lines[:1])] = 0.3
  one["shorter_dimensionality"][:, 0] = 0.5
  assert row(one, LONGER).verdict == CONTRADICTED
  missing = changed(published, "shorter_dimensionality", np.full(1, np.nan))
  assert row(missing, LONGER).verdict == UNDECIDED


def test_another_order_than_that_of_the_kurtosis_is_contradicted(published):
  assert row(published, KURTOSIS).verdict == CONFIRMED
  order = published["law_kurtosis"].argsort().argsort().values.astype(float)
  swapped = np.where(order > 2, 7 - order, order)  # the two highest: one pair of neighbours
  assert row(changed(published, "law_represented", swapped), KURTOSIS).verdict == CONFIRMED
  turned = changed(published, "law_represented", -order)
  assert row(turned, KURTOSIS).verdict == CONTRADICTED
  missing = changed(published, "law_represented", np.full(1, np.nan))
  assert row(missing, KURTOSIS).verdict == UNDECIDED


@pytest.mark.slow
def test_a_further_training_of_all_steps_is_the_sweep_s_own():
  config = uniform_geometry.get_config("quick")
  config.model.n_features, config.model.n_hidden = 60, 5
  config.train.steps, config.train.batch_size = 40, 16
  config.experiment = "none"
  base.set_axes(config, density=base.log("density.base", 1, 0.1, 3), restart=base.restarts(2))
  dataset = api.run(config)
  mesh, at = meshes.make_mesh(setup.devices(1)), np.array([1, 2])
  own = dataset["W"].isel(density=at, restart=0).transpose("density", "hidden", "feature").values
  full = trainings.directions(dataset, at, 1.0, mesh)
  np.testing.assert_allclose(full, own, atol=1e-5)
  for other in ({"share": 0.25}, {"share": 1.0, "law": "exponential"}):
    found = trainings.directions(dataset, at, mesh=mesh, **other)
    assert np.isfinite(found).all() and np.abs(found - own).max() > 0.01


def test_kurtosis_of_known_laws():
  p = 0.1
  assert trainings.kurtosis("one", p) == pytest.approx(1 / (p * (1 - p)) - 3, rel=1e-4)
  assert trainings.kurtosis("uniform", 1.0) == pytest.approx(9 / 5, rel=1e-4)
  assert trainings.kurtosis("exponential", 1.0) == pytest.approx(9, rel=0.01)


def test_models_are_trained_again_in_the_middle_of_every_line_once():
  at = X[trainings.in_lines(1 / X)]
  middles = [(low * high) ** 0.5 for low, high in SHOWN.values()]
  np.testing.assert_allclose(at, middles, rtol=0.03)
  assert len(trainings.in_lines(np.array([1.0, 0.2]))) == 2


@pytest.mark.parametrize(
  ("field", "value"),
  [("loss.hidden_l1", 0.3), ("loss.attack", 0.2), ("importance.base", 2.0)],
)
def test_another_problem_is_refused_by_name(field, value):
  other = uniform_geometry.get_config("quick")
  section, name = field.split(".")
  other[section][name] = value
  with pytest.raises(UserError, match=rf"config\.{field}: {value}.*'uniform_geometry'.*=none"):
    resolve(other)


def test_a_model_without_features_to_spare_is_refused():
  other = uniform_geometry.get_config("quick")
  other.model.n_features = 20
  with pytest.raises(UserError, match="many more features"):
    resolve(other)


def test_a_graph_has_an_edge_per_inner_product_and_components_lie_apart():
  W = np.concatenate(
    [np.pad(IDEALS["digon"], ((0, 2), (0, 0))), np.pad(IDEALS["pentagon"], ((1, 0), (0, 0)))],
    axis=1,
  )
  component = np.array([1, 1, 0, 0, 0, 0, 0])
  axes = graphs.draw_graph(Figure().subplots(), W, component, np.tile([0, 0, 0, 1.0], (7, 1)))
  (edges,) = [c for c in axes.collections if isinstance(c, LineCollection)]
  assert len(edges.get_segments()) == 1 + 10
  places = graphs.layout(component)
  apart = np.linalg.norm(places[:, None] - places[None], axis=-1)
  assert apart[np.triu_indices(7, 1)].min() > 0.5
  assert apart[:2, 2:].min() > 0.8
