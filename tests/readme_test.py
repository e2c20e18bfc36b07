"""README and the generated page of claims agree with each other and with the tree."""

import re
from pathlib import Path

from tests.claims_page import PAGE, claims
from toy_superposition import experiments
from toy_superposition.cli import claims_page
from toy_superposition.config import catalogue
from toy_superposition.experiments.experiment import CONTRADICTED, VERDICTS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
SUMMARY = re.compile(
  r"Of (\d+) statements (\d+) are confirmed, (\d+) contradicted, (\d+) (?:is|are) not decided, "
  r"(\d+) are identities, which no training could fail, and (\d+) are reported"
)


def counts() -> list[int]:
  """Returns how many statements there are of each verdict."""
  return [sum(row[-1] == verdict for row in claims()) for verdict in VERDICTS]


def test_the_readme_fits_on_a_few_screens():
  assert len(README.splitlines()) <= 220


def test_the_readme_s_totals_are_those_of_the_page_of_claims():
  claims_page.check(PAGE)
  found = SUMMARY.search(" ".join(README.split()))
  assert found, "the README states its totals"
  assert [int(number) for number in found.groups()] == [len(claims()), *counts()]


def test_the_page_s_own_totals_and_experiments_are_complete():
  text = PAGE.read_text()
  for number, verdict in zip(counts(), VERDICTS, strict=True):
    assert not number or f"{number} {verdict}" in text
  assert [name for name in catalogue.EXPERIMENTS if f"### {name}:" not in text] == []
  assert {row[0] for row in claims()} == set(catalogue.EXPERIMENTS)


def test_every_contradicted_statement_of_the_paper_stands_in_the_readme_with_its_numbers():
  found = [row[:-1] for row in claims() if row[-1] == CONTRADICTED]
  contradicted = [row for row in found if catalogue.suite(row[0]) == "paper"]
  assert contradicted
  for row in contradicted:
    assert f"| {' | '.join(row)} |" in README, row


def test_every_statement_is_there_once_in_its_experiment():
  statements = [(row[0], row[1]) for row in claims()]
  assert len(set(statements)) == len(statements)


def test_links_and_pictures_of_the_readme_exist():
  targets = re.findall(r"\]\((?!https?:)([^)#]+)\)", README)
  assert targets
  assert [target for target in targets if not (ROOT / target).exists()] == []


def test_every_experiment_is_reached_by_a_config():
  names = {catalogue.entry(name).name for name in catalogue.names()}
  assert names >= set(catalogue.EXPERIMENTS)
  assert set(experiments.NAMES) - names <= {"correlated"}  # whose four configs have other names
