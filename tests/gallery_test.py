"""The page for a lecture: six experiments in the paper's order, by keyboard, on every screen."""

import re
from pathlib import Path

import numpy as np
import pytest

from tests import pages
from tests.browser import api, drawn, needed, opened
from tests.browser import browser as browser  # the fixture
from toy_superposition.config import catalogue
from toy_superposition.report import document, lecture, runs

LARGEST = 8e6  # bytes
NAMES = list(lecture.SLIDES)


def lecture_of(folder: Path) -> Path:
  """Returns the page of runs with small results, of the kinds that the experiments have."""
  density = {"density": [1.0, 0.5, 0.3, 0.2, 0.1, 0.05]}
  data = pages.dataset({"density": [1.0, 0.5, 0.1]}, m=2, n=5)
  shown = dict.fromkeys(NAMES, data)
  shown["uniform_geometry"] = pages.dataset(density, m=6, n=12)
  single = pages.dataset({"restart": range(2)}, m=3, n=6)
  shown["learning_dynamics_geometry"] = pages.with_history(single, [0, 10, 100])
  shown["absolute_value"] = pages.with_neurons(pages.dataset(density, m=4, n=5))
  path = folder / "gallery.html"
  lecture.write(path, [pages.run(name, dataset) for name, dataset in shown.items()])
  return path


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
  return lecture_of(tmp_path_factory.mktemp("lecture"))


def test_six_experiments_in_the_papers_order_each_with_a_sentence_a_question_and_an_answer():
  assert len(NAMES) == 6
  assert sorted(NAMES, key=catalogue.EXPERIMENTS.index) == NAMES
  for slide in lecture.SLIDES.values():
    assert slide.sentence.count(".") == 1
    assert "?" in slide.question
    assert slide.answer.endswith(".")


def test_the_page_stays_below_8_megabytes_however_large_the_sweeps(tmp_path):
  large = pages.dataset({"density": np.geomspace(1, 0.01, 10)}, m=300, n=200)  # 3 MB of numbers
  figure = tmp_path / "figure.png"
  figure.write_bytes(bytes(700_000))
  path = tmp_path / "gallery.html"
  lecture.write(path, [pages.run(name, large, figures=[figure]) for name in NAMES])
  assert document.plotly() is not None
  assert path.stat().st_size < LARGEST


@pytest.mark.quick("390-dark")
@needed
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_a_lecture_is_given_by_keyboard_on_every_screen(browser, path, width, scheme):
  with opened(browser, path, width, scheme) as view:
    for name in NAMES:
      view.keyboard.press("n")
      section = view.locator(f"#{name}")
      api.expect(section.locator("h2")).to_be_focused()
      api.expect(section.locator("h2")).to_be_in_viewport()
      section.locator(".plot .main-svg").first.wait_for(state="attached")
      answer = section.locator(".answer p")
      api.expect(answer).to_be_hidden()
      view.keyboard.press("?")
      api.expect(answer).to_be_visible()
      assert view.evaluate("document.documentElement.scrollWidth <= innerWidth")
    view.keyboard.press("p")
    api.expect(view.locator(f"#{NAMES[-2]} h2")).to_be_focused()


@needed
def test_a_slide_begins_before_its_answer_and_the_arrow_keys_move_it(browser, path):
  with opened(browser, path) as view:
    view.keyboard.press("n")
    panel = view.locator(f"#{NAMES[0]} .panel")
    panel.locator(".plot .main-svg").first.wait_for(state="attached")
    status = panel.locator(".status")
    api.expect(status).to_contain_text("density 1:")
    for _ in range(20):  # from the title to the slider
      view.keyboard.press("Tab")
      if view.evaluate("document.activeElement.dataset.axis") == "density":
        break
    before = drawn(panel, 0)["features"]["x"]
    view.keyboard.press("ArrowRight")
    api.expect(status).to_contain_text("density 0.5:")
    assert drawn(panel, 0)["features"]["x"] != before


def test_an_experiment_that_failed_has_its_reason_and_the_others_their_slides(
  tmp_path, monkeypatch
):
  monkeypatch.setattr(document, "plotly", lambda: None)
  failed = [runs.Run(name, problem="out of <memory>") for name in NAMES]
  lecture.write(tmp_path / "gallery.html", failed)
  text = (tmp_path / "gallery.html").read_text()
  assert text.count("out of &lt;memory&gt;") == 6
  assert "pip install plotly" in text
  assert [re.sub(r"\d\. ", "", title) for title in re.findall(r"<h2.*?>(.*?)</h2>", text)] == [
    slide.title for slide in lecture.SLIDES.values()
  ]
