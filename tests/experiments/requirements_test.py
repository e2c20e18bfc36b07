"""Which fields of a config the claims of an experiment allow: every experiment × every field."""

import functools
import importlib
import re
from pathlib import Path
from typing import Any

import pytest

from configs import base
from toy_superposition import declare, experiments, fields, sweeps
from toy_superposition.config import resolve
from toy_superposition.config.axes import make_axes
from toy_superposition.errors import UserError
from toy_superposition.experiments import requirements

CONFIGS = sorted(path.stem for path in Path(base.__file__).parent.glob("*.py"))
CONFIGS = [name for name in CONFIGS if name not in ("base", "__init__")]
# They enter the truth of every statement, and no experiment of the paper varies them freely.
NEVER_FREE = ("loss.hidden_l1", "loss.attack", "data.target", "data.distribution", "model.name")


@functools.cache
def values_of(name: str) -> dict[str, Any]:
  """Returns every field of a config, resolved."""
  config = importlib.import_module(f"configs.{name}").get_config()
  return dict(resolve.resolve(config).values)


def other(name: str, field: str, allowed: frozenset) -> Any:
  """Returns a value that the field may hold by itself, and the experiment does not allow; None if
  the experiment allows all of a table's rows."""
  declaration = fields.fields()[field].declaration
  if isinstance(declaration, declare.Choice):
    names = [*declaration.names, *declare.TABLES.get(field, ())]
    return next((name for name in names if name not in allowed), None)
  if isinstance(declaration, declare.Flag):
    return next((value for value in (True, False) if value not in allowed), None)
  if isinstance(declaration, declare.Integer):
    return max(allowed) + 1
  if isinstance(declaration, declare.Numbers):
    return None if "model.n_features" in swept_fields(name) else (2.0,) * n_features(name)
  if isinstance(declaration, declare.Place):
    return None  # needs trained models
  return next(x for x in (0.3, 0.45, 0.0) if x not in allowed and declaration.holds(x))


def swept_fields(name: str) -> set[str]:
  """Returns the fields that a config's axes set."""
  return {field for axis in make_axes(values_of(name)) for field in axis.sets}


def n_features(name: str) -> int:
  """Returns the number of features of a config."""
  return values_of(name)["model.n_features"]


def fixed_fields(name: str) -> list[str]:
  """Returns every engine field that has an effect in a config and no axis sets."""
  values = values_of(name)
  axes = make_axes(values)
  fixed = sweeps.fields_in_use(values, axes) - swept_fields(name)
  return [f for f in fields.fields() if f in fixed - {"name", "experiment"}]


@pytest.mark.parametrize("name", CONFIGS)
def test_every_field_that_the_claims_are_not_about_is_refused_in_one_line_with_a_way_out(name):
  values = values_of(name)
  row = experiments.get(values["experiment"])
  refused = []
  for field in fixed_fields(name):
    allowed = requirements.allowed_values(row, field)
    if allowed is None:
      continue
    assert values[field] in allowed
    wrong = other(name, field, allowed)
    if wrong is None:
      continue
    changed = values | {field: wrong}
    with pytest.raises(UserError) as caught:
      requirements.check(values["experiment"], changed, make_axes(changed), groups=())
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    for fragment in (f"config.{field}: {wrong!r}", repr(values["experiment"])):
      assert fragment in message
    assert "config.experiment=none runs it without claims" in message
    refused.append(field)
  assert len(refused) > 5


@pytest.mark.parametrize("name", CONFIGS)
def test_no_experiment_lets_the_model_the_data_or_the_loss_vary_freely(name):
  values = values_of(name)
  row = experiments.get(values["experiment"])
  for field in NEVER_FREE:
    # The features of a second stage are those of its source, which are compared with it.
    of_source = "source" in row.may_vary and field.startswith("data.distribution")
    if field not in row.axes.values() and not of_source:
      assert requirements.allowed_values(row, field) is not None


@pytest.mark.parametrize("name", experiments.NAMES)
def test_a_field_that_is_added_later_is_refused_until_somebody_decides(name, monkeypatch):
  known = fields.fields()
  added = declare.Number(0.0, "of tomorrow", of="loss.tomorrow")
  monkeypatch.setattr(fields, "fields", lambda: known | {"loss.tomorrow": fields.Field(added)})
  row = experiments.get(name)
  assert requirements.allowed_values(row, "loss.tomorrow") == {0.0}


@pytest.mark.parametrize(("field", "value"), [("loss.hidden_l1", 0.3), ("loss.attack", 0.2)])
def test_uniform_geometry_with_another_objective_prints_no_verdicts(field, value):
  config = importlib.import_module("configs.uniform_geometry").get_config("quick")
  section, _, leaf = field.partition(".")
  config[section][leaf] = value
  pattern = f"config.{field}: {value} is not allowed with experiment 'uniform_geometry'"
  with pytest.raises(UserError, match=re.escape(pattern)):
    resolve.resolve(config)
  config.experiment = "none"
  assert resolve.resolve(config).values[field] == value
