"""Decomposition of toy models: the objective by hand, scores and verdicts of known components."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

import toy_superposition as ts
from configs import decomposition_targets as settings
from toy_superposition import fields
from toy_superposition.config import base
from toy_superposition.config.resolve import resolve
from toy_superposition.errors import UserError
from toy_superposition.experiments import trained
from toy_superposition.experiments.decomposition_targets import (
  EXPERIMENT,
  analysis,
  decompose,
  figure,
  scores,
)
from toy_superposition.experiments.decomposition_targets.decompose import Components, Settings
from toy_superposition.experiments.decomposition_targets.targets import state_dict
from toy_superposition.experiments.experiment import (
  CONFIRMED,
  CONTRADICTED,
  IDENTITY,
  REPORTED,
  UNDECIDED,
)
from toy_superposition.theory import blocks
from toy_superposition.types import Instance

N, M, DENSITY = 5, 2, 0.05
ANGLES = 2 * np.pi * np.arange(N) / N
PENTAGON = 1.1346 * np.array([np.cos(ANGLES), np.sin(ANGLES)])
TINY = Settings(n_components=6, coefficient=3e-3, power=1.0, steps=3, n_active=8)


def test_the_pentagon_has_the_verified_loss_norm_and_bias():
  found = blocks.best_block("pentagon", DENSITY)
  assert N * found.loss == pytest.approx(0.0089036, abs=5e-7)
  assert found.square_norm**0.5 == pytest.approx(1.1346, abs=5e-5)
  assert found.bias == pytest.approx(-0.24633, abs=1e-5)


def test_examples_have_the_law_of_those_with_an_active_feature():
  n, density = 40_000, jnp.array([0.05, 0.2, 0.1])
  x = np.asarray(decompose.active_examples(jax.random.uniform(jax.random.key(0), (7, n)), density))
  share = 1 - 0.95 * 0.8 * 0.9
  assert decompose.some_active(density) == pytest.approx(share)
  assert (x > 0).any(axis=0).mean() > 0.999  # a value of 0 is possible
  error = 4.5 * 0.5 / n**0.5
  np.testing.assert_allclose((x > 0).mean(axis=1), np.array([0.05, 0.2, 0.1]) / share, atol=error)
  together = ((x[0] > 0) & (x[1] > 0)).mean()
  assert together == pytest.approx(0.05 * 0.2 / share, abs=error)
  assert x[x > 0].mean() == pytest.approx(0.5, abs=0.01)


objective = jax.jit(decompose.losses, static_argnums=6)


def parts_and_numbers(has_middle: bool, n_examples: int):
  params = ts.models.AutoencoderParams(W=jnp.asarray(PENTAGON), b=jnp.full(N, -0.246))
  targets = decompose.matrices(params, has_middle)
  parts = decompose.init(jax.random.key(1), targets, TINY.n_components)
  shape = (2, len(targets), TINY.n_components, n_examples)
  return targets, params.b, parts, jax.random.uniform(jax.random.key(2), shape)


@pytest.mark.parametrize(
  ("has_middle", "power"), [(False, 1.0), pytest.param(True, 2.0, marks=pytest.mark.slow)]
)
def test_counting_silent_examples_gives_the_objective_of_all(has_middle, power):
  targets, b, parts, r = parts_and_numbers(has_middle, 40)
  setting = TINY._replace(power=power)
  x = jnp.zeros((N, 40)).at[:, :10].set(jax.random.uniform(jax.random.key(3), (N, 10)))
  every = objective(parts, targets, b, x, r, jnp.ones(()), setting)
  active = objective(parts, targets, b, x[:, :10], r[..., :10], jnp.float32(0.25), setting)
  assert active == pytest.approx(float(every), rel=1e-5)


def known(has_middle: bool) -> tuple[tuple[Components, ...], tuple[jnp.ndarray, ...]]:
  """Returns one component for each column, open wherever it is needed, and the matrices."""
  params = ts.models.AutoencoderParams(W=jnp.asarray(PENTAGON), b=jnp.zeros(N))
  targets = decompose.matrices(params, has_middle)
  found = []
  for target in targets:
    wide = target.shape[1] >= target.shape[0]
    U, V = (target.T, jnp.eye(target.shape[1])) if wide else (jnp.eye(len(target)), target)
    shape = (len(U), decompose.GATE)
    gates = {"w1": jnp.full(shape, 100.0), "b1": jnp.zeros(shape), "w2": jnp.ones(shape)}
    found.append(Components(U=U, V=V, **gates, b2=jnp.zeros(len(U))))
  return tuple(found), targets


def test_columns_as_components_have_no_error_whatever_the_masks_of_those_not_needed():
  targets, b, _, r = parts_and_numbers(False, 3)
  shape = (N, decompose.GATE)
  gates = {"b1": jnp.zeros(shape), "w2": jnp.ones(shape), "b2": jnp.zeros(N)}
  # The encoder's gates are 1 where their feature is active, the decoder's always.
  known = (
    Components(U=targets[0].T, V=jnp.eye(N), w1=jnp.full(shape, 1.0), **gates),
    Components(U=jnp.eye(N), V=targets[1], w1=jnp.zeros(shape), **gates | {"b2": jnp.ones(N)}),
  )
  x = jnp.zeros((N, 3)).at[1, 0].set(0.5).at[3, 2].set(0.7).at[4, 2].set(0.2)
  setting, one = TINY._replace(coefficient=0.01), jnp.ones(())
  found = objective(known, targets, b, x, r[:, :, :N], one, setting)
  opened = sum(1 + decompose.LEAK * (16 * jax.nn.gelu(v) - 1) for v in (0.5, 0.7, 0.2))
  assert float(found) == pytest.approx(0.01 * float(opened / 3 + N), rel=1e-5)
  halved = jax.tree.map(lambda leaf: leaf, known[0]).replace(U=targets[0].T / 2)
  worse = objective((halved, known[1]), targets, b, x, r[:, :, :N], one, setting)
  assert float(worse - found) > (1 / 4) * (1.1346**2 * N) / 20  # unfaithful alone


def test_masks_and_penalty_have_slopes_where_a_gate_would_stay_shut_or_open():
  z = jnp.array([-0.5, 0.5, 1.5])
  np.testing.assert_allclose(decompose.opening(z), [0, 0.5, 1])
  raising = jax.grad(lambda z: -jnp.sum(decompose.opening(z)))(z)
  np.testing.assert_allclose(raising, [-decompose.LEAK, -1, 0])
  lowering = jax.grad(lambda z: jnp.sum(decompose.opening(z)))(z)
  np.testing.assert_allclose(lowering, [0, 1, 0])
  slope = jax.grad(lambda z: jnp.sum(decompose.closing(z)))(z)
  np.testing.assert_allclose(slope, [0, 1, decompose.LEAK])


def test_scores_of_columns_of_merged_features_and_of_none():
  W, live = PENTAGON, np.ones(N, bool)
  one = scores.scores(W.T, np.eye(N), W, live)
  np.testing.assert_allclose(one, 1)
  assert scores.succeeded(one, N, N) and not scores.succeeded(one, N + 1, N)
  short = scores.scores(0.9 * W.T, np.eye(N), W, live)
  assert short.mmcs == pytest.approx(1) and short.ratio == pytest.approx(0.9)
  assert not scores.succeeded(short, N, N)  # the ratio of APD
  V = np.eye(N)
  V[0, 1], V[1, 1] = 1, 0  # component 0 has feature 1 too, in its own direction
  merged = scores.scores(W.T, V, W, live)
  assert merged.mmcs == pytest.approx(0.8 + np.cos(2 * np.pi / N) / N)
  assert not scores.succeeded(merged, N, N)
  flipped = scores.scores(-W.T, np.eye(N), W, live)
  assert flipped.mmcs < 1
  assert np.isnan(scores.scores(W.T, V, W, ~live).live_mmcs)


def test_random_components_in_a_plane():
  assert scores.random_mmcs_in_plane(1) == pytest.approx(0, abs=1e-9)
  assert scores.random_mmcs_in_plane(2) == pytest.approx(4 / np.pi**2)
  found = scores.random_mmcs(PENTAGON, 20, np.random.default_rng(0))
  assert found.mean() == pytest.approx(scores.random_mmcs_in_plane(20), abs=0.005)


@pytest.fixture(scope="module")
def models():
  config = base.get_config()
  config.name, config.density.base, config.measures = "targets", DENSITY, ()
  config.train.steps, config.train.batch_size, config.evaluation.n_samples = 20, 64, 512
  base.set_axes(config, restart=base.restarts(2))
  return ts.run(config)


@pytest.mark.slow
def test_a_decomposition_is_the_same_alone_and_beside_others_and_differs_between_seeds(models):
  made = trained.trained(models)

  def of_one(params, instance: Instance):
    return decompose.decomposed(made.problem, params, instance, True, TINY)

  both = jax.vmap(of_one)(made.params, made.instances)
  alone = of_one(*jax.tree.map(lambda leaf: jnp.asarray(leaf[1]), (made.params, made.instances)))
  for one, other in zip(jax.tree.leaves(both), jax.tree.leaves(alone), strict=True):
    np.testing.assert_allclose(one[1], other, atol=2e-4)
  assert len(alone) == 3 and (np.asarray(both[0].U[0]) != np.asarray(both[0].U[1])).all()


@pytest.mark.parametrize("has_middle", [False, True])
def test_linear_layers_of_the_exported_target_compute_what_the_model_does(
  models, has_middle, tmp_path
):
  state = state_dict(models.isel(restart=1), has_middle)
  assert ("hidden_layers.0.weight" in state) == has_middle
  found = ts.sample(models.isel(restart=1), 100)
  h = found["features"].values @ state["linear1.weight"].T
  if has_middle:
    h = h @ state["hidden_layers.0.weight"].T
  y = np.maximum(h @ state["linear2.weight"].T + state["linear2.bias"], 0)
  np.testing.assert_allclose(y, found["outputs"], atol=1e-6)
  assert all(array.flags.c_contiguous for array in state.values())
  safetensors = pytest.importorskip("safetensors.numpy")
  safetensors.save_file(state, tmp_path / "target.safetensors")
  again = safetensors.load_file(tmp_path / "target.safetensors")
  assert all((again[name] == array).all() for name, array in state.items())


def made(
  seeds: int = 20, fails: int = 3, steps: int = 40_000, decoder: int = N, **changes: float
) -> xr.Dataset:
  """Returns the analysis of targets of which some seeds fail by merging two features."""
  rows = {}
  for name, (n, m) in settings.TARGETS.items():
    good = np.arange(seeds) >= fails
    shape = (2, seeds, 3)
    live = np.broadcast_to([n, m, decoder if n == N else n], shape).astype(float)
    success = np.stack([good, np.ones(seeds), good], axis=1) * np.ones(shape)
    live[0, :, 1] = success[0, :, 1] = np.nan
    mmcs = np.where(good[:, None], changes.get("mmcs", 1.0), 0.96) * np.ones(shape)
    ratio = np.where(good[:, None], changes.get("ratio", 1.005), 0.7) * np.ones(shape)
    dims = ("middle", "restart", "matrix")
    optimum = changes.get("optimum", 0.0089036) if n == N else np.nan
    rows[name] = xr.Dataset(
      {
        "finite": ("restart", np.ones(seeds)),
        "loss": ("restart", np.full(seeds, optimum)),
        "n_live": (dims, live),
        "success": (dims, success),
        **dict.fromkeys(("mmcs", "live_mmcs"), (dims, mmcs)),
        **dict.fromkeys(("ratio", "live_ratio"), (dims, ratio)),
        "shown_importance": (
          (*dims, "shown_component", "shown_feature"),
          np.broadcast_to(np.eye(*analysis.SHOWN), (*shape, *analysis.SHOWN)),
        ),
        "middle_difference": ("restart", np.zeros(seeds)),
        "exact_loss": ("restart", np.full(seeds, optimum * changes.get("excess", 1.002))),
        "exact_optimum": ((), optimum),
        "pentagon_norm": ((), 1.13459),
        "pentagon_bias": ((), -0.246331),
        "random_mmcs": ((), 0.979),
        "random_mmcs_std": ((), 0.008),
        "n_features": ((), n),
        "n_dimensions": ((), m),
        "decomposition_steps": ((), steps),
        "decomposition_n_components": ((), 20 if n == N else 200),
      },
      {
        "middle": list(analysis.MIDDLE),
        "matrix": list(analysis.MATRICES),
        "restart": ("restart", np.arange(seeds), {"config_field": ""}),
      },
    ).expand_dims(target=[name])
  return xr.concat(list(rows.values()), "target").assign_attrs(config=json.dumps(fields.defaults()))


def verdicts(dataset: xr.Dataset, statement: str = "") -> list[str]:
  return [c.verdict for c in EXPERIMENT.claims(dataset) if statement in c.statement]


def test_seeds_that_fail_as_often_as_published_confirm_and_the_figure_draws():
  found = verdicts(made(fails=4))
  assert set(found) == {CONFIRMED, IDENTITY, REPORTED} and found.count(CONFIRMED) == 19
  assert len(figure.draw(made()).axes) == 9


def test_other_decompositions_contradict_what_they_are_about():
  assert set(verdicts(made(fails=15), "share of seeds")) == {CONTRADICTED}
  assert set(verdicts(made(ratio=0.96), "published MMCS")) == {CONTRADICTED}
  assert set(verdicts(made(mmcs=0.995), "published MMCS")) == {CONTRADICTED}
  assert verdicts(made(decoder=3), "decoder, in most").count(CONTRADICTED) == 2
  assert CONTRADICTED in verdicts(made(optimum=0.0090), "regular pentagon")
  assert verdicts(made(excess=1.02), "reaches the optimum") == [CONTRADICTED]


def test_few_seeds_and_short_decompositions_decide_nothing():
  for dataset in (made(seeds=5, fails=1), made(steps=4000)):
    assert not {CONFIRMED, CONTRADICTED} & set(verdicts(dataset, "succeed"))
    assert UNDECIDED in verdicts(dataset, "share of seeds")
  assert verdicts(made(seeds=5), "reaches the optimum") == [UNDECIDED]


@pytest.mark.parametrize(
  ("field", "value"),
  [("density.base", 0.1), ("train.weight_decay", 0.1), ("data.noise", 0.1)],
)
def test_another_problem_is_refused_by_name(field, value):
  changed = settings.get_config("quick")
  section, name = field.split(".")
  changed[section][name] = value
  with pytest.raises(UserError, match=rf"config\.{field}"):
    resolve(changed)


def test_other_sizes_are_refused():
  changed = settings.get_config("quick")
  changed.axis.target.values_0 = (6, 40)
  with pytest.raises(UserError, match="6-2"):
    resolve(changed)
