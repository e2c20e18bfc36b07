"""Exit codes and transient messages: launch/README.md lists those of the code, and no others."""

import ast
import os
import re
import signal
from pathlib import Path

import pytest

from toy_superposition import errors, interrupts
from toy_superposition.errors import TransientError, UserError
from toy_superposition.records import files, lock

ROOT = Path(__file__).parent.parent
README = (ROOT / "launch" / "README.md").read_text()
SECTION = README.partition("\n## Exit codes\n")[2].partition("\n## ")[0]
SOURCES = sorted((ROOT / "toy_superposition").rglob("*.py"))
LAUNCHERS = sorted([*(ROOT / "launch").glob("*.sh"), *(ROOT / "launch").glob("*.sbatch")])


def calls(name: str) -> list[ast.Call]:
  """Returns the calls of a function or class of that name in the package."""
  found = []
  for path in SOURCES:
    for node in ast.walk(ast.parse(path.read_text())):
      if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == name:
        found.append(node)
  return found


def pattern(message: ast.expr) -> str:
  """Returns a message of the code with … for what it is filled with."""
  if isinstance(message, ast.Constant):
    return str(message.value)
  assert isinstance(message, ast.JoinedStr), ast.unparse(message)
  parts = (part.value if isinstance(part, ast.Constant) else "…" for part in message.values)
  return "".join(map(str, parts))


def rows() -> list[list[str]]:
  """Returns the cells of the section's tables, without heads."""
  lines = [line for line in SECTION.splitlines() if line.startswith("| `")]
  return [
    [cell.strip() for cell in line.replace("\\|", "¦").strip("|").split("|")] for line in lines
  ]


def test_the_codes_are_those_with_which_programs_and_launchers_end():
  codes: set[int] = {0, 1}  # of main's return value, and of `fail` by default
  for call in (*calls("SystemExit"), *calls("fail")):
    numbers = call.args[:1] if ast.unparse(call.func) == "SystemExit" else call.args[1:]
    codes |= {
      number.value
      for number in numbers
      if isinstance(number, ast.Constant) and isinstance(number.value, int)
    }
  codes |= {128 + number for number in (signal.SIGHUP, *interrupts._handled())}
  for path in LAUNCHERS:
    codes |= {int(code) for code in re.findall(r"\bexit (\d+)\b", path.read_text())}
  listed = {int(row[0].strip("`")) for row in rows() if row[0].strip("`").isdigit()}
  assert listed == codes


def test_the_transient_lines_are_those_of_the_code():
  of_code = {pattern(call.args[0]) for call in calls("TransientError")}
  of_code |= {f"…: {os.strerror(number)}" for number in files.TRANSIENT}
  listed = [row[0].strip("`") for row in rows() if not row[0].strip("`").isdigit()]
  assert len(listed) == len(set(listed))
  assert set(listed) == of_code


def test_a_transient_error_is_a_user_error_and_ends_like_one():
  assert issubclass(TransientError, UserError) and errors.TransientError.__doc__


@pytest.mark.parametrize("number", [*files.TRANSIENT, 13, 2])
def test_a_system_s_error_is_transient_or_final_by_its_number(tmp_path, number):
  with pytest.raises(UserError) as caught, files.disk_errors(tmp_path):
    raise OSError(number, os.strerror(number))
  assert isinstance(caught.value, TransientError) == (number in files.TRANSIENT)
  assert str(caught.value) == f"{tmp_path}: {os.strerror(number)}"


def test_a_folder_in_use_is_a_transient_error(tmp_path):
  in_use = pytest.raises(TransientError, match="in use by process")
  with lock.held(tmp_path), in_use, lock.held(tmp_path):
    raise AssertionError("must not be held twice")
