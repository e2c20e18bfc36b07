"""Configs by name or by path: the file is found and executed, and every mistake is one line."""

import difflib
import inspect
import os
import re
import sys
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from ml_collections import ConfigDict

from toy_superposition.config import catalogue
from toy_superposition.errors import UserError, nearest, shown

BASE = "from toy_superposition.config import base"  # what a config's first line is


def get_config(name: str) -> ConfigDict:
  """Returns the config that a file's get_config() makes, locked: a mistyped field raises.

  Args:
    name: of a config that comes with the package, or the path of a file, which ends in .py or has a
      slash; after a colon its variant: "phase_change:quick", "my/own.py".

  Raises:
    UserError: there is no such config, its file cannot be read, its code raises, or it returns
      something else. The exception of the code is the error's cause.
  """
  file, variant = _split(name)
  path = os.path.expanduser(file) if _is_path(file) else str(catalogue.path(file))
  source = _read(path)
  try:
    config = _returned(source, path, variant)
  except UserError as error:  # also of another config that this one starts from
    raise UserError(f"{name}: {error}") from error
  except (Exception, SystemExit) as error:
    raise UserError(_explained(error, path)) from error
  if not isinstance(config, ConfigDict):
    needed = f"a ConfigDict, as base.get_config() returns it ({BASE})"
    raise UserError(f"{name}: get_config() returned {shown(config)}; allowed: {needed}")
  config.lock()
  return config


def values_of(config: ConfigDict) -> dict[str, Any]:
  """Returns every field of a config by its dotted name."""
  return dict(_flatten(config.to_dict()))


def _flatten(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
  for key, value in tree.items():
    if isinstance(value, Mapping):
      yield from _flatten(value, f"{prefix}{key}.")
    else:
      yield prefix + key, value


def _split(name: str) -> tuple[str, str]:
  """Returns file and variant; the folders of a path may have colons."""
  match = re.fullmatch(r"(.*\.py|[^:]*)(?::(.*))?", name, re.DOTALL)
  assert match is not None  # any text matches
  return match[1], match[2] or ""


def _is_path(file: str) -> bool:
  return file.endswith(".py") or "/" in file or os.sep in file


def _read(path: str) -> bytes:
  """Returns a config's code. No bytecode is kept: that of an edited file may look up to date."""
  try:
    return Path(path).read_bytes()
  except (OSError, ValueError) as error:  # a null character in a path is a ValueError
    reason = getattr(error, "strerror", None) or error
    raise UserError(f"cannot read {shown(path)}: {reason}{_suggestion(path)}") from None


def _suggestion(path: str) -> str:
  """Returns a question after a file with nearly this path, or after a config with this name."""
  folder = Path(path).parent
  beside = [str(there) for there in folder.glob("*.py")] if os.path.isdir(folder) else []
  close = difflib.get_close_matches(path, beside, n=1)
  return f"; did you mean {close[0]!r}?" if close else nearest(Path(path).stem, catalogue.names())


def _returned(source: bytes, path: str, variant: str) -> object:
  """Returns what a file's get_config() returns, given the variant if there is one."""
  module = ModuleType(f"config {path}")  # no import statement can ask for this name
  module.__file__ = path
  sys.modules[module.__name__] = module  # where dataclasses look up their annotations
  exec(compile(source, path, "exec", dont_inherit=True), vars(module))
  make = getattr(module, "get_config", None)
  if not callable(make):
    raise UserError("no function get_config() in this file")
  if variant and not inspect.signature(make).parameters:
    raise UserError(f"this config has no variants, such as {variant!r}")
  return make(*([variant] if variant else []))


def _explained(error: BaseException, path: str) -> str:
  """Returns what a config's code raised, and where in its file."""
  if isinstance(error, SyntaxError) and error.filename:
    return f"{error.filename}, line {error.lineno}: {error.msg}"
  lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == path]
  where = f"{path}, line {lines[-1]}" if lines else path
  message = f"{where}: {type(error).__name__}: {' '.join(str(error).split())}"
  # Configs were once imported from a package `configs`, which may be anybody's.
  if isinstance(error, ImportError | AttributeError) and re.search(r"'configs[.']", str(error)):
    message += f"; for the base of this package: {BASE}"
  return message
