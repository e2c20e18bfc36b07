"""The page's text and data: complete, as text, below its size, and without need of a network."""

import base64
import gzip
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from tests import pages
from toy_superposition import experiments, report
from toy_superposition.errors import UserError
from toy_superposition.experiments.experiment import CONFIRMED, CONTRADICTED, VERDICTS, Claim
from toy_superposition.geometry.definitions import MONOSEMANTIC, REPRESENTED
from toy_superposition.records import results
from toy_superposition.records.workdir import Workdir
from toy_superposition.report import document, explanations, packing, panels, phases, selection

PNG = b"\x89PNG\r\n\x1a\n"
LARGEST = 9e6  # bytes of a page
NOTHING: dict[str, xr.Dataset] = {}


@pytest.fixture
def no_plotly(monkeypatch):
  monkeypatch.setattr(document, "plotly", lambda: None)


def with_figure(name: str, folder: Path, size: int = 10) -> report.Run:
  """Returns a run without results but with a figure of about this many bytes."""
  figure = folder / f"{name}.png"
  figure.write_bytes(PNG + size * b"x")
  return pages.run(name, NOTHING, figures=[figure])


def page(folder: Path, *runs: report.Run, title: str = "title") -> str:
  """Returns the page of the runs."""
  report.write(folder / "page.html", title, runs)
  return (folder / "page.html").read_text()


def unpacked(packed) -> np.ndarray:
  """Returns the numbers of a packed array as the page reads them, nan for null."""
  numbers = np.frombuffer(base64.b64decode(packed["int16"]), "<i2").astype(float)
  numbers[numbers == packing.MISSING] = np.nan
  rows = numbers.reshape(len(packed["scale"]), -1) * np.array(packed["scale"])[:, None]
  return np.broadcast_to(rows, (packed["shape"][0], rows.shape[1])).reshape(packed["shape"])


def test_importing_the_report_imports_nothing_that_only_a_page_needs():
  script = "import sys, toy_superposition.report; print(*sys.modules)"
  done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
  assert not {"matplotlib", "jinja2", "plotly"} & set(done.stdout.split())


def test_the_page_escapes_every_text_and_needs_no_network(tmp_path, no_plotly):
  runs = [with_figure(name, tmp_path) for name in ("one", "two")]
  text = page(tmp_path, *runs, title="a <title>")
  assert "<script>alert" not in text
  assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
  assert "<h1>a &lt;title&gt;</h1>" in text
  assert "About &lt;b&gt;it&lt;/b&gt;." in text
  assert "👍" in text
  assert text.count("data:image/png;base64,") == 2
  text = text.replace(f'<a href="{explanations.PAPER}">', "")  # a link is not a request
  assert not re.search(r"""(src|href)=["']?(https?:|//)""", text)
  assert "2 confirmed, 2 contradicted" in text
  assert text.index('id="one"') < text.index('id="two"')


def test_the_glossary_has_the_thresholds_of_the_definitions(tmp_path, no_plotly):
  text = page(tmp_path, pages.run("one", NOTHING))
  assert f"‖² &gt; {REPRESENTED}" in text
  assert f"more than {100 * MONOSEMANTIC:g}% of the squared input" in text


def test_a_failed_experiment_is_on_the_page_with_its_reason(tmp_path, no_plotly):
  run = pages.run("one", NOTHING, problem="out of <memory>", claims=())
  text = page(tmp_path, run)
  assert '<p class="failed">out of &lt;memory&gt;</p>' in text
  assert "no claims; failed: one." in text


def test_claims_are_stored_with_their_experiment_and_section(tmp_path):
  report.write_claims(tmp_path / "claims.json", [pages.run("one", NOTHING)])
  first, second = json.loads((tmp_path / "claims.json").read_text())
  assert first["experiment"] == second["experiment"] == "one"
  assert first["section"] == "Superposition as a Phase Change"
  assert {first["verdict"], second["verdict"]} == {CONFIRMED, CONTRADICTED}


def test_claims_are_a_markdown_table_whatever_they_say(tmp_path):
  odd = Claim("|cos| < .05", "a\nb", "|", CONFIRMED)
  report.write_markdown(tmp_path / "claims.md", [pages.run("one", NOTHING, claims=[odd])])
  title, _, head, rule, row = (tmp_path / "claims.md").read_text().splitlines()
  assert title == "### one: Superposition as a Phase Change"
  assert head == "| statement | measured | expected | verdict |"
  assert row == r"| \|cos\| < .05 | a b | \| | confirmed |"
  assert len({line.replace(r"\|", "").count("|") for line in (head, rule, row)}) == 1


def test_counts_are_of_each_verdict():
  claims = [Claim("", "", "", verdict) for verdict in (*VERDICTS, CONFIRMED)]
  assert report.summary(claims).startswith("2 confirmed, 1 contradicted")
  assert report.summary([]) == "no claims"


def test_the_error_of_a_packed_number_is_at_most_1_of_65534_of_its_rows_largest():
  rng = np.random.default_rng(0)
  values = rng.normal(size=(5, 3, 4)) * 10.0 ** np.arange(-20, 30, 10)[:, None, None]
  error = np.abs(unpacked(packing.pack(values)) - values)
  largest = np.abs(values).max(axis=(1, 2), keepdims=True)
  assert (error <= largest / 65534 * (1 + 1e-6)).all()


def test_what_is_not_finite_is_missing_and_leaves_its_row_unchanged():
  values = np.array([[1.0, np.nan, -0.5], [np.inf, 3.0, -np.inf]])
  shown = unpacked(packing.pack(values))
  np.testing.assert_allclose(shown, [[1, np.nan, -0.5], [np.nan, 3, np.nan]], atol=1e-4)


def test_identical_rows_are_stored_once_and_integers_are_exact():
  identical = packing.pack(np.tile([1.0, 2.0], (100, 1)))
  assert len(identical["scale"]) == 1
  assert unpacked(identical).shape == (100, 2)
  numbers = np.array([[-1, 0, 400], [7, 8, 9]])
  np.testing.assert_array_equal(unpacked(packing.pack(numbers)), numbers)
  assert packing.pack(np.zeros((2, 0)))["shape"] == [2, 0]


def test_the_block_is_json_that_ends_no_script_and_refuses_nan():
  content = {"name": pages.ODD, "numbers": packing.rounded(np.array([1 / 3, np.nan, np.inf]))}
  text = packing.block(content)
  assert "<" not in text
  assert json.loads(text) == {"name": pages.ODD, "numbers": [0.33333, None, None]}
  with pytest.raises(ValueError, match="JSON"):
    packing.block(float("nan"))


def test_a_compressed_text_is_the_same_bytes_each_time_and_the_text_again():
  text = "W · b ≤ 😀" * 1000
  packed = packing.compressed(text)
  assert packed == packing.compressed(text)
  assert len(packed) < len(text) / 10
  assert gzip.decompress(base64.b64decode(packed)).decode() == text


def test_the_page_of_one_run_stays_below_3_megabytes_however_large_the_sweep(tmp_path):
  data = pages.dataset({"density": np.geomspace(1, 0.01, 10)}, m=300, n=200)  # 3 MB of numbers
  figures = [with_figure(f"figure_{k}", tmp_path, size=200_000).figures[0] for k in range(2)]
  text = page(tmp_path, pages.run("large", data, figures=figures))
  assert 2.5e6 < len(text.encode()) < 3e6


def test_integers_keep_all_their_digits():
  assert packing.rounded(np.array([1234567])) == [1234567]


def test_small_needs_are_met_and_the_others_share_the_rest_equally():
  assert packing.shares([1.0, 100.0, 100.0], 21.0) == [1, 10, 10]
  assert packing.shares([5.0, 3.0], 100.0) == [5, 3]
  assert packing.shares([], 100.0) == []


@pytest.mark.parametrize("most", [0, 1, 7, 50, 10_000])
def test_thinning_keeps_at_most_this_many_models_and_both_ends_of_an_axis(most):
  sizes = {"density": 50, "restart": 16}
  kept = packing.thinned(sizes, most, selection.STAGES)
  assert 1 <= np.prod(list(kept.values())) <= max(most, 1)
  for name, size in sizes.items():
    chosen = packing.evenly(size, kept[name])
    assert len(chosen) == kept[name]
    assert chosen[0] == 0
    assert kept[name] == 1 or chosen[-1] == size - 1


def test_a_large_sweep_is_thinned_with_a_note_and_stays_below_the_limit(tmp_path):
  axes = {"density": np.geomspace(1, 0.01, 10)}
  data = pages.dataset(axes, m=600, n=200)
  figures = [with_figure(f"figure_{k}", tmp_path, size=1_000_000).figures[0] for k in range(6)]
  run = pages.run("large", data, figures=figures)
  text = page(tmp_path, run, run)
  assert len(text.encode()) < LARGEST
  assert re.search(r"it shows \d+ of 10 values of density", text)
  shown = text.count("<figure>")
  assert 0 < shown < len(figures)
  assert f"{len(figures) - shown} more" in text  # of the first run
  assert f"{len(figures)} more" in text  # of the second run, for which no room is left


def test_restarts_are_ordered_by_loss_and_those_that_are_not_finite_come_last():
  data = pages.dataset({"density": [0.5, 0.1], "restart": range(3)}, m=2, n=3)
  data["loss"][:] = [[3, 1, 2], [1, np.nan, 3]]
  data["finite"][1, 1] = 0
  chosen = selection.choose(data, ["W", "loss", "feature_importance"], 100)
  assert chosen.rows("restart_number").tolist() == [1, 2, 0, 0, 2, 1]
  np.testing.assert_array_equal(
    chosen.rows("W", "hidden", "feature")[0], data["W"].isel(density=0, restart=1)
  )
  assert chosen.notes == []


def test_aligning_undoes_a_rotation():
  W = np.random.default_rng(0).normal(size=(2, 2, 2, 3))
  rotation = np.array([[0.6, -0.8], [0.8, 0.6]])
  ours = xr.DataArray(W, dims=(*phases.PLANE, "hidden", "feature"))
  np.testing.assert_allclose(phases._aligned(ours.copy(data=rotation @ W), ours), W, atol=1e-12)


def test_a_sweep_over_sizes_has_a_panel_for_each_of_them():
  groups = {f"/n_features={n}": pages.dataset({"restart": range(2)}, m=2, n=n) for n in (4, 5)}
  ((first, second),) = panels.make([groups])
  assert (first.group, second.group) == ("n_features=4", "n_features=5")
  assert second.title == "Feature geometry: n_features=5"
  assert second.data["W"]["shape"] == [2, 2, 5]


def test_a_model_of_too_many_features_is_not_drawn_and_the_page_says_why(tmp_path):
  n = selection.MOST_FEATURES + 1
  small = pages.dataset({"restart": range(1)}, m=2, n=4)
  large = xr.Dataset(
    {"W": (("restart", "hidden", "feature"), np.zeros((1, 1, n), np.float32))}, attrs=small.attrs
  ).assign(finite=("restart", [1]))
  text = page(tmp_path, pages.run("x", {"/n=4": small, "/n=large": large}))
  assert f"could not be drawn: {n} features" in text
  assert text.count('data-kind="explorer"') == 1


def test_a_bug_in_one_panel_hides_no_other(tmp_path, monkeypatch):
  def broken(dataset, room):
    raise ValueError("<oh>")

  row = panels.PANELS["explorer"]._replace(data=broken)
  monkeypatch.setitem(panels.PANELS, "explorer", row)
  density = np.geomspace(1, 0.1, 8)
  text = page(tmp_path, pages.run("x", pages.dataset({"density": density}, m=4, n=8)))
  assert "could not be drawn: ValueError: &lt;oh&gt;" in text
  assert 'data-kind="dimensionality"' in text


@pytest.mark.parametrize("kind", ("phases", "dimensionality", "explorer", "dynamics", "neurons"))
@pytest.mark.parametrize("m", (2, 9))
def test_every_panel_of_the_paper_is_explained_in_three_parts(kind, m):
  paragraphs = explanations.of_panel(kind, {"W": {"shape": [1, m, 20]}})
  assert paragraphs
  assert all(part.endswith(".") for paragraph in paragraphs for part in paragraph)


def test_every_verdict_is_explained_and_every_paper_figure_is_of_an_experiment():
  assert explanations.VERDICTS.keys() == set(VERDICTS)
  assert explanations.PAPER_FIGURES.keys() <= set(experiments.NAMES)


def test_the_page_explains_the_verdicts_that_it_has_and_no_others(tmp_path, no_plotly):
  text = page(tmp_path, pages.run("one", NOTHING))
  assert explanations.PAPER_FIGURES["phase_change"].partition("'")[0] in text
  verdicts = text.partition('<dl class="verdicts">')[2].partition("</dl>")[0]
  assert [word in verdicts for word in VERDICTS] == [True, True, False, False, False]


@pytest.mark.parametrize("kind", panels.PANELS)
def test_every_panel_has_a_function_of_its_name(kind):
  table = re.search(r"const PANELS = \{(.*?)\}", document.static("page.js"))
  assert table
  assert kind in {entry.split(":")[0].strip() for entry in table[1].split(",")}


def test_models_that_were_not_trained_have_no_panels():
  data = pages.dataset({"restart": range(2)}, m=3, n=4)
  config = json.loads(data.attrs["config"]) | {"train.steps": 0}
  assert panels.make([{"/": data}]) != [[]]
  assert panels.make([{"/": data.assign_attrs(config=json.dumps(config))}]) == [[]]


def workdir_of_format_1(folder: Path) -> Workdir:
  """Returns the folder of a run as it was before config.experiment."""
  config = pages.CONFIG | {"analysis": "none", "figures": [], "axes": ["restart"]}
  config |= {"model.n_features": 4, "model.n_hidden": 2, "model.name": "relu_output"}
  session = {"command": ["/somewhere/bin/python", "-m", "toy_superposition.main", "--config=a b"]}
  manifest = {"format": 1, "config": config, "identity": {}, "sessions": [session]}
  workdir = Workdir(folder)
  workdir.manifest.write_text(json.dumps(manifest))
  data = pages.dataset({"restart": range(2)}, m=2, n=4).assign_attrs(config=json.dumps(config))
  results.save(workdir, {"/": data})
  return workdir


def test_a_run_of_an_earlier_version_is_read_with_its_command_and_without_pythons_path(tmp_path):
  workdir = workdir_of_format_1(tmp_path)
  assert report.write_run(workdir) == workdir.report
  text = workdir.report.read_text()
  assert "python -m toy_superposition.main &#39;--config=a b&#39;" in text
  assert "/somewhere" not in text
  assert "4 features in 2 hidden dimensions, relu_output: 2 models." in text
  assert "experiment = &#34;none&#34;" in text
  assert "analysis" not in text.partition("All fields of the config")[2]


def test_the_page_shows_the_pictures_of_the_run_and_no_others(tmp_path):
  workdir = workdir_of_format_1(tmp_path)
  workdir.figures.mkdir()
  paths = {name: workdir.figures / f"{name}.png" for name in ("thomson", "mine", "listed")}
  for path in paths.values():
    path.write_bytes(PNG)
  (workdir.figures / "correlated.png").symlink_to(paths["mine"])
  assert report.read(workdir).figures == [paths["thomson"]]  # a name that format 1 gave
  manifest = json.loads(workdir.manifest.read_text())
  listed = manifest | {"format": 2, "pictures": ["figures/listed.png", "figures/correlated.png"]}
  workdir.manifest.write_text(json.dumps(listed))
  assert report.read(workdir).figures == [paths["listed"]]


def test_a_figure_that_is_a_link_is_not_put_into_a_page(tmp_path, no_plotly):
  (tmp_path / "private").write_bytes(PNG + b"somebody's own")
  (tmp_path / "one.png").symlink_to("private")
  with pytest.raises(UserError, match=r"one\.png: is a link"):
    page(tmp_path, pages.run("one", NOTHING, figures=[tmp_path / "one.png"]))
  assert not (tmp_path / "page.html").exists()
