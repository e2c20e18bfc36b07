"""Basic results: what is confirmed of models that are as the paper says, and contradicted else."""

import json

import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

from configs import demonstration
from toy_superposition.config import resolve as config
from toy_superposition.errors import UserError
from toy_superposition.experiments.demonstration.claims import ANALYSIS, COUNTS
from toy_superposition.experiments.experiment import CONFIRMED, CONTRADICTED, REPORTED, UNDECIDED
from toy_superposition.geometry import features

N, M = 20, 5


def directions(n_represented: int, n_dedicated: int) -> np.ndarray:
  """Returns unit directions: some alone, the others one after the other on ± the last axes."""
  W = np.zeros((M, N))
  for i in range(n_represented):
    others = i - n_dedicated
    axis = i if others < 0 else n_dedicated + others // 2 % (M - n_dedicated)
    W[axis, i] = 1 if others < 0 or others % 2 else -1
  return W


def as_published(**changes) -> xr.Dataset:
  """Returns a linear model of the top m features, and ReLU models with the figure's counts."""
  dedicated = [5, 3, 1, 0, 0, 0, 0]
  relu = [directions(*sizes) for sizes in zip(COUNTS.values(), dedicated, strict=True)]
  linear = [directions(M, M)] * len(COUNTS)
  W = np.array([linear, relu])[:, :, None]  # model, density, restart, hidden, feature
  dims = ("model", "density", "restart")

  def measured(function):
    flat = [np.asarray(function(jnp.asarray(one))) for one in W.reshape(-1, M, N)]
    return ((*dims, "feature"), np.reshape(flat, (*W.shape[:3], N)))

  b = np.where(np.linalg.norm(W, axis=3) > 0.5, -0.1, 0.0)
  settings = {"train.steps": 10_000, "train.batch_size": 512} | changes
  return xr.Dataset(
    {
      "W": ((*dims, "hidden", "feature"), W),
      "b": ((*dims, "feature"), b),
      "loss": (dims, np.ones(W.shape[:3])),
      "finite": (dims, np.ones(W.shape[:3], np.int8)),
      "feature_norm": measured(features.feature_norm),
      "superposition": measured(features.superposition),
    },
    {"model": ["linear", "relu_output"], "density": list(COUNTS)},
    {"config": json.dumps(settings)},
  )


def verdicts(dataset):
  return {row.verdict for row in ANALYSIS.claims(dataset)} - {REPORTED}


def test_models_as_in_the_paper_s_figure_confirm_every_statement():
  assert verdicts(as_published()) == {CONFIRMED}
  assert verdicts(as_published().isel(restart=0, drop=True)) == {CONFIRMED}


def test_a_linear_model_in_superposition_is_found_out():
  dataset = as_published()
  for name in ("W", "feature_norm", "superposition"):
    dataset[name][0, 3] = dataset[name][1, 3]
  rows = ANALYSIS.claims(dataset)
  assert [row.verdict for row in rows if row.statement.startswith("linear")][1] == CONTRADICTED


def test_too_few_features_and_positive_biases_are_contradicted():
  dataset = as_published()
  for name in ("W", "feature_norm", "superposition"):
    dataset[name][1] = dataset[name][0]  # the ReLU model stores no more than the linear one
  dataset["b"][:] = 0.1
  rows = [row for row in ANALYSIS.claims(dataset) if row.verdict == CONTRADICTED]
  wanted = ("same counts", "dimension to themselves", "antipodal", "mean bias")
  assert len(rows) == len(wanted)
  assert all(any(what in row.statement for row in rows) for what in wanted)


def test_what_was_hardly_ever_seen_decides_nothing():
  rows = ANALYSIS.claims(as_published(**{"train.steps": 100}))
  assert UNDECIDED in {row.verdict for row in rows}
  assert CONTRADICTED not in {row.verdict for row in rows}


@pytest.mark.parametrize(
  ("field", "value"),
  [("data.distribution", "sparse_signed_uniform"), ("importance.profile", "uniform")],
)
def test_another_problem_is_refused(field, value):
  changed = demonstration.get_config("quick")
  section, name = field.split(".")
  changed[section][name] = value
  with pytest.raises(UserError, match="demonstration"):
    config.resolve(changed)


def test_one_model_alone_is_refused():
  changed = demonstration.get_config("quick")
  changed.axis.model.points = ("linear",)
  with pytest.raises(UserError, match="compares two models"):
    config.resolve(changed)
