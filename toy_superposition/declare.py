"""How a config field is declared: once, beside the code that uses it.

A field is an attribute of a frozen dataclass, made by `number`, `integer`, `choice`, `flag`,
`text`, `path`, `names`, `numbers` or `integers`: default, what is allowed, and a comment. The class
is a row of a table (an optimizer, a profile …), and the field then belongs to that row alone; or it
is `types.Spec` or one of the sections in fields.py, and the field belongs to every config.
Defaults, checks, `Spec`, and what --print_config prints are all derived from these declarations.
"""

import contextlib
import dataclasses
import math
import re
import sys
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import numpy as np

from toy_superposition.errors import nearest, not_allowed

MAX_INTEGER = 2**31 - 1  # steps and indices are int32 on the device
MAX_NAME = 200  # bytes of a name; file systems allow 255 for a name with its endings
# Dotted name of the field that names a row → the rows. A row is a class with declared fields, which
# `build` makes an instance of, or an object without any.
TABLES: dict[str, Mapping[str, Any]] = {}
_OWN: dict[str, Mapping[str, Any]] = {}  # the tables as the package defines them, without additions


def table(fields: str | Collection[str], rows: dict[str, Any]) -> dict[str, Any]:
  """Registers the rows among which the named config fields choose, and returns them."""
  for field in [fields] if isinstance(fields, str) else fields:
    TABLES[field], _OWN[field] = rows, dict(rows)
  return rows


def is_own(field: str, name: str) -> bool:
  """Returns whether a name stands for what the package defines: one of its rows, or no row."""
  return TABLES[field].get(name) is _OWN[field].get(name)


@dataclasses.dataclass(frozen=True)
class Interval:
  """An interval of the real line."""

  low: float
  high: float
  includes_low: bool
  includes_high: bool

  @classmethod
  def parse(cls, text: str) -> "Interval":
    """Returns the interval written as "[0, 1)", "(0, inf)", "≥ 0" or "> 0"."""
    if match := re.fullmatch(r"([≥>]) *(\S+)", text):
      return cls(float(match[2]), math.inf, match[1] == "≥", False)
    match = re.fullmatch(r"([\[(])(\S+), *(\S+)([\])])", text)
    if match is None:
      raise ValueError(f"not an interval: {text!r}")
    return cls(float(match[2]), float(match[3]), match[1] == "[", match[4] == "]")

  def __contains__(self, value: Any) -> bool:
    """Whether a number lies in the interval; nan does not."""
    above = self.low <= value if self.includes_low else self.low < value
    return bool(above and (value <= self.high if self.includes_high else value < self.high))

  def __str__(self) -> str:
    """The interval in brackets."""
    ends = "[" if self.includes_low else "(", "]" if self.includes_high else ")"
    return f"{ends[0]}{self.low:g}, {self.high:g}{ends[1]}"


@dataclasses.dataclass(frozen=True)
class Declaration:
  """One config field: its default, what it may hold, and what it means."""

  default: Any
  about: str
  of: str = ""  # dotted name; "" in a row, whose section is that of its table
  swept: bool = False  # a number of each instance: an axis over it costs no compilation

  @property
  def allowed(self) -> str:
    """What may stand in the field, in words."""
    raise NotImplementedError

  def holds(self, value: Any) -> bool:
    """Whether the field may hold a value."""
    raise NotImplementedError

  def check(self, field: str, value: Any) -> None:
    """Checks a value.

    Raises:
      UserError: names the field, the value found and what is allowed.
    """
    if not self.holds(value):
      raise not_allowed(field, value, self.allowed)


@dataclasses.dataclass(frozen=True)
class Number(Declaration):
  """A real number in an interval."""

  interval: Interval = Interval(-math.inf, math.inf, False, False)

  @property
  def allowed(self) -> str:
    """The interval."""
    return f"a number in {self.interval}"

  def holds(self, value: Any) -> bool:
    """Whether a value is a number, and no truth value, in the interval."""
    return is_real(value) and value in self.interval


@dataclasses.dataclass(frozen=True)
class Integer(Declaration):
  """An integer of at least `minimum`, below 2³¹."""

  minimum: int = 0

  @property
  def allowed(self) -> str:
    """The range."""
    return f"an integer ≥ {self.minimum}, below 2³¹"

  def holds(self, value: Any) -> bool:
    """Whether a value is an integer, and no truth value, in the range."""
    return is_integer(value) and self.minimum <= value <= MAX_INTEGER


@dataclasses.dataclass(frozen=True)
class Choice(Declaration):
  """One of several names: the rows of a table, or `names`."""

  names: tuple[str, ...] = ()  # allowed beside the rows of the field's table

  @property
  def allowed(self) -> str:
    """The names."""
    return ", ".join(self.names)

  def holds(self, value: Any) -> bool:
    """Whether a value is one of `names`."""
    return isinstance(value, str) and value in self.names

  def check(self, field: str, value: Any) -> None:
    """Checks a value against the names and the field's table, which may have grown.

    Raises:
      UserError: names the field, the value found, what is allowed and the nearest name.
    """
    check_choice(field, value, (*self.names, *TABLES.get(field, ())))


@dataclasses.dataclass(frozen=True)
class Flag(Declaration):
  """True or False."""

  @property
  def allowed(self) -> str:
    """Both."""
    return "True or False"

  def holds(self, value: Any) -> bool:
    """Whether a value is a truth value."""
    return isinstance(value, bool)


@dataclasses.dataclass(frozen=True)
class Text(Declaration):
  """A name that may stand in a path."""

  @property
  def allowed(self) -> str:
    """The characters, and how many."""
    return f"letters, digits, '-', '_' and '.', not empty, at most {MAX_NAME} bytes"

  def holds(self, value: Any) -> bool:
    """Whether a value is a name that no shell or file system mistakes."""
    text = value if isinstance(value, str) else ""
    if not text or text.startswith(".") or len(text.encode()) > MAX_NAME:
      return False
    return all(c.isalnum() or c in "-_." for c in text)


@dataclasses.dataclass(frozen=True)
class Place(Declaration):
  """The name of a file or folder, or nothing."""

  @property
  def allowed(self) -> str:
    """Which characters."""
    return "the name of a folder or of a config, in printable characters, or nothing"

  def holds(self, value: Any) -> bool:
    """Whether a value is text without control characters."""
    return isinstance(value, str) and value.isprintable()


@dataclasses.dataclass(frozen=True)
class Names(Declaration):
  """A tuple of different names."""

  @property
  def allowed(self) -> str:
    """What kind of tuple."""
    return "a tuple of names, each once"

  def holds(self, value: Any) -> bool:
    """Whether a value is a tuple or list of strings without repetition."""
    is_tuple = isinstance(value, tuple | list) and all(isinstance(name, str) for name in value)
    return is_tuple and len(set(value)) == len(value)


@dataclasses.dataclass(frozen=True)
class Numbers(Declaration):
  """A tuple of real numbers in an interval."""

  interval: Interval = Interval(-math.inf, math.inf, False, False)

  @property
  def allowed(self) -> str:
    """What kind of tuple."""
    return f"a tuple of numbers in {self.interval}"

  def holds(self, value: Any) -> bool:
    """Whether a value is a tuple or list of numbers in the interval."""
    is_tuple = isinstance(value, tuple | list)
    return is_tuple and all(is_real(number) and number in self.interval for number in value)


@dataclasses.dataclass(frozen=True)
class Integers(Declaration):
  """A tuple of integers of at least `minimum`, below 2³¹."""

  minimum: int = 0

  @property
  def allowed(self) -> str:
    """What kind of tuple."""
    return f"a tuple of integers ≥ {self.minimum}, below 2³¹"

  def holds(self, value: Any) -> bool:
    """Whether a value is a tuple or list of integers in the range."""
    is_tuple = isinstance(value, tuple | list)
    return is_tuple and all(is_integer(n) and self.minimum <= n <= MAX_INTEGER for n in value)


def is_integer(value: Any) -> bool:
  """Returns whether a plain value is an integer, and no truth value."""
  return isinstance(value, int) and not isinstance(value, bool)


def is_real(value: Any) -> bool:
  """Returns whether a plain value is a number, and no truth value, within the range of floats."""
  if not is_integer(value):
    return isinstance(value, float)
  return abs(value) <= sys.float_info.max


def plain(value: Any) -> Any:
  """Returns a config's value as Python and JSON have it: numbers, truth values and texts of NumPy
  and JAX become those of Python, and their arrays and all lists become tuples.

  Every number keeps its value: np.float32(0.05) becomes 0.05000000074505806. What has no plain form
  is returned as it is, for the check of its field to refuse.
  """
  if isinstance(value, tuple | list):
    return tuple(plain(entry) for entry in value)
  if isinstance(value, bool | int | float):
    return next(kind(value) for kind in (bool, int, float) if isinstance(value, kind))
  if isinstance(value, str):
    return str.__str__(value)
  if hasattr(value, "__array__"):
    with contextlib.suppress(TypeError, ValueError):  # such as a random key
      array = np.asarray(value)
      if (kind := array.dtype.kind) in "fV":  # V: bfloat16 and its like
        array = array.astype(float)
      return plain(array.tolist()) if kind in "biufVUO" else value
  return value


def _field(declaration: Declaration) -> Any:
  return dataclasses.field(default=declaration.default, metadata={"declaration": declaration})


def number(default: float, interval: str, about: str, *, of: str = "", swept: bool = False) -> Any:
  """Declares a real number; `interval` is written as "[0, 1)", "≥ 0" or "> 0".

  Args:
    default: of a config that does not set it.
    interval: what is allowed.
    about: a comment, with the paper's or the notebook's value if it states one.
    of: dotted name of the field; in a row of a table it follows from the attribute's name.
    swept: whether it is data of an instance, over which an axis costs no compilation.
  """
  return _field(Number(default, about, of, swept, Interval.parse(interval)))


def integer(default: int, interval: str, about: str, *, of: str = "", swept: bool = False) -> Any:
  """Declares an integer; `interval` is written as "≥ 1"."""
  return _field(Integer(default, about, of, swept, minimum=int(interval.removeprefix("≥"))))


def choice(default: str, about: str, *, of: str = "", names: tuple[str, ...] = ()) -> Any:
  """Declares a name: a row of the table that is registered for the field, or one of `names`."""
  return _field(Choice(default, about, of, names=names))


def flag(default: bool, about: str, *, of: str = "") -> Any:
  """Declares a truth value."""
  return _field(Flag(default, about, of))


def text(default: str, about: str, *, of: str = "") -> Any:
  """Declares a name that may stand in a path."""
  return _field(Text(default, about, of))


def path(default: str, about: str, *, of: str = "") -> Any:
  """Declares the name of a file or folder."""
  return _field(Place(default, about, of))


def names(default: tuple[str, ...], about: str, *, of: str = "") -> Any:
  """Declares a tuple of different names."""
  return _field(Names(default, about, of))


def numbers(default: tuple[float, ...], interval: str, about: str, *, of: str = "") -> Any:
  """Declares a tuple of real numbers, all in the interval."""
  return _field(Numbers(default, about, of, interval=Interval.parse(interval)))


def integers(default: tuple[int, ...], interval: str, about: str, *, of: str = "") -> Any:
  """Declares a tuple of integers; `interval` is written as "≥ 1"."""
  return _field(Integers(default, about, of, minimum=int(interval.removeprefix("≥"))))


def check_choice(field: str, name: object, allowed: Collection[str]) -> None:
  """Checks that a field holds one of the allowed names.

  Raises:
    UserError: names the field, the value found, what is allowed and the nearest name.
  """
  if not isinstance(name, str) or name not in allowed:
    raise not_allowed(field, name, ", ".join(allowed) + nearest(name, allowed))


def declared(row: Any) -> Iterator[tuple[str, Declaration]]:
  """Yields (attribute, declaration) of a class with declared fields; nothing of other objects."""
  if isinstance(row, type) and dataclasses.is_dataclass(row):
    for field in dataclasses.fields(row):
      if "declaration" in field.metadata:
        yield field.name, field.metadata["declaration"]


def build(field: str, name: str, values: Mapping[str, Any]) -> Any:
  """Returns the row that a config chose, with its own fields set.

  Args:
    field: dotted name of the field that chooses, such as "train.optimizer".
    name: the row's name.
    values: of the row's fields by dotted name; where absent the default is taken. A swept field is
      left at None unless it is given: it is a number of each instance.
  """
  row = TABLES[field][name]
  if not isinstance(row, type):
    return row
  section = field.rpartition(".")[0]
  absent = {attribute: None for attribute, one in declared(row) if one.swept}
  given = {a: values[f"{section}.{a}"] for a, _ in declared(row) if f"{section}.{a}" in values}
  return row(**absent | given)
