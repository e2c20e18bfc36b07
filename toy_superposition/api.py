"""The package in Python and notebooks: the functions behind `import toy_superposition as ts`.

Configs, training and results are those of the command, without its folder: nothing is written but
compiled programs, which go to the user's cache folder.
"""

import contextlib
import logging
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import jax
from ml_collections import ConfigDict

from toy_superposition import experiments, interrupts, live, models, runner
from toy_superposition.config import execute
from toy_superposition.config import resolve as config
from toy_superposition.config import source as sources
from toy_superposition.declare import is_real
from toy_superposition.devices import mapping, memory, meshes, setup
from toy_superposition.errors import UserError, nearest
from toy_superposition.experiments.experiment import Claim, Experiment
from toy_superposition.measures import MEASURES, Measure, check, working_bytes
from toy_superposition.records import remote, results, schema, upgrade
from toy_superposition.records.instances import instances as rebuilt
from toy_superposition.records.workdir import Workdir

if TYPE_CHECKING:
  import xarray as xr
  from matplotlib.figure import Figure

MEASURE_BYTES = 2**26  # that `measure` may take at once


def get_config(name: str = "base") -> ConfigDict:
  """Returns a config to be changed and run; a mistyped field raises AttributeError.

  Args:
    name: of a config that comes with the package, or the path of a file, which is executed; after a
      colon its variant: "introduction", "phase_change:quick", "my/own.py". By default the default
      of every field.

  Raises:
    UserError: there is no such config or variant, or its code raises or returns something else.
  """
  return execute.get_config(name)


def run(
  config: ConfigDict | str, source: "xr.Dataset | None" = None, *, watch: bool = False
) -> "xr.Dataset":
  """Returns the results of a config, trained in memory on all devices.

  The dataset is the one that the command stores in results.nc: parameters, losses, measures, and
  the variables of the config's experiment. Fields of config.run that concern a folder have no
  effect. Ctrl-C, or a notebook's interrupt button, raises KeyboardInterrupt within seconds; a
  second one, at once.

  If JAX has not been used before, it is set up as for the command: one device per processor core,
  compiled programs stored in the user's cache folder. JAX options that would change numbers, such
  as jax_enable_x64, have no effect here, and keep their values.

  Args:
    config: as `get_config` returns it, or the name that it takes.
    source: dataset of trained models on which these are trained, in the place of config.source.
    watch: in a notebook, whether to draw losses and features in the cell's output while they train.

  Raises:
    UserError: the config is wrong, or its sweep has models of several shapes; or there is no
      notebook to watch it in.
  """
  return next(iter(run_shapes(config, several=False, source=source, watch=watch).values()))


@setup.fixed_options()
def run_shapes(
  config: ConfigDict | str,
  several: bool = True,
  source: "xr.Dataset | None" = None,
  *,
  watch: bool = False,
) -> dict[str, "xr.Dataset"]:
  """Returns the results of a sweep over models of several shapes, such as over model.n_features.

  There is a dataset for each shape, under a name such as "/n_features=5", and if the experiment
  compares model sizes, "/sweep" with the variables of all shapes that have no axis `hidden` or
  `feature`. Training is that of `run`.

  Args:
    config: as `get_config` returns it, or the name that it takes.
    several: whether more than one shape is allowed.
    source: dataset of trained models on which these are trained, in the place of config.source; a
      config named there is trained before.
    watch: as for `run`.

  Raises:
    UserError: the config is wrong, or has more shapes than allowed.
  """
  what = resolved(config, source)
  reshaping = [axis for axis in what.axes if axis.reshapes and len(axis.points) > 1]
  if reshaping and not several:
    raise UserError(
      f"axis {reshaping[0].name!r} gives models of several shapes, which do not fit into one "
      "dataset; run_shapes(config) returns one per shape"
    )
  with contextlib.suppress(RuntimeError):  # JAX was used before, and keeps its devices
    setup.prepare(setup.cores(), compilation_cache=True)
  mesh = meshes.make_mesh(setup.devices())
  try:
    with _log_shown(), memory.explained():
      return runner.run(what, None, mesh, live=live.in_notebook(what.axes) if watch else None)
  except interrupts.Interrupted as stopped:
    if stopped.number != signal.SIGINT:
      signal.raise_signal(stopped.number)  # to its handler outside of training
    raise KeyboardInterrupt(f"{what.name} was stopped; nothing is stored") from None


def resolved(fields: ConfigDict | str, source: "xr.Dataset | None" = None) -> config.ResolvedConfig:
  """Returns the checked config, which needs no name here, since no folder is named after it.

  A config that it names as its source is trained.
  """
  named = get_config(fields) if isinstance(fields, str) else ConfigDict(fields)
  named.name = named.name or "untitled"
  if source is None and sources.is_config(str(named.source)):
    config.resolve(named)  # what is wrong with it is said before the source is trained
    source = run(str(named.source))
  return config.resolve(named, None if source is None else sources.from_dataset(source))


@contextlib.contextmanager
def _log_shown() -> Iterator[None]:
  """Shows the package's messages as plain lines, unless the user's program handles them."""
  logger = logging.getLogger("toy_superposition")
  if logger.handlers:
    yield
    return
  handler = logging.StreamHandler(sys.stdout)
  handler.setFormatter(logging.Formatter("%(message)s"))
  before = logger.level, logger.propagate
  logger.addHandler(handler)
  logger.setLevel(logging.INFO)
  logger.propagate = False  # absl, which optax and orbax import, would show warnings twice
  try:
    yield
  finally:
    logger.removeHandler(handler)
    logger.setLevel(before[0])
    logger.propagate = before[1]


def load(workdir: Path | str, shape: str = results.ROOT) -> "xr.Dataset":
  """Returns the results of a finished run in a folder, as `run` does.

  Args:
    workdir: the folder, or the URL of one in object storage, such as s3://bucket/run.
    shape: in a sweep over model sizes, the name of the dataset to return: that of a size, such as
      "/n_features=5", or "/sweep".

  Raises:
    UserError: there is no such run or shape, the file is damaged, or a URL cannot be reached.
  """
  with remote.reading(workdir) as folder:
    datasets = results.read(Workdir(folder))
  if shape not in datasets:
    known = ", ".join(sorted(datasets))
    raise UserError(f"{workdir}: no shape {shape!r}{nearest(shape, datasets)}; there are: {known}")
  return datasets[shape]


@setup.fixed_options()
def claims(dataset: "xr.Dataset") -> list[Claim]:
  """Returns the claims of a run's experiment with their verdicts; none without an experiment.

  `pandas.DataFrame(claims(dataset))` is a table of them.

  Raises:
    UserError: the dataset is not of a run, or holds one model size of an experiment that compares
      sizes.
  """
  dataset, experiment = _with_experiment(dataset)
  return experiment.decide(dataset) if experiment else []


@setup.fixed_options()
def draw(dataset: "xr.Dataset", size: Sequence[int | float] | None = None) -> "Figure":
  """Returns the figure of a run's experiment.

  Font, sizes of text and everything else that is set in matplotlib's rcParams or by a style sheet
  is respected. The figure's savefig keeps text as text in .pdf and .svg:

    ts.draw(results, size=(5.5, 2.2)).savefig("figure.pdf")

  Args:
    dataset: of a run.
    size: width and height in inches; by default rcParams["figure.figsize"] if that was changed, or
      else the size that the figure was designed for.

  Raises:
    UserError: the run has no experiment, the experiment no figure or the dataset not what it shows;
      the size is not two numbers above 0; or as `claims`.
  """
  dataset, experiment = _with_experiment(dataset)
  if experiment is None or experiment.figure is None:
    name = _values(dataset)["experiment"]
    raise UserError(f"config.experiment is {name!r}, which has no figure; ts.plots draws any run")
  if size is not None and not (len(size) == 2 and all(is_real(s) and s > 0 for s in size)):
    raise UserError(f"size: {size!r} is not allowed; allowed: (width, height) in inches")
  figure = experiment.drawn(dataset)
  if size is not None:
    figure.set_size_inches(size[0], size[1])
  return figure


def _with_experiment(dataset: "xr.Dataset") -> tuple["xr.Dataset", Experiment | None]:
  """Returns a dataset under today's names, and its experiment, if any."""
  name = _values(dataset)["experiment"]
  dataset = upgrade.upgraded_dataset(dataset)
  if name == "none":
    return dataset, None
  experiment = experiments.get(name)
  if experiment.compares_sizes and "feature" in dataset.dims:
    raise UserError(
      f"{name} compares model sizes: take run_shapes(config)[{results.SWEEP!r}], or "
      f"load(workdir, {results.SWEEP!r})"
    )
  if not experiment.compares_sizes:
    params = models.param_names(schema.model_names(dataset)[0])
    schema.require(dataset, (*schema.REQUIRED, *params))
    if missing := [dim for dim in dataset["loss"].dims if dim not in dataset.coords]:
      raise UserError(f"not a run's dataset: the points of the axis {missing[0]!r} are missing")
  return dataset, experiment


@setup.fixed_options()
def measure(
  dataset: "xr.Dataset", row: str | Measure, weights: str | None = None
) -> "xr.DataArray":
  """Returns a measure of every model in a dataset, with the sweep's axes before its own.

  Args:
    dataset: of a run.
    row: a name in MEASURES, or a Measure that is not in the table.
    weights: the variable with axes hidden and feature to measure as the feature directions, such as
      "history_W", with the other parameters from the variables of the same prefix if there are any;
      by default the directions of the trained models.

  Raises:
    UserError: there is no such measure or variable, or the measure does not return what its row
      declares.
  """
  import xarray as xr

  if isinstance(row, str) and row not in MEASURES:
    known = ", ".join(MEASURES)
    raise UserError(f"no measure {row!r}{nearest(row, MEASURES)}; there are: {known}")
  chosen = MEASURES[row] if isinstance(row, str) else row
  params, instances, leading = rebuilt(upgrade.upgraded_dataset(dataset), weights)
  first = jax.tree.map(lambda leaf: leaf[0], (params, instances))
  check({row if isinstance(row, str) else "row": chosen}, *first)
  bytes_each = sum(leaf.nbytes for leaf in jax.tree.leaves(first))
  values = mapping.map_slices(
    lambda operands: jax.vmap(chosen.function)(*operands),
    (params, instances),
    mesh=meshes.make_mesh(setup.devices(1)),
    bytes_each=bytes_each + working_bytes(first[0].directions.shape[-1], [chosen]),
    budget=MEASURE_BYTES,
  )
  return xr.DataArray(
    values.reshape((*leading.shape, *values.shape[1:])),
    leading.coords,
    (*leading.dims, *chosen.dims),
    attrs={"long_name": chosen.long_name},
  )


def _values(dataset: "xr.Dataset") -> dict:
  """Returns every field of the config that a dataset was made from, under today's names."""
  return schema.config(upgrade.upgraded_dataset(dataset))
