"""Weights for other programs, and other programs' weights for this one.

`export` writes weights in the names and layout of PyTorch code, `weights` takes weights that were
trained elsewhere, and `write_report` makes the page of a dataset in memory.
"""

import contextlib
import dataclasses
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ml_collections import ConfigDict

from toy_superposition import api, bare_weights, experiments, models, problem, report, runner
from toy_superposition.config.resolve import ResolvedConfig
from toy_superposition.devices import memory, meshes, setup
from toy_superposition.devices.plan import Plan, make_plans
from toy_superposition.drawing import style
from toy_superposition.errors import UserError, shown
from toy_superposition.inputs import INPUTS
from toy_superposition.models import AutoencoderParams
from toy_superposition.records import files, results, schema, upgrade
from toy_superposition.samples import models_of
from toy_superposition.scoring import Scorer
from toy_superposition.types import Spec, TrainState
from toy_superposition.weight_layouts import METADATA, Arrays, Given, stored

if TYPE_CHECKING:
  import xarray as xr

SUFFIXES = (".npz", ".safetensors")
ELSEWHERE = "weights that were trained elsewhere"  # the attribute `source` of their dataset


def export(dataset: "xr.Dataset", path: Path | str) -> list[str]:
  """Writes the weights of a dataset's models for PyTorch; returns the names of the arrays.

  Autoencoders of features are in the names and layout of the paper's notebook: W [instance,
  feature, hidden], b_final [instance, feature]. Sparse autoencoders are in those of SAELens: W_enc
  [input, latent], W_dec [latent, input], b_enc, b_dec, threshold …, with a leading axis of
  instances if there are several. Others, and frozen arrays such as the dictionary, keep their names
  and axes. Instances are the sweep's axes, flattened, the last one fastest. The file also has the
  config as JSON: the metadata of .safetensors, an array of one text in .npz.

  Args:
    dataset: of a run, or a selection from it.
    path: ends in .npz, or in .safetensors (pip install safetensors). A file there is replaced.

  Raises:
    UserError: it is not a dataset of a run, its models are of several kinds, the ending is another
      one, or the file cannot be written.
  """
  path = files.to_write(path)
  if path.suffix not in SUFFIXES:
    raise UserError(f"{path}: its ending is not allowed; allowed: {', '.join(SUFFIXES)}")
  arrays = _exported(dataset)
  texts = {name: str(dataset.attrs[name]) for name in METADATA}
  safetensors = _safetensors() if path.suffix == ".safetensors" else None
  with files.disk_errors(path), files.replacing(path) as temporary:
    if safetensors is None:
      contents: dict[str, Any] = {**arrays, **{name: np.array(t) for name, t in texts.items()}}
      with temporary.open("wb") as file:
        np.savez(file, **contents)
    else:
      temporary.write_bytes(safetensors.save(arrays, metadata=texts))
  return list(arrays)


def _safetensors() -> Any:
  try:
    import safetensors.numpy
  except ImportError as error:
    raise UserError(
      "safetensors is not installed; allowed: pip install safetensors, or a path that ends in .npz"
    ) from error
  return safetensors.numpy


def _exported(dataset: "xr.Dataset") -> dict[str, np.ndarray]:
  """Returns the arrays of a file by name."""
  made = models_of(dataset)
  kind = type(made.params)
  arrays = {}
  for name, other in stored(made.problem.spec).items():
    order = [0, *(1 + kind.DIMS[name].index(dim) for dim in other.dims)]
    arrays[other.name] = np.asarray(getattr(made.params, name)).transpose(order)
  arrays |= made.instances.given or {}
  # The notebook's module has an axis of instances anyway.
  single = not made.shape and not issubclass(kind, AutoencoderParams)
  return {n: np.ascontiguousarray(a[0] if single else a) for n, a in arrays.items()}


@setup.fixed_options()
def weights(
  W: Any,
  b: Any = None,
  layout: str = "",
  source: "xr.Dataset | None" = None,
  *,
  density: Any = None,
  importance: Any = None,
  model: str = "",
  axes: Sequence[str] = (),
) -> "xr.Dataset":
  """Returns the dataset of a run whose weights were trained elsewhere.

  It is scored: it has what a run has, for measures, pictures, claims and the page. Arrays are those
  of NumPy, JAX, PyTorch or xarray. There are two ways to call it:

    ts.weights(W, b, density=0.1)                    # the weights, and what their features are
    ts.weights("introduction", {"W": W, "b": b})     # a config, and the arrays of its models

  The second has the variables and claims of the config's experiment; the first has no experiment.

  Args:
    W: the encoder, with the models' axes before its own: [hidden, feature], or the notebook's
      [feature, hidden]; or a dict of parameters by our names or by those of `export` (a state_dict
      of PyTorch). Or a config or its name, as `run` takes it; of its training nothing is done.
    b: the biases [feature], with the models' axes before; by default 0. With a config, W or the
      dict of parameters: W [instance, feature, hidden] and b_final [instance, feature] of the
      paper's notebook, W_enc [input, latent] … of SAELens. Before their own axes they have the
      sweep's, or one of instances, the sweep's last axis fastest, or none for a single model.
      Biases that are missing are 0. Frozen arrays such as dictionary [input, feature] take the
      place of the config's; without leading axes, for all.
    layout: of the encoder: "hidden, feature" or "feature, hidden"; of sparse autoencoders "latent,
      input" or "input, latent". By default its shape tells: without a config the length of the
      biases, densities or importances, or else that features outnumber hidden dimensions.
    source: as for `run`; with a config.
    density: probability that a feature is active, 1 − S: a number, one per feature, or one per
      model, broadcast against (models' axes …, feature). Needed without a config.
    importance: weights I_i of the features' errors, likewise; by default 1.
    model: row of MODELS; by default relu_output.
    axes: names of the models' axes; by default those of an xarray.DataArray, or "density" for one
      along which the densities differ, and "restart" for one of repetitions.

  Raises:
    UserError: the config is wrong or has models of several shapes, or something is missing, of
      another shape, or could be read in two ways.
  """
  if isinstance(W, ConfigDict | str):
    there = {"density": density, "importance": importance, "model": model or None}
    for name, value in (there | {"axes": axes or None}).items():
      if value is not None:
        raise UserError(f"{name}: not allowed with a config, which has it")
    config, arrays = W, _named(b)
  else:
    arrays = _named(W) if b is None else {**_named(W), "b": b}
    config, arrays, layout = bare_weights.described(
      arrays,
      model=model or "relu_output",
      layout=layout,
      axes=axes,
      density=density,
      importance=importance,
    )
  what = api.resolved(config, source)
  _refuse(what)
  with contextlib.suppress(RuntimeError):  # JAX was used before, and keeps its devices
    setup.prepare(setup.cores(), compilation_cache=True)
  mesh = meshes.make_mesh(setup.devices())
  given = Given(arrays, layout, tuple(len(axis.points) for axis in what.axes))
  given.check_names({name for group in what.groups for name in _accepted(group.spec)})
  with memory.explained():
    outcomes = [_scored(what, plan, given) for plan in make_plans(what, mesh)]
    datasets = runner.finish(what, outcomes, [ELSEWHERE] * len(outcomes), None, mesh)
  return next(iter(datasets.values())).assign_attrs(source=ELSEWHERE)


def _named(arrays: Any) -> Arrays:
  """Returns arrays by name; one alone is W.

  Raises:
    UserError: there is none.
  """
  if isinstance(arrays, Mapping) and not hasattr(arrays, "dims"):
    return arrays
  if arrays is None or isinstance(arrays, str):
    raise UserError(
      f"arrays: {shown(arrays)} is not allowed; allowed: an array, W, or a dict of them"
    )
  return {"W": arrays}


def _refuse(what: ResolvedConfig) -> None:
  """Refuses configs whose results weights alone do not give."""
  if any(axis.reshapes and axis.points[1:] for axis in what.axes):
    raise UserError("the config has models of several shapes; give the weights of one at a time")
  if what.experiment != "none" and experiments.get(what.experiment).stores_wall_times:
    raise UserError(
      f"config.experiment: {what.experiment!r} is about the time of training; allowed: none"
    )


def _accepted(spec: Spec) -> set[str]:
  """Returns the names that arrays of a model may have."""
  own, frozen = models.param_names(spec.model), INPUTS[spec.inputs].DIMS
  return {*own, *frozen, *(other.name for other in stored(spec).values())}


def _scored(what: ResolvedConfig, plan: Plan, given: Given) -> dict[str, np.ndarray]:
  """Returns the results' variables of one group with the weights that were given."""
  spec, instances = plan.group.spec, plan.group.instances
  index = instances.index
  abstract = models.abstract_params(
    models.of(spec),
    n_inputs=spec.row("data.input").size(spec),
    n_hidden=spec.n_hidden,
    n_outputs=problem.n_outputs(spec),
  )
  used, dims = stored(spec), type(abstract).DIMS
  params = {
    name: given.parameter(name, dims[name], leaf.shape, used.get(name))[index]
    for name, leaf in vars(abstract).items()
  }
  frozen = {n: given.frozen(n, leaf, index) for n, leaf in (instances.given or {}).items()}
  instances = dataclasses.replace(instances, given=frozen or None)
  plan = plan._replace(group=plan.group._replace(instances=instances))
  state = TrainState(params=type(abstract)(**params), opt_state=None)
  return Scorer(what, plan).trained(state)


def write_report(dataset: "xr.Dataset", path: Path | str) -> None:
  """Writes the page of a dataset in memory, such as a run in a folder has as report.html.

  It has the claims and the figure of the dataset's experiment, unless the dataset is a selection
  from a run, and interactive panels.

  Args:
    dataset: of a run, or a selection from it.
    path: of the page. A file there is replaced.

  Raises:
    UserError: it is not a dataset of a run, or the page cannot be written.
  """
  dataset = upgrade.upgraded_dataset(dataset)
  values = schema.config(dataset)
  params = models.param_names(schema.model_names(dataset)[0])
  schema.require(dataset, (*schema.REQUIRED, *params))
  path, name = files.to_write(path), str(values["name"])
  full = set(values["axes"]) <= {str(dim) for dim in dataset.dims}
  experiment = str(values["experiment"]) if full else "none"
  claims = api.claims(dataset) if experiment != "none" else []
  elsewhere = f"; {ELSEWHERE}" if dataset.attrs.get("source") == ELSEWHERE else ""
  n_models = dataset["finite"].size
  with tempfile.TemporaryDirectory() as folder:
    figures = []
    if experiment != "none" and experiments.get(experiment).figure:
      figures = [Path(folder) / f"{experiment}.png"]
      figures[0].write_bytes(style.content(api.draw(dataset), "png"))
    run = report.Run(
      name=name,
      about=f"{n_models} model{'s' * (n_models != 1)}, {dataset.attrs['model']}{elsewhere}.",
      experiment=experiment,
      claims=claims,
      figures=figures,
      command="results = ts.run(config)  # in Python, with the fields below",
      config=values,
      datasets={results.ROOT: dataset},
    )
    report.write(path, name, [run])
