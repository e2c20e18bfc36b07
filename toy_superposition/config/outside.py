"""What rows from outside the package compute, as part of a run's identity.

A row of the package means what its version says. A row that a config registers is only a name, and
may compute something else tomorrow. Of a profile, what counts are the numbers that it made; of all
other rows their code: bytecode, constants, defaults, closures and attributes, with the functions
and numbers that they refer to in modules that are not installed packages. Another Python version
has other bytecode, and so another hash.
"""

import hashlib
import sys
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from toy_superposition import (
  certificates,
  declare,
  experiments,
  measures,
  objective,
  sweeps,
)
from toy_superposition.sweeps import PROFILED, Axis
from toy_superposition.types import Group

NUMBERS = "density, importance: numbers of the models"
DIGITS = 16  # of a hash, as they are shown
# Special methods that a class may define by itself; Python and dataclasses make the others.
SPECIAL = ("__call__", "__init__", "__new__", "__post_init__")


def identity(
  values: Mapping[str, Any], axes: Sequence[Axis], groups: Sequence[Group]
) -> dict[str, str]:
  """Returns a hash for every row from outside that a sweep uses; nothing for the package's rows."""
  found = {}
  used = sweeps.fields_in_use(values, axes)
  for field in (field for field in declare.TABLES if field in used):
    points = next((axis.sets[field] for axis in axes if field in axis.sets), (values[field],))
    for name in dict.fromkeys(map(str, points)):
      if not declare.is_own(field, name):
        if field in PROFILED:
          found[NUMBERS] = _hash(_numbers(groups))
        else:
          found[_key(field, name)] = code_hash(declare.TABLES[field][name])
  for name, penalty in objective.PENALTIES.items():
    if not objective.is_own(name) and any(f"loss.{name}" in group.spec.active for group in groups):
      found[_key("loss", name)] = code_hash(penalty)
  for name in values["measures"]:
    if not measures.is_own(name):
      row = measures.MEASURES[name]
      found[_key("measures", name)] = code_hash((row.function, row.dims))
  for name in dict.fromkeys(name for g in groups for name in certificates.from_outside(g.spec)):
    certificate = certificates.CERTIFICATES[name]
    found[_key("certificates", name)] = code_hash((certificate.applies, certificate.bound))
  if (name := values["experiment"]) not in ("none", *experiments.NAMES):
    found[_key("experiment", name)] = code_hash(experiments.get(name).run)
  return found


def code_hash(row: Any) -> str:
  """Returns a hash of everything that a function, class or object computes with."""
  return _hash(_Walk(row))


def _key(field: str, name: str) -> str:
  return f"{field}: code of {name!r}"


def _hash(pieces: Iterable[bytes]) -> str:
  digest = hashlib.sha256()
  for piece in pieces:
    digest.update(len(piece).to_bytes(8) + piece)
  return digest.hexdigest()[:DIGITS]


def _numbers(groups: Sequence[Group]) -> Iterator[bytes]:
  for group in groups:
    for leaf in jax.tree.leaves(group.instances):
      yield from _array(np.asarray(leaf))


def _array(array: np.ndarray) -> Iterator[bytes]:
  yield f"{array.dtype} {array.shape}".encode()
  yield array.tobytes()


class _Walk:
  """Everything that a row computes with, as bytes; each function and object once."""

  def __init__(self, row: Any):
    self._row = row
    self._seen: dict[int, tuple[int, Any]] = {}  # by id; held, so that no id is used again
    self._home = _package(row)

  def __iter__(self) -> Iterator[bytes]:
    return self._pieces(self._row)

  def _pieces(self, value: Any) -> Iterator[bytes]:
    yield type(value).__qualname__.encode()
    if value is None or isinstance(value, bool | int | float | complex | str | bytes):
      yield repr(value).encode()
    elif id(value) in self._seen:
      yield str(self._seen[id(value)][0]).encode()
    else:
      self._seen[id(value)] = len(self._seen), value
      yield from self._parts(value)

  def _parts(self, value: Any) -> Iterator[bytes]:
    """Yields what an object that was not met before is made of."""
    if isinstance(value, tuple | list):
      for entry in value:
        yield from self._pieces(entry)
    elif isinstance(value, set | frozenset):  # whose order differs between processes
      yield from sorted(b"".join(self._pieces(entry)) for entry in value)
    elif isinstance(value, dict):
      for key, entry in value.items():
        yield from self._pieces((key, entry))
    elif isinstance(value, types.CodeType):
      yield from self._code(value, None)
    elif isinstance(value, types.FunctionType):
      yield from self._function(value)
    elif isinstance(value, types.ModuleType):
      yield value.__name__.encode()
    elif isinstance(value, type):
      yield from self._class(value)
    elif hasattr(value, "__array__") and not jax.dtypes.issubdtype(
      getattr(value, "dtype", None), jax.dtypes.extended
    ):
      yield from _array(np.asarray(value))
    else:
      yield from self._object(value)

  def _code(self, code: types.CodeType, docstring: str | None) -> Iterator[bytes]:
    yield code.co_code
    yield " ".join(code.co_names).encode()
    for constant in code.co_consts:  # None in the place of a docstring that is not there
      yield from self._pieces(None if constant == docstring else constant)

  def _function(self, function: types.FunctionType) -> Iterator[bytes]:
    if self._is_foreign(function.__globals__.get("__name__")):
      yield function.__qualname__.encode()
    else:
      yield from self._code(function.__code__, function.__doc__)
      names = list(_names(function.__code__))
      for name in names:
        if name in function.__globals__:
          yield from self._global(function.__globals__[name], names)
    yield from self._pieces((function.__defaults__, function.__kwdefaults__))
    for cell in function.__closure__ or ():
      try:
        yield from self._pieces(cell.cell_contents)
      except ValueError:  # empty: the function refers to itself before it is defined
        yield b"empty"

  def _global(self, value: Any, names: Sequence[str]) -> Iterator[bytes]:
    """Yields what a function refers to; of a module of the user's, what has one of the names."""
    yield from self._pieces(value)
    if isinstance(value, types.ModuleType) and not self._is_foreign(value.__name__):
      for name in names:
        if name in vars(value):
          yield from self._pieces(vars(value)[name])

  def _class(self, kind: type) -> Iterator[bytes]:
    yield kind.__qualname__.encode()
    if self._is_foreign(kind.__module__):
      return
    yield from self._pieces(kind.__bases__)
    for name, attribute in sorted(vars(kind).items()):
      if not name.startswith("__") or name in SPECIAL:
        yield name.encode()
        yield from self._pieces(attribute)

  def _object(self, value: Any) -> Iterator[bytes]:
    yield from self._pieces(type(value))
    # Of a wrapper such as functools.partial, a method, a property, a jitted function …
    for name in ("func", "args", "keywords", "__func__", "__self__", "fget"):
      if name in dir(type(value)):
        yield from self._pieces(getattr(value, name, None))
    for name, attribute in sorted(getattr(value, "__dict__", {}).items()):
      yield name.encode()
      yield from self._pieces(attribute)

  def _is_foreign(self, module: str | None) -> bool:
    """Returns whether a module belongs to Python, to this package or to an installed one."""
    package = (module or "").partition(".")[0]
    if package in ("toy_superposition", "builtins") or package in sys.stdlib_module_names:
      return package != "__main__"
    file = getattr(sys.modules.get(package), "__file__", None) or ""
    return package != self._home and ("site-packages" in file or "dist-packages" in file)


def _names(code: types.CodeType) -> Iterator[str]:
  """Yields the names of globals and attributes in a function and in those within it."""
  yield from code.co_names
  for constant in code.co_consts:
    if isinstance(constant, types.CodeType):
      yield from _names(constant)


def _package(row: Any) -> str:
  """Returns the top-level package of a row, or of the first function in it."""
  first = row[0] if isinstance(row, tuple) and row else row
  return str(getattr(first, "__module__", None) or "").partition(".")[0]
