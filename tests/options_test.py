"""What JAX's process-wide options may decide, and the cache of compiled programs."""

import logging
import re
import warnings

import jax
import numpy as np
import pytest
import xarray as xr
from jax.experimental.compilation_cache import compilation_cache

import toy_superposition as ts
from tests import command
from toy_superposition import terminal
from toy_superposition.devices import cache, mapping, memory, meshes, setup
from toy_superposition.errors import UserError

# Values under which JAX computes other numbers than by default, or none.
CHANGED = {
  "jax_enable_x64": True,
  "jax_default_matmul_precision": "bfloat16",
  "jax_numpy_dtype_promotion": "strict",
  "jax_default_prng_impl": "rbg",
  "jax_threefry_partitionable": False,
  "jax_random_seed_offset": 7,
  "jax_disable_jit": True,
  "jax_disable_most_optimizations": True,
  "jax_use_direct_linearize": False,
  "jax_debug_nans": True,
  "jax_debug_infs": True,
  "jax_transfer_guard": "disallow",
}


def diverging():
  """Returns a config of two models, one of which diverges, with a history and exact losses."""
  settings = ts.get_config()
  settings.model.n_features, settings.model.n_hidden = 2, 1
  settings.train.steps, settings.train.batch_size, settings.train.optimizer = 12, 8, "sgd"
  settings.train.estimator = "autodiff"
  settings.history.num, settings.evaluation.method = 2, "exact"
  rates = {"field": "train.learning_rate", "scale": "points", "points": (0.01, 1e30)}
  with settings.unlocked():
    settings.axes, settings.axis = ("rate",), {"rate": rates}
  return settings


@pytest.fixture(scope="module")
def usual() -> xr.Dataset:
  return ts.run(diverging())


def test_every_option_that_is_fixed_is_tried():
  assert set(CHANGED) == set(setup.OPTIONS)


@pytest.mark.parametrize(
  "name", ["all", *(pytest.param(option, marks=pytest.mark.slow) for option in CHANGED)]
)
def test_options_that_change_numbers_change_no_result_and_keep_their_values(usual, name):
  changed = CHANGED if name == "all" else {name: CHANGED[name]}
  before = {option: jax.config.values[option] for option in changed}
  try:
    for option, value in changed.items():
      jax.config.update(option, value)
    results = ts.run(diverging())
    measured = ts.measure(results, "feature_norm")
    assert {option: jax.config.values[option] for option in changed} == changed
  finally:
    for option, value in before.items():
      jax.config.update(option, value)
  xr.testing.assert_identical(results, usual)
  np.testing.assert_allclose(measured, usual["feature_norm"], rtol=1e-6)


def test_options_of_a_surrounding_block_change_no_result_and_keep_their_values(usual):
  with jax.enable_x64(True), jax.debug_nans(True), jax.threefry_partitionable(False):
    xr.testing.assert_identical(ts.run(diverging()), usual)
    assert jax.numpy.arange(2.0).dtype == np.float64


def test_what_differs_from_jax_s_defaults_is_recorded(monkeypatch):
  monkeypatch.setenv("JAX_ENABLE_X64", "1")
  monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_enable_fast_math=true")
  options = setup.options()
  assert options["jax_default_matmul_precision"] == "highest"
  assert options["JAX_ENABLE_X64"] == "1"
  assert options["XLA_FLAGS"] == "--xla_cpu_enable_fast_math=true"
  assert all(name.startswith(("jax_", "JAX_", "XLA_", "LIBTPU_")) for name in options)


def test_more_cpu_devices_than_xla_can_make_are_one_line():
  with pytest.raises(UserError, match=r"--cpu_devices=100000: allowed: 1 to 1024"):
    setup.prepare(100_000, compilation_cache=False)


@pytest.mark.parametrize(
  "error",
  [
    jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 7 bytes.\nmore"),
    MemoryError("Unable to allocate 32.0 GiB for an array"),
  ],
)
def test_too_little_memory_is_one_line_that_names_what_to_change(error):
  with (
    pytest.raises(UserError, match=r"out of memory.*memory_gib.*batch_size") as caught,
    memory.explained(),
  ):
    raise error
  assert len(str(caught.value).splitlines()) == 1
  assert str(error).splitlines()[0] in str(caught.value)
  with pytest.raises(jax.errors.JaxRuntimeError), memory.explained():
    raise jax.errors.JaxRuntimeError("INTERNAL: something else")


def test_an_operation_that_the_processor_lacks_is_one_line_that_names_what_to_change():
  reason = "UNIMPLEMENTED: Unsupported element type for DotThunk::Execute: BF16 x BF16 = F32"
  with pytest.raises(UserError, match=r"train.precision=float32") as caught, memory.explained():
    raise jax.errors.JaxRuntimeError(f"{reason}\nmore")
  assert len(str(caught.value).splitlines()) == 1
  assert reason in str(caught.value)


def test_a_program_that_takes_more_than_the_machine_has_is_one_line():
  mesh = meshes.make_mesh(setup.devices(1))

  def huge(x):
    rows = jax.lax.broadcasted_iota(np.float32, (2**22, 2**22), 0) + x[0]
    return jax.lax.sort(rows, dimension=0)[:1, 0]

  with pytest.raises(UserError, match="out of memory"):
    mapping.map_slices(huge, np.ones(1, np.float32), mesh=mesh, bytes_each=1, budget=1)


@pytest.fixture
def cached(tmp_path):
  """An empty compilation cache; returns its folder."""
  names = ("jax_compilation_cache_dir", "jax_persistent_cache_min_compile_time_secs")
  before = {name: jax.config.values[name] for name in names}
  for name, value in zip(names, (str(tmp_path), 0), strict=True):
    jax.config.update(name, value)
  compilation_cache.reset_cache()
  yield tmp_path
  for name, value in before.items():
    jax.config.update(name, value)
  compilation_cache.reset_cache()


def compiled(x: float) -> float:
  def a_program_of_this_test(x):
    return 2 * x + 1

  return float(jax.jit(a_program_of_this_test)(np.float32(x)))


def flipped(content: bytes) -> bytes:
  middle = len(content) // 2
  return content[:middle] + bytes([content[middle] ^ 16]) + content[middle + 1 :]


@pytest.mark.parametrize("damage", [flipped, lambda content: content[:50], lambda content: b""])
def test_a_damaged_entry_of_the_compilation_cache_is_one_line_and_made_again(
  cached, caplog, damage
):
  with cache.repaired():
    compiled(1)
  (entry,) = (path for path in cached.iterdir() if path.name.startswith("jit_a_program"))
  whole = entry.read_bytes()
  entry.write_bytes(damage(whole))
  caplog.set_level(logging.WARNING, "toy_superposition")
  with warnings.catch_warnings(record=True) as shown, cache.repaired():
    assert compiled(2) == 5
  assert shown == []
  assert len(caplog.messages) == 1 and len(caplog.messages[0].splitlines()) == 1
  assert "jit_a_program" in caplog.messages[0]
  assert len(entry.read_bytes()) > 50
  caplog.clear()
  with cache.repaired():
    assert compiled(3) == 7
  assert caplog.messages == []


def test_a_platform_without_a_device_is_named(monkeypatch):
  def local_devices():
    raise AssertionError  # as jax does, without a word

  monkeypatch.setattr(jax, "local_devices", local_devices)
  with pytest.raises(UserError, match=r"no device to run on: JAX_PLATFORMS=cpu: there is no"):
    setup.devices()


@pytest.mark.parametrize(
  "message",
  [
    "invalid truth value 'maybe' for environment 'JAX_ENABLE_X64'",
    'Invalid value "foo" for JAX flag jax_default_matmul_precision',
  ],
)
def test_a_variable_that_jax_refuses_when_it_is_imported_is_one_line(capsys, message):
  def imports_jax():
    raise ValueError(message)

  with pytest.raises(SystemExit) as ended:
    terminal.guarded(imports_jax)
  assert ended.value.code == 1 and capsys.readouterr().err == f"{message}\n"


@pytest.mark.slow
@pytest.mark.parametrize(
  ("env", "flag", "line"),
  [
    ({"JAX_PLATFORMS": "cuda"}, "", r"no device to run on: .*cuda.*"),
    ({"JAX_ENABLE_X64": "maybe"}, "", r".*invalid truth value 'maybe'.*JAX_ENABLE_X64.*"),
    ({"JAX_PLATFORMS": "cpu"}, "--cpu_devices=100000", r"--cpu_devices=100000: allowed: 1 to .*"),
  ],
)
def test_what_jax_cannot_do_is_one_line_of_the_command(tmp_path, env, flag, line):
  folder = tmp_path / "run"
  done = command.run(*command.TINY, f"--workdir={folder}", *filter(None, [flag]), env=env)
  assert done.returncode == 1
  assert re.fullmatch(line, done.stderr.strip()), done.stderr
  assert not folder.exists()


def test_other_warnings_are_shown_as_before():
  with pytest.warns(UserWarning, match="of the user"), cache.repaired():
    warnings.warn("of the user", stacklevel=1)
