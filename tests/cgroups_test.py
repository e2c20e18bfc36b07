"""What a container may use, read from files like those of its control groups."""

from pathlib import Path

import pytest

from toy_superposition.devices import cgroups, memory, setup

FILES = "sys/fs/cgroup"
UNLIMITED = str(2**63 - 4096)  # what version 1 says of memory without a limit


def v2(root: Path, group: str, **files: str) -> Path:
  folder = root / FILES / group.lstrip("/")
  folder.mkdir(parents=True, exist_ok=True)
  for name, content in files.items():
    (folder / name.replace("_max", ".max")).write_text(f"{content}\n")
  (root / "proc/self").mkdir(parents=True, exist_ok=True)
  (root / "proc/self/cgroup").write_text(f"0::{group}\n")
  return root


def v1(root: Path, group: str, mounted: str, quota: str, period: str, limit: str) -> Path:
  """Version 1, whose processor controllers share a folder under the names of both, or one each."""
  for top, files in (
    (mounted, {"cpu.cfs_quota_us": quota, "cpu.cfs_period_us": period}),
    ("memory", {"memory.limit_in_bytes": limit}),
  ):
    folder = root / FILES / top / group.lstrip("/")
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
      (folder / name).write_text(f"{content}\n")
  (root / "proc/self").mkdir(parents=True, exist_ok=True)
  own = "4:memory:/docker/a1\n3:cpu,cpuacct:/docker/a1\n1:name=systemd:/docker/a1\n"
  (root / "proc/self/cgroup").write_text(own)
  return root


@pytest.mark.parametrize(
  ("quota", "cores"),
  [("400000 100000", 4), ("150000 100000", 2), ("5000 100000", 1), ("max 100000", None)],
)
def test_version_2_has_quota_and_period_in_one_file(tmp_path, quota, cores):
  root = v2(tmp_path, "/", cpu_max=quota, memory_max="max")
  assert cgroups.cores(root) == cores
  assert cgroups.memory_bytes(root) is None


def test_the_lowest_limit_of_a_group_and_those_above_it_holds(tmp_path):
  root = v2(tmp_path, "/pods/one/app", cpu_max="max 100000", memory_max=str(8 * 2**30))
  v2(root, "/pods/one", cpu_max="300000 100000", memory_max=str(2**30))
  v2(root, "/pods", cpu_max="6400000 100000", memory_max="max")
  (root / "proc/self/cgroup").write_text("0::/pods/one/app\n")
  assert cgroups.cores(root) == 3
  assert cgroups.memory_bytes(root) == 2**30


@pytest.mark.parametrize("mounted", ["cpu,cpuacct", "cpu"])
@pytest.mark.parametrize(
  "group", ["/", "/docker/a1"]
)  # a container sees the host's path, or its own
def test_version_1_has_a_file_for_each_number(tmp_path, group, mounted):
  root = v1(tmp_path, group, mounted, "250000", "100000", str(4 * 2**30))
  assert cgroups.cores(root) == 3
  assert cgroups.memory_bytes(root) == 4 * 2**30


def test_version_1_without_limits(tmp_path):
  root = v1(tmp_path, "/", "cpu", "-1", "100000", UNLIMITED)
  assert cgroups.cores(root) is None
  assert cgroups.memory_bytes(root) == int(UNLIMITED)  # more than any machine has


@pytest.mark.parametrize("content", ["", "what", "100000", "0 0", "-1 100000", "1 2 3"])
def test_no_files_or_other_ones_set_no_limit(tmp_path, content):
  assert cgroups.cores(tmp_path) is cgroups.memory_bytes(tmp_path) is None
  assert cgroups.cores(v2(tmp_path, "/", cpu_max=content)) is None


def test_the_program_takes_its_container_s_share(monkeypatch):
  visible = setup.visible_cores()
  monkeypatch.delenv(setup.XLA_THREADS, raising=False)
  for quota, cores in ((None, visible), (1, 1), (visible + 5, visible)):
    monkeypatch.setattr(cgroups, "cores", lambda quota=quota: quota)
    assert setup.cores() == cores
  monkeypatch.setattr(cgroups, "memory_bytes", lambda: 2**20)
  assert memory.machine_bytes() == 2**20
  monkeypatch.setattr(cgroups, "memory_bytes", lambda: int(UNLIMITED))
  assert 2**20 < memory.machine_bytes() < 2**50


@pytest.mark.parametrize(("quota", "threads"), [(1, "1"), (None, None)])
def test_xla_starts_no_more_threads_than_the_quota_has_cores(monkeypatch, quota, threads):
  monkeypatch.setattr(setup, "visible_cores", lambda: 8)
  monkeypatch.setattr(cgroups, "cores", lambda: quota)
  monkeypatch.setattr(setup.jax.config, "update", lambda name, value: None)
  monkeypatch.setenv(setup.XLA_THREADS, "")
  monkeypatch.delenv(setup.XLA_THREADS)
  setup.prepare(1, compilation_cache=False)
  assert setup.os.environ.get(setup.XLA_THREADS) == threads
