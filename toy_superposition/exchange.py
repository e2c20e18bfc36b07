"""Trained models for other programs, and other programs' models for this one.

`sample` gives features and activations, `export` weights in the names and layout of PyTorch code,
and `weights` takes weights that were trained elsewhere.
"""

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from toy_superposition import api, draws, models, runner, streams
from toy_superposition.devices import meshes, setup
from toy_superposition.devices.plan import make_plans
from toy_superposition.errors import UserError
from toy_superposition.experiments.trained import Trained, trained
from toy_superposition.models import AutoencoderParams, SparseAutoencoderParams
from toy_superposition.problem import Columns
from toy_superposition.records import files, schema
from toy_superposition.scoring import Scorer
from toy_superposition.types import TrainState

if TYPE_CHECKING:
  import xarray as xr

Arrays = Mapping[str, np.ndarray]
MAX_EXAMPLES = 2**22  # of a sample: counters of the draws, beside the draws of an example
# Parameter of an autoencoder of features → its name and axes in the paper's notebook.
NOTEBOOK = {"W": ("W", ("feature", "hidden")), "b": ("b_final", ("feature",))}
# Parameter of a sparse autoencoder → its name and axes in SAELens.
SAE_LENS = {
  "W_enc": ("W_enc", ("input", "latent")),
  "W_dec": ("W_dec", ("latent", "input")),
  "b_enc": ("b_enc", ("latent",)),
  "b_dec": ("b_dec", ("input",)),
  "latent_threshold": ("threshold", ("latent",)),
  "r_mag": ("r_mag", ("latent",)),
  "b_mag": ("b_mag", ("latent",)),
  "latent_frequency": ("latent_frequency", ("latent",)),
}
LAYOUTS = ("hidden, feature", "feature, hidden")  # of a direction matrix: ours, the notebook's


@setup.fixed_options()
def sample(dataset: "xr.Dataset", n: int, seed: int = 0) -> "xr.Dataset":
  """Returns fresh examples with what every model does on them.

  Variables have the sweep's axes, then `example`, then their own: `features` x, `inputs` (what the
  model sees), `hidden` activations (for sparse autoencoders `latent`) and `outputs`. Every model
  gets the same uniform numbers. A model's arrays are computed when they are asked for.

  Args:
    dataset: of a run, or a selection from it, whose models differ in numbers alone.
    n: examples.
    seed: of the examples.

  Raises:
    UserError: it is not a dataset of a run, its models differ in more, or n is out of range.
  """
  import xarray as xr

  if not 1 <= n <= MAX_EXAMPLES:
    raise UserError(f"n: {n} is not allowed; allowed: 1 to {MAX_EXAMPLES} examples")
  made = _models(dataset)
  compute = functools.lru_cache(maxsize=2)(functools.partial(_examples, made, n, seed))
  spec = made.problem.spec
  is_sae = issubclass(models.params_class(spec.model), SparseAutoencoderParams)
  shapes = {
    "features": ("feature", spec.n_features),
    "inputs": ("input", spec.row("data.input").size(spec)),
    "hidden": ("latent" if is_sae else "hidden", spec.n_hidden),
    "outputs": ("output", made.problem.n_outputs),
  }
  variables = {}
  for name, (dim, size) in shapes.items():
    lazy = _lazy(compute, name, (*made.shape, n, size))
    variables[name] = xr.Variable((*made.dims, "example", dim), lazy)
  coords = {k: v for k, v in dataset.coords.items() if set(v.dims) <= set(made.dims)}
  return xr.Dataset(variables, coords, {"seed": seed, "config": dataset.attrs["config"]})


def _models(dataset: "xr.Dataset") -> Trained:
  """Returns the models of a dataset.

  Raises:
    UserError: it is not a run's, or its models are not all of one kind.
  """
  schema.model_names(dataset)
  try:
    return trained(dataset)
  except (KeyError, ValueError) as error:
    raise UserError(f"not a dataset of models of one kind: {error}") from error


def _examples(made: Trained, n: int, seed: int, number: int) -> dict[str, np.ndarray]:
  """Returns the examples of one model, (example, …) each."""
  problem = made.problem

  @jax.jit
  def compute(params, instance):
    key = streams.words(streams.root(seed), streams.Stream.SAMPLE, 0)
    columns = Columns(draws.fold_in(key, 0), n, generator="threefry")
    x = problem.sample(columns.key, instance, n, generator="threefry")
    s = problem.with_noise(jax.vmap(problem.seen, (None, 1), 1)(instance, x), instance, columns)
    model = problem.model_of(instance)
    h = jax.vmap(model.encode, (None, 1))(params, s)
    return x.T, s.T, h, jax.vmap(model.decode, (None, 0))(params, h)

  one = jax.tree.map(lambda leaf: jnp.asarray(leaf[number]), (made.params, made.instances))
  arrays = map(np.asarray, compute(*one))
  return dict(zip(("features", "inputs", "hidden", "outputs"), arrays, strict=True))


def _lazy(compute: Any, name: str, shape: tuple[int, ...]) -> Any:
  """Returns an array that xarray computes model by model when its values are asked for."""
  from xarray.backends import BackendArray
  from xarray.core import indexing

  class Samples(BackendArray):
    """One variable of all models."""

    def __init__(self) -> None:
      self.shape, self.dtype = shape, np.dtype(np.float32)

    def __getitem__(self, key: Any) -> Any:
      support = indexing.IndexingSupport.BASIC
      return indexing.explicit_indexing_adapter(key, shape, support, self._values)

    def _values(self, key: tuple[Any, ...]) -> np.ndarray:
      outer = shape[:-2]
      numbers = np.arange(int(np.prod(outer, dtype=int))).reshape(outer)[key[: len(outer)]]
      rows = [compute(int(number))[name][key[len(outer) :]] for number in np.ravel(numbers)]
      return np.stack(rows).reshape(*np.shape(numbers), *rows[0].shape)

  return indexing.LazilyIndexedArray(Samples())


def export(dataset: "xr.Dataset", path: Path | str) -> list[str]:
  """Writes the weights of a dataset's models for PyTorch; returns the names of the arrays.

  Autoencoders of features are in the names and layout of the paper's notebook: W [instance,
  feature, hidden], b_final [instance, feature]. Sparse autoencoders are in those of SAELens: W_enc
  [input, latent], W_dec [latent, input], b_enc, b_dec, threshold …, with a leading axis of
  instances if there are several. Frozen arrays, such as the dictionary, keep their names and axes.

  Args:
    dataset: of a run, or a selection from it.
    path: ends in .npz, or in .safetensors (pip install safetensors).

  Raises:
    UserError: it is not a dataset of a run, its models are of several kinds, the ending is another
      one, or the file cannot be written.
  """
  path = Path(path).expanduser()
  if path.suffix not in (".npz", ".safetensors"):
    raise UserError(f"{path}: allowed endings: .npz, .safetensors")
  arrays: dict[str, Any] = _exported(_models(dataset))
  metadata = {"config": str(dataset.attrs["config"]), "model": str(dataset.attrs["model"])}
  with files.disk_errors(path), files.replacing(path) as temporary:
    if path.suffix == ".npz":
      with temporary.open("wb") as file:
        texts: dict[str, Any] = {name: np.array(text) for name, text in metadata.items()}
        np.savez(file, allow_pickle=False, **arrays, **texts)
    else:
      _safetensors().save_file(arrays, str(temporary), metadata=metadata)
  return list(arrays)


def _safetensors() -> Any:
  try:
    import safetensors.numpy
  except ImportError as error:
    raise UserError("safetensors is not installed: pip install safetensors, or use .npz") from error
  return safetensors.numpy


def _exported(made: Trained) -> dict[str, np.ndarray]:
  """Returns the arrays of a file by name."""
  kind = type(made.params)
  tied = issubclass(kind, AutoencoderParams)
  names = SAE_LENS if issubclass(kind, SparseAutoencoderParams) else NOTEBOOK if tied else {}
  given = {n: np.asarray(leaf) for n, leaf in (made.instances.given or {}).items()}
  arrays = {}
  for name, own in kind.DIMS.items():
    renamed, dims = names.get(name, (name, own))
    array = np.asarray(getattr(made.params, name))
    order = [0, *(1 + own.index(dim) for dim in dims)]
    arrays[renamed] = np.ascontiguousarray(array.transpose(order))
  arrays |= given
  single = not made.shape and not tied  # the notebook's module has an axis of instances anyway
  return {name: array[0] if single else array for name, array in arrays.items()}


@setup.fixed_options()
def weights(config: ConfigDict | str, arrays: Arrays, layout: str = "") -> "xr.Dataset":
  """Returns the dataset of a run whose weights were trained elsewhere.

  It is scored and has the variables of the config's experiment, for measures, pictures and claims.

  Args:
    config: which models they are, as `run` takes it; of its training nothing is done.
    arrays: parameters by our names with our axes, or those of the notebook, W [instance, feature,
      hidden] and b_final [instance, feature]; before them the sweep's axes or one of instances, the
      sweep's last axis fastest. Biases that are missing are 0.
    layout: of W where it cannot be told by its shape: "hidden, feature" or "feature, hidden".

  Raises:
    UserError: the config is wrong or has models of several shapes, or an array is missing, of
      another shape, or could have either layout.
  """
  what = api.resolved(config)
  if any(axis.reshapes and axis.points[1:] for axis in what.axes):
    raise UserError("the config has models of several shapes; give the weights of one at a time")
  mesh = meshes.make_mesh(setup.devices())
  plans = make_plans(what, mesh)
  n_models = sum(len(group.cells) for group in what.groups)
  outcomes = []
  for plan in plans:
    abstract = models.abstract_params(
      models.of(plan.group.spec),
      n_inputs=plan.group.spec.row("data.input").size(plan.group.spec),
      n_hidden=plan.group.spec.n_hidden,
      n_outputs=plan.group.spec.n_features,
    )
    shapes = {name: leaf.shape for name, leaf in vars(abstract).items()}
    given = {n: _given(n, shapes[n], arrays, n_models, layout) for n in shapes}
    rows = {name: array[plan.group.instances.index] for name, array in given.items()}
    state = TrainState(params=type(abstract)(**rows), opt_state=None)
    outcomes.append(Scorer(what, plan).trained(state))
  if unknown := set(arrays) - {*shapes, "b_final"}:
    raise UserError(f"array {min(unknown)!r}: not of this model; allowed: {', '.join(shapes)}")
  datasets = runner.finish(what, outcomes, None, mesh)
  return next(iter(datasets.values())).assign_attrs(source="weights that were trained elsewhere")


def _given(
  name: str, shape: tuple[int, ...], arrays: Arrays, n_models: int, layout: str
) -> np.ndarray:
  """Returns one parameter of all models, (model, …), in our layout.

  Raises:
    UserError: it is missing or of another shape, or its layout cannot be told.
  """
  found = arrays.get("b_final", arrays.get("b")) if name == "b" else arrays.get(name)
  if found is None:
    if name.startswith("b"):
      return np.zeros((n_models, *shape), np.float32)
    raise UserError(f"array {name!r} is missing; expected: {_expected(name, shape, n_models)}")
  array = np.asarray(found, np.float32)
  own = array.shape[array.ndim - len(shape) :]
  turned = name == "W" and own == shape[::-1]
  if layout and layout not in LAYOUTS:
    raise UserError(f"layout: {layout!r} is not allowed; allowed: {' or '.join(LAYOUTS)}")
  if turned and own == shape and not layout:
    raise UserError(
      f"array W: {shape[0]} features in {shape[1]} dimensions could have either layout; say which: "
      f"layout={LAYOUTS[0]!r} or {LAYOUTS[1]!r}, the notebook's"
    )
  if turned and layout != LAYOUTS[0]:
    array, own = np.swapaxes(array, -1, -2), shape
  if own != shape or array.size != n_models * int(np.prod(shape, dtype=int)):
    expected = _expected(name, shape, n_models)
    raise UserError(f"array {name!r} has the shape {np.shape(found)}; expected: {expected}")
  return array.reshape(n_models, *shape)


def _expected(name: str, shape: tuple[int, ...], n_models: int) -> str:
  """Returns the layouts that a parameter may have, in words."""
  text = f"({', '.join(map(str, (n_models, *shape)))}), one per model"
  if name == "W":
    text += f", [instance, hidden, feature]; or the notebook's {(n_models, *shape[::-1])}, "
    text += "[instance, feature, hidden]"
  return text
