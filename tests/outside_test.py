"""Rows from outside the package are part of a run's identity by what they compute."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import toy_superposition as ts
from toy_superposition import experiments
from toy_superposition.config import base, outside
from toy_superposition.config.resolve import resolve
from toy_superposition.errors import UserError
from toy_superposition.models import MODELS
from toy_superposition.objective import TARGETS
from toy_superposition.optimizers import SCHEDULES
from toy_superposition.profiles import PROFILES
from toy_superposition.records.opening import open_workdir

START = "import functools, jax, jax.numpy as jnp, numpy as np\n"
# Code of a row named `row`, in each of which NUMBER decides what it computes.
CODE = {
  "literal": "def row(x): return NUMBER * x",
  "lambda": "row = lambda x: NUMBER * x",
  "default": "def row(x, factor=NUMBER): return factor * x",
  "default by name": "def row(x, *, factor=NUMBER): return factor * x",
  "global": "FACTOR = NUMBER\ndef row(x): return FACTOR * x",
  "global array": "FACTOR = np.array([1., NUMBER])\ndef row(x): return FACTOR[1] * x",
  "global device array": "FACTOR = jnp.array([1., NUMBER])\ndef row(x): return FACTOR[1] * x",
  "global dict": "FACTORS = {'a': {'b': NUMBER}}\ndef row(x): return FACTORS['a']['b'] * x",
  "closure": "def make(factor): return lambda x: factor * x\nrow = make(NUMBER)",
  "nested": "def row(x):\n  def inner(): return NUMBER * x\n  return inner()",
  "helper": "def helper(x): return NUMBER * x\ndef row(x): return helper(x)",
  "helper of a nested one": (
    "def helper(x): return NUMBER * x\ndef row(x): return jax.vmap(lambda y: helper(y))(x)"
  ),
  "jitted helper": "@jax.jit\ndef helper(x): return NUMBER * x\ndef row(x): return helper(x)",
  "derivative": (
    "@jax.custom_jvp\ndef row(x): return x\n@row.defjvp\ndef rule(x, y): return x[0], NUMBER * y[0]"
  ),
  "partial": "row = functools.partial(lambda factor, x: factor * x, NUMBER)",
  "partial by name": "row = functools.partial(lambda x, factor: factor * x, factor=NUMBER)",
  "wrapped": "@functools.wraps(jnp.sum)\ndef row(x): return NUMBER * x",
  "method": "class row:\n  def build(self, x): return NUMBER * x",
  "attribute": "class row:\n  factor = NUMBER\n  def build(self, x): return self.factor * x",
  "property": "class row:\n  @property\n  def factor(self): return NUMBER",
  "static method": "class row:\n  @staticmethod\n  def build(x): return NUMBER * x",
  "base": "class Base:\n  def build(self, x): return NUMBER * x\nclass row(Base): pass",
  "object": "class Kind:\n  def __init__(self, f): self.f = f\nrow = Kind(NUMBER)",
  "method of an object": (
    "class Kind:\n  def __init__(self, f): self.f = f\n  def build(self): pass\n"
    "row = Kind(NUMBER).build"
  ),
  "recursion": "def row(x): return row(x - 1) if x > NUMBER else x",
  "set": "def row(x): return x in {'a', 'b', 'NUMBER'}",
}


def hashed(code: str, number: int = 2) -> str:
  """Returns the hash of the row that code defines, with a number in it."""
  namespace: dict[str, Any] = {"__name__": "somebodys"}
  exec(START + code.replace("NUMBER", str(number)), namespace)
  return outside.code_hash(namespace["row"])


@pytest.mark.parametrize("name", CODE)
def test_a_number_anywhere_in_a_row_changes_its_hash(name):
  assert hashed(CODE[name]) == hashed(CODE[name])
  assert hashed(CODE[name]) != hashed(CODE[name], 3)


def test_what_does_not_compute_leaves_the_hash():
  plain = hashed("def row(x):\n  return 2 * x")
  assert plain == hashed('# A comment.\n\ndef row(x):\n  """Documented."""\n  return 2 * x  # here')
  assert plain == hashed("UNUSED = 5\nclass Other: pass\ndef row(y):\n  return 2 * y")
  assert plain != hashed("def row(x):\n  return 2 + x")


def test_the_functions_of_a_module_of_ones_own_count(tmp_path, monkeypatch):
  monkeypatch.syspath_prepend(tmp_path)
  code = "import ones_own\ndef row(x): return ones_own.helper(x)"
  found = []
  for number in (2, 2, 3):
    (tmp_path / "ones_own.py").write_text(
      f"def helper(x): return {number} * x\nunused = {number}\n"
    )
    monkeypatch.delitem(sys.modules, "ones_own", raising=False)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    found.append(hashed(code))
  assert found[0] == found[1] != found[2]


@pytest.mark.slow
def test_hashes_are_those_of_another_process(tmp_path):
  script = "from tests.outside_test import CODE, hashed; print([hashed(c) for c in CODE.values()])"
  environment = os.environ | {"PYTHONHASHSEED": "7"}
  root = Path(__file__).parent.parent
  done = subprocess.run(
    [sys.executable, "-c", script], env=environment, cwd=root, capture_output=True, check=True
  )
  assert done.stdout.decode().strip() == str([hashed(code) for code in CODE.values()])


def identity(changes=(), **axes) -> dict[str, Any]:
  settings = base.get_config()
  settings.name = "test"
  base.set_axes(settings, **axes)
  for field, value in dict(changes).items():
    settings.update_from_flattened_dict({field: value})
  return resolve(settings).identity


def measure(number):
  return ts.Measure(lambda params, instance: number * params.W.sum(), (), "theirs")


def model(number):
  row = MODELS["relu_output"]
  return row._replace(decode=lambda params, h: number * row.decode(params, h))


def distribution(number):
  @dataclass(frozen=True)
  class Theirs(ts.Distribution):
    def features(self, u, instance):
      return number * u

  return Theirs


def optimizer(number):
  @dataclass(frozen=True)
  class Theirs(ts.OPTIMIZERS["adam"]):  # type: ignore[misc]
    def build(self, learning_rate):
      return super().build(number * learning_rate)

  return Theirs


# Field → the table, what makes a row of a number, and the value that chooses the row.
ROWS: dict[str, tuple[dict, Any, Any]] = {
  "measures": (ts.MEASURES, measure, ("theirs",)),
  "model.name": (MODELS, model, "theirs"),
  "data.distribution": (ts.DISTRIBUTIONS, distribution, "theirs"),
  "data.target": (TARGETS, lambda number: lambda x, s: number * x, "theirs"),
  "train.optimizer": (ts.OPTIMIZERS, optimizer, "theirs"),
  "train.schedule": (SCHEDULES, lambda number: lambda step, steps: number, "theirs"),
}


@pytest.mark.parametrize("field", ROWS)
def test_a_row_of_every_table_is_part_of_the_identity_where_it_is_used(monkeypatch, field):
  table, make, value = ROWS[field]
  monkeypatch.setitem(table, "theirs", make(2))
  before, unused = identity({field: value}), identity()
  assert identity({field: value}) == before
  monkeypatch.setitem(table, "theirs", make(3))
  after = identity({field: value})
  assert [name for name in before if before[name] != after[name]] == [f"{field}: code of 'theirs'"]
  assert identity() == unused and not any("code of" in name for name in unused)


def test_a_row_of_the_package_that_was_replaced_is_one_from_outside(monkeypatch):
  monkeypatch.setitem(SCHEDULES, "constant", lambda step, steps: 2.0)
  assert "train.schedule: code of 'constant'" in identity()


def test_every_row_on_an_axis_counts(monkeypatch):
  monkeypatch.setitem(SCHEDULES, "mine", lambda step, steps: 2.0)
  monkeypatch.setitem(SCHEDULES, "yours", lambda step, steps: 3.0)
  found = identity(a=base.points("train.schedule", ("mine", "constant", "yours")))
  assert [name for name in found if "code of" in name] == [
    "train.schedule: code of 'mine'",
    "train.schedule: code of 'yours'",
  ]


def test_an_experiment_counts_by_what_it_stores(monkeypatch):
  monkeypatch.setattr(experiments, "_ADDED", {})

  def added(number, title):
    run = lambda dataset, mesh, memory_budget: dataset.assign(total=number)  # noqa: E731
    row = ts.Experiment(
      "A question", lambda dataset: [ts.Claim(title, "", "", "reported")], run=run
    )
    ts.add_experiment("theirs", row)
    return identity({"experiment": "theirs", "train.weight_decay": 0.0})

  assert added(2, "one") == added(2, "other") != added(3, "one")


def by_hand(numbers):
  """Returns a profile whose values are the numbers, whatever its code."""

  @dataclass(frozen=True)
  class ByHand:
    def values(self, base, n_features):
      return np.broadcast_to(np.asarray(numbers), (len(base), n_features))

  return ByHand


def test_a_profile_counts_by_its_numbers_and_not_by_its_code(monkeypatch, tmp_path):
  monkeypatch.setitem(PROFILES, "by_hand", by_hand([1, 0.5, 0.25, 0.125, 0.0625]))
  chosen = {"importance.profile": "by_hand"}
  before = identity(chosen)

  @dataclass(frozen=True)
  class Halves:
    def values(self, base, n_features):
      return np.repeat(0.5 ** np.arange(n_features)[None], len(base), axis=0)

  monkeypatch.setitem(PROFILES, "by_hand", Halves)
  assert identity(chosen) == before
  open_workdir(tmp_path, {}, before, overwrite=False, command=[], devices=[])
  monkeypatch.setitem(PROFILES, "by_hand", by_hand([1, 0.5, 0.25, 0.125, 0.0626]))
  with pytest.raises(UserError, match=r"another config \(density, importance: numbers of the mod"):
    open_workdir(tmp_path, {}, identity(chosen), overwrite=False, command=[], devices=[])
