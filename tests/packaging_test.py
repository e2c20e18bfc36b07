"""The package as others install it: a wheel has the configs, and needs no folder to be run in."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

import toy_superposition as ts
from tests.command import CACHE, ROOT, TINY, in_process, succeed
from toy_superposition.config import catalogue

SOURCES = [
  path.relative_to(ROOT)
  for path in (ROOT / "toy_superposition").rglob("*")
  if path.is_file() and "__pycache__" not in path.parts
]
CONFIGS = sorted((ROOT / "configs").glob("*.py"))
with open(ROOT / "pyproject.toml", "rb") as project:
  PROJECT = tomllib.load(project)["project"]
VERSIONS = [  # of Python, such as "3.12"
  version
  for classifier in PROJECT["classifiers"]
  if re.fullmatch(r"\d\.\d+", version := classifier.rpartition(" :: ")[2])
]
OWN = """from toy_superposition.config import base


def get_config(variant=None):
  return base.shipped(f"correlated_pairs:{variant or ''}")
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
  """Returns a folder with the content of a wheel, as an installation has it in site-packages."""
  folder = tmp_path_factory.mktemp("wheel")
  built = next(WheelBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"]))
  site = folder / "site-packages"
  zipfile.ZipFile(built).extractall(site)
  return site


@pytest.fixture
def somebodys(tmp_path, monkeypatch) -> Path:
  """Returns the current folder, which has a package `configs` that must not be executed."""
  (tmp_path / "configs").mkdir()
  for name in ("__init__", "base", "phase_change", "correlated_pairs"):
    (tmp_path / "configs" / f"{name}.py").write_text("raise SystemExit('executed')\n")
  (tmp_path / "own.py").write_text(OWN)
  monkeypatch.chdir(tmp_path)
  return tmp_path


def test_a_wheel_has_one_package_with_all_files_and_all_configs(wheel):
  names = {path.name for path in wheel.iterdir() if path.suffix != ".dist-info"}
  assert names == {"toy_superposition"}
  for path in SOURCES:
    assert (wheel / path).read_bytes() == (ROOT / path).read_bytes()
  found = sorted((wheel / "toy_superposition" / "configs").iterdir())
  assert [path.name for path in found] == [path.name for path in CONFIGS]
  assert [path.read_bytes() for path in found] == [path.read_bytes() for path in CONFIGS]


def test_an_editable_installation_copies_nothing(tmp_path):
  built = next(WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["editable"]))
  names = zipfile.ZipFile(built).namelist()
  assert [name for name in names if ".dist-info/" not in name] == ["_toy_superposition.pth"]


@pytest.fixture
def as_wheel(wheel, monkeypatch) -> Path:
  """Takes the configs of the wheel for those that come with the package."""
  monkeypatch.setattr(catalogue, "PACKAGE", wheel / "toy_superposition")
  assert catalogue.folder() == wheel / "toy_superposition" / "configs"
  return catalogue.folder()


def test_a_wheel_s_configs_are_those_of_the_clone(as_wheel, somebodys):
  for name in catalogue.names():
    assert catalogue.path(name).parent == as_wheel
    for variant in ("", *catalogue.entry(name).variants):
      assert ts.get_config(f"{name}:{variant}") == ts.get_config(
        f"{ROOT}/configs/{name}.py:{variant}"
      )


def test_a_wheel_s_command_takes_names_and_one_s_own_config(as_wheel, somebodys, monkeypatch):
  for name in ("phase_change:quick", "own.py:quick"):
    done = in_process(monkeypatch, f"--config={name}", "--print_config", cwd=somebodys)
    assert done.returncode == 0, done.stderr
    named = name.replace(":", "_").replace("own.py", "correlated_pairs")
    assert f"name = {named!r}" in done.stdout.splitlines()


def test_a_wheel_lists_its_experiments_in_any_folder(wheel, somebodys):
  done = succeed("--list", cwd=somebodys, env={"PYTHONPATH": str(wheel)})
  for name in catalogue.names():
    assert f"\n{name}[" in f"\n{done.stdout}"


@pytest.mark.slow
def test_a_wheel_that_pip_installs_runs_from_any_folder(tmp_path, somebodys):
  site = tmp_path / "installed"
  pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
  build = [*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", tmp_path, ROOT]
  subprocess.run(list(map(str, build)), check=True)
  install = [*pip, "install", "--no-deps", "--no-index", "--target", site]
  subprocess.run(list(map(str, [*install, *tmp_path.glob("*.whl")])), check=True)
  env = {"PYTHONPATH": str(site), "JAX_COMPILATION_CACHE_DIR": CACHE}

  assert "\nphase_change[" in succeed("--list", cwd=somebodys, env=env).stdout
  code = f"""
import toy_superposition as ts
from toy_superposition.config import catalogue
assert ts.__file__.startswith({str(site)!r}), ts.__file__
print(sum(ts.get_config(name).name == name for name in catalogue.names()))
"""
  done = subprocess.run(
    [sys.executable, "-c", code],
    capture_output=True,
    text=True,
    check=True,
    cwd=somebodys,
    env=os.environ | env,
  )
  assert int(done.stdout) == len(CONFIGS) - 1
  tiny = ["--config=phase_change:quick", *TINY[1:]]
  assert "8 models" in succeed(*tiny, "--dry_run", cwd=somebodys, env=env).stdout
  assert "8 models" in succeed(*tiny, cwd=somebodys, env=env).stdout
  succeed("--config=own.py:quick", "--config.train.steps=20", cwd=somebodys, env=env)
  paper = ["--quick", "--experiments=thomson", "--workdir=runs/paper"]
  assert "1 experiments" in succeed(*paper, module="reproduce", cwd=somebodys, env=env).stdout
  results = {path.parent.name for path in (somebodys / "runs").rglob("results.nc")}
  assert results == {"phase_change_quick", "correlated_pairs_quick", "thomson"}


def test_the_versions_of_python_are_those_from_3_11_to_3_14():
  assert VERSIONS == ["3.11", "3.12", "3.13", "3.14"]
  assert (
    PROJECT["requires-python"] == f">={VERSIONS[0]}"
  )  # and no upper bound, which pip would keep


def interpreter(version: str) -> str | None:
  """Returns an installed Python of a version, from the path or pyenv's folder; None without one."""
  pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
  on_path = shutil.which(f"python{version}")
  candidates = [on_path] if on_path else []
  candidates += map(str, sorted(pyenv.glob(f"{version}.*/bin/python")))
  code = "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2])"
  for candidate in candidates:
    done = subprocess.run([candidate, "-c", code], capture_output=True, text=True, check=False)
    if done.stdout.strip() == version:  # a shim may be of a version that is not installed
      return candidate
  return None


@pytest.mark.slow
@pytest.mark.parametrize("version", VERSIONS)
def test_every_installed_python_installs_the_package_and_runs_it(version, tmp_path):
  """What pip finds for it, from the package registry; the tests' own Python has all of it."""
  own = f"{sys.version_info.major}.{sys.version_info.minor}"
  python, env = sys.executable, {"PYTHONPATH": str(ROOT)}
  if version != own:
    if (found := interpreter(version)) is None:
      pytest.skip(f"no Python {version} here")
    subprocess.run([found, "-m", "venv", tmp_path / "venv"], check=True)
    python, env = str(tmp_path / "venv" / "bin" / "python"), {"PYTHONPATH": ""}
    pip = [python, "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
    done = subprocess.run([*pip, ROOT], capture_output=True, text=True, check=False)
    if re.search(r"Connection|Temporary failure|timed out", done.stderr) and done.returncode:
      pytest.skip(f"pip cannot reach its registry: {done.stderr.splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
  tiny = ["--config=phase_change:quick", *TINY[1:], "--workdir=run", "--cpu_devices=1"]
  done = subprocess.run(
    [python, "-W", "error::SyntaxWarning:toy_superposition", "-m", "toy_superposition.main", *tiny],
    cwd=tmp_path,
    env=os.environ | env | {"JAX_COMPILATION_CACHE_DIR": str(tmp_path / "cache")},
    capture_output=True,
    text=True,
    check=False,
  )
  assert done.returncode == 0, done.stderr
  assert "8 models" in done.stdout
  assert {"results.nc", "report.html", "figures"} <= {p.name for p in (tmp_path / "run").iterdir()}
