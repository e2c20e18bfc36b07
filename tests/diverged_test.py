"""Models whose parameters are not finite have no loss, however it is computed."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

import toy_superposition as ts
from tests import small
from toy_superposition import evaluation, problem, streams, train
from toy_superposition.devices import meshes, setup
from toy_superposition.estimators import ESTIMATORS
from toy_superposition.experiments.experiment import (
  CONFIRMED,
  CONTRADICTED,
  IDENTITY,
  REPORTED,
  UNDECIDED,
  Claim,
  Experiment,
  identity,
  verdict,
)
from toy_superposition.geometry.components import singular_values
from toy_superposition.models import AutoencoderParams

N_FEATURES = 4
# Each is of one instance; W has shape (2, N_FEATURES).
DAMAGES = {
  "all weights are NaN": lambda p: p.replace(W=jnp.full_like(p.W, jnp.nan)),
  "one weight is NaN": lambda p: p.replace(W=p.W.at[1, 2].set(jnp.nan)),
  "one bias is NaN": lambda p: p.replace(b=p.b.at[1].set(jnp.nan)),
  "one bias is infinite": lambda p: p.replace(b=p.b.at[1].set(-jnp.inf)),
}


def group_and_params(estimator: str = "autodiff"):
  """Returns a group of as many instances as damages and one more, and whole parameters."""
  group = small.group(len(DAMAGES) + 1, of=small.spec(n_features=N_FEATURES, estimator=estimator))
  density = np.full_like(group.instances.density, 0.05)  # few enough active features for `sparse`
  group = group._replace(instances=dataclasses.replace(group.instances, density=density))
  initial = jax.jit(lambda i: train.initial_state(problem.make(group.spec), i, streams.root(0)))
  return group, initial(group.instances).params


def damaged(params: AutoencoderParams) -> AutoencoderParams:
  """Returns the parameters with the first instance whole and a damage in each of the others."""
  rows = [jax.tree.map(lambda leaf, i=i: leaf[i], params) for i in range(len(DAMAGES) + 1)]
  rows = [rows[0], *(damage(row) for damage, row in zip(DAMAGES.values(), rows[1:], strict=True))]
  return jax.tree.map(lambda *leaves: jnp.stack(leaves), *rows)


@pytest.mark.quick("fused")
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_the_loss_during_training_is_nan_wherever_a_parameter_is_not_finite(estimator):
  group, params = group_and_params(estimator)
  row, operands = ESTIMATORS[estimator], (group.instances, streams.root(0), jnp.int32(3))
  made = problem.make(group.spec)
  method = row.make(made, group.instances)

  def monitored(*operands):
    return train.monitor(made, method, *operands)

  of_all = train.over_instances(monitored, row.one_by_one, meshes.make_mesh(setup.devices(1)))
  lowered = jax.jit(of_all).lower(params, *operands)
  program = lowered.compile(compiler_options=dict(row.cpu_options))
  whole, broken = program(params, *operands), program(damaged(params), *operands)
  assert np.all(np.isfinite(whole[0])) and np.all(whole[1])
  assert np.array_equal(np.isnan(broken[0]), [False, *[True] * len(DAMAGES)])
  assert np.array_equal(broken[1], [True, *[False] * len(DAMAGES)])
  assert broken[0][0] == whole[0][0]


@pytest.mark.parametrize("method", evaluation.EVALUATIONS)
def test_every_feature_s_loss_is_nan_wherever_a_parameter_is_not_finite(method):
  group, params = group_and_params()
  made = problem.make(group.spec)
  losses = jax.jit(lambda p, instances: evaluation.evaluate(made, p, instances, method, 256))
  whole, broken = (losses(p, group.instances) for p in (params, damaged(params)))
  assert np.all(np.isfinite(whole))
  np.testing.assert_array_equal(broken[0], whole[0])
  assert np.all(np.isnan(broken[1:]))


def test_a_run_stores_no_loss_of_a_diverged_model_nor_of_its_diverged_steps():
  settings = ts.get_config()
  settings.model.n_features, settings.density.base = N_FEATURES, 0.1
  settings.train.steps, settings.train.batch_size = 12, 8
  settings.train.optimizer, settings.train.estimator = "sgd", "fused"
  settings.history.num, settings.evaluation.n_samples = 4, 64
  rates = {"field": "train.learning_rate", "scale": "points", "points": (0.01, 1e30)}
  with settings.unlocked():
    settings.axes, settings.axis = ("rate",), {"rate": rates}
  results = ts.run(settings)
  assert results["finite"].values.tolist() == [1, 0]
  for name in ("loss", "loss_sum", "loss_mean", "feature_loss"):
    assert np.isfinite(results[name][0]).all() and np.isnan(results[name][1]).all()
  whole = np.isfinite(results["history_W"].values).all(axis=(-2, -1))
  whole &= np.isfinite(results["history_b"].values).all(axis=-1)
  assert not whole.all()
  np.testing.assert_array_equal(np.isnan(results["history_loss"]), ~whole)


ROOT = Path(__file__).parent.parent


def notebook_code() -> str:
  cells = json.loads((ROOT / "launch/colab.ipynb").read_text())["cells"]
  return "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")


def manual() -> str:
  return (ROOT / "toy_superposition/records/README.md").read_text()


@pytest.mark.parametrize("source", [notebook_code, manual])
def test_the_recipe_for_the_best_restart_takes_a_finite_one_where_there_is_one(source):
  lines = source().splitlines()
  first = next(i for i, line in enumerate(lines) if line.startswith("loss = "))
  losses = [[np.nan, 0.2, 0.1], [0.3, np.nan, np.inf], [np.nan, np.nan, np.nan]]
  results = xr.Dataset({"loss": (("density", "restart"), losses)}).assign_coords(restart=range(3))
  results["finite"] = np.isfinite(results["loss"]).astype(np.int8)
  names = {"results": results}
  exec("\n".join(lines[first : first + 2]), names)
  np.testing.assert_array_equal(names["best"].loss, [0.1, 0.3, np.nan])


class Seeds(NamedTuple):
  """A dataset of three densities and two restarts, and the experiment that claims of it."""

  dataset: xr.Dataset
  experiment: Experiment


def seeds(of_best: bool, diverged: Sequence[tuple[int, int]]) -> Seeds:
  """Returns losses below 1, but for those of models that diverged: (density, restart) each."""
  loss, finite = np.full((3, 2), 0.5), np.ones((3, 2), np.int8)
  for at in diverged:
    loss[at], finite[at] = np.nan, 0
  dims = ("density", "restart")
  dataset = xr.Dataset({"loss": (dims, loss), "finite": (dims, finite)})

  def claims(dataset: xr.Dataset) -> list[Claim]:
    low = bool((dataset["loss"] < 1).all()), bool((dataset["loss"].min("restart") < 1).all())
    return [
      Claim("all are low", "", "", verdict(low[0])),
      Claim("the best are low", "", "", verdict(low[1])),
      Claim("one is one", "", "", identity(True)),
      Claim("a number", "1", "", REPORTED),
    ]

  return Seeds(dataset, Experiment(section="", claims=claims, of_best=of_best))


@pytest.mark.parametrize(
  ("of_best", "diverged", "expected"),
  [
    (False, [], [CONFIRMED, CONFIRMED, IDENTITY, REPORTED]),
    (False, [(1, 0)], [UNDECIDED, UNDECIDED, IDENTITY, REPORTED]),
    (True, [(1, 0)], [CONTRADICTED, CONFIRMED, IDENTITY, REPORTED]),
    (True, [(1, 0), (1, 1)], [UNDECIDED, UNDECIDED, IDENTITY, REPORTED]),
  ],
)
def test_a_diverged_seed_leaves_claims_about_every_seed_undecided(of_best, diverged, expected):
  dataset, experiment = seeds(of_best, diverged)
  assert [claim.verdict for claim in experiment.decide(dataset)] == expected


def test_results_of_an_earlier_version_say_what_they_lack_and_other_errors_are_raised():
  dataset, experiment = seeds(False, [])
  (claim,) = experiment.decide(dataset.drop_vars("loss"))
  assert claim.verdict == UNDECIDED and claim.measured == "no variable 'loss'"
  wrong = dataclasses.replace(experiment, claims=lambda dataset: dict[str, list]()["loss"])
  with pytest.raises(KeyError, match="loss"):
    wrong.decide(dataset)


def test_singular_values_of_diverged_models_are_nan_and_those_of_others_known():
  W = np.stack([np.diag([3.0, 2.0]), np.full((2, 2), np.nan), np.diag([1.0, np.inf])])
  found = singular_values(W)
  np.testing.assert_allclose(found[0], [3, 2])
  assert np.isnan(found[1:]).all()
