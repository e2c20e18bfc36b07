"""Codes of objects: exact numbers of selectable sets, models of zero loss, known verdicts."""

import itertools
from typing import Any

import numpy as np
import pytest
import xarray as xr

from configs import composition as settings
from toy_superposition.config.resolve import resolve
from toy_superposition.errors import UserError
from toy_superposition.experiments.composition import EXPERIMENT, analysis, figure, theory
from toy_superposition.experiments.composition.claims import KNOWN
from toy_superposition.experiments.experiment import CONFIRMED, CONTRADICTED, IDENTITY, UNDECIDED


@pytest.mark.parametrize("name", KNOWN)
def test_numbers_of_selectable_sets_of_thorpe_s_codes(name):
  assert theory.n_selectable(theory.fixed_codes()[name]) == KNOWN[name]


def test_regions_of_hyperplanes_are_the_sets_that_linear_programmes_select():
  rng = np.random.default_rng(0)
  line = np.column_stack([np.arange(5.0), np.zeros(5)])  # three and more on one line
  for points in (rng.standard_normal((6, 2)), line, np.array([[0.0], [0], [1]]), theory.cube()[:7]):
    n = len(points)
    sets = np.array(list(itertools.product((False, True), repeat=n)))
    number = sum(theory.is_selectable(points, one) for one in sets)
    assert theory.n_selectable(points, 1e-9) == number
    assert theory.sampled(points, 2**n) == (number, 2**n)
  assert theory.n_selectable(rng.standard_normal((6, 2)), 1e-9) == theory.cover(6, 2)


def test_cover_s_bounds_and_threshold_functions_of_four_bits():
  assert [theory.cover(16, m) for m in (2, 4, 15)] == [242, 3882, 65_536]
  assert len(theory.threshold_sets()) == 1882
  assert theory.random_attribute() == pytest.approx(0.05, abs=0.005)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["dense", "compositional"])
def test_all_linear_programmes_of_a_code(name):
  assert theory.sampled(theory.fixed_codes()[name], theory.SETS) == (KNOWN[name], theory.SETS)


@pytest.mark.parametrize("n", [6, 8, 16, 40])
def test_closed_forms_lose_nothing_in_two_and_in_four_dimensions(n):
  assert theory.closed_form_loss("objects", n) < 1e-12
  assert theory.closed_form_loss("attributes", n) < 1e-12
  assert theory.loses_nothing("objects", n, 2) and not theory.loses_nothing("objects", n, 1)
  assert theory.loses_nothing("attributes", n, 4) and not theory.loses_nothing("attributes", n, 3)


def test_a_simplex_loses_nothing_of_any_two_and_two_lines_nothing_of_two_binary_attributes():
  n = 5
  G = np.eye(n) - 1 / n  # of rank n − 1; its columns are a simplex
  for k in (2, 3):
    x = np.array(
      [[i in chosen for i in range(n)] for chosen in itertools.combinations(range(n), k)]
    )
    np.testing.assert_allclose(np.maximum(x @ G + (k / n), 0), x, atol=1e-12)
    code = {2: "any_two", 3: "any_three"}[k]
    assert theory.loses_nothing(code, n, n - 1) and not theory.loses_nothing(code, n, n - 2)
  W = np.kron(np.eye(2), [[1, -1]]) / 2**0.5
  x = theory.pairs(np.eye(2)).T
  np.testing.assert_allclose(np.maximum(W.T @ (W @ x) + 0.5, 0), x, atol=1e-12)
  assert theory.loses_nothing("attributes", 4, 2) and not theory.loses_nothing("attributes", 4, 1)


def made(zero: float = 0.0, decoded: float = 1.0, restarts: int = 10) -> xr.Dataset:
  """Returns gathered results: losses `zero` where theory has a model without loss."""
  axes: dict[str, Any] = {
    "code": list(theory.CODES),
    "n": [4, 8, 16],
    "m": [2, 4],
    "restart": range(restarts),
  }
  dims, shape = tuple(axes), tuple(map(len, axes.values()))
  exists = np.array(
    [[[theory.loses_nothing(c, n, m) for m in axes["m"]] for n in axes["n"]] for c in axes["code"]]
  )
  number = np.full(shape, np.nan)
  number[0, 2], number[1, 1] = 200, 100  # objects of 16, attributes of 8 features
  right = np.where(np.isfinite(number), 0.0, np.nan)
  right[1, 1, 1] = decoded
  fixed = analysis.of_fixed(20).T
  return xr.Dataset(
    {
      "fvu": (dims, np.broadcast_to(np.where(exists, zero, 0.3)[..., None], shape)),
      "loses_nothing": (dims[:-1], exists),
      "selectable": (dims, number),
      "singles": (dims, number / number),
      "attributes": (dims, number / number),
      "held_out_right": (dims, right),
      "seen_right": (dims, number / number),
      "finite": (dims, np.ones(shape)),
      **{
        f"fixed_{name}": (("n", "m", "fixed"), np.broadcast_to(row, (3, 2, len(row))))
        for name, row in zip(("dimensions", "selectable", "selected", "tried"), fixed, strict=True)
      },
    },
    axes | {"fixed": list(theory.fixed_codes())},
  )


def verdicts(dataset) -> list[str]:
  return [claim.verdict for claim in EXPERIMENT.claims(dataset)]


def test_codes_that_lose_nothing_where_theory_says_so_confirm_all():
  dataset = made()
  found = verdicts(dataset)
  assert found[:5] == [IDENTITY] * 5
  assert found[5:9] == [CONFIRMED] * 4
  assert found[-3:] == [CONFIRMED] * 3  # attributes are selectable; two claims of left-out pairs
  assert figure.draw(dataset).axes


def test_losses_and_left_out_pairs_that_are_missed_contradict_and_few_restarts_decide_nothing():
  assert verdicts(made(zero=0.01))[5:9] == [CONTRADICTED] * 4
  assert verdicts(made(decoded=0.5))[-1] == CONTRADICTED
  assert verdicts(made(restarts=3))[5:9] == [UNDECIDED] * 4


@pytest.mark.parametrize(("field", "value"), [("data.value_law", "uniform"), ("density.base", 0.3)])
def test_models_that_the_claims_are_not_about_are_refused(field, value):
  changed = settings.get_config("quick")
  section, name = field.split(".")
  changed[section][name] = value
  with pytest.raises(UserError, match=rf"config\.{field}"):
    resolve(changed)


def test_codes_without_a_theory_are_refused():
  changed = settings.get_config("quick")
  changed.axis.code.points = ("objects", "other")
  with pytest.raises(UserError, match=r"axis\.code\.points"):
    resolve(changed)
