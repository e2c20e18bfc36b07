"""What configs say of themselves, read without executing them."""

import importlib
from pathlib import Path

import pytest

from toy_superposition.config import catalogue

NAMES = catalogue.names()


def test_every_config_is_listed_once_the_paper_s_in_its_order():
  files = {path.stem for path in catalogue.CONFIGS.glob("*.py")} - {"base"}
  assert sorted(NAMES) == sorted(files)
  assert tuple(NAMES[: len(catalogue.EXPERIMENTS)]) == catalogue.EXPERIMENTS


@pytest.mark.parametrize("name", NAMES)
def test_an_entry_has_one_line_all_variants_and_a_cost(name):
  module = importlib.import_module(f"configs.{name}")
  entry = catalogue.entry(name)
  assert entry.about == (module.__doc__ or "").splitlines()[0]
  assert {"", *entry.variants} == set(module.SIZES)
  assert entry.cost in " ".join((module.__doc__ or "").split())
  assert "second" in entry.cost or "minute" in entry.cost


def test_other_configs_follow_and_need_no_cost(tmp_path, monkeypatch):
  monkeypatch.setattr(catalogue, "CONFIGS", tmp_path)
  (tmp_path / "thomson.py").write_text('"""Solids.\n\nMeasured here: 2.5 seconds, quick 1."""\n')
  (tmp_path / "mine.py").write_text("raise RuntimeError\n")
  (tmp_path / "base.py").write_text("")
  assert catalogue.names() == ["thomson", "mine"]
  assert catalogue.entry("thomson") == ("thomson", "Solids.", (), "2.5 seconds, quick 1")
  assert catalogue.entry("mine") == ("mine", "mine", (), "")


def test_without_the_folder_it_is_said_how_to_have_it(tmp_path, monkeypatch):
  monkeypatch.setattr(catalogue, "CONFIGS", Path(tmp_path / "none"))
  with pytest.raises(catalogue.UserError, match="pip install -e"):
    catalogue.names()
