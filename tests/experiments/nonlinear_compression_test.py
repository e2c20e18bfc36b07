"""The nonlinear code for two features: its functions, its error, verdicts."""

import numpy as np
import pytest
import xarray as xr

from configs import nonlinear_compression as settings
from toy_superposition.config.resolve import resolve
from toy_superposition.devices import meshes, setup
from toy_superposition.errors import UserError
from toy_superposition.experiments.experiment import CONFIRMED, CONTRADICTED, IDENTITY
from toy_superposition.experiments.nonlinear_compression import EXPERIMENT, figure, theory


def test_without_ramps_the_staircase_is_the_floor():
  u = np.array([0, 0.5, 0.999, 1, 1.7, 2, 2.999])
  np.testing.assert_array_equal(theory.staircase(u, 3, 0.0), np.floor(u))
  ramp = theory.staircase(np.array([0.9, 0.95, 1, 1.5]), 3, 0.1)
  np.testing.assert_allclose(ramp, [0, 0.5, 1, 1], atol=1e-12)


def test_without_ramps_y_is_kept_and_x_to_half_a_level():
  x, y = np.random.default_rng(0).uniform(size=(2, 1000))
  t = theory.encode(x, y, 4, 0.0)
  assert np.all((t >= 0) & (t <= 1))
  x_decoded, y_decoded = theory.decode(t, 4, 0.0)
  np.testing.assert_allclose(y_decoded, y, atol=1e-12)
  assert np.all(np.abs(x_decoded - x) <= 1 / 8 + 1e-12)


@pytest.mark.parametrize("n_steps", [1, 2, 5])
def test_the_error_without_ramps_is_that_of_x_within_its_level(n_steps):
  assert theory.error(n_steps, 0.0) == pytest.approx(1 / (12 * n_steps**2), rel=1e-4)


def test_narrow_ramps_cost_half_their_width_at_each_inner_jump():
  # y is wrong by 1/6 on average on a ramp of the encoder and by 1/3 on one of the decoder.
  width, n_steps = 0.02, 3
  added = theory.error(n_steps, width) - theory.error(n_steps, 0.0)
  assert added == pytest.approx(width * (n_steps - 1) / n_steps / 2, rel=0.06)


@pytest.fixture(scope="module")
def errors() -> xr.Dataset:
  return EXPERIMENT.run(xr.Dataset(), meshes.make_mesh(setup.devices(1)), 2**30)


def verdicts(dataset: xr.Dataset) -> list[str]:
  return [row.verdict for row in EXPERIMENT.claims(dataset)]


def test_the_paper_s_code_confirms_every_statement(errors):
  assert verdicts(errors) == [CONFIRMED, IDENTITY, IDENTITY, CONFIRMED]
  assert len(figure.draw(errors).axes) == 3


def test_larger_errors_contradict_what_is_said_of_their_size(errors):
  worse = errors.assign(code_error=errors["code_error"] + 0.05)
  assert verdicts(worse) == [CONTRADICTED] * 3 + [CONFIRMED]


def test_errors_that_fall_with_every_level_contradict_that_ramps_limit_it(errors):
  finer = errors.assign(code_error=errors["code_error"] / errors["steps"] ** 2)
  assert verdicts(finer)[3] == CONTRADICTED


@pytest.mark.parametrize(
  ("field", "value"),
  [
    ("train.steps", 5),
    ("density.base", 0.5),
    ("model.n_hidden", 2),
    ("data.distribution", "sparse_signed_uniform"),
    ("loss.hidden_l1", 0.3),
  ],
)
def test_training_and_other_features_are_refused_by_name(field, value):
  changed = settings.get_config()
  section, name = field.split(".")
  changed[section][name] = value
  with pytest.raises(UserError, match=rf"config\.{field}: .*'nonlinear_compression'.*=none"):
    resolve(changed)
