"""netCDF files of this package: written with a checksum, and checked before they are believed.

A file may come from a stranger, or from a disk that flips bits. So its last line is a checksum of
all bytes before it, which readers of netCDF do not look at; and of HDF5's many features, a file of
ours has few. All others are refused before anything is read through them: links, data that lie
elsewhere or are compressed (and so could be of any size), and what is not in the tree of groups.
"""

import hashlib
import io
import math
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from toy_superposition import text
from toy_superposition.errors import UserError
from toy_superposition.records import files

if TYPE_CHECKING:
  import h5py
  import xarray as xr

ROOT = "/"
# Attributes of the file's root, beside those of its dataset.
IDENTITY = "identity_sha256"  # of the run that the file belongs to, as workdir.identity_hash
CHECKSUM = "checksum"
ABOUT_CHECKSUM = "the last line of the file has the SHA-256 of all bytes before it"
LAST_LINE = "\nSHA-256 of all bytes before this line: {}\n"
LENGTH = len(LAST_LINE.format("0" * 64))
# Bounds of a file; the largest of ours are far below.
MAX_GROUPS = 100_000
MAX_VARIABLES = 1_000  # of a group
MAX_ATTRIBUTES = 100  # of a group or a variable
MAX_ATTRIBUTE_BYTES = 2**16  # of an attribute that is not text
REFERENCE = 16  # bytes in the place of a text: its length, as the first four, and where it is
# Attributes that only netCDF itself reads; of these two the values are references to variables.
DIMENSIONS, VARIABLES_OF_DIMENSION = "DIMENSION_LIST", "REFERENCE_LIST"
NO_VARIABLE = b"This is a netCDF dimension but not a netCDF variable."


class Damaged(UserError):
  """A file does not hold what this package wrote: it is damaged, or somebody else's."""


def write(path: Path, datasets: "Mapping[str, xr.Dataset]", identity: str | None) -> None:
  """Writes a file, whole or not at all.

  Args:
    path: of the file.
    datasets: netCDF group → dataset.
    identity: hash of the run's identity, if it is known.

  Raises:
    UserError: the disk is full or cannot be written.
  """
  import xarray as xr

  about = {CHECKSUM: ABOUT_CHECKSUM} | ({IDENTITY: identity} if identity else {})
  tree = dict(datasets)
  tree[ROOT] = tree.get(ROOT, xr.Dataset()).assign_attrs(about)
  # Made in memory: HDF5 can end the process if the disk is full.
  content = xr.DataTree.from_dict(tree).to_netcdf(engine="h5netcdf")
  with files.replacing(path) as temporary, temporary.open("wb") as file:
    file.write(content)
    file.write(_last_line(content))


def read(path: Path, identity: str | None = None) -> "dict[str, xr.Dataset]":
  """Returns netCDF group → dataset, in memory, of a file that `write` wrote.

  A file of an earlier version, which has neither checksum nor identity, is read without them.

  Args:
    path: of the file.
    identity: hash of the identity that the run must have, if it matters.

  Raises:
    Damaged: the file is not as this package writes them.
    UserError: it is missing, cannot be read, or belongs to another run.
  """
  memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
  with files.disk_errors(path):
    # Read once: what is checked is what is used. As arrays it takes the same memory again.
    content = files.read_bytes(path, memory // 2)
  last = memoryview(content)[-LENGTH:]
  is_checked = bytes(last[:-65]) == LAST_LINE.partition("{")[0].encode()
  if is_checked and bytes(last) != _last_line(memoryview(content)[:-LENGTH]):
    raise Damaged(
      f"{path}: damaged (its checksum differs); the command that wrote it makes it again"
    )
  try:
    datasets = _datasets(content)
  except MemoryError:
    raise
  except Exception as error:  # h5py, h5netcdf and xarray raise whatever they run into
    raise not_ours(path, files.one_line(error)) from error
  attributes = datasets[ROOT].attrs
  if CHECKSUM in attributes and not is_checked:
    raise not_ours(path, "its checksum is missing, as after a change by another program")
  found = attributes.pop(IDENTITY, None)
  attributes.pop(CHECKSUM, None)
  if identity and found is not None and identity != str(found):
    raise UserError(
      f"{path}: belongs to another run than the folder's; move it away, and the run's command "
      "makes its own"
    )
  return datasets


def not_ours(path: Path, reason: str) -> Damaged:
  """Returns the error for a file that this package did not write, or that is damaged."""
  return Damaged(f"{path}: not written by this package, or damaged ({text.visible(reason)})")


def _last_line(content: Any) -> bytes:
  return LAST_LINE.format(hashlib.sha256(content).hexdigest()).encode()


def _datasets(content: bytes) -> "dict[str, xr.Dataset]":
  """Returns netCDF group → dataset, once all has been found to be of the kinds that we write."""
  import h5py
  import xarray as xr

  with h5py.File(io.BytesIO(content), "r") as file:
    _Check(file, content).all()
  with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # about what a file declares; what matters is an error
    # Times would be decoded from units; ours has none.
    opened = xr.open_groups(
      io.BytesIO(content), engine="h5netcdf", decode_times=False, decode_timedelta=False
    )
    datasets = {name: dataset.load() for name, dataset in opened.items()}
    for dataset in opened.values():
      dataset.close()
  return datasets


class _Check:
  """Checks a file's groups, variables and attributes; any mismatch is a ValueError."""

  def __init__(self, file: "h5py.File", content: bytes):
    self._file = file
    # Bytes that variables and texts may still take: a file is larger than what it holds.
    self._room = len(content)
    self._content = content
    self._groups = MAX_GROUPS
    self._seen: set[Any] = set()  # ids of groups and variables

  def all(self) -> None:
    """Checks the whole file: its root, and groups in the root."""
    variables = self._group(self._file)
    for variable in variables:
      self._dimensions(variable)

  def _group(self, group: "h5py.Group") -> "list[h5py.Dataset]":
    """Checks a group with all in it; returns its variables."""
    import h5py

    self._object(group)
    variables, groups = [], []
    for name in group:
      _check_text(name)
      if not isinstance(group.get(name, getlink=True), h5py.HardLink):
        raise ValueError(f"{name!r} is a link")
      member = group[name]
      if isinstance(member, h5py.Dataset):
        variables.append(member)
      elif isinstance(member, h5py.Group) and group.name == ROOT:
        groups.append(member)
      else:
        raise ValueError(f"{name!r} is a group within a group, or a type")
      self._groups -= isinstance(member, h5py.Group)
      if len(variables) > MAX_VARIABLES or self._groups < 0:
        raise ValueError(f"more than {MAX_VARIABLES} variables or {MAX_GROUPS} groups")
    for variable in variables:
      self._object(variable)
      self._variable(variable)
    return [*variables, *(member for inner in groups for member in self._group(inner))]

  def _object(self, member: "h5py.Group | h5py.Dataset") -> None:
    """Checks that a group or variable is seen for the first time, and its attributes."""
    import h5py

    if member.id in self._seen:
      raise ValueError(f"{member.name!r} has several names")
    self._seen.add(member.id)
    if h5py.h5a.get_num_attrs(member.id) > MAX_ATTRIBUTES:
      raise ValueError(f"more than {MAX_ATTRIBUTES} attributes of {member.name!r}")
    for name in member.attrs:
      _check_text(name)
      if name not in (DIMENSIONS, VARIABLES_OF_DIMENSION):
        self._attribute(member, name)

  def _attribute(self, member: "h5py.Group | h5py.Dataset", name: str) -> None:
    """Checks that an attribute is a text, or numbers of a bounded size."""
    import h5py

    about = member.attrs.get_id(name)
    if about.shape in ((), (1,)) and h5py.check_string_dtype(about.dtype):
      value = member.attrs[name]
      for one in [value] if isinstance(value, str | bytes) else value:
        self._take(len(one))
        decoded = one.decode() if isinstance(one, bytes) else one
        _check_text(decoded.replace("\n", " ").replace("\t", " "))
      return
    n_bytes = about.dtype.itemsize * math.prod(about.shape or ())
    if about.shape is None or about.dtype.kind not in "iuf" or n_bytes > MAX_ATTRIBUTE_BYTES:
      raise ValueError(f"attribute {name!r} of {member.name!r} is no text and no few numbers")

  def _variable(self, variable: "h5py.Dataset") -> None:
    """Checks the type of a variable, and that the file itself holds all its values."""
    import h5py

    if bytes(variable.attrs.get("NAME", b"")).startswith(NO_VARIABLE):
      return  # the length of a dimension, without values
    layout, name = variable.id.get_create_plist(), variable.name
    if layout.get_layout() != h5py.h5d.CONTIGUOUS:
      raise ValueError(f"{name!r} is compressed, in pieces or virtual")
    if layout.get_external_count():
      raise ValueError(f"the values of {name!r} are in another file")
    if variable.shape is None:
      raise ValueError(f"{name!r} has no values")
    n_bytes = variable.id.get_storage_size()
    if variable.size * variable.id.get_type().get_size() > n_bytes:
      raise ValueError(f"values of {name!r} are missing")
    self._take(n_bytes)
    kind = variable.dtype
    if string := h5py.check_string_dtype(kind):
      if string.length is not None:
        raise ValueError(f"{name!r} has texts of a fixed length")
      self._texts(variable)
    elif kind.kind not in "iuf" or kind.itemsize > 8:
      raise ValueError(f"{name!r} has values of type {kind}")

  def _texts(self, variable: "h5py.Dataset") -> None:
    """Checks texts, whose lengths are in the file: many elements may be the same large text."""
    if not variable.size:
      return
    start, end = variable.id.get_offset(), variable.id.get_offset() + REFERENCE * variable.size
    lengths = np.frombuffer(self._content[start:end], np.dtype("<u4"))[:: REFERENCE // 4]
    self._take(int(lengths.sum(dtype=np.uint64)))
    for value in np.asarray(variable[()]).flat:
      _check_text(value.decode())

  def _take(self, n_bytes: int) -> None:
    self._room -= n_bytes
    if self._room < 0:
      raise ValueError("its variables are larger than the file")

  def _dimensions(self, variable: "h5py.Dataset") -> None:
    """Checks that the dimensions of a variable are in the tree of groups."""
    if not variable.ndim or (variable.is_scale and variable.ndim == 1):
      return  # none, or itself
    if DIMENSIONS not in variable.attrs:  # they would be guessed by their lengths
      raise ValueError(f"{variable.name!r} has no dimensions")
    if variable.attrs.get_id(DIMENSIONS).shape != (variable.ndim,):
      raise ValueError(f"{variable.name!r} has a wrong number of dimensions")
    for references in variable.attrs[DIMENSIONS]:
      if len(references) != 1 or self._file[references[0]].id not in self._seen:
        raise ValueError(f"a dimension of {variable.name!r} is not in the file")


def _check_text(value: Any) -> None:
  """Checks that a name or text has no character that a terminal obeys."""
  if not isinstance(value, str) or text.visible(value) != value:
    raise ValueError("a text has control characters")
