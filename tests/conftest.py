"""Eight simulated devices, jax's strict modes, and one cache of compiled programs for all tests."""

import dataclasses
import gc
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

# Child processes inherit these; figures need no display and no test touches the user's files.
os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["MPLBACKEND"] = "agg"
# Workers, child processes and the next session share compiled programs. Tests that count
# compilations or look at the cache itself set these for themselves.
CACHE = Path(__file__).parent.parent / ".pytest_cache" / "jax"
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(CACHE))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.01")
# Programs here are small: to split each between threads that compile costs more than it saves.
os.environ["XLA_FLAGS"] = (
  os.environ.get("XLA_FLAGS", "") + " --xla_cpu_parallel_codegen_split_count=1"
)

import jax  # noqa: E402, after the variables that it reads
import jaxtyping  # noqa: E402
import pytest  # noqa: E402
from jax.experimental.compilation_cache import compilation_cache  # noqa: E402

jax.config.update("jax_num_cpu_devices", 8)
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_debug_key_reuse", True)
jax.config.update("jax_default_matmul_precision", "highest")


def _declare_shapes() -> list[str]:
  """Returns the modules whose functions declare shapes of arrays."""
  root = Path(__file__).parent.parent
  paths = (root / "toy_superposition").rglob("*.py")
  return [
    ".".join(path.relative_to(root).with_suffix("").parts)
    for path in sorted(paths)
    if "jaxtyping" in path.read_text()
  ]


def _names_array(annotation: Any) -> bool:
  """Returns whether an annotation has the shape of an array, somewhere inside."""
  if isinstance(annotation, list):  # parameters of a Callable
    return any(map(_names_array, annotation))
  if isinstance(annotation, type) and issubclass(annotation, jaxtyping.AbstractArray):
    return True
  return any(map(_names_array, get_args(annotation)))


def _check_shapes(jaxtyped: Callable = jaxtyping.jaxtyped, **keywords: Any) -> Callable:
  """Returns the decorator that the import hook puts on every function and class of a module.

  It checks those that declare the shape of an array. All other types are mypy's: to check them at
  every call, and to wrap inner functions whenever the outer one is called, took 1/20 of the tests'
  time.
  """

  def decorate(checked: Any) -> Any:
    if dataclasses.is_dataclass(checked):
      annotations = [field.type for field in dataclasses.fields(checked)]
    else:
      annotations = [] if isinstance(checked, type) else list(checked.__annotations__.values())
    return jaxtyped(**keywords)(checked) if any(map(_names_array, annotations)) else checked

  return decorate


jaxtyping.jaxtyped = _check_shapes  # type: ignore[assignment]
jaxtyping.install_import_hook(_declare_shapes(), "beartype.beartype")


@pytest.fixture
def without_compilation_cache():
  """Compiles every program afresh, for tests that count compilations."""
  jax.config.update("jax_enable_compilation_cache", False)
  compilation_cache.reset_cache()
  yield
  jax.config.update("jax_enable_compilation_cache", True)
  compilation_cache.reset_cache()


# Modules by CPU time, the longest first; of all others, none takes more than a few seconds.
LONGEST = (
  *("interruption", "running", "estimators", "sparse_autoencoders", "people", "invariants", "api"),
  *("feature_count", "results", "browser_panels", "browser", "processes", "shards", "launch"),
  *("contract", "config", "exchange", "draws", "crash", "dry_run", "hierarchy", "uniform_geometry"),
  *("distributions", "scalarize", "bare_weights", "configs", "source", "requirements", "theory"),
)


@pytest.hookimpl(tryfirst=True)  # before the choice by -m
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
  """Marks as slow what is not quick, and puts the longest modules first."""
  _mark_slow(items)
  _sort(items)


def pytest_collection_finish() -> None:
  """Spares the garbage collector what all modules and tests hold until the end.

  JAX's traces leave so many objects that it went through all of them every second: 1/20 of the
  tests' time.
  """
  gc.collect()
  gc.freeze()
  gc.set_threshold(20_000, 10, 50)


def _mark_slow(items: list[pytest.Item]) -> None:
  """Marks a test's parameters that its marker `quick` does not name as slow.

  Raises:
    UsageError: a test has no parameters of these names, so that none goes stale.
  """
  named: dict[str, set[str]] = {}
  there: dict[str, set[str]] = {}
  for item in items:
    if marker := item.get_closest_marker("quick"):
      test, _, parameters = item.nodeid.partition("[")
      named[test] = set(marker.args)
      there.setdefault(test, set()).add(parameters.removesuffix("]"))
      if parameters.removesuffix("]") not in marker.args:
        item.add_marker(pytest.mark.slow)
  stale = [
    f"{test}: no parameters {names - there[test]}, only {there[test]}"
    for test, names in named.items()
    if names - there[test] and len(there[test]) > 1  # one may be asked for by its id alone
  ]
  if stale:
    raise pytest.UsageError("\n".join(stale))


def _sort(items: list[pytest.Item]) -> None:
  """Puts the longest modules first: at the end no worker is alone with a long one.

  A worker takes a whole module (--dist=loadscope), the next one in this order
  (--no-loadscope-reorder: by itself it would take the one with the most tests).
  """
  places = {name: place for place, name in enumerate(LONGEST)}
  items.sort(key=lambda item: places.get(item.path.stem.removesuffix("_test"), len(places)))
