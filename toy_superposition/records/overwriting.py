"""What --overwrite deletes: the files that the journal of a run lists, and no others."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from toy_superposition.errors import UserError
from toy_superposition.records import files

# Folders of a run, the inner ones first: those that are left empty are removed.
FOLDERS = (
  *("checkpoints/group_*", "checkpoints", "history/group_*", "history"),
  *("figures", "tensorboard/*", "tensorboard"),
  *("profile/plugins/profile/*", "profile/plugins/profile", "profile/plugins", "profile"),
)
# Before format 3 there was no journal, and all files with these names were the run's.
BEFORE_FORMAT_3 = (
  *("metrics.jsonl", "results.nc", "shard.nc", "report.html"),
  *("tensorboard/group_*/events.out.tfevents.*", "tensorboard/figures/events.out.tfevents.*"),
  *("history/group_*/step_*.npz", "profile/plugins/profile/*/*.xplane.pb"),
  *("profile/plugins/profile/*/*.trace.json.gz", "checkpoints/group_[0-9][0-9][0-9][0-9]/*"),
)
# The folder of a checkpoint, also of a half-written one.
STEP = re.compile(r"\d+(\.orbax-checkpoint-tmp.*)?")


def refuse_links(folder: Path) -> None:
  """Checks that no folder of a run is a link, through which files elsewhere would be written.

  Raises:
    UserError: one of them is.
  """
  with files.disk_errors(folder):
    for pattern in FOLDERS:
      for path in folder.glob(pattern):
        if path.is_symlink():
          raise UserError(f"{path}: is a link; allowed: a folder, since a run writes into it")


def files_before_format_3(folder: Path) -> Iterator[str]:
  """Yields the files of a run that was begun before there was a journal, but for its pictures."""
  for pattern in BEFORE_FORMAT_3:
    for path in folder.glob(pattern):
      if path.parent.parent.name != "checkpoints" or STEP.fullmatch(path.name):
        yield path.relative_to(folder).as_posix()


def delete(folder: Path, names: set[str], last: tuple[str, ...]) -> None:
  """Deletes files of a run, the folders of its checkpoints, and its folders that this leaves empty.

  Links are removed and never followed.

  Args:
    folder: of the run.
    names: relative to it; what lies outside of it is left alone, whatever the names say.
    last: those of the names that say what the others are, and so go after them, in this order.

  Raises:
    UserError: one of them cannot be deleted.
  """
  with files.disk_errors(folder):
    for name in [*sorted(names - {*last}), *last]:
      path, below = folder / name, [folder / parent for parent in Path(name).parents]
      if ".." in Path(name).parts or Path(name).is_absolute():
        continue
      if any(parent.is_symlink() for parent in below[:-1]):  # the last one is the folder itself
        continue
      if path.parent.parent == folder / "checkpoints" and STEP.fullmatch(path.name):
        for step in [path, *path.parent.glob(f"{path.name}.orbax-checkpoint-tmp*")]:
          if step.is_dir() and not step.is_symlink():
            shutil.rmtree(step)
      elif path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
    for pattern in FOLDERS:
      for path in folder.glob(pattern):
        if path.is_dir() and not any(path.iterdir()):
          path.rmdir()
