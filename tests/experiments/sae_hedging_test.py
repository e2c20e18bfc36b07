"""Hedging: theory against simulated moments, verdicts on latents that are known."""

import json

import numpy as np
import pytest
import xarray as xr

from configs import sae_hedging as settings
from toy_superposition import fields
from toy_superposition.config.resolve import resolve
from toy_superposition.devices import meshes, setup
from toy_superposition.errors import UserError
from toy_superposition.experiments.experiment import CONFIRMED, CONTRADICTED, UNDECIDED
from toy_superposition.experiments.sae_hedging import EXPERIMENT, figure
from toy_superposition.experiments.sae_hedging.analysis import predicted_angle

AXES: dict[str, list] = {
  "activity": ["tree", "independent"],
  "bias": [True, False],
  "child": [0.1, 0.2, 0.5],
}


@pytest.mark.parametrize("nested", [True, False])
@pytest.mark.parametrize("bias", [True, False])
def test_the_prediction_minimises_the_error_of_one_direction_on_samples(nested, bias):
  rng = np.random.default_rng(0)
  parent = rng.uniform(size=400_000) < 0.25
  child = rng.uniform(size=400_000) < (0.3 if nested else 0.075)
  x = np.stack([parent, child & parent if nested else child]).astype(float)
  x = x - x.mean(axis=1, keepdims=True) * bias
  angles = np.linspace(0, np.pi / 2, 901)
  directions = np.stack([np.cos(angles), np.sin(angles)])
  left = (x**2).sum() - ((directions.T @ (x @ x.T)) * directions.T).sum(axis=1)
  found = predicted_angle(0.25, 0.075, nested=nested, bias=bias)
  assert found == pytest.approx(angles[left.argmin()], abs=0.01)


def test_the_verified_cosines_and_no_hedging_of_independent_features_with_a_bias():
  angle = predicted_angle(0.25, 0.05, nested=True, bias=True)
  assert (np.cos(angle), np.sin(angle)) == pytest.approx((0.970, 0.243), abs=5e-4)
  assert predicted_angle(0.25, 0.05, nested=False, bias=True) == 0
  assert predicted_angle(0.25, 0.05, nested=False, bias=False) > 0.05


def made(turned: float = 0.0, seeds: int = 10, silent: float = 0.0) -> xr.Dataset:
  """Returns the analysis of latents at the predicted angles, turned by some radians."""
  axes = AXES | {"seed": list(range(seeds))}
  shape = tuple(len(points) for points in axes.values())
  W = np.zeros((*shape, 2, 1))
  density = np.zeros((*shape, 2))
  for i, activity in enumerate(AXES["activity"]):
    for j, bias in enumerate(AXES["bias"]):
      for k, child in enumerate(AXES["child"]):
        nested = activity == "tree"
        angle = predicted_angle(0.25, 0.25 * child, nested=nested, bias=bool(bias)) + turned
        W[i, j, k, :, :, 0] = np.cos(angle), np.sin(angle)
        density[i, j, k] = 0.25, 0.25 * child
  dims = tuple(axes)
  dataset = xr.Dataset(
    {
      "W_dec": ((*dims, "input", "latent"), W),
      "W_enc": ((*dims, "latent", "input"), np.swapaxes(W, -1, -2)),
      "b_enc": ((*dims, "latent"), np.full((*shape, 1), silent)),
      "b_dec": ((*dims, "input"), np.zeros((*shape, 2))),
      "dictionary": ((*dims, "input", "feature"), np.broadcast_to(np.eye(2), (*shape, 2, 2))),
      "feature_density": ((*dims, "feature"), density),
      "finite": (dims, np.ones(shape)),
    },
    axes,
    {"config": json.dumps(fields.defaults() | {"density.base": 0.25})},
  )
  return EXPERIMENT.run(dataset, meshes.make_mesh(setup.devices(1)), 2**30)


def verdicts(dataset) -> list[str]:
  return [claim.verdict for claim in EXPERIMENT.claims(dataset)]


def test_eigenvectors_confirm_all():
  assert verdicts(made()) == [CONFIRMED] * 5
  assert figure.draw(made()).axes


def test_latents_that_never_fire_decide_nothing():
  dataset = made(turned=0.5, silent=-2.0)  # below the drive of any example, at most √2
  assert not dataset["fires"].any()
  assert verdicts(dataset)[:4] == [UNDECIDED] * 4
  child = made(silent=-0.9)  # above it: the parent's drive, but not the child's alone
  assert child["fires"].sel(activity="tree", bias=True).all()


def test_other_directions_contradict_and_few_seeds_decide_nothing():
  assert verdicts(made(turned=0.05)) == [CONTRADICTED] * 5
  assert verdicts(made(seeds=2)) == [UNDECIDED] * 5


@pytest.mark.parametrize(
  ("field", "value"),
  [
    ("model.n_hidden", 2),
    ("model.sparsity", 0.5),
    ("data.value_law", "uniform"),
    ("data.directions", "random"),
    ("loss.reduction", "mean"),
  ],
)
def test_models_that_the_theory_is_not_about_are_refused(field, value):
  changed = settings.get_config("quick")
  section, name = field.split(".")
  changed[section][name] = value
  with pytest.raises(UserError, match=rf"config\.{field}"):
    resolve(changed)
