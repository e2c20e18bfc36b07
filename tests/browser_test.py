"""The page as people use it: headless Chromium opens it from disk, with the network off."""

import base64
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import xarray as xr

import toy_superposition as ts
from tests import pages
from tests.browser import PACKED, api, drawn, needed, opened, points, press, show, slider
from tests.browser import browser as browser  # the fixture
from toy_superposition import report

pytestmark = needed
# One grey pixel.
PNG = base64.b64decode(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg=="
)


class Paper(NamedTuple):
  """Two of the paper's experiments: their results, and their pages."""

  introduction: xr.Dataset
  phase_change: xr.Dataset
  both: Path
  alone: Path  # the introduction by itself


@pytest.fixture(scope="module")
def paper(tmp_path_factory) -> Paper:
  folder = tmp_path_factory.mktemp("paper")
  runs = []
  for name in ("introduction", "phase_change"):
    config = ts.get_config(f"{name}:quick")
    config.train.steps = 300
    results = ts.run(config)
    claims = ts.claims(results)
    fields = pages.CONFIG | {"train.steps": 300}
    run = pages.run(name, results, experiment=name, claims=claims, config=fields)
    report.write(folder / f"{name}.html", name, [run])
    runs.append(run)
  report.write(folder / "both.html", "both", runs)
  introduction, phase_change = (run.datasets["/"] for run in runs)
  return Paper(introduction, phase_change, folder / "both.html", folder / "introduction.html")


@pytest.mark.quick("390-dark")
@pytest.mark.parametrize(
  ("width", "scheme"),
  [
    (1280, "light"),
    (390, "dark"),
    *(pytest.param(*row, marks=pytest.mark.slow) for row in ((1280, "dark"), (390, "light"))),
  ],
)
def test_the_page_fits_every_screen_and_draws_every_panel_without_an_error(
  browser, paper, tmp_path, width, scheme
):
  for path in (paper.both, paper.alone):
    with opened(browser, path, width, scheme) as view:
      for panel in view.locator(".panel").all():
        panel.scroll_into_view_if_needed()
        panel.locator(".plot .main-svg").first.wait_for(state="attached")
      for plot in view.locator(".plot").all():
        assert plot.get_attribute("role") == "img"
        assert len(plot.get_attribute("aria-label")) > 20
      assert view.evaluate("document.documentElement.scrollWidth <= innerWidth")
      picture = tmp_path / f"{path.stem}_{width}_{scheme}.png"
      view.screenshot(path=picture, full_page=True)
      assert picture.stat().st_size > 50_000


def test_the_density_slider_moves_by_keyboard_and_shows_the_model_of_each_density(browser, paper):
  results = paper.introduction
  best = results.isel(restart=results["loss"].argmin("restart"))
  with opened(browser, paper.both) as view:
    panel = show(view, "explorer", "introduction")
    press(panel, "density", "Home")
    seen = set()
    for k, p in enumerate(results["density"].values):
      if k:
        press(panel, "density", "ArrowRight")
      shown = points(drawn(panel, 0)["features"], "x", "y")
      np.testing.assert_allclose(shown, best["W"].isel(density=k), atol=PACKED)
      gram = best["W"].isel(density=k).values.T @ best["W"].isel(density=k).values
      heat = drawn(panel, 1)
      np.testing.assert_allclose(points(heat["WᵀW"], "z")[0], gram, atol=5 * PACKED)
      bias = best["b"].isel(density=k).values
      np.testing.assert_allclose(points(heat["bias"], "z")[0][:, 0], bias, atol=PACKED)
      assert f"density {float(f'{p:.4g}'):g}" in panel.locator(".status").inner_text()
      seen.add(shown.tobytes())
    assert len(seen) == results.sizes["density"]


@pytest.mark.slow
def test_the_restart_slider_goes_from_the_lowest_loss_to_the_highest(browser, paper):
  results = paper.introduction
  with opened(browser, paper.alone) as view:
    panel = show(view, "explorer")
    press(panel, "density", "End")
    press(panel, "restart", "End")
    worst = results.isel(density=-1).isel(
      restart=int(results["loss"].isel(density=-1).argmax("restart"))
    )
    shown = points(drawn(panel, 0)["features"], "x", "y")
    np.testing.assert_allclose(shown, worst["W"], atol=PACKED)
    words = f"worst of {results.sizes['restart']} (restart {int(worst['restart'])}): loss"
    assert words in panel.locator(".status").inner_text()


@pytest.mark.slow
def test_pointing_at_a_feature_shows_the_numbers_of_the_results(browser, paper):
  results = paper.introduction
  best = results.isel(density=-1).isel(
    restart=int(results["loss"].isel(density=-1).argmin("restart"))
  )
  with opened(browser, paper.alone) as view:
    panel = show(view, "explorer")
    press(panel, "density", "End")
    plot = panel.locator(".plot").first
    for i in range(results.sizes["feature"]):
      place = plot.evaluate(
        """(gd, i) => {
          const {xaxis: x, yaxis: y} = gd._fullLayout, data = gd.data.at(-1);
          const box = gd.getBoundingClientRect();
          return [box.x + x._offset + x.d2p(data.x[i]), box.y + y._offset + y.d2p(data.y[i])];
        }""",
        i,
      )
      view.mouse.move(place[0] + 40, place[1] + 40)
      view.mouse.move(*place)
      hover = panel.locator(".hoverlayer").first
      hover.locator("text", has_text=f"feature {i}").first.wait_for()
      text = hover.text_content()
      for name, variable in (
        ("norm", "feature_norm"),
        ("dimensionality", "feature_dimensionality"),
        ("superposition", "superposition"),
        ("importance", "feature_importance"),
      ):
        number = float(text.split(f"{name} ")[1].split("d")[0].split("n")[0].split("s")[0])
        assert number == pytest.approx(float(best[variable][i]), abs=5e-4), (name, text)


@pytest.mark.slow
def test_the_phase_diagram_shows_the_numbers_of_each_cell_in_each_map(browser, paper):
  results = paper.phase_change
  r, p = results.sizes["relative_importance"], results.sizes["density"]
  with opened(browser, paper.both) as view:
    panel = show(view, "phases", "phase_change")
    maps = slider(panel, "map").locator("option").all_inner_texts()
    assert [name.split(":")[0] for name in maps] == [
      *("theory", "true optimum", "trained", "trained", "disagreement")
    ]
    images = []
    for k, name in enumerate(maps):
      slider(panel, "map").select_option(str(k))
      images.append(points(drawn(panel, 0)[name], "z")[0])
      assert images[-1].shape == (p, r, 3)
    assert len({image.tobytes() for image in images}) == len(maps)
    press(panel, "relative_importance", "Home")
    press(panel, "relative_importance", "ArrowRight")
    press(panel, "density", "End")
    rows = [row.split("\t") for row in panel.locator("tbody tr").all_inner_texts()]
    cell = results.isel(relative_importance=1, density=-1)
    assert float(rows[1][4]) == pytest.approx(float(cell["optimum_loss"]), rel=1e-3)
    assert float(rows[2][2]) == pytest.approx(float(cell["best_norm"]), rel=1e-3, abs=1e-6)
    assert float(rows[2][3]) == pytest.approx(float(cell["best_superposition"]), rel=1e-3, abs=1e-6)
    assert float(rows[2][4]) == pytest.approx(float(cell["best_loss"]), rel=1e-3)
    names = ("not represented", "dedicated", "superposition")
    assert rows[0][1].startswith(names[int(cell["closed_form_phase"])])
    slider(panel, "map").select_option("2")
    W = cell["W"].isel(restart=int(cell["best_restart"])).values
    shown = points(drawn(panel, 1)["trained: best restart"], "x")[0]
    np.testing.assert_allclose(shown, W[0], atol=PACKED)
    caption = panel.locator("caption")
    chosen = caption.inner_text()
    # Pointing at a cell shows it; away from the map, the chosen cell is shown again.
    box = panel.locator(".plot").first.locator(".nsewdrag").bounding_box()
    view.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    api.expect(caption).not_to_have_text(chosen)
    api.expect(panel.locator(".hoverlayer text").first).to_be_attached()
    view.mouse.move(2, 2)
    api.expect(caption).to_have_text(chosen)


def test_every_claim_is_listed_and_can_be_filtered_by_verdict_and_word(browser, paper):
  with opened(browser, paper.both) as view:
    table = view.locator("#claims")
    total = table.locator("tbody tr").count()
    assert total == len(ts.claims(paper.introduction)) + len(ts.claims(paper.phase_change))
    api.expect(table.locator("output")).to_have_text(f"{total} of {total} claims")
    table.locator("input[type=search]").fill("Phase_change")
    visible = table.locator("tbody tr:visible").all_inner_texts()
    assert len(visible) == len(ts.claims(paper.phase_change))
    assert all("phase_change" in row for row in visible)
    table.locator("input[type=search]").fill("")
    for verdict in ("confirmed", "contradicted", "undecided", "identity"):
      table.locator(f"input[value={verdict}]").press("Space")
    assert {
      row.get_attribute("data-verdict") for row in table.locator("tbody tr:visible").all()
    } <= {"reported"}
    first = view.locator("#introduction tbody tr").first
    first.get_by_text("config").click()
    api.expect(view.locator("#introduction-config")).to_be_visible()
    assert "train.steps = " in view.locator("#introduction-config").inner_text()
    first.get_by_text("figure").click()
    api.expect(view.locator("#introduction-figure")).to_be_in_viewport()


def test_on_a_phone_every_claim_is_a_card_within_the_screen(browser, paper):
  with opened(browser, paper.alone, 390) as view:
    for row in view.locator(".claims tbody tr").all():
      boxes = [cell.bounding_box() for cell in row.locator("td").all()]
      assert all(box["x"] >= 0 and box["x"] + box["width"] <= 390 for box in boxes)
      assert len({box["y"] for box in boxes}) == len(boxes)  # one below the other
    view.locator(".claims input[type=search]").fill("no such word")
    assert view.locator(".claims tbody tr:visible").count() == 0


@pytest.mark.slow
def test_a_change_between_light_and_dark_restyles_the_plots(browser, paper):
  with opened(browser, paper.alone) as view:
    panel = show(view, "explorer")
    colour = "gd => gd.layout.font.color"
    before = panel.locator(".plot").first.evaluate(colour)
    view.emulate_media(color_scheme="dark")
    view.wait_for_timeout(300)
    assert panel.locator(".plot").first.evaluate(colour) != before


def test_names_are_text_whatever_they_are(browser, tmp_path):
  data = pages.dataset({pages.ODD: [1, 2], "model": [pages.ODD, "b"]}, m=2, n=4)
  odd = pages.run(pages.ODD, {f"/{pages.ODD}": data}, config=pages.CONFIG | {"name": pages.ODD})
  report.write(tmp_path / "page.html", pages.ODD, [odd, pages.run("other", data)])
  with opened(browser, tmp_path / "page.html") as view:
    assert view.title() == pages.ODD
    assert view.locator("h1").inner_text() == pages.ODD
    panel = show(view, "explorer")
    assert pages.ODD in panel.locator("label").first.inner_text()
    assert pages.ODD in panel.locator("select").inner_text()
    assert "alert(1)" in view.locator("#claims").inner_text()
    view.locator("nav a").first.click()
    api.expect(view.locator("section.run").first).to_be_in_viewport()


def test_a_browser_that_cannot_unpack_the_panels_says_so_and_shows_the_figures(browser, tmp_path):
  image = tmp_path / "figure.png"
  image.write_bytes(PNG)
  data = pages.dataset({"density": [0.5, 0.1]}, m=2, n=4)
  path = tmp_path / "page.html"
  report.write(path, "old", [pages.run("old", data, figures=[image])])
  with opened(browser, path, before="delete window.DecompressionStream") as view:
    assert "Firefox 113" in view.locator("header .note").inner_text()
    assert view.locator(".panel").count() == 0
    api.expect(view.locator("figure img")).to_be_visible()


def test_without_the_plotting_library_the_page_says_what_to_install(browser, tmp_path, monkeypatch):
  monkeypatch.setattr("toy_superposition.report.document.plotly", lambda: None)
  image = tmp_path / "figure.png"
  image.write_bytes(PNG)
  data = pages.dataset({"density": [0.5, 0.1]}, m=2, n=4)
  path = tmp_path / "page.html"
  report.write(path, "static", [pages.run("static", data, figures=[image])])
  assert path.stat().st_size < 1e6
  with opened(browser, path, 390) as view:
    assert "pip install plotly" in view.locator(".note").inner_text()
    assert view.locator(".panel").count() == 0
    assert view.locator("figure img").get_attribute("alt")
    view.locator("figure img").scroll_into_view_if_needed()  # the picture is loaded when it is seen
    api.expect(view.locator("figure img")).to_have_js_property("naturalWidth", 1)
    api.expect(view.locator(".claims output")).to_have_text("2 of 2 claims")
