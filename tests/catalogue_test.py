"""What configs declare about themselves, read without executing them."""

import importlib

import pytest

from toy_superposition import terminal
from toy_superposition.config import catalogue
from toy_superposition.errors import UserError

NAMES = catalogue.names()
CONFIG = """
raise RuntimeError("executed")
ABOUT = "Solids."
COST = "2 seconds; " "quick 1"  # on 2 CPU cores
SIZES = {"": (STEPS, 1), "quick": (len("x"), 1)}
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
  """Returns a package's folder of configs with base.py and one experiment."""
  monkeypatch.setattr(catalogue, "PACKAGE", tmp_path / "package")
  configs = tmp_path / "package" / "configs"
  configs.mkdir(parents=True)
  (configs / "base.py").write_text("")
  (configs / "thomson.py").write_text(CONFIG)
  return configs


def test_every_config_is_listed_once_those_of_the_paper_in_its_order():
  files = {path.stem for path in catalogue.folder().glob("*.py")} - {"base"}
  assert sorted(NAMES) == sorted(files)
  assert tuple(NAMES[: len(catalogue.EXPERIMENTS)]) == catalogue.EXPERIMENTS


@pytest.mark.parametrize("name", NAMES)
def test_an_entry_is_what_the_config_s_module_declares(name):
  module = importlib.import_module(f"configs.{name}")
  entry = catalogue.entry(name)
  assert entry == (name, module.ABOUT, tuple(filter(None, module.SIZES)), module.COST)
  assert catalogue.about(name) == module.ABOUT
  assert "second" in module.COST or "minute" in module.COST


def test_a_config_is_read_and_not_executed(folder):
  assert catalogue.entry("thomson") == ("thomson", "Solids.", ("quick",), "2 seconds; quick 1")


def test_configs_that_the_paper_does_not_have_follow(folder):
  for name in ("another", "mine"):
    (folder / f"{name}.py").write_text(CONFIG)
  assert catalogue.names() == ["thomson", "another", "mine"]


@pytest.mark.parametrize(
  ("written", "instead", "named"),
  [
    ('ABOUT = "Solids."', "", "ABOUT"),
    ('ABOUT = "Solids."', 'ABOUT = ""', "ABOUT"),
    ('ABOUT = "Solids."', 'ABOUT = f"{name}."', "ABOUT"),
    ('ABOUT = "Solids."', 'ABOUT = "two\\nlines"', "ABOUT"),
    ("COST = ", "PRICE = ", "COST"),
    ("SIZES = ", "VARIANTS = ", "SIZES"),
    ('SIZES = {"":', "SIZES = {0:", "SIZES"),
    ('SIZES = {"":', 'SIZES = {**OTHERS, "":', "SIZES"),
    ("SIZES = {", "SIZES = {{", "never closed"),
  ],
)
def test_a_config_without_a_constant_is_an_error_of_one_line_that_names_both(
  folder, written, instead, named
):
  assert written in CONFIG
  (folder / "thomson.py").write_text(CONFIG.replace(written, instead))
  with pytest.raises(UserError, match=named) as error:
    catalogue.entry("thomson")
  assert "thomson.py" in str(error.value)
  assert "\n" not in str(error.value)


def test_the_folder_of_a_wheel_comes_before_one_beside_the_package(folder):
  beside = folder.parent.parent / "configs"  # in site-packages it is somebody else's
  beside.mkdir()
  (beside / "base.py").write_text("")
  assert catalogue.folder() == folder
  (folder / "base.py").unlink()
  assert catalogue.folder() == beside


def test_a_package_without_its_folder_is_one_line_that_names_it(folder):
  (folder / "base.py").unlink()
  with pytest.raises(UserError, match=r"configs: no such folder; install"):
    catalogue.names()


def test_a_config_is_found_by_its_name_and_a_wrong_one_gets_the_nearest(folder):
  assert catalogue.path("thomson") == folder / "thomson.py"
  assert catalogue.path("base") == folder / "base.py"
  for name in ("thompson", "", "../configs/base", "thomson.py"):
    with pytest.raises(UserError, match=r"allowed: base, thomson, or the path") as error:
      catalogue.path(name)
    assert repr(name) in str(error.value)
  with pytest.raises(UserError, match=r"'thompson'; did you mean 'thomson'\?"):
    catalogue.path("thompson")


def test_the_list_is_grouped_by_suite():
  lines = terminal.catalogue(catalogue.entries()).splitlines()
  at = [lines.index(f"{heading}:") for heading in catalogue.HEADINGS.values()]
  assert at == sorted(at) and at[0] == 0
  found = [(sum(k > place for place in at), line.split("[")[0]) for k, line in enumerate(lines)]
  suites = dict(enumerate(catalogue.HEADINGS, start=1))
  names = {name: suites[number] for number, name in found if name in NAMES}
  assert names == {name: catalogue.suite(name) for name in NAMES}


def test_a_file_without_its_constants_is_listed_with_what_it_lacks(folder):
  (folder / "mine.py").write_text("def get_config():\n  pass\n")
  (folder / "worse.py").write_text("def get_config(:\n")
  (folder / "binary.py").write_bytes(b"\xff\xfe\x00")
  thomson, *others = catalogue.entries()
  assert thomson == catalogue.entry("thomson")
  assert [entry.name for entry in others] == ["binary", "mine", "worse"]
  assert "mine.py: no constant SIZES" in others[1].about
  assert "worse.py" in others[2].about and "a file of Python code" in others[2].about
  assert "mine" in terminal.catalogue(catalogue.entries())
