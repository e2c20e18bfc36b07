"""Uniform superposition: clusters, components and verdicts on known frames."""

import numpy as np
import pytest
import xarray as xr
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from configs import uniform_geometry
from tests import datasets
from toy_superposition.config.resolve import resolve
from toy_superposition.devices import meshes, setup
from toy_superposition.drawing import graphs
from toy_superposition.errors import UserError
from toy_superposition.experiments.experiment import (
  CONFIRMED,
  CONTRADICTED,
  REPORTED,
  UNDECIDED,
  Claim,
)
from toy_superposition.experiments.uniform_geometry import EXPERIMENT, analysis, figure
from toy_superposition.experiments.uniform_geometry.block_claims import SHOWN
from toy_superposition.experiments.uniform_geometry.claims import CURVE, PLATEAU
from toy_superposition.geometry.components import IDEALS

N, M = 400, 30
X = np.geomspace(1, 10, 50)
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


def models(plateau: str = "digon") -> list[np.ndarray]:
  """Returns a model per density: dedicated features, pairs, then pairs and pentagons."""
  dense, middle = sum_of({"dedicated": M}), sum_of({plateau: M // IDEALS[plateau].shape[0]})
  sparse = sum_of({"digon": 10, "pentagon": 10})
  return [dense if x < 1.9 else middle if x < 3.8 else sparse for x in X]


def dataset_of(W: list[np.ndarray], n_restarts: int = 2) -> xr.Dataset:
  """Returns the analysed dataset, D* set to the published curve."""
  axes = {"density": 1 / X, "restart": list(range(n_restarts))}
  dataset = datasets.dataset(W=np.array(W)[:, None], axes=axes)
  x, D = np.transpose(sorted(PUBLISHED.items()))
  line = np.interp(np.log(X), np.log(x), D)
  dataset["dimensions_per_feature"][:] = line[:, None]
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(analysis, "SAVING_BATCHES", 1)
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


def row(dataset: xr.Dataset, text: str) -> Claim:
  """Returns the only claim whose statement contains a text."""
  (claim,) = [claim for claim in EXPERIMENT.claims(dataset) if text in claim.statement]
  return claim


def test_polytopes_on_the_published_curve_confirm_every_statement(published):
  # But one: the published curve is above that of the best division before the plateau.
  off = row(published, "those of the best division")
  assert off.verdict == CONTRADICTED
  touching = row(published, "line of the triangle is")  # by less than the figure can be read
  others = {c.verdict for c in EXPERIMENT.claims(published) if c not in (off, touching)}
  assert others == {CONFIRMED, REPORTED}
  assert "2/5: 2 of 2" in row(published, "second fraction").measured
  assert figure.draw(published).axes


def test_a_dataset_without_restarts_and_in_another_order_says_the_same(published):
  single = published.isel(restart=0, drop=True).sortby("density").transpose("feature", ...)
  verdicts = [claim.verdict for claim in EXPERIMENT.claims(single)]
  assert verdicts == [claim.verdict for claim in EXPERIMENT.claims(published)]


def test_components_are_counted_by_kind_and_absent_features_have_none(published):
  cell = published.isel(density=-1, restart=0)
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
  assert row(published.assign(feature_dimensionality=empty), "use all").verdict == CONTRADICTED


def test_a_curve_off_the_published_one_or_rising_is_contradicted(published):
  line = published["dimensions_per_feature"]
  lower = published.assign(dimensions_per_feature=line - 0.1)
  places = ("dense features", "on the plateau of pairs", "pairs begins", "sparser than on")
  for text in (*places, "D* stays at 1/2"):
    assert row(lower, text).verdict == CONTRADICTED
  rising = published.assign(dimensions_per_feature=line.copy(data=line.values[::-1]))
  assert row(rising, "never rises").verdict == CONTRADICTED


def test_few_dimensions_or_coarse_densities_decide_nothing(published):
  coarse = published.isel(density=[0, -1])
  assert row(coarse, "on the plateau of pairs").verdict == UNDECIDED
  small = published.isel(hidden=slice(0, 10))
  claims = [claim for claim in EXPERIMENT.claims(small) if not about(claim, THEORY)]
  assert {claim.verdict for claim in claims} == {UNDECIDED, REPORTED}


def test_a_cluster_needs_features_and_contrast():
  at, beside = np.full(10, 0.4), np.full(6, 0.4125)
  assert analysis.is_cluster(at, 0.4)
  assert not analysis.is_cluster(at[:9], 0.4)
  assert not analysis.is_cluster(np.concatenate([at, beside]), 0.4)
  assert not analysis.is_cluster(np.linspace(0, 1, 2000), 0.4)  # a continuum has no clusters


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


@pytest.mark.parametrize(
  ("field", "value"),
  [("loss.hidden_l1", 0.3), ("loss.attack", 0.2), ("importance.base", 2.0)],
)
def test_another_problem_is_refused_by_name(field, value):
  changed = uniform_geometry.get_config("quick")
  section, name = field.split(".")
  changed[section][name] = value
  with pytest.raises(UserError, match=rf"config\.{field}: {value}.*'uniform_geometry'.*=none"):
    resolve(changed)


def test_a_model_without_features_to_spare_is_refused():
  changed = uniform_geometry.get_config("quick")
  changed.model.n_features = 20
  with pytest.raises(UserError, match="many more features"):
    resolve(changed)


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
