"""The panels of results in a notebook's output: a frame with all that it needs."""

import json

import numpy as np
import pytest
import xarray as xr

import toy_superposition as ts
from tests import pages
from tests.browser import PACKED, drawn, needed, opened, points, press, slider
from tests.browser import browser as browser  # the fixture
from toy_superposition.report import document


@pytest.fixture
def results() -> xr.Dataset:
  return pages.dataset({"density": [0.5, 0.1], "restart": range(3)}, m=2, n=4)


@pytest.mark.quick("390")
@needed
@pytest.mark.parametrize("width", (390, 1280))
def test_the_frame_shows_each_model_and_is_as_high_as_its_panels(browser, results, tmp_path, width):
  path = tmp_path / "notebook.html"
  explorer = ts.explore(results)
  path.write_text(f"<!doctype html><title>x</title><h1>Out</h1>{explorer._repr_html_()}")
  with opened(browser, path, width) as view:
    frame = view.frame_locator("iframe")
    panel = frame.locator(".panel[data-kind=explorer]")
    panel.locator(".plot .main-svg").first.wait_for(state="attached")
    for key, k in (("Home", 0), ("End", 1)):
      press(panel, "density", key)
      model = results.isel(density=k)
      best = model.isel(restart=int(model["loss"].argmin("restart")))
      np.testing.assert_allclose(
        points(drawn(panel, 0)["features"], "x", "y"), best["W"], atol=PACKED
      )
    view.wait_for_function(
      "() => {const f = document.querySelector('iframe'); return f.clientHeight >= "
      "f.contentDocument.documentElement.scrollHeight}"
    )
    assert slider(panel, "restart").count() == 1


def test_a_selection_a_sweep_of_shapes_and_a_saved_page_have_their_panels(results, tmp_path):
  assert ts.explore(results.isel(restart=0, density=1)).titles == ("Feature geometry",)
  shapes = {"/n=4": results, "/n=5": pages.dataset({"restart": range(2)}, m=2, n=5)}
  explorer = ts.explore(shapes)
  assert explorer.titles == ("Feature geometry: n=4", "Feature geometry: n=5")
  explorer.save(tmp_path / "page.html")
  assert (tmp_path / "page.html").read_text() == explorer.page
  assert "Feature geometry: n=5" in repr(explorer)


def test_what_cannot_be_shown_is_said_in_one_line(results, monkeypatch):
  config = json.loads(results.attrs["config"]) | {"train.steps": 0}
  with pytest.raises(ts.UserError, match="no panel shows these results"):
    ts.explore(results.assign_attrs(config=json.dumps(config)))
  with pytest.raises(ts.UserError):
    ts.explore(xr.Dataset())
  monkeypatch.setattr(document, "plotly", lambda: None)
  with pytest.raises(ts.UserError, match="pip install plotly"):
    ts.explore(results)
