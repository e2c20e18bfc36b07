"""What configs declare about themselves, read without executing them."""

import importlib

import pytest

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
  """Returns a folder of configs with base.py and one experiment."""
  monkeypatch.setattr(catalogue, "CONFIGS", tmp_path)
  (tmp_path / "base.py").write_text("")
  (tmp_path / "thomson.py").write_text(CONFIG)
  return tmp_path


def test_every_config_is_listed_once_those_of_the_paper_in_its_order():
  files = {path.stem for path in catalogue.CONFIGS.glob("*.py")} - {"base"}
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


def test_without_the_folder_the_error_says_how_to_install_it(folder, monkeypatch):
  monkeypatch.setattr(catalogue, "CONFIGS", folder / "none")
  with pytest.raises(UserError, match="pip install -e"):
    catalogue.names()
