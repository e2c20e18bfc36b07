"""What a person calls from Python or a notebook; the package's own names lead here.

The same configs, training and results as the command's, without its folder: nothing is written but
compiled programs, which go to the user's cache folder.
"""

import contextlib
import importlib.util
import json
import logging
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import jax
from ml_collections import ConfigDict

from toy_superposition import interrupts, runner
from toy_superposition.config import resolve as config
from toy_superposition.config.catalogue import CONFIGS, names
from toy_superposition.devices import mapping, meshes, setup
from toy_superposition.errors import UserError, nearest
from toy_superposition.experiments import ANALYSES, FIGURES
from toy_superposition.experiments.experiment import Claim
from toy_superposition.measures import MEASURES, Measure, check, working_bytes
from toy_superposition.records import results
from toy_superposition.records.workdir import Workdir

if TYPE_CHECKING:
  import xarray as xr
  from matplotlib.figure import Figure

CACHE = 2**26  # bytes that `measure` may take at once


def get_config(name: str = "base") -> ConfigDict:
  """Returns a config to be changed and run; a mistyped field raises AttributeError.

  Args:
    name: a file in configs/ with or without its path, and after a colon its variant:
      "introduction", "phase_change:quick", "my/own.py". It is executed. Without a name: the
      defaults of configs/base.py.

  Raises:
    UserError: there is no such file or variant.
  """
  file, _, variant = name.partition(":")
  path = Path(file) if file.endswith(".py") else CONFIGS / f"{file}.py"
  if not path.exists():
    there = names()
    raise UserError(f"no config {file!r}{nearest(file, there)}; there are: {', '.join(there)}")
  spec = importlib.util.spec_from_file_location(f"configs.{path.stem}", path)
  assert spec is not None and spec.loader is not None  # the path ends in .py
  module = importlib.util.module_from_spec(spec)
  try:
    spec.loader.exec_module(module)
  except ModuleNotFoundError as error:
    if error.name != "configs":
      raise
    raise UserError(
      "configs/ is not importable; install the package with `pip install -e .`"
    ) from error
  try:
    return module.get_config(*([variant] if variant else []))
  except (ValueError, TypeError) as error:  # the variant, or there are none
    raise UserError(f"config {name!r}: {error}") from error


def run(config: ConfigDict | str) -> "xr.Dataset":
  """Returns the results of an experiment, trained in memory on all devices; nothing is written.

  `config` is what `get_config` returns, or the name that it takes.

  What is in it is what the command stores in results.nc: parameters, losses, measures, and the
  variables of the config's analysis. Fields of config.run that are about a folder do nothing.
  Ctrl-C, or a notebook's button to interrupt, ends it at the next border (config.run.log_every, a
  twentieth of the steps by default) with KeyboardInterrupt, and a second one at once.

  Sets jax up as the command does where that is still possible: full float32 products, one device
  per processor core, compiled programs kept in the user's cache folder.

  Raises:
    UserError: the config is wrong, or its sweep has models of several shapes.
  """
  found = run_shapes(config, several=False)
  return next(iter(found.values()))


def run_shapes(config: ConfigDict | str, several: bool = True) -> dict[str, "xr.Dataset"]:
  """Returns the results of a sweep over models of several shapes, such as over model.n_features:
  a dataset for each, by a name such as "/n_features=5", and "/sweep" with the numbers of all where
  the analysis is about them together; as `run` otherwise.

  Args:
    config: of the experiment, or its name.
    several: whether there may be more than one.

  Raises:
    UserError: the config is wrong; or there is more than one where there may not be.
  """
  what = _resolve(config)
  reshaping = [axis for axis in what.axes if axis.reshapes and len(axis.points) > 1]
  if reshaping and not several:
    raise UserError(
      f"axis {reshaping[0].name!r} gives models of several shapes, which do not fit into one "
      "dataset; run_shapes(config) returns one for each"
    )
  with contextlib.suppress(RuntimeError):  # jax has its devices already: those are taken
    setup.configure(setup.cores(), compilation_cache=True)
  mesh = meshes.make_mesh(setup.devices())
  try:
    with _log_shown():
      return runner.run(what, None, mesh)
  except interrupts.Interrupted as stopped:
    if stopped.number != signal.SIGINT:
      signal.raise_signal(stopped.number)  # to whoever handles it outside of training
    raise KeyboardInterrupt(f"{what.name or 'training'} was stopped; nothing is kept") from None


def _resolve(fields: ConfigDict | str) -> config.Experiment:
  """Returns the checked experiment; one without a name gets one, since it names no folder."""
  named = get_config(fields) if isinstance(fields, str) else ConfigDict(fields)
  named.name = named.name or "untitled"
  return config.resolve(named)


@contextlib.contextmanager
def _log_shown() -> Iterator[None]:
  """Shows the package's messages as plain lines, unless the user's program does already."""
  logger = logging.getLogger("toy_superposition")
  if logger.handlers:
    yield
    return
  handler = logging.StreamHandler(sys.stdout)
  handler.setFormatter(logging.Formatter("%(message)s"))
  before = logger.level, logger.propagate
  logger.addHandler(handler)
  logger.setLevel(logging.INFO)
  logger.propagate = False  # absl, which optax and orbax import, would show warnings again
  try:
    yield
  finally:
    logger.removeHandler(handler)
    logger.setLevel(before[0])
    logger.propagate = before[1]


def load(workdir: Path | str, group: str = results.ROOT) -> "xr.Dataset":
  """Returns the results of a finished run in a folder, as `run` does.

  Args:
    workdir: the folder.
    group: of a sweep over several shapes the one to return, such as "/n_features=5".

  Raises:
    UserError: no such run or group, or the file is damaged.
  """
  found = results.read(Workdir(Path(workdir)))
  if group not in found:
    there = ", ".join(sorted(found))
    raise UserError(f"{workdir}: no group {group!r}{nearest(group, found)}; there are: {there}")
  return found[group]


def claims(dataset: "xr.Dataset") -> list[Claim]:
  """Returns what the results say about the paper's statements; none without an analysis.

  `pandas.DataFrame(claims(dataset))` is a table of them.
  """
  analysis = _values(dataset)["analysis"]
  _check_gathered(dataset, analysis)
  return runner.claims(analysis, {results.ROOT: dataset})


def _check_gathered(dataset: "xr.Dataset", analysis: str) -> None:
  """Raises UserError for one shape where the analysis is about all of a sweep's together."""
  if analysis in ANALYSES and ANALYSES[analysis].across and "feature" in dataset.dims:
    raise UserError(
      f"{analysis} is about all shapes together: take run_shapes(config)[{results.SWEEP!r}], or "
      f"load(workdir, {results.SWEEP!r})"
    )


def draw(dataset: "xr.Dataset", name: str | None = None) -> "Figure":
  """Returns a whole figure of the paper, of results with the analysis that it needs.

  Args:
    dataset: of a run.
    name: of the figure; the first of the config's without.

  Raises:
    UserError: there is no such figure, or it needs another analysis.
  """
  values = _values(dataset)
  if name is None and not values["figures"]:
    raise UserError(f"config.figures is empty; name one of {', '.join(FIGURES)}, or use plots")
  name = name or values["figures"][0]
  if name not in FIGURES:
    raise UserError(f"no figure {name!r}{nearest(name, FIGURES)}; there are: {', '.join(FIGURES)}")
  wanted = FIGURES[name].analysis
  if wanted and wanted != values["analysis"]:
    raise UserError(
      f"figure {name!r} needs config.analysis={wanted!r}, and this run has {values['analysis']!r}"
    )
  _check_gathered(dataset, values["analysis"])
  return FIGURES[name].draw(dataset)


def measure(
  dataset: "xr.Dataset", row: str | Measure, weights: str | None = None
) -> "xr.DataArray":
  """Returns a measure of every model in a dataset, with the sweep's axes before its own.

  Args:
    dataset: of a run.
    row: a name in MEASURES, or a Measure that is not in the table.
    weights: the variable with axes hidden and feature to measure, such as "history_W"; by default
      the directions of the features, W or, where the decoder has its own weights, W1.

  Raises:
    UserError: there is no such measure or variable, or the measure is not what its row says.
  """
  import xarray as xr

  if isinstance(row, str) and row not in MEASURES:
    there = ", ".join(MEASURES)
    raise UserError(f"no measure {row!r}{nearest(row, MEASURES)}; there are: {there}")
  chosen = MEASURES[row] if isinstance(row, str) else row
  name = weights or ("W" if "W" in dataset else "W1")
  if name not in dataset or not {"hidden", "feature"} <= set(dataset[name].dims):
    there = ", ".join(str(v) for v in dataset.data_vars if "hidden" in dataset[v].dims)
    raise UserError(f"no weights {name!r} in the dataset; there are: {there or 'none'}")
  W = dataset[name].transpose(..., "hidden", "feature")
  leading, shape = W.dims[:-2], W.shape[:-2]
  check({str(row) if isinstance(row, str) else "row": chosen}, *W.shape[-2:])
  each = W.values.reshape(-1, *W.shape[-2:])
  placed = mapping.map_slices(
    jax.vmap(chosen.function),
    each,
    mesh=meshes.make_mesh(setup.devices(1)),
    bytes_each=each[0].nbytes + working_bytes(W.shape[-1], [chosen]),
    budget=CACHE,
  )
  return xr.DataArray(
    placed.reshape(*shape, *placed.shape[1:]),
    {k: v for k, v in W.coords.items() if {"hidden", "feature"}.isdisjoint(v.dims)},
    (*leading, *chosen.dims),
    attrs={"long_name": chosen.long_name},
  )


def _values(dataset: "xr.Dataset") -> dict:
  """Returns every field of the config that a dataset was made from."""
  if "config" not in dataset.attrs:
    raise UserError("not a run's dataset: the attribute 'config' is missing")
  return json.loads(dataset.attrs["config"])
