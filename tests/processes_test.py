"""Several processes are one run: the same results, stopped together, continued by any number."""

import os
import shutil
import signal
import time

import numpy as np
import pytest

from tests.command import (
  LONG,
  NO_THEORY,
  PATIENCE,
  STEPS,
  TINY,
  end,
  last_line,
  metrics,
  only_line,
  run,
  start,
  succeed,
  until_checkpoint,
  variables,
)
from tests.peers_test import free_port
from toy_superposition.devices import peers, processes
from toy_superposition.errors import UserError

ENV = {"JAX_PLATFORMS": "cpu", "JAX_ENABLE_COMPILATION_CACHE": "false"}
# Of a cluster that reaches other networks through proxies; nobody listens there.
ENV |= dict.fromkeys(["http_proxy", "https_proxy", "HTTPS_PROXY", "grpc_proxy"], "http://[::1]:9")


def together(n: int, *arguments, apart=()):
  """Starts n processes of one run; `apart` are further arguments of the last one."""
  address = f"--coordinator=127.0.0.1:{free_port()}"
  return [
    start(
      *arguments,
      *("--cpu_devices=1", address, f"--num_processes={n}", f"--process_id={i}"),
      *(apart if i == n - 1 else ()),
      env=ENV,
    )
    for i in range(n)
  ]


def assert_equal_runs(ours, theirs):
  found, expected = variables(ours), variables(theirs)
  assert found.keys() == expected.keys()
  for name, values in expected.items():
    if np.issubdtype(values.dtype, np.number):
      np.testing.assert_allclose(found[name], values, rtol=1e-5, atol=1e-6, err_msg=name)
    else:
      np.testing.assert_array_equal(found[name], values, err_msg=name)


@pytest.mark.parametrize("n", [2, pytest.param(4, marks=pytest.mark.slow)])
def test_several_processes_make_the_run_that_one_makes(tmp_path, n):
  arguments = [*TINY, *NO_THEORY, "--config.axis.restart.num=3", "--config.history.num=3"]
  if n == 2:
    arguments += ["--config.train.estimator=autodiff"]  # compiles faster than that of the config
  done = [end(p) for p in together(n, *arguments, f"--workdir={tmp_path / 'together'}")]
  assert [d.returncode for d in done] == [0] * n, [d.stderr for d in done]
  assert "models, 0 not finite" in done[0].stdout
  assert all("models" not in d.stdout for d in done[1:])
  succeed(*arguments, "--cpu_devices=1", f"--workdir={tmp_path / 'alone'}")
  assert_equal_runs(tmp_path / "together", tmp_path / "alone")
  assert len(metrics(tmp_path / "together")) == len(metrics(tmp_path / "alone"))


@pytest.mark.slow
def test_one_signal_stops_all_and_any_number_continues(tmp_path):
  workdir = tmp_path / "run"
  arguments = [*LONG, f"--workdir={workdir}"]
  pair = together(2, *arguments)
  until_checkpoint(pair[0], workdir)
  pair[1].send_signal(signal.SIGTERM)
  done = [end(p) for p in pair]
  assert [d.returncode for d in done] == [128 + signal.SIGTERM] * 2, [d.stderr for d in done]
  assert not (workdir / "results.nc").exists()
  steps = os.listdir(workdir / "checkpoints" / "group_0000")
  stopped = max(int(name) for name in steps if name.isdigit())
  assert 0 < stopped < STEPS
  shutil.copytree(workdir, tmp_path / "by_three")
  succeed(*arguments)
  # 8 models: one process has a model less, and repeats one.
  done = [end(p) for p in together(3, *LONG, f"--workdir={tmp_path / 'by_three'}")]
  assert [d.returncode for d in done] == [0] * 3, [d.stderr for d in done]
  assert_equal_runs(tmp_path / "by_three", workdir)


@pytest.mark.slow
@pytest.mark.parametrize("signalled", [[1], [0], [0, 1]])
def test_a_signal_before_training_ends_all(tmp_path, signalled):
  workdir = tmp_path / "run"
  pair = together(2, *LONG, f"--workdir={workdir}", "--config.run.peer_timeout=10")
  deadline = time.monotonic() + PATIENCE
  while not (workdir / "checkpoints" / "group_0000").exists():  # made before compilation
    assert time.monotonic() < deadline
    time.sleep(0.005)
  for number in signalled:
    pair[number].send_signal(signal.SIGTERM)
  begun = time.monotonic()
  done = [end(p) for p in pair]
  assert time.monotonic() - begun < 60  # an ordinary end would wait for the other for minutes
  assert [done[i].returncode for i in signalled] == [128 + signal.SIGTERM] * len(signalled)
  assert all(d.returncode != 0 for d in done)


@pytest.mark.parametrize("lost", [1, pytest.param(0, marks=pytest.mark.slow)])
def test_a_lost_process_ends_the_others_in_one_line_and_the_same_command_continues(tmp_path, lost):
  arguments = [*LONG, f"--workdir={tmp_path / 'run'}"]
  pair = together(2, *arguments)
  until_checkpoint(pair[0], tmp_path / "run")
  pair[lost].kill()
  killed = time.monotonic()
  line = last_line(end(pair[1 - lost]))
  assert time.monotonic() - killed < 20
  assert line.startswith(f"process {lost} of this run has ended or cannot be reached")
  assert line.endswith("the same commands continue")
  end(pair[lost])
  if lost:
    return
  done = [end(p) for p in together(2, *arguments)]
  assert [d.returncode for d in done] == [0] * 2, [d.stderr for d in done]
  assert "continuing after step" in done[0].stderr


@pytest.mark.parametrize(
  ("flag", "field"),
  [
    pytest.param("--config.seed=5", "seed", marks=pytest.mark.slow),
    ("--num_processes=3", "num_processes"),
    pytest.param("--config.train.learning_rate=.5", "train.learning_rate", marks=pytest.mark.slow),
  ],
)
def test_processes_that_were_started_differently_say_so_before_anything_is_written(
  tmp_path, flag, field
):
  pair = together(2, *TINY, f"--workdir={tmp_path / 'run'}", apart=[flag])
  lines = [only_line(end(process)) for process in pair]
  assert all(line.startswith("the processes of one run must be started alike") for line in lines)
  assert all(f"{field} is " in line for line in lines)
  assert os.listdir(tmp_path) == []


@pytest.mark.quick("flags3-host:port")
@pytest.mark.parametrize(
  ("flags", "fragment"),
  [
    (["--coordinator=127.0.0.1:1234"], "--num_processes=N"),
    (["--coordinator=127.0.0.1:1234", "--num_processes=2", "--process_id=2"], "from 0 to N − 1"),
    (["--num_processes=2"], "need --coordinator"),
    *(
      pytest.param(*row, marks=pytest.mark.slow)
      for row in (
        (["--coordinator=somewhere", "--num_processes=2", "--process_id=1"], "host:port"),
        (["--coordinator=auto"], "give host:port"),
      )
    ),
  ],
)
def test_numbers_that_do_not_fit_are_one_line(flags, fragment, tmp_path):
  line = only_line(run(*TINY, *flags, f"--workdir={tmp_path / 'run'}"))
  assert fragment in line
  assert os.listdir(tmp_path) == []


def test_nobody_at_the_address_is_said_in_seconds(monkeypatch):
  monkeypatch.setattr(peers, "PATIENCE", 0.5)
  address = f"127.0.0.1:{free_port()}"
  with pytest.raises(UserError, match=f"--coordinator={address}: nobody listens"):
    processes.join(address, 2, 1, timeout=100, identity={})
  with pytest.raises(UserError, match="nobody listens there"):
    processes.join("no.such.host.invalid:80", 2, 1, timeout=100, identity={})
