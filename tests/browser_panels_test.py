"""Every panel, in headless Chromium, shows the numbers of the results that it is given."""

import itertools
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from tests import datasets, pages
from tests.browser import PACKED, api, drawn, needed, opened, points, press, show, slider
from tests.browser import browser as browser  # the fixture
from tests.latents_panel_test import autoencoders
from toy_superposition import report
from toy_superposition.geometry import features
from toy_superposition.geometry.definitions import is_monosemantic, is_represented
from toy_superposition.geometry.neurons import rescaled
from toy_superposition.recovery import metrics

pytestmark = needed
EXPLORER = ".panel[data-kind=explorer]"


@pytest.mark.slow
def test_a_panel_that_is_drawn_late_starts_at_the_density_chosen_in_another(browser, tmp_path):
  density = [1.0, 0.3, 0.05]
  data = pages.dataset({"density": density}, m=2, n=5)
  groups = {f"/group={k}": data for k in range(7)}  # enough that the last panel is far below
  report.write(tmp_path / "page.html", "groups", [pages.run("groups", groups)])
  with opened(browser, tmp_path / "page.html") as view:
    first, last = (getattr(view.locator(EXPLORER), which) for which in ("first", "last"))
    show(view, "explorer")
    assert "density 0.05" in first.locator(".status").inner_text()
    assert last.locator(".plot").count() == 0  # not drawn yet
    press(first, "density", "Home")
    last.scroll_into_view_if_needed()
    last.locator(".plot .main-svg").first.wait_for(state="attached")
    for panel in (first, last):
      assert "density 1" in panel.locator(".status").inner_text()


@pytest.mark.slow
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
      assert f"density {p:g}" in explorer.locator(".status").inner_text()
      shapes = line.locator(".plot").evaluate(
        "gd => gd.layout.shapes.filter(s => s.yref === 'paper')"
      )
      assert [(shape["x0"], shape["x1"]) for shape in shapes] == [(1 / p, 1 / p)]
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
    assert "density 1," in line.locator(".status").inner_text()
    assert explorer.locator("tbody tr").nth(5).inner_text().split("\t") != row


@pytest.mark.quick("3")
@pytest.mark.parametrize("m", (2, 3, 4))
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
      assert f"step {step}: loss" in panel.locator(".status").inner_text()
      features = drawn(panel, 1)["features"]
      W = best["history_W"].isel(step=k).values
      if m < 4:
        np.testing.assert_allclose(points(features, *"xyz"[:m]), W, atol=PACKED)
      norms = [row[3] for row in features["customdata"]]
      np.testing.assert_allclose(norms, np.linalg.norm(W, axis=0), atol=5 * PACKED)
    press(panel, "step", "Home")
    panel.get_by_role("button", name="Play").click()
    api.expect(panel.locator(".status")).to_contain_text("step 100")


@pytest.mark.slow
def test_neurons_are_stacks_of_their_weights_and_a_chosen_one_is_a_circuit(browser, tmp_path):
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
    texts = plot.evaluate("gd => gd.data.map(t => t.hovertemplate).filter(t => t).join(' ')")
    strongest = int(np.abs(W1[2]).argmax())
    assert f"feature {strongest} → neuron 2: {W1[2, strongest]:g}" in texts
    assert f"neuron 2 → output {strongest}: " in texts


@pytest.mark.quick("390")
@pytest.mark.parametrize("width", (390, 1280))
def test_the_names_of_60_features_do_not_overlap(browser, tmp_path, width):
  data = pages.dataset({"restart": [0]}, m=20, n=60)
  report.write(tmp_path / "page.html", "sixty", [pages.run("sixty", data)])
  with opened(browser, tmp_path / "page.html", width) as view:
    plot = show(view, "explorer").locator(".plot").nth(1)
    for axis, start, size in (("x", "x", "width"), ("y", "y", "height")):
      names = [tick.text_content() for tick in plot.locator(f".{axis}tick text").all()]
      assert names == [str(k) for k in range(0, 60, int(names[1]))]
      boxes = [tick.bounding_box() for tick in plot.locator(f".{axis}tick text").all()]
      assert len(boxes) >= 6
      assert plot.locator(".x2tick text").all_text_contents() == ["b"]
      ends = sorted((box[start], box[start] + box[size]) for box in boxes)
      assert all(one[1] <= two[0] for one, two in itertools.pairwise(ends))


@pytest.mark.slow
def test_a_model_that_is_not_finite_is_reported_and_leaves_the_others_unchanged(browser, tmp_path):
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
      assert "not finite" in panel.locator(".status").inner_text()
      press(panel, "density", "ArrowRight")
      assert "best of 2 (restart 1): loss" in panel.locator(".status").inner_text()
    panel = show(view, "explorer")
    shown = points(drawn(panel, 0)["features"], "x", "y")
    np.testing.assert_allclose(shown, data["W"].isel(density=2, restart=1), atol=PACKED)


def test_the_pages_measures_are_the_packages(browser, tmp_path):
  rng = np.random.default_rng(0)
  weights = [rng.normal(size=shape) for shape in ((1, 1), (1, 4), (2, 5), (3, 3), (20, 30))]
  weights += [np.zeros((2, 3)), np.eye(3)[:2], weights[2] * [1, 0, 1e-5, 1, 1e5]]
  report.write(tmp_path / "page.html", "measures", [pages.run("measures", {})])
  with opened(browser, tmp_path / "page.html") as view:
    for W in weights:
      shown = view.evaluate("W => measures(W)", W.tolist())
      ours = jnp.asarray(W, jnp.float32)
      for name, function in (
        ("norm", features.feature_norm),
        ("superposition", features.superposition),
        ("dimensionality", features.feature_dimensionality),
      ):
        np.testing.assert_allclose(shown[name], function(ours), rtol=1e-5, atol=1e-6, err_msg=name)
      np.testing.assert_allclose(shown["gram"], W.T @ W, rtol=1e-12, atol=1e-12)


def around(threshold: float) -> np.ndarray:
  """Returns numbers on both sides of a threshold, some closer to it than 16 bits can show."""
  steps = np.array([-1e-1, -1e-3, -1e-5, -1e-6, 0, 1e-6, 1e-5, 1e-3, 1e-1])
  return threshold * (1 + steps)


@pytest.mark.slow
def test_represented_on_the_page_is_what_the_definition_says(browser, tmp_path):
  W = np.eye(2, 1) * np.sqrt(around(0.3))
  W = np.append(W, np.random.default_rng(0).normal(0, 0.6, (2, 9)), axis=1).astype(np.float32)
  represented = is_represented(W.astype(float))  # as components are found
  assert set(represented[:9]) == set(represented[9:]) == {True, False}
  data = datasets.dataset(axes={"restart": [0]}, config=pages.CONFIG, W=W)
  report.write(tmp_path / "page.html", "represented", [pages.run("represented", data)])
  with opened(browser, tmp_path / "page.html") as view:
    panel = show(view, "explorer")
    shown = drawn(panel, 0)["features"]["customdata"]
    assert [row[6] != "not represented" for row in shown] == represented.tolist()
    assert f"{(~represented).sum()} not represented" in panel.locator(".legend").inner_text()


@pytest.mark.slow
def test_monosemantic_on_the_page_is_what_the_definition_says(browser, tmp_path):
  share = around(0.9)
  pure = np.stack([np.sqrt(share), np.sqrt(1 - share), 0 * share], axis=1)
  mixed = np.random.default_rng(0).normal(size=(9, 3))
  W = np.concatenate([pure, mixed, np.diag([-1.0, 1e-5, 1e-7])]).astype(np.float32)
  models: dict[str, dict[str, Any]] = {
    "relu_hidden": {"W": W},
    "absolute_value": {"W1": W, "W2": W.T},
  }
  runs, numbers = [], {}
  for model, weights in models.items():
    for distribution in ("sparse_uniform", "sparse_signed_uniform"):
      config = pages.CONFIG | {"model.name": model, "data.distribution": distribution}
      data = datasets.dataset(axes={"restart": [0]}, config=config, **weights)
      runs.append(pages.run(f"{model}-{distribution}", data))
      chosen = is_monosemantic(W, nonnegative=distribution == "sparse_uniform")
      assert set(chosen[:9]) == set(chosen[18:]) == {True, False}
      numbers[runs[-1].name] = chosen.sum()
  assert len(set(numbers.values())) == 2  # signs matter
  report.write(tmp_path / "page.html", "monosemantic", runs)
  with opened(browser, tmp_path / "page.html") as view:
    for name, number in numbers.items():
      status = show(view, "neurons", name).locator(".status")
      assert f"; {number} of {len(W)} neurons are monosemantic." in status.inner_text()


def test_scores_are_drawn_over_the_axis_and_told_at_the_chosen_point(browser, tmp_path):
  data = autoencoders(3, 4)
  report.write(tmp_path / "page.html", "scores", [pages.run("scores", data)])
  with opened(browser, tmp_path / "page.html") as view:
    panel = show(view, "scores")
    shown = drawn(panel, 0)
    mean, least, most = (
      getattr(data["mcc"], name)("seed").values for name in ("mean", "min", "max")
    )
    np.testing.assert_allclose(points(shown["mcc"], "y")[0], mean, atol=1e-4)
    bars = shown["mcc"]["error_y"]
    np.testing.assert_allclose(mean + bars["array"], most, atol=2e-4)
    np.testing.assert_allclose(mean - bars["arrayminus"], least, atol=2e-4)
    np.testing.assert_allclose(
      points(shown["mcc_chance"], "y")[0], data["mcc_chance"].mean("seed"), atol=1e-4
    )
    assert {"fvu", "recall", "precision", "dead"} <= set(drawn(panel, 2))
    for k in range(3):
      slider(panel, "variant").select_option(index=k)
      words = f"MCC with the true features {mean[k]:.3g} ({least[k]:.3g} to {most[k]:.3g})"
      assert words in panel.locator(".legend").inner_text()
    assert "range over 4 restarts" in panel.locator(".status").inner_text()


@pytest.mark.quick("1280-light")
@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1280, "light")])
def test_cosines_are_those_of_the_chosen_autoencoder(browser, tmp_path, width, scheme):
  data = autoencoders(2, 3)
  data["loss"][0] = [0.3, 0.1, 0.2]
  data["W_dec"][1] = np.nan
  report.write(tmp_path / "page.html", "latents", [pages.run("latents", data)])
  with opened(browser, tmp_path / "page.html", width, scheme) as view:
    panel = show(view, "latents")
    assert "not finite" in panel.locator(".status").inner_text()
    slider(panel, "variant").select_option(index=0)
    for key, seed in (("Home", 1), ("End", 0)):  # sorted by loss
      press(panel, "restart", key)
      model = data.isel(variant=0, seed=seed)
      cosine = metrics.cosines(model["W_dec"].values, model["dictionary"].values)
      latent, feature = metrics.assignment(cosine)
      shown = points(drawn(panel, 0)["cosine"], "z")[0]
      # The page has the rows in another order.
      np.testing.assert_allclose(np.sort(shown, axis=0), np.sort(cosine, axis=0), atol=PACKED)
      own = points(drawn(panel, 1)["own latent"], "x", "y")
      np.testing.assert_array_equal(own[0], feature[np.argsort(feature)])
      expected = np.abs(cosine[latent, feature])[np.argsort(feature)]
      np.testing.assert_allclose(own[1], expected, atol=PACKED)
      assert (
        f"MCC {metrics.mcc(cosine):.3g}, by chance 0.4" in panel.locator(".status").inner_text()
      )
    assert view.evaluate("document.documentElement.scrollWidth <= innerWidth")
