"""Basic results: confirmed by models as in the paper's figure, contradicted by others."""

import numpy as np
import pytest
import xarray as xr

from configs import demonstration, demonstration_large
from tests import datasets
from toy_superposition.config.resolve import resolve
from toy_superposition.errors import UserError
from toy_superposition.experiments.demonstration import EXPERIMENT, analysis, figure
from toy_superposition.experiments.demonstration.claims import ANY_BAR, COUNTS
from toy_superposition.experiments.demonstration.interference_claims import BIAS_FROM, only_pairs
from toy_superposition.experiments.experiment import (
  CONFIRMED,
  CONTRADICTED,
  IDENTITY,
  REPORTED,
  UNDECIDED,
)

N, M = 20, 5
DEDICATED = (5, 3, 1, 0, 0, 0, 0)  # features with a dimension to themselves, by density


def directions(n_represented: int, n_dedicated: int) -> np.ndarray:
  """Returns unit directions: some alone, the others one after the other on ± the last axes."""
  W = np.zeros((M, N))
  for i in range(n_represented):
    others = i - n_dedicated
    axis = i if others < 0 else n_dedicated + others // 2 % (M - n_dedicated)
    W[axis, i] = 1 if others < 0 or others % 2 else -1
  return W


def crowded(n_represented: int) -> np.ndarray:
  """Returns unit directions along the positive axes, each of which has two features or more."""
  W = np.zeros((M, N))
  W[np.arange(n_represented) % M, np.arange(n_represented)] = 1
  return W


def with_weak(W: np.ndarray, n_visible: int) -> np.ndarray:
  """Returns the directions with weak features, until so many have a visible bar."""
  weak = np.arange(N)[(np.arange(N) < n_visible) & ~W.any(axis=0)]
  W = W.copy()
  W[weak % M, weak] = 0.2
  return W


LINEAR = [directions(M, M)] * len(COUNTS)
RELU = [
  with_weak(crowded(n) if p <= BIAS_FROM else directions(n, alone), ANY_BAR[p][0])
  for (p, n), alone in zip(COUNTS.items(), DEDICATED, strict=True)
]


def dataset_of(
  linear=LINEAR, relu=RELU, bias: float = -0.1, n_steps: int = 10_000, off: float = 0.0
) -> xr.Dataset:
  """Returns one model of each kind per density; by default those of the published figure."""
  W = np.array([linear, relu])[:, :, None]  # model, density, restart, hidden, feature
  axes = {"model": ["linear", "relu_output"], "density": list(COUNTS), "restart": [0]}
  config = {"train.steps": n_steps, "train.batch_size": 512}
  p = np.array(list(COUNTS))[None, :, None, None]
  represented = np.linalg.norm(W, axis=3) > 0.5
  b = np.where(represented, np.where(p < 1, bias, 0.0), p / 2 + off)
  return datasets.dataset(W=W, b=b, axes=axes, config=config)


def verdicts(dataset: xr.Dataset) -> set[str]:
  return {row.verdict for row in EXPERIMENT.claims(dataset)} - {REPORTED}


def contradicted(dataset: xr.Dataset) -> list[str]:
  return [row.statement for row in EXPERIMENT.claims(dataset) if row.verdict == CONTRADICTED]


def of(dataset: xr.Dataset, words: str) -> str:
  """Returns the verdict on the statement with these words."""
  (found,) = [row.verdict for row in EXPERIMENT.claims(dataset) if words in row.statement]
  return found


def test_models_as_in_the_paper_s_figure_confirm_every_statement():
  for dataset in (dataset_of(), dataset_of().isel(restart=0, drop=True)):
    assert verdicts(dataset) == {CONFIRMED, IDENTITY}
    assert of(dataset, "more than WᵀW") == IDENTITY
  assert figure.draw(dataset_of()).axes


def test_counts_are_those_of_the_known_directions():
  dataset = analysis.ordered(dataset_of()).sel(model="relu_output").isel(restart=0)
  assert analysis.n_represented(dataset).tolist() == list(COUNTS.values())
  assert analysis.n_dedicated(dataset).tolist() == list(DEDICATED)


def test_a_feature_is_counted_from_the_package_s_one_threshold_on():
  dense = analysis.ordered(dataset_of(relu=[0.54 * W for W in RELU])).sel(model="relu_output")
  assert analysis.n_represented(dense).max() == 0  # a norm of 0.54 has the square 0.29
  assert analysis.n_dedicated(dense).max() == 0


def test_a_linear_model_in_superposition_is_contradicted():
  statements = contradicted(dataset_of(linear=[*LINEAR[:3], RELU[3], *LINEAR[4:]]))
  assert len(statements) == 2 and "absent from the linear model" in statements[0]
  assert "linear model's bias" in statements[1]


def test_too_few_features_and_positive_biases_are_contradicted():
  statements = contradicted(dataset_of(relu=LINEAR, bias=0.1))
  subjects = (
    *("represents as many features as in", "norm > 0.1", "dimension to", "are antipodal pairs"),
    *("least important", "opposite to one other", "mean bias", "some features", "every feature"),
  )
  assert len(statements) == len(subjects)
  assert all(any(subject in statement for statement in statements) for subject in subjects)


def test_biases_of_absent_features_other_than_their_mean_are_contradicted():
  statements = contradicted(dataset_of(off=0.02))
  assert len(statements) == 2
  assert "linear model's bias" in statements[0] and "at p = 1" in statements[1]


def test_pairs_of_the_most_important_features_are_contradicted():
  first = [*RELU[:1], RELU[1][:, [3, 4, 5, 6, 0, 1, 2, *range(7, N)]], *RELU[2:]]
  (statement,) = contradicted(dataset_of(relu=first))
  assert "least important" in statement


def test_a_pair_that_leans_towards_another_feature_is_contradicted():
  first = RELU[1].copy()
  first[:, 3:5] += 0.2 * first[:, [0]]  # both members of a pair
  (statement,) = contradicted(dataset_of(relu=[RELU[0], first, *RELU[2:]]))
  assert "opposite to one other feature and orthogonal" in statement


def test_pairs_are_counted_among_the_features_in_superposition():
  W = directions(9, 1)  # one alone, and four pairs
  assert only_pairs(W) == (8, 8)
  W[:, 8] = W[:, 1]  # its partner is alone now, and the first pair has three members
  assert only_pairs(W) == (7, 4)
  assert only_pairs(directions(M, M)) == (0, 0)


def test_one_sparse_feature_without_a_positive_product_is_contradicted_by_the_strict_row_alone():
  sparse = [W.copy() for W in RELU]
  sparse[-1][:, [4, 9]] *= -1  # a parallel pair of features becomes …
  sparse[-1][4, 9] = 1  # … an antipodal one
  (statement,) = contradicted(dataset_of(relu=sparse))
  assert "every feature" in statement


def test_too_few_visible_bars_are_contradicted():
  few = [*RELU[:-1], crowded(12)]
  (statement,) = contradicted(dataset_of(relu=few))
  assert "norm > 0.1" in statement


def test_without_a_linear_model_that_has_no_superposition_the_definition_has_no_example():
  assert of(dataset_of(linear=[directions(7, 3)] * len(COUNTS)), "more than WᵀW") == UNDECIDED


def test_features_that_were_hardly_ever_active_decide_nothing():
  assert verdicts(dataset_of(n_steps=100)) == {UNDECIDED}
  assert verdicts(dataset_of(relu=LINEAR, n_steps=100)) == {UNDECIDED}


@pytest.mark.parametrize(
  ("field", "value"),
  [
    ("data.distribution", "sparse_signed_uniform"),
    ("importance.profile", "uniform"),
    ("importance.ratio", 0.9),  # of the larger model
    ("model.n_hidden", 6),
  ],
)
def test_another_problem_is_refused_by_name(field, value):
  changed = demonstration.get_config("quick")
  section, name = field.split(".")
  changed[section][name] = value
  with pytest.raises(UserError, match=rf"{field}.*{value}.*'demonstration'.*=none"):
    resolve(changed)


def test_one_model_alone_is_refused():
  changed = demonstration.get_config("quick")
  changed.axis.model.points = ("linear",)
  with pytest.raises(UserError, match="both linear and relu_output"):
    resolve(changed)


@pytest.mark.parametrize("variant", [None, "quick"])
def test_the_larger_model_is_the_same_question(variant):
  assert resolve(demonstration_large.get_config(variant)).experiment == "demonstration"
