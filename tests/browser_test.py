"""The page as people use it: headless Chromium opens it from disk, with the network off."""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from tests import pages
from toy_superposition import report
from toy_superposition.geometry.neurons import rescaled

api = pytest.importorskip("playwright.sync_api", reason="needs playwright: the test extra has it")
pytest.importorskip("plotly", reason="needs plotly: the test extra has it")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium, Debian's package")

ROOT = Path(__file__).parent.parent
EXPLORER = ".panel[data-kind=explorer]"
# Software rendering, so that the three-dimensional plots have something to draw on.
ARGUMENTS = ["--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
ARGUMENTS += ["--no-sandbox"] if os.geteuid() == 0 else []
PACKED = 1e-4  # numbers are 16 bits of the largest of their model
PATIENCE = 60_000  # milliseconds


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
  with api.sync_playwright() as driver:
    started = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
    yield started
    started.close()


@contextlib.contextmanager
def opened(browser, path: Path, width: int = 1280, scheme: str = "light") -> Iterator[Any]:
  """Gives the page in a browser without network; fails if it complains or asks for anything."""
  context = browser.new_context(
    viewport={"width": width, "height": 844}, color_scheme=scheme, offline=True
  )
  view, complaints, requests = context.new_page(), [], []
  view.set_default_timeout(PATIENCE)
  view.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
  view.on("pageerror", lambda error: complaints.append(str(error)))
  view.on("dialog", lambda dialog: complaints.append(f"dialog: {dialog.message}"))
  view.on("request", lambda request: requests.append(request.url))
  view.goto(path.as_uri())
  try:
    yield view
  finally:
    context.close()
  assert complaints == []
  assert [url for url in requests if not url.startswith(("data:", "blob:"))] == [path.as_uri()]


def drawn(panel, number: int) -> dict[str, Any]:
  """Returns trace name → trace of the panel's plot, as the plotting library has it now."""
  plot = panel.locator(".plot").nth(number)
  plot.locator(".main-svg").first.wait_for(state="attached")
  script = "gd => gd.data.map(t => JSON.parse(JSON.stringify(t)))"
  return {trace.get("name"): trace for trace in plot.evaluate(script)}


def show(view, kind: str, run: str = "") -> Any:
  """Scrolls to a panel, which draws it, and returns it."""
  within = f"#{run} " if run else ""
  panel = view.locator(f"{within}.panel[data-kind={kind}]").first
  panel.scroll_into_view_if_needed()
  panel.locator(".plot .main-svg").first.wait_for(state="attached")
  return panel


def slider(panel, axis: str) -> Any:
  return panel.locator(f"[data-axis={axis}]")


def press(panel, axis: str, key: str, times: int = 1) -> None:
  for _ in range(times):
    slider(panel, axis).press(key)


def points(trace: dict[str, Any], *letters: str) -> np.ndarray:
  return np.array([trace[letter] for letter in letters], float)


@pytest.fixture(scope="module")
def paper(tmp_path_factory) -> Path:
  """The page of two experiments at their quick sizes, by the command that makes it."""
  folder = tmp_path_factory.mktemp("paper")
  command = [sys.executable, "-m", "toy_superposition.reproduce", f"--workdir={folder}", "--quick"]
  done = subprocess.run(
    [*command, "--experiments=introduction,phase_change"],
    cwd=ROOT,
    env=os.environ | {"PYTHONPATH": str(ROOT)},
    capture_output=True,
    text=True,
    check=False,
  )
  assert done.returncode == 0, done.stderr
  return folder


@pytest.mark.parametrize(
  ("width", "scheme"),
  [
    (1280, "light"),
    (390, "dark"),
    *(pytest.param(*row, marks=pytest.mark.slow) for row in ((1280, "dark"), (390, "light"))),
  ],
)
def test_the_page_fits_every_screen_draws_every_panel_and_is_silent(
  browser, paper, tmp_path, width, scheme
):
  for path in (paper / "report.html", paper / "introduction" / "report.html"):
    with opened(browser, path, width, scheme) as view:
      for panel in view.locator(".panel").all():
        panel.scroll_into_view_if_needed()
        panel.locator(".plot .main-svg").first.wait_for(state="attached")
      for plot in view.locator(".plot").all():
        assert plot.get_attribute("role") == "img"
        assert len(plot.get_attribute("aria-label")) > 20
      assert view.evaluate("document.documentElement.scrollWidth <= innerWidth")
      picture = tmp_path / f"{path.parent.name}_{width}_{scheme}.png"
      view.screenshot(path=picture, full_page=True)
      assert picture.stat().st_size > 50_000


def test_the_density_slider_moves_by_keyboard_and_shows_the_model_of_each_density(browser, paper):
  results = xr.open_dataset(paper / "introduction" / "results.nc").load()
  best = results.isel(restart=results["loss"].argmin("restart"))
  with opened(browser, paper / "report.html") as view:
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
      assert f"density {float(f'{p:.4g}'):g}" in panel.locator(".said").inner_text()
      seen.add(shown.tobytes())
    assert len(seen) == results.sizes["density"]


def test_the_restart_slider_goes_from_the_least_loss_to_the_largest(browser, paper):
  results = xr.open_dataset(paper / "introduction" / "results.nc").load()
  with opened(browser, paper / "introduction" / "report.html") as view:
    panel = show(view, "explorer")
    press(panel, "density", "End")
    press(panel, "restart", "End")
    worst = results.isel(density=-1).isel(
      restart=int(results["loss"].isel(density=-1).argmax("restart"))
    )
    shown = points(drawn(panel, 0)["features"], "x", "y")
    np.testing.assert_allclose(shown, worst["W"], atol=PACKED)
    assert f"restart {int(worst['restart'])} (" in panel.locator(".said").inner_text()


def test_pointing_at_a_feature_shows_the_numbers_of_the_results(browser, paper):
  results = xr.open_dataset(paper / "introduction" / "results.nc").load()
  best = results.isel(density=-1).isel(
    restart=int(results["loss"].isel(density=-1).argmin("restart"))
  )
  with opened(browser, paper / "introduction" / "report.html") as view:
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
      said = panel.locator(".hoverlayer").first
      said.locator("text", has_text=f"feature {i}").first.wait_for()
      text = said.text_content()
      for name, variable in (
        ("norm", "feature_norm"),
        ("dimensionality", "feature_dimensionality"),
        ("superposition", "superposition"),
        ("importance", "feature_importance"),
      ):
        number = float(text.split(f"{name} ")[1].split("d")[0].split("n")[0].split("s")[0])
        assert number == pytest.approx(float(best[variable][i]), abs=5e-4), (name, text)


def test_the_phase_diagram_tells_of_each_cell_in_each_map(browser, paper):
  results = xr.open_dataset(paper / "phase_change" / "results.nc").load()
  r, p = results.sizes["relative_importance"], results.sizes["density"]
  with opened(browser, paper / "report.html") as view:
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
    # Pointing at a cell shows that one; away from the map, the chosen one is back.
    box = panel.locator(".plot").first.locator(".nsewdrag").bounding_box()
    view.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    api.expect(caption).not_to_have_text(chosen)
    api.expect(panel.locator(".hoverlayer text").first).to_be_attached()
    view.mouse.move(2, 2)
    api.expect(caption).to_have_text(chosen)


def test_every_claim_is_listed_and_can_be_filtered_by_verdict_and_word(browser, paper):
  with opened(browser, paper / "report.html") as view:
    table = view.locator("#claims")
    whole = table.locator("tbody tr").count()
    api.expect(table.locator("output")).to_have_text(f"{whole} of {whole} claims")
    table.locator("input[type=search]").fill("pentagon")
    visible = table.locator("tbody tr:visible").all_inner_texts()
    assert 0 < len(visible) < whole
    assert all("pentagon" in row for row in visible)
    table.locator("input[type=search]").fill("")
    for verdict in ("confirmed", "contradicted", "undecided"):
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


def test_a_change_between_light_and_dark_restyles_the_plots(browser, paper):
  with opened(browser, paper / "introduction" / "report.html") as view:
    panel = show(view, "explorer")
    colour = "gd => gd.layout.font.color"
    before = panel.locator(".plot").first.evaluate(colour)
    view.emulate_media(color_scheme="dark")
    view.wait_for_timeout(300)
    assert panel.locator(".plot").first.evaluate(colour) != before


def test_a_panel_that_is_drawn_late_begins_with_the_density_that_was_chosen(browser, tmp_path):
  density = [1.0, 0.3, 0.05]
  groups = {f"/n={n}": pages.dataset({"density": density}, m=2, n=n) for n in range(3, 10)}
  report.write(tmp_path / "page.html", "sizes", [pages.run("sizes", groups)])
  with opened(browser, tmp_path / "page.html") as view:
    first, last = (getattr(view.locator(EXPLORER), which) for which in ("first", "last"))
    show(view, "explorer")
    assert "density 0.05" in first.locator(".said").inner_text()
    assert last.locator(".plot").count() == 0  # not drawn yet
    press(first, "density", "Home")
    last.scroll_into_view_if_needed()
    last.locator(".plot .main-svg").first.wait_for(state="attached")
    for panel in (first, last):
      assert "density 1" in panel.locator(".said").inner_text()


def test_a_density_chosen_on_the_line_shows_its_graph_below(browser, tmp_path):
  density = [1.0, 0.5, 0.3, 0.2, 0.15, 0.1, 0.05]
  data = pages.dataset({"density": density, "restart": range(3)}, m=6, n=12)
  report.write(tmp_path / "page.html", "uniform", [pages.run("uniform", data)])
  with opened(browser, tmp_path / "page.html") as view:
    line = show(view, "dimensionality")
    explorer = show(view, "explorer")
    traces = drawn(line, 0)
    whole = data["dimensions_per_feature"]
    np.testing.assert_allclose(points(traces["D*"], "y")[0], whole.mean("restart"), rtol=1e-4)
    np.testing.assert_allclose(points(traces["least"], "y")[0], whole.min("restart"), rtol=1e-4)
    np.testing.assert_allclose(points(traces["most"], "y")[0], whole.max("restart"), rtol=1e-4)
    D = np.sort(data["feature_dimensionality"].values.reshape(len(density), -1), axis=1)
    np.testing.assert_allclose(points(traces["D_i"], "y")[0], D.ravel(), atol=PACKED)
    for key, p in (("Home", 1.0), ("End", 0.05)):
      press(line, "density", key)
      assert f"density {p:g}" in explorer.locator(".said").inner_text()
      lines = line.locator(".plot").evaluate(
        "gd => gd.layout.shapes.filter(s => s.yref === 'paper')"
      )
      assert [(one["x0"], one["x1"]) for one in lines] == [(1 / p, 1 / p)]
      model = data.sel(density=p)
      model = model.isel(restart=int(model["loss"].argmin("restart")))
      shown = drawn(explorer, 0)["features"]["customdata"]
      norms = [row[3] for row in shown]
      np.testing.assert_allclose(norms, model["feature_norm"], atol=5 * PACKED)
      np.testing.assert_allclose(
        [row[4] for row in shown], model["feature_dimensionality"], atol=5 * PACKED
      )
      np.testing.assert_allclose(
        [row[5] for row in shown], model["superposition"], atol=20 * PACKED
      )
    explorer.get_by_text("Numbers of every feature").press("Enter")
    row = explorer.locator("tbody tr").nth(5).inner_text().split("\t")
    assert float(row[4]) == pytest.approx(float(model["feature_norm"][5]), rel=1e-3)
    assert float(row[7]) == pytest.approx(float(model["b"][5]), rel=1e-2, abs=1e-4)
    press(explorer, "density", "Home")
    assert "density 1," in line.locator(".said").inner_text()
    assert explorer.locator("tbody tr").nth(5).inner_text().split("\t") != row


@pytest.mark.parametrize("m", [2, 3, 4])
def test_the_time_slider_moves_the_weights_along_the_loss_curve(browser, tmp_path, m):
  steps = [0, 1, 3, 10, 30, 100]
  data = pages.with_history(pages.dataset({"restart": range(2)}, m=m, n=6), steps)
  report.write(tmp_path / "page.html", "dynamics", [pages.run("dynamics", data)])
  best = data.isel(restart=int(data["loss"].argmin("restart")))
  with opened(browser, tmp_path / "page.html") as view:
    panel = show(view, "dynamics")
    assert view.locator(EXPLORER).count() == 0
    press(panel, "step", "Home")
    for k, step in enumerate(steps):
      if k:
        press(panel, "step", "ArrowRight")
      loss = float(best["history_loss"][k])
      curve = drawn(panel, 0)
      np.testing.assert_allclose(curve["loss"]["y"], best["history_loss"], rtol=1e-4)
      assert curve["now"]["y"] == [pytest.approx(loss, rel=1e-4)]
      assert f"step {step}: loss" in panel.locator(".said").inner_text()
      features = drawn(panel, 1)["features"]
      W = best["history_W"].isel(step=k).values
      if m < 4:
        np.testing.assert_allclose(points(features, *"xyz"[:m]), W, atol=PACKED)
      norms = [row[3] for row in features["customdata"]]
      np.testing.assert_allclose(norms, np.linalg.norm(W, axis=0), atol=5 * PACKED)
    press(panel, "step", "Home")
    panel.get_by_text("Play").click()
    api.expect(panel.locator(".said")).to_contain_text("step 100")


def test_neurons_are_stacked_by_their_weights_and_one_is_opened_as_a_circuit(browser, tmp_path):
  data = pages.with_neurons(pages.dataset({"density": [0.5, 0.1]}, m=4, n=5))
  report.write(tmp_path / "page.html", "neurons", [pages.run("neurons", data)])
  with opened(browser, tmp_path / "page.html") as view:
    panel = show(view, "neurons")
    for key, p in (("Home", 0.5), ("End", 0.1)):
      press(panel, "density", key)
      model = data.sel(density=p)
      W1, _ = rescaled(model["W1"].values, model["W2"].values)
      trace = drawn(panel, 0)["weights"]
      ours = np.zeros_like(W1)
      for neuron, (feature, weight) in zip(trace["x"], trace["customdata"], strict=True):
        ours[neuron, feature] = weight
      np.testing.assert_allclose(ours, np.where(np.abs(W1) < 0.004, 0, W1), atol=PACKED)
      assert trace["y"] == [weight for _, weight in trace["customdata"]]
    slider(panel, "neuron").select_option(label="neuron 2")
    plot = panel.locator(".plot").nth(1)
    said = plot.evaluate("gd => gd.data.map(t => t.hovertemplate).filter(t => t).join(' ')")
    strongest = int(np.abs(W1[2]).argmax())
    assert f"feature {strongest} → neuron 2: {W1[2, strongest]:g}" in said
    assert f"neuron 2 → output {strongest}: " in said


def test_what_is_not_finite_is_said_and_leaves_the_rest_as_it_is(browser, tmp_path):
  data = pages.dataset({"density": [0.5, 0.2, 0.1], "restart": range(2)}, m=2, n=4)
  for name in ("W", "b", "loss", "feature_norm"):
    data[name][{"density": 1}] = np.nan
  data["W"][{"density": 2, "restart": 0}] = np.inf
  data["finite"][{"density": 1}] = 0
  data["finite"][{"density": 2, "restart": 0}] = 0
  neurons = pages.with_neurons(data)
  report.write(tmp_path / "page.html", "nan", [pages.run("a", data), pages.run("b", neurons)])
  with opened(browser, tmp_path / "page.html") as view:
    for panel in (show(view, "explorer"), show(view, "neurons")):
      press(panel, "density", "Home")
      press(panel, "density", "ArrowRight")
      assert "not finite" in panel.locator(".said").inner_text()
      press(panel, "density", "ArrowRight")
      assert "restart 1 (1 of 2 by loss): loss" in panel.locator(".said").inner_text()
    panel = show(view, "explorer")
    shown = points(drawn(panel, 0)["features"], "x", "y")
    np.testing.assert_allclose(shown, data["W"].isel(density=2, restart=1), atol=PACKED)


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


def test_without_the_plotting_library_the_page_says_what_to_install(
  browser, paper, tmp_path, monkeypatch
):
  monkeypatch.setattr(report.document, "plotly", lambda: None)
  image = next((paper / "introduction" / "figures").glob("*.png"))
  data = pages.dataset({"density": [0.5, 0.1]}, m=2, n=4)
  path = tmp_path / "page.html"
  report.write(path, "static", [pages.run("static", data, figures=[image])])
  assert path.stat().st_size < 1e6
  with opened(browser, path, 390) as view:
    assert 'pip install -e ".[report]"' in view.locator(".note").inner_text()
    assert view.locator(".panel").count() == 0
    assert view.locator("figure img").get_attribute("alt")
    api.expect(view.locator(".claims output")).to_have_text("2 of 2 claims")
