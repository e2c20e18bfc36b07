"""Configs by name or path, in Python and on the command line; every mistake in one line."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

import toy_superposition as ts
from tests.command import ROOT, in_process
from toy_superposition.config import catalogue, execute
from toy_superposition.errors import UserError

BASE = "from toy_superposition.config import base"
OWN = f"""{BASE}


def get_config(variant=None):
  config = base.get_config()
  config.name = "own"
  config.seed = NUMBER
  return config
"""
FAULTS = {
  "nothing": ("def get_config():\n  pass\n", ["own.py", "returned None", "a ConfigDict", BASE]),
  "a_dict": ("def get_config():\n  return {'seed': 3}\n", ["returned {'seed': 3}", BASE]),
  "no_function": ("get_config = 3\n", ["own.py", "no function get_config()"]),
  "an_exit": ("import sys\n\nsys.exit(3)\n", ["own.py, line 3", "SystemExit: 3"]),
  "an_exception": ("def get_config():\n  return 1 / 0\n", ["own.py, line 2", "ZeroDivisionError"]),
  "two_lines": ("raise OSError('a\\nb')\n", ["own.py, line 1", "OSError: a b"]),
  "syntax": ("\ndef get_config(:\n", ["own.py, line 2", "invalid syntax"]),
  "null": ("\0", ["own.py"]),
  "missing_file": ("open('missing.csv')\n", ["own.py, line 1", "FileNotFoundError", "missing.csv"]),
  "missing_import": ("import no_such_module\n", ["own.py, line 1", "'no_such_module'"]),
  "wrong_base": (
    f"{BASE}\n\n\ndef get_config():\n  return base.shipped('introductoin')\n",
    ["own.py: no config 'introductoin'", "did you mean 'introduction'"],
  ),
}


@pytest.fixture
def own(tmp_path, monkeypatch) -> Path:
  """Returns the path of a config of one's own, and makes its folder the current one."""
  monkeypatch.chdir(tmp_path)
  return tmp_path / "own.py"


@pytest.fixture
def path_of_python(own, monkeypatch) -> Iterator[Path]:
  """Returns the folder where Python looks first; it has imported no `configs` from anywhere."""
  of_tests = {n: m for n, m in sys.modules.items() if f"{n}.".startswith("configs.")}
  for name in of_tests:
    del sys.modules[name]
  monkeypatch.syspath_prepend(own.parent)
  yield own.parent
  for name in [name for name in sys.modules if f"{name}.".startswith("configs.")]:
    del sys.modules[name]
  sys.modules.update(of_tests)


def package(folder: Path, names: Sequence[str], content: str = "") -> None:
  """Writes a package `configs` with modules of the same content."""
  for name in names:
    (folder / "configs").mkdir(exist_ok=True)
    (folder / "configs" / f"{name}.py").write_text(content)


EXECUTED = "raise SystemExit('executed')\n"


def test_a_config_has_the_same_fields_by_name_and_by_path_and_as_a_base(own):
  by_name = ts.get_config("phase_change:quick")
  assert by_name == ts.get_config(f"{ROOT}/configs/phase_change.py:quick")
  own.write_text(f"{BASE}\n\n\ndef get_config():\n  return base.shipped('phase_change:quick')\n")
  assert by_name == ts.get_config("own.py") == ts.get_config("./own.py")
  assert by_name.is_locked and by_name.name == "phase_change_quick"


def test_files_and_packages_in_the_current_folder_do_not_change_a_shipped_config(path_of_python):
  package(path_of_python, ("__init__", "base", "introduction", "correlated_pairs"), EXECUTED)
  (path_of_python / "introduction.py").write_text(EXECUTED)
  (path_of_python / "thomson").mkdir()
  for name in catalogue.names():
    assert ts.get_config(name).name == name


def test_a_config_of_one_s_own_beside_somebody_s_package_configs_has_the_base(path_of_python, own):
  package(path_of_python, ("__init__", "base"), EXECUTED)
  own.write_text(OWN.replace("NUMBER", "3"))
  assert ts.get_config("own.py").seed == 3
  assert "configs" not in sys.modules


@pytest.mark.parametrize(
  ("modules", "written"),
  [
    ((), "from configs import base\n"),
    ((), "import configs.base\n"),
    (("__init__",), "from configs import base\n"),
    (("__init__",), "from configs.base import get_config\n"),
    (("__init__", "base"), "from configs.base import get_config\n"),
    (("__init__", "base"), "from configs import base\n\nbase.get_config()\n"),
  ],
)
def test_a_config_of_old_without_its_package_configs_is_told_what_to_import(
  modules, written, path_of_python, own, monkeypatch
):
  package(path_of_python, modules)
  own.write_text(written)
  elsewhere = [path for path in sys.path if not (Path(path) / "configs" / "thomson.py").exists()]
  monkeypatch.setattr(sys, "path", elsewhere)  # without the clone of these tests
  with pytest.raises(UserError, match=f"own.py, line .*; for the base of this package: {BASE}"):
    ts.get_config("own.py")


def test_a_config_of_old_works_in_a_clone(path_of_python, own, monkeypatch):
  monkeypatch.syspath_prepend(ROOT)
  old = OWN.replace(BASE, "from configs import base, phase_change")
  own.write_text(old.replace("NUMBER", "len(phase_change.SIZES)"))
  assert ts.get_config("own.py").seed > 1


def test_an_edited_config_is_read_again_at_once_and_nothing_is_written_beside_it(own):
  for seed in "12345":  # of the same length, within a second: bytecode would look up to date
    own.write_text(OWN.replace("NUMBER", seed))
    assert ts.get_config("own.py").seed == int(seed)
  assert list(own.parent.iterdir()) == [own]


def test_a_config_may_define_dataclasses_with_annotations_as_text(own):
  row = "import dataclasses\n\n\n@dataclasses.dataclass\nclass Row:\n  a: dataclasses.InitVar\n\n\n"
  text = "from __future__ import annotations\n" + row + OWN.replace("NUMBER", "3")
  own.write_text(text)
  assert ts.get_config("own.py").seed == 3


def test_folders_of_a_config_may_have_colons_and_a_home(own, monkeypatch):
  folder = own.parent / "12:30:00 a.py"
  folder.mkdir()
  (folder / "own.py").write_text(OWN.replace("NUMBER", "len(variant or '')"))
  assert ts.get_config(f"{folder}/own.py:quick").seed == 5
  assert ts.get_config(f"{folder}/own.py").seed == 0
  monkeypatch.setenv("HOME", str(folder))
  assert ts.get_config("~/own.py:x").seed == 1


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_of_a_config_is_one_line_with_its_place(name, own):
  content, fragments = FAULTS[name]
  own.write_text(content)
  with pytest.raises(UserError) as caught:
    ts.get_config("own.py")
  assert len(str(caught.value).splitlines()) == 1
  for fragment in fragments:
    assert fragment in str(caught.value)


@pytest.mark.parametrize(
  ("name", "fragments"),
  [
    ("phase_chnage:quick", ["no config 'phase_chnage'; did you mean 'phase_change'?"]),
    ("phase_change:quik", ["phase_change:quik: unknown variant 'quik'", "quick, full"]),
    ("base:quick", ["base:quick", "no variants"]),
    ("", ["no config ''"]),
    ("own.py", ["cannot read 'own.py': No such file"]),
    ("configs/phase_chnage.py", ["No such file", "did you mean 'phase_change'?"]),
    (f"{ROOT}/configs/thompson.py", ["No such file", f"did you mean '{ROOT}/configs/thomson.py'"]),
    (f"{ROOT}/configs", ["Is a directory"]),
    ("\0.py", ["cannot read"]),
    (300 * "x" + ".py", ["cannot read", "File name too long"]),
  ],
)
def test_a_wrong_name_is_one_line_with_the_nearest(name, fragments, own):
  with pytest.raises(UserError) as caught:
    execute.get_config(name)
  assert len(str(caught.value).splitlines()) == 1
  for fragment in fragments:
    assert fragment in str(caught.value)


def test_the_interrupt_of_a_user_is_not_taken_for_a_fault_of_the_config(own):
  own.write_text("raise KeyboardInterrupt\n")
  with pytest.raises(KeyboardInterrupt):
    ts.get_config("own.py")


@pytest.mark.parametrize(
  "words",
  [
    ["--config=phase_change:quick", "--config.train.steps=7"],
    ["--config", "phase_change:quick", "--config.train.steps", "7"],
    ["--overwrite", "-config=phase_change:quick", "--config.train.steps=7"],
    [f"--config={ROOT}/configs/phase_change.py:quick", "--config.train.steps=7"],
    ["--flagfile=flags"],
  ],
)
def test_the_command_takes_a_name_wherever_it_takes_a_path_and_overrides_its_fields(
  words, own, monkeypatch
):
  Path("flags").write_text("--config=phase_change:quick\n--config.train.steps=7\n")
  done = in_process(monkeypatch, *words, "--print_config", cwd=own.parent)
  assert done.returncode == 0, done.stderr
  lines = done.stdout.splitlines()
  assert "train.steps = 7" in lines and "name = 'phase_change_quick'" in lines


def test_the_command_says_a_wrong_name_in_one_line(own, monkeypatch):
  done = in_process(monkeypatch, "--config=phase_chnage:quick", cwd=own.parent)
  assert done.returncode == 1
  assert done.stderr.startswith("--config: no config 'phase_chnage'; did you mean 'phase_change'?")
  assert len(done.stderr.splitlines()) == 1


def test_the_list_prints_names_that_work_where_it_is_typed(own, monkeypatch):
  lines = in_process(monkeypatch, "--list", cwd=own.parent).stdout.splitlines()
  named = [line.split("[")[0] for line in lines if line.partition(" ")[0].endswith("]")]
  assert named == catalogue.names()
  assert "--config=NAME:quick" in lines[-1]
