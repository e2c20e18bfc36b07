"""Names and layouts of weights: ours, those of the paper's notebook, and those of SAELens."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from toy_superposition import models
from toy_superposition.errors import UserError, nearest
from toy_superposition.models import AutoencoderParams, sparse_autoencoders
from toy_superposition.records import files
from toy_superposition.types import Spec

Arrays = Mapping[str, Any]  # of NumPy, JAX or PyTorch
METADATA = ("config", "model")  # texts in a file of weights
UNUSED = {"latent_frequency": 1}  # value of a parameter that only training uses, 0 for others
# Layouts of the encoder, ours and that of others: of autoencoders of features, of sparse ones.
LAYOUTS = (("hidden, feature", "feature, hidden"), ("latent, input", "input, latent"))


class Stored(NamedTuple):
  """A parameter in the code of others."""

  name: str
  dims: tuple[str, ...]


# Of an autoencoder of features, in the paper's notebook (an nn.Module with an axis of instances).
NOTEBOOK = {
  "W": Stored("W", ("feature", "hidden")),
  "b": Stored("b_final", ("feature",)),
}
# Of sparse autoencoders, in SAELens 6. It stores BatchTopK and Matryoshka autoencoders as JumpReLU
# ones, whose threshold has one number for each latent; its matching pursuit has no encoder.
DECODER = {"W_dec": Stored("W_dec", ("latent", "input")), "b_dec": Stored("b_dec", ("input",))}
PLAIN = {
  "W_enc": Stored("W_enc", ("input", "latent")),
  "b_enc": Stored("b_enc", ("latent",)),
  **DECODER,
}
THRESHOLD = {**PLAIN, "latent_threshold": Stored("threshold", ("latent",))}
GATED = {
  **PLAIN,
  "b_enc": Stored("b_gate", ("latent",)),
  "r_mag": Stored("r_mag", ("latent",)),
  "b_mag": Stored("b_mag", ("latent",)),
}
METHODS: tuple[tuple[type, Mapping[str, Stored]], ...] = (
  (sparse_autoencoders.MatchingPursuit, DECODER),
  (sparse_autoencoders.Gated, GATED),
  (sparse_autoencoders.JumpReLU, THRESHOLD),
  (sparse_autoencoders.BatchTopK, THRESHOLD),
  (sparse_autoencoders.L1, PLAIN),
  (sparse_autoencoders.TopK, PLAIN),
)


def stored(spec: Spec) -> Mapping[str, Stored]:
  """Returns the parameters that a model uses → their names and axes in the code of others.

  Those of models that this module does not know have our names and axes.
  """
  kind, row = models.params_class(spec.model), spec.row("model.name")
  if issubclass(kind, AutoencoderParams):
    return NOTEBOOK
  for method, names in METHODS:
    if isinstance(row, method):
      return names
  return {name: Stored(name, dims) for name, dims in kind.DIMS.items()}


def real_numbers(name: str, array: Any) -> np.ndarray:
  """Returns an array of NumPy, JAX or PyTorch, or nested lists, as one of NumPy.

  Raises:
    UserError: it has no real numbers.
  """
  try:
    if hasattr(array, "detach"):  # a tensor, perhaps with gradients or on a device
      array = array.detach().cpu()
    found = np.asarray(array)
    if found.dtype.kind not in "fiub":
      raise ValueError(f"its numbers are of the type {found.dtype}")
    return found
  except (TypeError, ValueError, RuntimeError) as error:
    reason = files.one_line(error)
    raise UserError(f"array {name!r} is not one of real numbers: {reason}") from error


class Given(NamedTuple):
  """Arrays from elsewhere for the models of a sweep."""

  arrays: Arrays
  layout: str  # of the encoder, one of LAYOUTS; "" if its shape tells
  axes: tuple[int, ...]  # lengths of the sweep's axes

  @property
  def n_models(self) -> int:
    """Number of models in the sweep."""
    return math.prod(self.axes)

  def check_names(self, allowed: set[str]) -> None:
    """Checks that every array belongs to the models; texts, such as a file's config, are no arrays.

    Raises:
      UserError: names the first that does not, and the names that are allowed.
    """
    for name, array in self.arrays.items():
      if name not in allowed and not (name in METADATA and np.asarray(array).dtype.kind == "U"):
        raise UserError(
          f"array {name!r} is not of these models{nearest(name, allowed)}; "
          f"allowed: {', '.join(sorted(allowed))}"
        )

  def parameter(
    self, name: str, dims: tuple[str, ...], shape: tuple[int, ...], other: Stored | None
  ) -> np.ndarray:
    """Returns a parameter of all models, (model, …) in our layout.

    Args:
      name: ours.
      dims: its axes, ours.
      shape: of one model.
      other: what it is in the code of others; None if the model does not use it.

    Raises:
      UserError: it is missing, given twice or of another shape, or its layout cannot be told.
    """
    names = sorted({name, other.name if other else name} & set(self.arrays))
    if names[1:]:
      raise UserError(f"arrays {names[0]!r} and {names[1]!r} are the same parameter; give one")
    if not names and (other is None or name.startswith("b")):
      return np.full((self.n_models, *shape), UNUSED.get(name, 0), np.float32)
    expected = self._expected(dims, shape, other)
    if not names:
      raise UserError(f"array {name!r} is missing; expected: {expected}")
    array = self._array(names[0])
    turned = other is not None and other.dims != dims and self._turned(names[0], dims, array, shape)
    own = shape[::-1] if turned else shape
    if array.shape not in self._shapes(own):
      raise UserError(f"array {names[0]!r} has the shape {array.shape}; expected: {expected}")
    rows = array.reshape(self.n_models, *own)
    return np.swapaxes(rows, -1, -2) if turned else rows

  def frozen(self, name: str, ours: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Returns a frozen array of the models with these numbers: the given one, or else `ours`.

    Raises:
      UserError: it has another shape.
    """
    if name not in self.arrays:
      return ours
    array, shape = self._array(name), ours.shape[1:]
    if array.shape == shape:
      return np.broadcast_to(array, ours.shape)
    if array.shape not in self._shapes(shape):
      expected = f"{shape}, or one for each model: {(self.n_models, *shape)}"
      raise UserError(f"array {name!r} has the shape {array.shape}; expected: {expected}")
    return array.reshape(self.n_models, *shape)[index]

  def _array(self, name: str) -> np.ndarray:
    """Returns an array as float32.

    Raises:
      UserError: it has no real numbers.
    """
    with np.errstate(over="ignore"):  # what float32 cannot hold is not finite
      return real_numbers(name, self.arrays[name]).astype(np.float32)

  def _turned(
    self, name: str, dims: tuple[str, ...], array: np.ndarray, shape: tuple[int, ...]
  ) -> bool:
    """Returns whether a matrix has the layout of others.

    Raises:
      UserError: it cannot be told.
    """
    ours, theirs = LAYOUTS["latent" in dims]
    if self.layout not in ("", ours, theirs):
      raise UserError(f"layout: {self.layout!r} is not allowed; allowed: {ours!r} or {theirs!r}")
    if self.layout:
      return self.layout == theirs
    if shape[0] == shape[1]:
      raise UserError(
        f"array {name!r}: {dims[0]} and {dims[1]} have the same length {shape[0]}, so it could "
        f"have either layout; say which: layout={ours!r} or {theirs!r}, {_author(dims)}"
      )
    return array.shape[-2:] == shape[::-1]

  def _shapes(self, own: tuple[int, ...]) -> set[tuple[int, ...]]:
    """Returns the shapes that an array of all models may have."""
    shapes = {(self.n_models, *own), (*self.axes, *own)}
    return shapes | {own} if self.n_models == 1 else shapes

  def _expected(self, dims: tuple[str, ...], shape: tuple[int, ...], other: Stored | None) -> str:
    """Returns the layouts that a parameter may have, in words."""
    text = f"{(self.n_models, *shape)}, [instance, {', '.join(dims)}]"
    if other is not None and other.dims != dims:
      theirs = f"{(self.n_models, *shape[::-1])}, [instance, {', '.join(other.dims)}]"
      text += f"; or {_author(dims)} {theirs}"
    return text


def _author(dims: tuple[str, ...]) -> str:
  return "SAELens'" if "latent" in dims else "the notebook's"
