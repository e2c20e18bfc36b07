"""Training on examples that all models of a method have in common."""

import dataclasses

import jax
import numpy as np
import pytest

from configs import base
from tests import small
from toy_superposition import draws, problem, streams, train
from toy_superposition.config.resolve import resolve
from toy_superposition.devices import meshes, setup
from toy_superposition.errors import UserError
from toy_superposition.estimators import ESTIMATORS, choose


def group_of(examples: str, **axes):
  settings = base.get_config()
  settings.name, settings.measures = "common", ()
  settings.model.name, settings.model.n_hidden = "l1_sae", 6
  settings.data.input, settings.data.target = "dictionary", "input"
  settings.data.n_dimensions, settings.data.examples = 3, examples
  settings.data.generator, settings.train.batch_size = "hash", 32
  base.set_axes(settings, **axes)
  (group,) = resolve(settings).groups
  return group


def inputs_of_a_step(group, estimator: str = "autodiff"):
  """Returns the features that every model of a group sees in step 3."""
  one = problem.make(dataclasses.replace(group.spec, estimator=estimator))
  inputs = ESTIMATORS[estimator].make(one, group.instances).inputs
  assert inputs is not None
  root = streams.root(group.spec.seed)

  def of_instance(instance):
    return inputs(instance, draws.fold_in(one.training_stream(root, instance), 3))

  return np.asarray(jax.vmap(of_instance)(group.instances))


SWEEP = {
  "sparsity": base.points("model.sparsity", (0.1, 0.2)),
  "seed": base.points("data.dictionary", (0, 1)),
}


def test_all_models_see_the_same_examples_and_those_of_the_first_one():
  x, own = (inputs_of_a_step(group_of(kind, **SWEEP)) for kind in ("common", "fresh"))
  np.testing.assert_array_equal(x, np.broadcast_to(x[:1], x.shape))
  np.testing.assert_array_equal(x[0], own[0])
  assert all(np.any(own[0] != other) for other in own[1:])
  np.testing.assert_array_equal(inputs_of_a_step(group_of("common", **SWEEP), "blocked"), x)


def test_they_are_drawn_once_for_all():
  group = group_of("common", **SWEEP)
  assert choose(group.spec, group.instances, "cpu") == "autodiff"
  sizes = {}
  for kind in ("common", "fresh"):
    group = group_of(kind, **SWEEP)
    one = problem.make(group.spec)
    method = ESTIMATORS["autodiff"].make(one, group.instances)

    def monitored(params, instances, root, step, one=one, method=method):
      return train.monitor(one, method, params, instances, root, step)

    of_all = train.over_instances(monitored, False, meshes.make_mesh(setup.devices(1)))
    params = jax.vmap(lambda _, one=one: one.init(jax.random.key(0)))(group.instances.index)
    text = str(jax.make_jaxpr(of_all)(params, group.instances, streams.root(0), 3))
    sizes[kind] = text.count("u32[4,")  # random bits of four instances
  assert sizes["common"] < sizes["fresh"] / 4


@pytest.mark.slow
def test_a_model_trained_beside_others_is_the_one_trained_alone():
  # The first one: its examples are those that all have.
  both = group_of("common", **SWEEP)
  (alone,), (beside,) = small.run(_first(both)), small.run(both)
  for x, y in zip(*map(jax.tree.leaves, (alone.state.params, beside.state.params)), strict=True):
    np.testing.assert_allclose(x[0], y[0], rtol=1e-5, atol=1e-6)


def _first(group):
  instances = jax.tree.map(lambda leaf: leaf[:1], group.instances)
  return group._replace(instances=instances, cells=group.cells[:1])


@pytest.mark.parametrize(
  ("axis", "fragment"),
  [
    (base.points("density.base", (0.1, 0.2)), "several densities"),
    (base.points("data.loading", (0.1, 0.2)), "several values of config.data.loading"),
  ],
)
def test_models_of_other_distributions_have_no_examples_in_common(axis, fragment):
  settings = base.get_config()
  settings.name, settings.data.examples = "common", "common"
  settings.data.distribution, settings.data.rank = "copula", 1
  base.set_axes(settings, other=axis)
  with pytest.raises(UserError, match=fragment):
    resolve(settings)
