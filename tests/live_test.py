"""A watched training: the picture shows its numbers, changes none, and gives way to the report."""

import base64
import itertools
import re
import types
import zlib
from typing import Any, NamedTuple

import jax
import numpy as np
import pytest
from ml_collections import ConfigDict

import toy_superposition as ts
from tests.command import in_process, only_line
from toy_superposition import live, runner
from toy_superposition.config import base
from toy_superposition.config.resolve import resolve
from toy_superposition.devices import meshes, setup
from toy_superposition.drawing import live as pictures
from toy_superposition.errors import UserError
from toy_superposition.records.workdir import Workdir
from toy_superposition.report import watching


def tiny(density: tuple[float, ...], restarts: int) -> ConfigDict:
  """Returns a config of models that train in no time."""
  config = ts.get_config()
  config.name = "tiny"
  config.train.steps, config.train.batch_size = 40, 16
  config.train.estimator, config.data.generator = "autodiff", "hash"  # compile fast
  base.set_axes(
    config, density=base.points("density.base", density), restart=base.restarts(restarts)
  )
  return config


def ends(svg: str) -> np.ndarray:
  """Returns where the arrows end, upwards positive."""
  found = re.findall(r'<circle cx="([-.\d]+)" cy="([-.\d]+)"', svg)
  return np.array(found, float) * [1, -1]


def test_arrows_end_at_the_weights_and_the_matrix_is_red_where_features_agree():
  W = np.random.default_rng(0).normal(size=(2, 5)) * 0.6
  np.testing.assert_allclose(ends(pictures.model(W, "x")), W.T, atol=1e-3)
  np.testing.assert_allclose(ends(pictures.model(W[:1], "x"))[:, 0], W[0], atol=1e-3)
  four = np.eye(4, 5)
  four[0, 4] = -1.0  # opposite to feature 0
  png = base64.b64decode(pictures.model(four, "x").partition("base64,")[2].partition('"')[0])
  content = zlib.decompress(png[png.index(b"IDAT") + 4 : png.index(b"IEND") - 8])
  rgb = np.frombuffer(content, np.uint8).reshape(5, 1 + 3 * 5)[:, 1:].reshape(5, 5, 3)
  assert (rgb[0, 0, 0] > rgb[0, 0, 2]) and (rgb[0, 4, 0] < rgb[0, 4, 2])
  assert (rgb[0, 1] == 255).all()


def test_what_is_not_finite_is_said_and_names_are_text():
  text = pictures.model(np.full((2, 3), np.nan), "<b>")
  assert "not finite" in text and "&lt;b&gt;" in text
  assert "no finite loss" in pictures.curves([1, 2], np.full((2, 3), np.inf), 2)
  assert "polyline" in pictures.curves([1, 2], np.array([[1.0, np.nan], [0.5, 0.1]]), 2)


class Watched(NamedTuple):
  """A run that was watched at every segment end, and the same run unwatched."""

  shown: list[str]
  watched: Any
  unwatched: Any


@pytest.fixture(scope="module")
def watched() -> Watched:
  config = resolve(tiny(density=(1.0, 0.5, 0.1), restarts=2))
  mesh = meshes.make_mesh(setup.devices(1))
  shown: list[str] = []
  clock = itertools.count(0.0, 10.0).__next__
  results = runner.run(config, None, mesh, live=live.Live(shown.append, config.axes, clock))
  return Watched(shown, results["/"], runner.run(config, None, mesh)["/"])


def test_watching_changes_no_bit(watched):
  for name in watched.watched.data_vars:
    np.testing.assert_array_equal(watched.watched[name], watched.unwatched[name])


def test_the_last_picture_is_of_the_trained_models_one_restart_of_each(watched):
  last = watched.shown[-1]
  W = watched.watched["W"].isel(restart=0)
  captions = re.findall("<figcaption>(.*?)</figcaption>", last)
  assert [caption.partition(",")[0] for caption in captions] == [
    *("density 1", "density 0.5", "density 0.1")
  ]
  np.testing.assert_allclose(ends(last), np.concatenate([*W.values.swapaxes(1, 2)]), atol=1e-3)
  steps = [re.findall(r"step (\d+) of", picture)[0] for picture in watched.shown]
  assert len(set(steps)) == len(steps) > 3
  assert steps[-1] == re.findall(r"step \d+ of (\d+)", last)[0]


def test_pictures_are_not_drawn_more_often_than_a_page_is_looked_at(watched):
  config = resolve(tiny(density=(1.0,), restarts=1))
  shown: list[str] = []
  drawn = live.Live(shown.append, config.axes, clock=lambda: 0.0)
  runner.run(config, None, meshes.make_mesh(setup.devices(1)), live=drawn)
  assert len(shown) == 2  # the first and the last


def test_the_page_reloads_itself_until_the_run_stops_or_its_report_is_due(tmp_path):
  workdir = Workdir(tmp_path)
  with watching.page(workdir, "<one>", []) as drawn:
    drawn._show("<p>picture</p>")
    text = workdir.report.read_text()
    assert 'http-equiv="refresh"' in text and "<p>picture</p>" in text
    assert "&lt;one&gt;" in text
  assert watching.FINISHING in workdir.report.read_text()
  assert 'http-equiv="refresh"' in workdir.report.read_text()  # the report takes its place
  with pytest.raises(KeyboardInterrupt), watching.page(workdir, "one", []):
    raise KeyboardInterrupt
  assert "refresh" not in workdir.report.read_text()
  assert "stopped" in workdir.report.read_text()


def test_a_run_is_watched_in_a_notebook_and_nowhere_else(monkeypatch):
  with pytest.raises(UserError, match="--watch"):
    live.in_notebook([])
  import IPython
  import IPython.display

  shown: list[str] = []
  handle = types.SimpleNamespace(update=lambda output: shown.append(output.data))
  monkeypatch.setattr(IPython, "get_ipython", lambda: object())
  monkeypatch.setattr(IPython.display, "display", lambda *_, **__: handle)
  results = ts.run(tiny(density=(1.0,), restarts=1), watch=True)
  assert jax.numpy.isfinite(results["loss"].values).all()
  assert "<style>" in shown[-1] and "median loss" in shown[-1]


def test_a_watched_command_ends_with_the_report_in_the_page_s_place(tmp_path, monkeypatch):
  words = ["--config=base", "--config.name=tiny", "--config.train.steps=20", "--watch"]
  refused = in_process(monkeypatch, *words, "--shard=0/2", f"--workdir={tmp_path / 'shards'}")
  assert "leave --shard out" in only_line(refused)
  assert not (tmp_path / "shards").exists()
  done = in_process(monkeypatch, *words, f"--workdir={tmp_path / 'run'}")
  assert done.returncode == 0, done.stderr
  page = tmp_path / "run" / "report.html"
  assert f"to watch: {page.as_uri()}" in done.stdout
  assert "All fields of the config" in page.read_text()
  assert 'http-equiv="refresh"' not in page.read_text()
