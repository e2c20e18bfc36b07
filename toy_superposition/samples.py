"""Fresh examples with what trained models do on them, for analyses and other programs.

Values are computed model by model when they are asked for: the dataset of a large sweep takes no
memory before a part of it is chosen.
"""

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from toy_superposition import draws, models, problem, streams
from toy_superposition.devices import setup
from toy_superposition.errors import UserError
from toy_superposition.experiments.trained import Trained, trained
from toy_superposition.models import SparseAutoencoderParams
from toy_superposition.problem import Columns
from toy_superposition.records import files, schema, upgrade
from toy_superposition.types import Params

if TYPE_CHECKING:
  import xarray as xr

# Fields that decide how models were trained and not what they do: models that differ in one of them
# are of one kind.
OF_TRAINING = ("train.", "init.", "loss.", "seed", "data.generator", "data.examples")
STORED = ("loss", "feature_density", "feature_importance", "peak_learning_rate")
CACHE_BYTES = 2**26  # of the computed arrays of a dataset's models; at least those of one are kept
MAX_BYTES = 2**32  # of the arrays of one model, which are computed together; else take more seeds
SEEDS = 2**32  # seeds that Threefry's key tells apart

Arrays = dict[str, np.ndarray]


@setup.fixed_options()
def sample(dataset: "xr.Dataset", n: int, seed: int = 0) -> "xr.Dataset":
  """Returns fresh examples with what every model does on them, as the model is used.

  Variables have the sweep's axes, then `example`, then their own: `features` x, `inputs` (what the
  model sees, with its noise), `hidden` activations (of sparse autoencoders over `latent`) and
  `outputs` (over `feature` if output i is compared with feature i, over `input` if the output is a
  reconstruction of the inputs). All are float32. Every model gets the same uniform numbers, so that
  differences between models are not those of their examples. A model's arrays are computed when
  they are asked for.

  Args:
    dataset: of a run, or a selection from it; its models differ in numbers or in training alone.
    n: examples.
    seed: of the examples; none of them was trained or evaluated on.

  Raises:
    UserError: it is not a dataset of a run, its models differ in more, or n or the seed is out of
      range.
  """
  import xarray as xr

  made = models_of(dataset)
  spec = made.problem.spec
  sizes = {
    "features": ("feature", spec.n_features),
    "inputs": ("input", spec.row("data.input").size(spec)),
    "hidden": (_hidden_axis(made.params), _n_hidden(made)),
    "outputs": (_output_axis(made), made.problem.n_outputs),
  }
  bytes_each = 4 * sum(size for _, size in sizes.values())  # of one example of one model
  most = draws.MAX_WORDS // max(1, made.problem.n_draws)  # a counter for every uniform number
  _check("n", n, 1, min(most, MAX_BYTES // bytes_each))
  _check("seed", seed, 0, SEEDS - 1)
  kept = max(1, CACHE_BYTES // (bytes_each * n))
  compiled = _on(made, n, seed)
  compute = functools.lru_cache(maxsize=kept)(functools.partial(_examples, made, compiled))
  variables = {
    name: xr.Variable((*made.dims, "example", axis), _lazy(compute, name, (*made.shape, n, size)))
    for name, (axis, size) in sizes.items()
  }
  coords = {k: v for k, v in dataset.coords.items() if set(v.dims) <= set(made.dims)}
  kept_attrs = ("title", "model", "config", schema.SOURCE)
  attrs = {name: dataset.attrs[name] for name in kept_attrs if name in dataset.attrs}
  return xr.Dataset(variables, coords, {**attrs, "examples_seed": int(seed)})


def models_of(dataset: "xr.Dataset") -> Trained:
  """Returns the models of a dataset, which may differ in how they were trained.

  Raises:
    UserError: it is not a run's, or its models are not all of one kind.
  """
  dataset = upgrade.upgraded_dataset(dataset)
  values = schema.config(dataset)
  needed = [*STORED, *models.param_names(schema.model_names(dataset)[0])]
  schema.require(dataset, needed)
  if (n := values.get("model.n_features")) != (found := dataset.sizes["feature"]):
    raise UserError(f"the dataset has {found} features and its config {n}; take all of a model's")
  fields = {str(axis.attrs.get("config_field")) for axis in dataset.coords.values()}
  same: dict[str, Any] = {f: values[f] for f in fields & set(values) if f.startswith(OF_TRAINING)}
  try:
    return trained(dataset, **same)
  except ValueError as error:
    raise UserError(f"not a dataset of models of one kind: {files.one_line(error)}") from error


def _check(name: str, value: Any, least: int, most: int) -> None:
  """Checks an integer argument.

  Raises:
    UserError: names the argument, the value and the range.
  """
  is_integer = isinstance(value, int | np.integer) and not isinstance(value, bool)
  if not (is_integer and least <= value <= most):
    raise UserError(f"{name}: {value!r} is not allowed; allowed: integers from {least} to {most}")


def _n_hidden(made: Trained) -> int:
  """Returns the number of hidden activations of one example, without computing any."""
  one = made.problem

  def hidden(params: Params, instance: Any) -> Any:
    x = jnp.zeros(one.spec.n_features, jnp.float32)
    return one.model_of(instance).encode(params, one.seen(instance, x))

  first = jax.tree.map(lambda leaf: leaf[0], (made.params, made.instances))
  return jax.eval_shape(hidden, *first).shape[0]


def _hidden_axis(params: Params) -> str:
  return "latent" if isinstance(params, SparseAutoencoderParams) else "hidden"


def _output_axis(made: Trained) -> str:
  spec = made.problem.spec
  if problem.outputs_are_features(spec):
    return "feature"
  return "input" if spec.target == "input" else "output"


def _on(made: Trained, n: int, seed: int) -> Callable[..., Any]:
  """Returns (parameters, instance) → the four arrays of one model, compiled once for all models."""
  one = made.problem

  def compute(params: Params, instance: Any) -> tuple[Any, ...]:
    key = streams.words(streams.root(seed), streams.Stream.SAMPLE, 0)
    columns = Columns(key, n, generator="threefry")
    x = one.sample(columns.key, instance, n, generator="threefry")
    s = one.with_noise(jax.vmap(one.seen, (None, 1), 1)(instance, x), instance, columns)
    model = one.model_of(instance)
    h = jax.vmap(model.encode, (None, 1))(params, s)
    return x.T, s.T, h, jax.vmap(model.decode, (None, 0))(params, h)

  return jax.jit(compute)


@setup.fixed_options()  # here too: values are asked for after `sample` has returned
def _examples(made: Trained, compute: Callable[..., Any], number: int) -> Arrays:
  """Returns the arrays of one model, (example, …) each."""
  own = jax.tree.map(lambda leaf: jnp.asarray(leaf[number]), (made.params, made.instances))
  arrays = (np.asarray(array, np.float32) for array in compute(*own))
  return dict(zip(("features", "inputs", "hidden", "outputs"), arrays, strict=True))


def _lazy(compute: Callable[[int], Arrays], name: str, shape: tuple[int, ...]) -> Any:
  """Returns an array that xarray computes model by model when its values are asked for, and then
  keeps, as it does with arrays of a file."""
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
      outer, own = key[: len(shape) - 2], key[len(shape) - 2 :]
      numbers = np.arange(int(np.prod(shape[:-2], dtype=int))).reshape(shape[:-2])[outer]
      inner = np.broadcast_to(np.float32(0), shape[-2:])[own].shape
      values = np.empty((np.size(numbers), *inner), np.float32)
      for row, number in enumerate(np.ravel(numbers)):
        values[row] = compute(int(number))[name][own]
      return values.reshape(*np.shape(numbers), *inner)

  lazy: Any = indexing.LazilyIndexedArray(Samples())
  return indexing.MemoryCachedArray(indexing.CopyOnWriteArray(lazy))
