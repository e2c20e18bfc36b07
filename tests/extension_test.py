"""Rows from outside the package, written with `import toy_superposition as ts` alone.

A new optimizer is one class, a new measure one row, a new experiment one `Experiment` and a config.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import toy_superposition as ts
from configs import base
from toy_superposition import experiments, runner


@pytest.fixture(autouse=True)
def with_the_tests_devices(monkeypatch):
  """Runs every test on the tests' devices, without the user's cache."""
  assert len(jax.devices()) == 8
  monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "unused")


def small():
  """Returns a config that trains in a moment, at two densities."""
  settings = ts.get_config()
  settings.train.steps, settings.train.batch_size = 6, 8
  settings.train.estimator, settings.data.generator = "autodiff", "hash"  # compile fast
  settings.evaluation.n_samples = 64
  base.set_axes(settings, density=base.points("density.base", (0.5, 0.1)))
  return settings


@dataclass(frozen=True)
class Lion(ts.Descent):
  """Lion (Chen et al. 2023)."""

  mix: float = ts.number(0.9, "[0, 1)", "share of the momentum in a step")
  memory: float = ts.number(0.99, "[0, 1)", "decay of the momentum")

  def build(self, learning_rate):
    """Returns Lion."""
    return optax.lion(learning_rate, b1=self.mix, b2=self.memory, weight_decay=0.0)


@pytest.fixture
def lion(monkeypatch):
  """The table of optimizers with one more row."""
  monkeypatch.setitem(ts.OPTIMIZERS, "lion", Lion)


def test_an_optimizer_with_two_hyperparameters_is_one_class(lion):
  settings = small()
  assert (settings.train.mix, settings.train.memory) == (0.9, 0.99)
  settings.train.optimizer, settings.train.learning_rate = "lion", 0.5
  settings.train.steps = 1
  settings.history.num = 2
  dataset = ts.run(settings)
  # Lion steps by its learning rate in every coordinate that has a gradient.
  steps = np.abs(dataset["history_W"].diff("step").values)
  np.testing.assert_allclose(steps[steps > 0], 0.5, rtol=1e-6)
  assert (steps > 0).any()
  assert ts.rebuild(dataset).values["train.memory"] == 0.99


def test_a_hyperparameter_from_outside_is_checked_like_any_other(lion):
  settings = small()
  settings.train.optimizer, settings.train.memory = "lion", 1.0
  with pytest.raises(ts.UserError, match=r"config\.train\.memory: 1\.0 .*\[0, 1\)"):
    ts.run(settings)


def active_norm(params, instance):
  """Returns ‖W_i‖ p_i: what needs the densities."""
  return jnp.linalg.norm(params.directions, axis=0) * instance.density


def test_a_measure_of_weights_and_densities_is_one_row(monkeypatch):
  row = ts.Measure(active_norm, ("feature",), "‖W_i‖ p_i")
  monkeypatch.setitem(ts.MEASURES, "active_norm", row)
  settings = small()
  settings.measures = ("active_norm", "feature_norm")
  dataset = ts.run(settings)
  expected = dataset["feature_norm"] * dataset["feature_density"]
  np.testing.assert_allclose(dataset["active_norm"], expected, rtol=1e-6)
  assert dataset["active_norm"].dims == ("density", "feature")
  assert dataset["active_norm"].attrs["long_name"] == "‖W_i‖ p_i"
  np.testing.assert_allclose(ts.measure(dataset, row), expected, rtol=1e-6)


@pytest.mark.parametrize("dims", [("feature",), (), ("hidden", "feature"), ("hidden", "hidden")])
def test_a_measure_that_does_not_return_its_axes_is_refused_before_training(monkeypatch, dims):
  def square(params, instance):
    return params.W @ params.W.T

  def column(params, instance):
    return params.W[:, 0]

  function = square if len(set(dims)) < len(dims) else column
  monkeypatch.setitem(ts.MEASURES, "wrong", ts.Measure(function, dims, "wrong"))
  monkeypatch.setattr(runner, "outcomes", None)  # must not be reached
  settings = small()
  settings.measures = ("wrong",)
  with pytest.raises(ts.UserError, match=r"measure 'wrong': .*\(2"):
    ts.run(settings)


@pytest.mark.parametrize("name", ["loss", "W", "feature", "density"])
def test_a_measure_may_not_take_the_name_of_another_variable(monkeypatch, name):
  monkeypatch.setitem(ts.MEASURES, name, ts.MEASURES["feature_norm"])
  settings = small()
  settings.measures = (name,)
  with pytest.raises(ts.UserError, match=rf"config\.\w+.*{name}"):
    ts.run(settings)


@dataclass(frozen=True)
class Never(ts.Distribution):
  """Features that are never active."""

  def features(self, u, instance):
    """Returns zeros."""
    return jnp.zeros_like(u)


def test_a_distribution_is_one_class(monkeypatch):
  monkeypatch.setitem(ts.DISTRIBUTIONS, "never", Never)
  settings = small()
  settings.data.distribution = "never"
  settings.history.num = 2
  dataset = ts.run(settings)
  np.testing.assert_array_equal(dataset["history_loss"], 0)  # no input, and biases of 0
  assert np.all(dataset["W"] != 0)


def test_an_experiment_is_one_row_and_a_config(monkeypatch):
  def run(dataset, mesh, memory_budget):
    return dataset.assign(total=dataset["feature_norm"].sum("feature"))

  def claims(dataset):
    total = float(dataset["total"].max())
    return [
      ts.Claim("the norms add up to more than 1", f"{total:.2f}", "> 1", ts.verdict(total > 1))
    ]

  def figure(dataset):
    from matplotlib.figure import Figure

    drawn = Figure()
    dataset["total"].plot(ax=drawn.subplots())
    return drawn

  monkeypatch.setattr(experiments, "_ADDED", {})
  row = ts.Experiment(
    "A question of one's own",
    claims,
    figure,
    may_vary=("model.n_features", "model.n_hidden"),
    axes={"density": "density.base"},
    measures=("feature_norm",),
    run=run,
  )
  ts.add_experiment("totals", row)
  settings = small()
  settings.experiment, settings.train.weight_decay = "totals", 0.0
  dataset = ts.run(settings)
  claim, *_ = ts.claims(dataset)  # another one says that six steps are too few
  assert claim.verdict == "confirmed" and float(claim.measured) > 1
  np.testing.assert_allclose(dataset["total"], dataset["feature_norm"].sum("feature"))
  (axes, *_) = ts.draw(dataset).axes
  assert axes.lines
  settings.loss.hidden_l1 = 0.3
  with pytest.raises(ts.UserError, match=r"config\.loss\.hidden_l1: 0\.3 .*'totals'"):
    ts.run(settings)


@dataclass(frozen=True)
class Bent(ts.Input):
  """What a model sees of the features: x^power."""

  power: float = ts.number(2.0, "> 0", "exponent of what the model sees", swept=True)

  def seen(self, spec, instance, x):
    """Returns x^power."""
    return x**self.power


@dataclass(frozen=True)
class Mixed:
  """A target of features and of what the model sees."""

  share: float = ts.number(0.5, "[0, 1]", "share of the features", swept=True)

  def of(self, x, s):
    """Returns share · x + (1 − share) · s."""
    return self.share * x + (1 - self.share) * s


@dataclass(frozen=True)
class Dead:
  """A penalty on biases."""

  dead: float = ts.number(0.0, "≥ 0", "weight of Σ|b|", of="loss.dead", swept=True)

  def of(self, params, h):
    """Returns weight · Σ|b_enc|."""
    return self.dead * jnp.sum(jnp.abs(params.b_enc))


@pytest.fixture
def rows_of_a_notebook(monkeypatch):
  monkeypatch.setitem(ts.INPUTS, "bent", Bent)
  monkeypatch.setitem(ts.TARGETS, "mixed", Mixed)
  monkeypatch.setitem(ts.LOSSES, "fourth", lambda target, output: (target - output) ** 4)
  monkeypatch.setitem(ts.PENALTIES, "dead", Dead)


def test_inputs_targets_losses_and_penalties_are_one_class_each(rows_of_a_notebook):
  settings = small()
  settings.model.name, settings.measures = "l1_sae", ()
  settings.data.input, settings.data.target, settings.loss.name = "bent", "mixed", "fourth"
  settings.loss.dead = 0.3
  axes = {
    "power": base.points("data.power", (1.0, 3.0)),
    "share": base.points("data.share", (0.0, 1.0)),
  }
  base.set_axes(settings, **axes)
  dataset = ts.run(settings)  # one program for all numbers
  found = ts.sample(dataset, 64)
  x, s = found["features"].values, found["inputs"].values
  np.testing.assert_allclose(s[1], x[1] ** 3, rtol=1e-5)
  np.testing.assert_allclose(s[0], x[0], rtol=1e-6)
  one, other = dataset["b_enc"].sel(power=3.0), dataset["b_enc"].sel(power=1.0)
  assert np.abs(one - other).max() > 0
  settings.loss.dead = 0.0
  assert np.abs(ts.run(settings)["b_enc"] - dataset["b_enc"]).max() > 0
  settings.data.share = 2.0
  base.set_axes(settings)
  with pytest.raises(ts.UserError, match=r"config\.data\.share: 2\.0 .*\[0, 1\]"):
    ts.run(settings)
