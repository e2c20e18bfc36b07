"""metrics.jsonl: the content of a line, and the right lines after a crash; TensorBoard's files."""

import json
import re
import struct
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from toy_superposition.errors import UserError
from toy_superposition.models import AutoencoderParams
from toy_superposition.records import metrics, tensorboard
from toy_superposition.types import Snapshot, TrainState


def snapshot(losses, finite=None, step=7) -> Snapshot:
  losses = np.asarray(losses, np.float32)
  finite = np.isfinite(losses) if finite is None else np.asarray(finite)
  return Snapshot(step, None, losses, finite)  # type: ignore[arg-type]


def record(group: int, step: int) -> dict:
  return {"group": group, "step": step, "loss_median": step / 8, "loss_max": None}


def read(path) -> list[dict]:
  def refuse(constant):
    raise AssertionError(f"{constant} is not JSON")

  return [json.loads(line, parse_constant=refuse) for line in path.read_text().splitlines()]


def write_all(path, records) -> None:
  writer = metrics.Metrics(path, None)
  for line in records:
    writer.write(line)
  writer.close()


def test_quantiles_are_those_of_the_losses():
  losses = np.random.default_rng(0).uniform(size=101).astype(np.float32)
  line = metrics.summary(3, snapshot(losses), 1234.6)
  expected = np.quantile(losses, [0, 0.1, 0.5, 0.9, 1])
  names = ("loss_min", "loss_q10", "loss_median", "loss_q90", "loss_max")
  np.testing.assert_allclose([line[name] for name in names], expected, rtol=1e-6)
  assert (line["group"], line["step"], line["n_instances"]) == (3, 7, 101)
  assert (line["n_nonfinite"], line["instance_steps_per_second"]) == (0, 1235)


def test_quantiles_are_over_finite_instances_only():
  losses = [1.0, np.nan, 2.0, np.inf, 3.0, -np.inf, 1e30]
  finite = [True, False, True, False, True, False, False]  # the last by its parameters alone
  line = metrics.summary(0, snapshot(losses, finite), None)
  assert (line["loss_min"], line["loss_median"], line["loss_max"]) == (1, 2, 3)
  assert (line["n_instances"], line["n_nonfinite"]) == (7, 4)


@pytest.mark.parametrize("losses", [[np.nan], [np.nan, np.inf, -np.inf]])
def test_without_a_finite_instance_quantiles_are_null(tmp_path, losses):
  write_all(tmp_path / "metrics.jsonl", [metrics.summary(0, snapshot(losses), None)])
  (line,) = read(tmp_path / "metrics.jsonl")
  assert {line[name] for name in metrics.QUANTILES} == {None}
  assert line["n_nonfinite"] == line["n_instances"] == len(losses)
  assert line["instance_steps_per_second"] is None


def test_nan_cannot_get_into_the_file(tmp_path):
  with pytest.raises(ValueError, match="not JSON compliant"):
    write_all(tmp_path / "metrics.jsonl", [record(0, 1) | {"loss_median": float("nan")}])


def test_a_record_is_on_disk_when_write_returns(tmp_path):
  path = tmp_path / "metrics.jsonl"
  writer = metrics.Metrics(path, None)
  for step in (1, 2, 3):
    writer.write(record(0, step))
    assert read(path)[-1] == record(0, step)
  writer.close()
  assert len(read(path)) == 3


def test_records_are_appended_to_those_of_an_earlier_session(tmp_path):
  path = tmp_path / "metrics.jsonl"
  write_all(path, [record(0, 1)])
  write_all(path, [record(0, 2)])
  assert read(path) == [record(0, 1), record(0, 2)]


def test_keep_until_drops_later_records_of_that_group_only(tmp_path):
  path = tmp_path / "metrics.jsonl"
  records = [record(group, step) for group in (0, 1) for step in (10, 20, 30)]
  write_all(path, records)
  metrics.Metrics(path, None).keep_until(1, 20)
  assert read(path) == [r for r in records if r["group"] == 0 or r["step"] <= 20]
  metrics.Metrics(path, None).keep_until(0, 0)
  assert read(path) == [record(1, 10), record(1, 20)]


def test_keep_until_the_last_step_changes_nothing(tmp_path):
  path = tmp_path / "metrics.jsonl"
  write_all(path, [record(0, 10), record(0, 20)])
  before = path.read_bytes()
  metrics.Metrics(path, None).keep_until(0, 20)
  assert path.read_bytes() == before


@pytest.mark.parametrize(
  "torn",
  [
    b'{"group": 0, "st',
    b'{"group": 0, "step": 1',
    b'{"group": 0}',
    b"3",
    b"null",
    b"\x00\x00\x00\x00",
    b'{"group": 0, "step": 1, "lo\xff\xfe',
  ],
)
def test_keep_until_drops_a_torn_last_line(tmp_path, torn):
  path = tmp_path / "metrics.jsonl"
  write_all(path, [record(0, 1), record(1, 1)])
  with path.open("ab") as file:
    file.write(torn)
  metrics.Metrics(path, None).keep_until(0, 5)
  write_all(path, [record(0, 2)])
  assert read(path) == [record(0, 1), record(1, 1), record(0, 2)]


def test_keep_until_ends_a_whole_last_line(tmp_path):
  path = tmp_path / "metrics.jsonl"
  path.write_text(json.dumps(record(0, 1)))  # the crash took only the line's end
  metrics.Metrics(path, None).keep_until(0, 5)
  write_all(path, [record(0, 2)])
  assert read(path) == [record(0, 1), record(0, 2)]


def test_keep_until_of_no_file_makes_none(tmp_path):
  metrics.Metrics(tmp_path / "metrics.jsonl", None).keep_until(0, 0)
  assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("obstacle", ["folder", "full"])
def test_a_file_that_cannot_be_written_is_one_line_naming_it(tmp_path, obstacle):
  path = tmp_path / "metrics.jsonl"
  if obstacle == "folder":
    path.mkdir()
  elif sys.platform == "linux":
    path.symlink_to("/dev/full")
  else:
    pytest.skip("needs a device that is always full")
  with pytest.raises(UserError, match=r"metrics\.jsonl: ") as caught:
    write_all(path, [record(0, 1)])
  assert len(str(caught.value).splitlines()) == 1


def events(folder) -> list:
  """Returns the events in the event files of a folder."""
  event_pb2 = pytest.importorskip("tensorboardX.proto.event_pb2")
  decoded = []
  for path in sorted(folder.glob("events.out.tfevents.*")):
    content = path.read_bytes()
    while content:  # a record: its length, 4 bytes of checksum, itself, 4 bytes of checksum
      (length,) = struct.unpack("<Q", content[:8])
      decoded.append(event_pb2.Event.FromString(content[12 : 12 + length]))
      content = content[16 + length :]
  return decoded


def scalars(folder) -> dict[tuple[str, int], float]:
  """Returns (tag, step) → value of the event files of a folder."""
  return {(v.tag, e.step): v.simple_value for e in events(folder) for v in e.summary.value}


def test_event_files_hold_every_number_of_each_group(tmp_path):
  pytest.importorskip("tensorboardX")
  writer = metrics.Metrics(tmp_path / "metrics.jsonl", tmp_path / "tensorboard")
  records = [
    metrics.summary(group, snapshot([0.5, 1.5, np.nan], step=step), 10.0 * step)
    for group, step in ((0, 10), (0, 20), (1, 10))
  ]
  for line in records:
    writer.write(line)
  writer.close()
  for group in (0, 1):
    expected = {
      (name, line["step"]): value
      for line in records
      if line["group"] == group
      for name, value in line.items()
      if name not in ("group", "step", "estimator")  # numbers only
    }
    assert scalars(tmp_path / "tensorboard" / f"group_{group:04d}") == pytest.approx(expected)


def test_event_files_of_a_continued_run_hide_the_steps_that_are_repeated(tmp_path):
  pytest.importorskip("tensorboardX")
  for step in (30, 20):  # stopped after 30, continued from a checkpoint before 20
    writer = metrics.Metrics(tmp_path / "metrics.jsonl", tmp_path / "tensorboard")
    writer.write(record(0, step))
    writer.close()
    for path in (tmp_path / "tensorboard" / "group_0000").iterdir():
      path.rename(f"{path}.{step}")  # names differ by the second only, and this test is faster
  written = events(tmp_path / "tensorboard" / "group_0000")
  started = 1  # SessionLog.START: earlier events of this and later steps are void
  assert {e.step for e in written if e.session_log.status == started} == {20, 30}


def test_event_files_leave_out_null(tmp_path):
  pytest.importorskip("tensorboardX")
  writer = metrics.Metrics(tmp_path / "metrics.jsonl", tmp_path / "tensorboard")
  writer.write(metrics.summary(0, snapshot([np.nan]), None))
  writer.close()
  tags = {tag for tag, _ in scalars(tmp_path / "tensorboard" / "group_0000")}
  assert tags == {"n_instances", "n_nonfinite"}


def test_without_a_tensorboard_folder_there_are_no_event_files(tmp_path):
  write_all(tmp_path / "metrics.jsonl", [record(0, 1)])
  assert [path.name for path in tmp_path.iterdir()] == ["metrics.jsonl"]


def weights(*values) -> Snapshot:
  """Returns a snapshot of two models of features in two dimensions."""
  W = np.broadcast_to(np.asarray(values, np.float32), (2, 2, len(values))).copy()
  params = AutoencoderParams(W=W, b=np.zeros((2, len(values)), np.float32))
  return Snapshot(7, TrainState(params, ()), np.zeros(2, np.float32), np.ones(2, bool))


def histograms(folder) -> dict[str, tuple]:
  """Returns tag → minimum, maximum and number of values."""
  values = [v for event in events(folder) for v in event.summary.value if v.HasField("histo")]
  return {v.tag: (v.histo.min, v.histo.max, v.histo.num) for v in values}


def test_event_files_hold_histograms_of_norms_and_dimensionalities(tmp_path):
  pytest.importorskip("tensorboardX")
  writer = metrics.Metrics(tmp_path / "metrics.jsonl", tmp_path / "tensorboard")
  models = weights(0.0, 0.5, 1.0)  # all along one diagonal: norms √2 · w, D_i = w² / 1.25
  models.state.params.W[1, 0, 0] = np.nan  # the second model is left out
  writer.histograms(0, models)
  writer.close()
  written = histograms(tmp_path / "tensorboard" / "group_0000")
  assert written["feature_norm"] == pytest.approx((0, 2**0.5, 3))
  assert written["feature_dimensionality"] == pytest.approx((0, 0.8, 3))


def test_histograms_of_dimensionalities_cover_at_most_max_pairs(tmp_path, monkeypatch):
  pytest.importorskip("tensorboardX")
  for limit, count in ((18, 6), (17, 3), (8, None)):  # a model of 3 features has 9 pairs
    monkeypatch.setattr(tensorboard, "MAX_PAIRS", limit)
    files = tensorboard.EventFiles(tmp_path / str(limit))
    files.histograms(0, 7, weights(0.2, 0.5, 1.0).state.params.W)
    files.close()
    written = histograms(tmp_path / str(limit) / "group_0000")
    assert written["feature_norm"][2] == 6
    assert written.get("feature_dimensionality", (0, 0, None))[2] == count


def test_figures_are_images_with_their_own_bytes_and_replace_earlier_ones(tmp_path):
  pytest.importorskip("tensorboardX")
  figure = Figure(figsize=(2, 1))
  figure.savefig(tmp_path / "a_figure.png", dpi=50)
  (tmp_path / "figures").mkdir()
  theirs = tmp_path / "figures" / "events.out.tfevents.of_others"
  theirs.write_bytes(b"")
  written: set[Path] = set()
  for _ in range(2):
    written = tensorboard.write_figures(tmp_path, [tmp_path / "a_figure.png"], written)
  assert {*(tmp_path / "figures").iterdir()} == {theirs, *written}
  theirs.unlink()
  (value,) = [v for e in events(tmp_path / "figures") for v in e.summary.value]
  assert (value.tag, value.image.width, value.image.height) == ("a_figure", 100, 50)
  assert value.image.encoded_image_string == (tmp_path / "a_figure.png").read_bytes()


def test_event_files_that_cannot_be_written_are_one_line(tmp_path):
  pytest.importorskip("tensorboardX")
  (tmp_path / "tensorboard").write_text("not a folder")
  writer = metrics.Metrics(tmp_path / "metrics.jsonl", tmp_path / "tensorboard")
  with pytest.raises(UserError, match="tensorboard"):
    writer.write(record(0, 1))


def test_event_files_without_tensorboardx_are_refused_in_one_line(tmp_path, monkeypatch):
  monkeypatch.setitem(sys.modules, "tensorboardX", None)
  with pytest.raises(UserError, match=r"config\.run\.tensorboard.*pip install") as caught:
    metrics.Metrics(tmp_path / "metrics.jsonl", tmp_path / "tensorboard")
  assert len(str(caught.value).splitlines()) == 1
  assert list(tmp_path.iterdir()) == []


def test_the_example_of_the_launchers_forwards_every_line_once(tmp_path, monkeypatch):
  """Of a run that goes on: the file grows, loses what is trained again, and ends half written."""
  readme = (Path(__file__).parent.parent / "launch" / "README.md").read_text()
  (code,) = [block for block in re.findall(r"```python\n(.*?)```", readme, re.S) if "sent" in block]
  assert len([line for line in code.splitlines() if line]) <= 12
  monkeypatch.chdir(tmp_path)
  folder = tmp_path / "runs" / "phase_change"
  folder.mkdir(parents=True)

  def line(group, step):
    return json.dumps({"group": group, "step": step, "estimator": "x", "loss_min": 0.5}) + "\n"

  file = folder / "metrics.jsonl"
  file.write_text(line(0, 10) + line(0, 20)[:8])
  states = [line(0, 10) + line(0, 20) + line(0, 30), line(0, 10) + line(0, 20), ""]
  logged = []

  def sleep(seconds):
    if not states:
      return
    if state := states.pop(0):
      file.write_text(state)
    else:
      file.write_text(line(0, 10) + line(0, 20) + line(0, 30) + line(1, 10))
      (folder / "results.nc").touch()

  monkeypatch.setattr(time, "sleep", sleep)
  exec(code, {"log": lambda numbers, step: logged.append((numbers, step))})
  assert logged == [({f"loss_min/{g}": 0.5}, s) for g, s in ((0, 10), (0, 20), (0, 30), (1, 10))]
