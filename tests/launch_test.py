"""Launchers: linted, checked against Kubernetes' schema, and run with stand-ins for clusters."""

import functools
import getpass
import importlib.util
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from tests.command import (
  CACHE,
  LOG_EVERY,
  LONG,
  NO_THEORY,
  PATIENCE,
  STEPS,
  TINY,
  metrics,
  variables,
)

ROOT = Path(__file__).parent.parent
LAUNCH = ROOT / "launch"
SCRIPTS = sorted([*LAUNCH.glob("*.sh"), *LAUNCH.glob("*.sbatch")])
MANIFESTS = sorted((LAUNCH / "kubernetes").glob("*.yaml"))
HERE = Path(sys.executable).parent  # of the programs of this environment, `python` among them
pytestmark = pytest.mark.skipif(not shutil.which("bash"), reason="the launchers need bash")

# In the place of python: writes down its arguments, and goes on until it is told to stop. A file
# called quick lets all shards end by themselves, and one called fail the shard that it names fail.
PROGRAM = """#!/bin/bash
echo "$*" >>"$FOLDER/calls"
case "$*" in
  *collect*) exit 0 ;;
  *shard="$(cat "$FOLDER/fail" 2>/dev/null)"/*) echo "no such thing"; exit 1 ;;
esac
[[ -e $FOLDER/quick ]] && exit 0
trap 'echo stopped >>"$FOLDER/signals"; sleep 0.3; exit 143' INT TERM
echo $$ >>"$FOLDER/running"
while true; do sleep 0.05; done
"""


@pytest.fixture
def stand_ins(tmp_path):
  """Programs, none as yet, that are found before the real ones."""
  return Programs(tmp_path)


class Programs:
  """Programs that take the place of real ones, and what was asked of them."""

  def __init__(self, folder: Path):
    self.folder = folder
    (folder / "bin").mkdir()
    self.env = os.environ | {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}"}
    self.env["FOLDER"] = str(folder)

  def add(self, name: str, text: str) -> None:
    path = self.folder / "bin" / name
    path.write_text(text)
    path.chmod(0o755)

  def lines(self, name: str) -> list[str]:
    path = self.folder / name
    return path.read_text().splitlines() if path.exists() else []

  def start(self, *command, **env: str) -> subprocess.Popen:
    # A shell cannot trap what is ignored as it starts, such as SIGINT in a background job.
    unignored = ["env", "--default-signal=INT"] if sys.platform == "linux" else []
    return subprocess.Popen(
      [*unignored, *(str(word) for word in command)],
      cwd=self.folder,
      env=self.env | env,
      stdout=subprocess.PIPE,
      stderr=subprocess.STDOUT,
      text=True,
      start_new_session=True,
    )

  def until(self, name: str, number: int) -> None:
    """Waits until a file has that many lines."""
    wait_for(lambda: len(self.lines(name)) >= number)


def wait_for(condition, seconds=PATIENCE) -> None:
  deadline = time.monotonic() + seconds
  while not condition():
    assert time.monotonic() < deadline
    time.sleep(0.02)


def end(process: subprocess.Popen) -> tuple[int, str]:
  """Returns the exit code and the output of a process that ends."""
  try:
    output, _ = process.communicate(timeout=PATIENCE)
  except subprocess.TimeoutExpired:
    os.killpg(process.pid, signal.SIGKILL)
    raise
  return process.returncode, output


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_scripts_are_valid_and_clean(path):
  subprocess.run(["bash", "-n", path], check=True)
  shellcheck = shutil.which("shellcheck", path=f"{HERE}:{os.environ['PATH']}")
  assert shellcheck, "pip install -e '.[test]' brings it"
  done = subprocess.run([shellcheck, path], capture_output=True, text=True, check=False)
  assert done.returncode == 0, done.stdout
  assert os.access(path, os.X_OK) or path.suffix == ".sbatch"


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
def test_manifests_are_valid(path):
  newest = kubernetes_validate.latest_version()
  for resource in yaml.safe_load_all(path.read_text()):
    for known in jobs_of(resource) if resource["kind"] == "JobSet" else [resource]:
      kubernetes_validate.validate(known, newest, strict=True)


def jobs_of(jobset: dict) -> list[dict]:
  """Returns the Jobs that a JobSet makes; the rest of it is in no schema that we have."""
  assert jobset["apiVersion"] == "jobset.x-k8s.io/v1alpha2"
  common = {"apiVersion": "batch/v1", "kind": "Job"}
  name = jobset["metadata"]["name"]
  return [
    common | replicated["template"] | {"metadata": {"name": f"{name}-{replicated['name']}-{i}"}}
    for replicated in jobset["spec"]["replicatedJobs"]
    for i in range(replicated["replicas"])
  ]


def manifest(name: str) -> list[dict]:
  return list(yaml.safe_load_all((LAUNCH / "kubernetes" / name).read_text()))


def test_manifests_agree_with_each_other():
  claim, sweep = manifest("sweep.yaml")
  (collect,) = manifest("collect.yaml")
  same_claim, jobset = manifest("jobset.yaml")
  assert same_claim == claim
  pods = [job["spec"]["template"]["spec"] for job in (sweep, collect, *jobs_of(jobset))]
  for pod in pods:
    (volume,) = pod["volumes"]
    assert volume["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    assert pod["containers"][0]["image"] == pods[0]["containers"][0]["image"]
  for pod in pods[:2]:
    assert "--workdir=/runs/phase_change" in pod["containers"][0]["args"]
  shard = pods[0]["containers"][0]
  assert {"name": "SHARDS", "value": str(sweep["spec"]["completions"])} in shard["env"]


# Instructions of a Dockerfile, with the least number of words that each needs.
INSTRUCTIONS = {"FROM": 1, "ENV": 1, "WORKDIR": 1, "COPY": 2, "ARG": 1, "RUN": 1, "CMD": 1}


def dockerfile() -> list[tuple[str, list[str]]]:
  """Returns the instructions of the Dockerfile, each with its words."""
  lines = (LAUNCH / "Dockerfile").read_text().splitlines()
  kept = "\n".join(line for line in lines if not line.lstrip().startswith("#"))
  found = []
  for line in filter(None, kept.replace("\\\n", " ").splitlines()):
    name, _, rest = line.partition(" ")
    words = json.loads(rest) if rest.startswith("[") else shlex.split(rest)
    assert len(words) >= INSTRUCTIONS[name], line
    found.append((name, words))
  return found


def test_the_image_has_what_the_readme_installs_and_runs_its_main_job():
  instructions = dockerfile()
  assert [name for name, _ in instructions if name in ("FROM", "CMD")] == ["FROM", "CMD"]
  assert instructions[0][0] == "FROM" and instructions[-1][0] == "CMD"
  words = dict(instructions)
  default = {"$" + word.partition("=")[0]: word.partition("=")[2] for word in words["ARG"]}
  install = [
    functools.reduce(lambda w, k: w.replace(k, default[k]), default, w) for w in words["RUN"]
  ]
  readme = (ROOT / "README.md").read_text()
  assert f"\n{shlex.join(install)} && {shlex.join(words['CMD'])}\n" in readme

  with open(ROOT / "pyproject.toml", "rb") as file:
    project = tomllib.load(file)
  copied = {source for name, words in instructions if name == "COPY" for source in words[:-1]}
  packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
  assert copied >= {"pyproject.toml", project["project"]["readme"], *packages}
  assert all((ROOT / name).exists() for name in copied)
  (place,) = [words for name, words in instructions if name == "WORKDIR"]
  assert place[0].startswith("/")
  minimum = project["project"]["requires-python"].removeprefix(">=")
  image, _, version = words["FROM"][0].removesuffix("-slim").partition(":")
  assert image == "python" and tuple(map(int, version.split("."))) >= tuple(
    map(int, minimum.split("."))
  )


def test_what_the_launchers_install_and_start_exists():
  """Extras of the package, entry points and configs, in every file of this folder."""
  with open(ROOT / "pyproject.toml", "rb") as file:
    extras = tomllib.load(file)["project"]["optional-dependencies"]
  found: dict[str, set[str]] = {"extra": set(), "module": set(), "config": set()}
  for path in (ROOT / "README.md", *(p for p in LAUNCH.rglob("*") if p.is_file())):
    text = path.read_text()
    found["extra"] |= set(re.findall(r"""(?:["']\.|`\.|EXTRAS=")\[([a-z0-9,]+)\]""", text))
    found["module"] |= set(re.findall(r"-m[\", ]+toy_superposition\.(\w+)", text))
    found["config"] |= set(re.findall(r"--config=(?:configs/)?(\w+)", text))
  assert {"cuda", "tpu", "gcs", "s3", "test"} <= found["extra"] <= extras.keys()
  assert {"main", "collect", "reproduce"} <= found["module"]
  for name in found["module"]:
    assert importlib.util.find_spec(f"toy_superposition.{name}"), name
  assert "phase_change" in found["config"]
  for name in found["config"] - {"x"}:  # a stand-in, in the scripts' usage
    assert (ROOT / "configs" / f"{name}.py").is_file(), name


def test_the_image_that_is_built_is_the_one_that_pods_and_apptainer_run():
  (shard, *_) = manifest("sweep.yaml")[1]["spec"]["template"]["spec"]["containers"]
  image = shard["image"].removesuffix(":latest")
  about = (LAUNCH / "README.md").read_text()
  build = f"docker build -f launch/Dockerfile -t {image} ."
  assert build in about and build in (LAUNCH / "Dockerfile").read_text()
  for line in (f"docker push {image}\n", f"docker://{image} python -m toy_superposition.main"):
    assert line in about


@pytest.mark.parametrize("name", ["sweep.yaml", "collect.yaml", "jobset.yaml"])
def test_pods_have_a_quota_from_which_the_program_takes_its_cores(name):
  resources = re.findall(
    r"requests:\n +cpu: (.*)\n(?:.*\n)+? +limits:\n +cpu: (\S*)",
    (LAUNCH / "kubernetes" / name).read_text(),
  )
  assert resources and all(asked == allowed for asked, allowed in resources)
  assert "--cpu_devices" not in (LAUNCH / "kubernetes" / name).read_text()


def test_the_command_of_a_pod_runs_the_shard_of_its_index(stand_ins):
  _, sweep = manifest("sweep.yaml")
  (shard,) = sweep["spec"]["template"]["spec"]["containers"]
  stand_ins.add("python", PROGRAM)
  process = stand_ins.start(
    *shard["command"], *shard["args"], JOB_COMPLETION_INDEX="3", SHARDS="16"
  )
  stand_ins.until("running", 1)
  process.terminate()  # the pod's first process alone
  assert end(process)[0] == 143
  assert stand_ins.lines("calls") == [
    f"-m toy_superposition.main --shard=3/16 {' '.join(shard['args'])}"
  ]


def test_the_processes_of_a_jobset_are_numbered_and_know_the_first_ones_name():
  _, jobset = manifest("jobset.yaml")
  (job,) = jobs_of(jobset)
  (container,) = job["spec"]["template"]["spec"]["containers"]
  n = job["spec"]["completions"]
  assert n == job["spec"]["parallelism"] and job["spec"]["completionMode"] == "Indexed"
  first = f"{job['metadata']['name']}-0.{jobset['metadata']['name']}"
  assert container["env"] == [{"name": "FIRST", "value": first}]
  assert container["args"][:3] == [
    "--coordinator=$(FIRST):1234",
    f"--num_processes={n}",
    "--process_id=$(JOB_COMPLETION_INDEX)",
  ]


def test_a_pod_of_a_jobset_waits_for_the_first_one(stand_ins):
  _, jobset = manifest("jobset.yaml")
  (job,) = jobs_of(jobset)
  (container,) = job["spec"]["template"]["spec"]["containers"]
  stand_ins.add("python", PROGRAM)
  with socket.create_server(("127.0.0.1", 0)) as server:
    port = server.getsockname()[1]
  command = [word.replace("1234", str(port)) for word in container["command"]]

  def pod(number):
    return stand_ins.start(*command, "--x", FIRST="127.0.0.1", JOB_COMPLETION_INDEX=number)

  first, second, early = pod("0"), pod("1"), pod("1")
  stand_ins.until("running", 1)
  time.sleep(0.5)
  early.terminate()
  assert end(early)[0] == 143  # stopped while it waits
  assert len(stand_ins.lines("running")) == 1
  with socket.create_server(("127.0.0.1", port)):
    stand_ins.until("running", 2)
  for process in (first, second):
    process.terminate()  # the pod's first process alone
    assert end(process) == (143, "")
  assert stand_ins.lines("calls") == 2 * ["-m toy_superposition.main --x"]


def local(stand_ins, *arguments):
  return stand_ins.start(LAUNCH / "local.sh", *arguments, "--config=x.py", "--workdir=run")


def test_local_runs_shards_of_an_experiment_and_collects_them(tmp_path):
  workdir = tmp_path / "run"
  fast = "--config.train.estimator=autodiff"  # to compile
  done = subprocess.run(
    [LAUNCH / "local.sh", "2", *TINY, *NO_THEORY, fast, f"--workdir={workdir}"],
    env=os.environ
    | {"PATH": f"{HERE}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    | {"JAX_COMPILATION_CACHE_DIR": CACHE},
    capture_output=True,
    text=True,
    timeout=PATIENCE,
    check=False,
  )
  assert done.returncode == 0, done.stdout + done.stderr
  assert "8 models, 0 not finite" in done.stdout
  assert variables(workdir)["/ loss"].shape == (2, 2, 2)
  assert {path.name for path in (workdir / "logs").iterdir()} == {"0-of-2.log", "1-of-2.log"}


def test_local_shares_the_cores_out(stand_ins):
  stand_ins.add("python", PROGRAM)
  stand_ins.add(
    "taskset",
    """#!/bin/bash
[[ $1 == -cp ]] && echo "pid $2's current affinity list: 0-2,8,10-11" && exit
echo "$2" >>"$FOLDER/cores"
exec "${@:3}"
""",
  )
  (stand_ins.folder / "quick").touch()
  assert end(local(stand_ins, 4))[0] == 0
  assert sorted(stand_ins.lines("cores")) == ["0", "1,2", "10,11", "8"]
  calls = stand_ins.lines("calls")
  assert calls.pop() == "-m toy_superposition.collect --workdir=run"
  assert sorted(calls) == [
    f"-m toy_superposition.main --shard={i}/4 --cpu_devices={n} --config=x.py --workdir=run"
    for i, n in enumerate((1, 2, 1, 2))
  ]


def test_local_gives_more_shards_than_cores_one_each(stand_ins):
  stand_ins.add("python", PROGRAM)
  (stand_ins.folder / "quick").touch()
  shards = 2 * (os.cpu_count() or 1) + 1
  assert end(local(stand_ins, shards))[0] == 0
  *calls, _ = stand_ins.lines("calls")
  assert len(calls) == shards and all("--cpu_devices=1 " in call for call in calls)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_local_passes_signals_on_once_and_waits(stand_ins, number):
  stand_ins.add("python", PROGRAM)
  process = local(stand_ins, 3)
  stand_ins.until("running", 3)
  os.killpg(process.pid, number)  # as a terminal does
  code, output = end(process)
  assert code == 128 + number and "the same command continues" in output
  assert stand_ins.lines("signals") == 3 * ["stopped"]
  assert not any("collect" in call for call in stand_ins.lines("calls"))


def test_a_failing_shard_stops_no_other_and_is_named(stand_ins):
  stand_ins.add("python", PROGRAM)
  (stand_ins.folder / "quick").touch()
  (stand_ins.folder / "fail").write_text("1")
  code, output = end(local(stand_ins, 3))
  assert code == 1 and len(stand_ins.lines("calls")) == 3
  assert "shard 1/3 ended with code 1: no such thing" in output
  assert "1 of 3 shards failed: 1;" in output


@pytest.mark.parametrize(
  "command",
  [
    ["local.sh", "--config=x.py", "--workdir=run"],
    ["local.sh", "0", "--config=x.py", "--workdir=run"],
    ["local.sh", "2", "--config=x.py"],
    ["local.sh", "2", "--config=x.py", "--workdir="],
    ["tpu_vm.sh", "--config=x.py", "--workdir=run"],
    ["tpu_vm.sh", "tpu", "zone", "--config=x.py", "--workdir=/run"],
  ],
)
def test_wrong_usage_is_explained(stand_ins, command):
  code, output = end(stand_ins.start(LAUNCH / command[0], *command[1:]))
  assert code == 2 and output.startswith("usage:")
  assert os.listdir(stand_ins.folder) == ["bin"]


def slurm_task(stand_ins):
  stand_ins.add("python", PROGRAM)
  stand_ins.add("scontrol", '#!/bin/bash\necho "$*" >>"$FOLDER/scontrol"\n')
  task = {"SLURM_ARRAY_TASK_ID": "3", "SLURM_ARRAY_TASK_COUNT": "8", "SLURM_CPUS_PER_TASK": "4"}
  job = {"SLURM_ARRAY_JOB_ID": "70", "SLURM_JOB_ID": "74"}
  script = LAUNCH / "slurm_array.sbatch"
  return stand_ins.start("bash", script, "--config=x.py", "--workdir=run", **task, **job)


def test_a_slurm_task_that_is_warned_saves_and_is_requeued(stand_ins):
  process = slurm_task(stand_ins)
  stand_ins.until("running", 1)
  process.send_signal(signal.SIGUSR1)  # SLURM's B: signals the shell alone
  code, output = end(process)
  assert code == 143 and "back into the queue" in output
  assert stand_ins.lines("scontrol") == ["requeue 70_3"]
  assert stand_ins.lines("signals") == ["stopped"]
  assert stand_ins.lines("calls") == [
    "-m toy_superposition.main --shard=3/8 --cpu_devices=4 --config=x.py --workdir=run"
  ]


def test_a_slurm_task_that_is_cancelled_saves_and_is_not_requeued(stand_ins):
  process = slurm_task(stand_ins)
  stand_ins.until("running", 1)
  os.killpg(process.pid, signal.SIGTERM)  # SLURM signals every process of the task
  assert end(process)[0] == 143
  assert stand_ins.lines("signals") == ["stopped"]
  assert stand_ins.lines("scontrol") == []


@pytest.mark.parametrize(("ending", "code"), [("quick", 0), ("fail", 1)])
def test_a_slurm_task_ends_with_the_programs_code(stand_ins, ending, code):
  (stand_ins.folder / ending).write_text("3")
  assert end(slurm_task(stand_ins))[0] == code
  assert stand_ins.lines("scontrol") == []


SRUN = """#!/bin/bash
# A step of two processes, and the highest of their codes.
while [[ $1 == --* ]]; do shift; done
"$@" & first=$!
"$@" & second=$!
wait $first; one=$?
wait $second; two=$?
exit $((one > two ? one : two))
"""


def slurm_step(stand_ins, srun=SRUN):
  stand_ins.add("srun", srun)
  stand_ins.add("python", PROGRAM)
  stand_ins.add("scontrol", '#!/bin/bash\necho "scontrol $*" >>"$FOLDER/slurm"\n')
  stand_ins.add(
    "scancel",
    '#!/bin/bash\necho "scancel $*" >>"$FOLDER/slurm"\nkill -TERM $(<"$FOLDER/running")\n',
  )
  script = LAUNCH / "slurm_multihost.sbatch"
  job = {"SLURM_JOB_ID": "74", "SLURM_CPUS_PER_TASK": "4"}
  return stand_ins.start("bash", script, "--config=x.py", "--workdir=run", **job)


def test_a_slurm_step_that_is_warned_saves_and_is_requeued(stand_ins):
  process = slurm_step(stand_ins)
  stand_ins.until("running", 2)
  process.send_signal(signal.SIGUSR1)
  code, output = end(process)
  assert code == 143 and "back into the queue" in output
  assert stand_ins.lines("slurm") == ["scancel --signal=TERM 74.0", "scontrol requeue 74"]
  assert stand_ins.lines("signals") == 2 * ["stopped"]
  call = "-m toy_superposition.main --coordinator=auto --cpu_devices=4 --config=x.py --workdir=run"
  assert stand_ins.lines("calls") == 2 * [call]


@pytest.mark.parametrize("warned", [False, True])
def test_a_slurm_step_that_is_cancelled_saves_and_is_not_requeued(stand_ins, warned):
  process = slurm_step(stand_ins)
  stand_ins.until("running", 2)
  if warned:
    process.send_signal(signal.SIGUSR1)
    stand_ins.until("signals", 2)
  process.terminate()  # SLURM signals the shell as well as the step's processes
  if not warned:
    for number in stand_ins.lines("running"):
      os.kill(int(number), signal.SIGTERM)
  assert end(process)[0] == 143
  assert stand_ins.lines("signals") == 2 * ["stopped"]
  assert stand_ins.lines("slurm") == (["scancel --signal=TERM 74.0"] if warned else [])


# 143 as well: srun ends the others when one process fails, and returns the highest code.
@pytest.mark.parametrize("code", [0, 1, 143])
def test_a_slurm_step_ends_with_the_code_of_srun(stand_ins, code):
  assert end(slurm_step(stand_ins, f"#!/bin/bash\nexit {code}\n"))[0] == code
  assert stand_ins.lines("slurm") == []


GCLOUD = """#!/bin/bash
# Two workers, each a folder.
verb=$4
for last; do :; done
case $verb in
  describe) echo "10.0.0.1;10.0.0.2" ;;
  scp) echo "${*:5}" >>"$FOLDER/copies" ;;
  ssh)
    for worker in 0 1; do
      mkdir -p "$FOLDER/worker_$worker" && cd "$FOLDER/worker_$worker" || exit 1
      WORKER=$worker bash -c "${last#--command=}" || exit 1
    done ;;
esac
"""


def test_a_tpu_vm_runs_one_shard_on_each_worker(stand_ins):
  stand_ins.add("gcloud", GCLOUD)
  stand_ins.add("curl", '#!/bin/bash\necho "$WORKER"\n')
  stand_ins.add("git", "#!/bin/bash\n")
  stand_ins.add("python", PROGRAM)
  stand_ins.add("python3", '#!/bin/bash\necho "$*" >>"$FOLDER/installs"\n')
  # What the archive would bring and the installation make.
  stand_ins.add("tar", '#!/bin/bash\nmkdir -p .venv/bin && cp "$FOLDER/bin/python" .venv/bin\n')
  (stand_ins.folder / "quick").touch()
  flags = ["--config=x.py", "--config.train.schedule=a b", "--workdir=runs/x"]
  code, output = end(stand_ins.start(LAUNCH / "tpu_vm.sh", "tpu", "zone", *flags))
  assert code == 0, output
  assert stand_ins.lines("calls") == [
    *(f"-m toy_superposition.main --shard={i}/2 {' '.join(flags)}" for i in (0, 1)),
    "-m toy_superposition.collect --workdir=runs/x",
  ]
  assert (
    sum("pip install" in line and ".[tpu]" in line for line in stand_ins.lines("installs")) == 2
  )
  back = [
    line for line in stand_ins.lines("copies") if "tpu:toy_superposition/runs/x/shards" in line
  ]
  assert [line.rsplit(maxsplit=1)[-1] for line in back] == ["--worker=0", "--worker=1"]


SLURM_PACKAGES = (
  *("slurmctld", "slurmd", "slurm-client", "slurm-wlm-basic-plugins"),
  *("munge", "libmunge2", "libhwloc15"),
)
SLURM_CONF = """ClusterName=test
SlurmctldHost={host}
AuthType=auth/none
CredType=cred/none
SlurmUser={user}
SlurmdUser={user}
PluginDir={library}/slurm-wlm
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SchedulerParameters=sched_interval=1
SelectType=select/cons_tres
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
NodeName={host} CPUs={cores} State=UNKNOWN
PartitionName=all Nodes={host} Default=YES State=UP
"""


def free_ports(number: int) -> list[int]:
  sockets = [socket.create_server(("", 0)) for _ in range(number)]
  ports = [s.getsockname()[1] for s in sockets]
  for s in sockets:
    s.close()
  return ports


@pytest.fixture
def slurm(tmp_path):
  """Starts a SLURM of one node from Debian's packages, not installed; runs its commands."""
  if not (shutil.which("apt-get") and shutil.which("dpkg")):
    pytest.skip("needs Debian's package tools")
  command = ["apt-get", "download", *SLURM_PACKAGES]
  if subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode != 0:
    pytest.skip("the packages cannot be had")
  root = tmp_path / "root"
  for package in tmp_path.glob("*.deb"):
    subprocess.run(["dpkg", "-x", package, root], check=True)
  library = next(root.glob("usr/lib/*/slurm-wlm")).parent
  for name in ("state", "spool"):
    (tmp_path / name).mkdir()
  host, cores = socket.gethostname(), len(os.sched_getaffinity(0))
  conf = tmp_path / "slurm.conf"
  words = {"host": host, "cores": cores, "user": getpass.getuser(), "library": library}
  conf.write_text(SLURM_CONF.format(**words, folder=tmp_path, ports=free_ports(2)))
  env = os.environ | {"SLURM_CONF": str(conf), "PYTHONPATH": str(ROOT)}
  env["PATH"] = f"{root / 'usr/bin'}:{HERE}:{os.environ['PATH']}"
  env["LD_LIBRARY_PATH"] = f"{library}:{library / 'slurm-wlm'}"
  env["JAX_COMPILATION_CACHE_DIR"] = CACHE

  def run(*words, check: bool = True) -> str:
    done = subprocess.run(
      [str(word) for word in words],
      cwd=tmp_path,
      env=env,
      capture_output=True,
      text=True,
      check=False,
    )
    assert done.returncode == 0 or not check, done.stdout + done.stderr
    return done.stdout.strip()

  binaries = root / "usr" / "sbin"
  daemons = [
    subprocess.Popen([str(word) for word in words], env=env, stderr=subprocess.DEVNULL)
    for words in (
      (binaries / "slurmctld-wlm", "-D"),
      (binaries / "slurmd-wlm", "-D", "-d", binaries / "slurmstepd-wlm", "-N", host),
    )
  ]
  try:
    wait_for(lambda: "idle" in run("sinfo", "--noheader", check=False))
    yield run
    run("scancel", "--user", getpass.getuser())
    wait_for(lambda: run("squeue", "--noheader") == "")
  finally:
    for daemon in reversed(daemons):
      daemon.terminate()
      daemon.wait(PATIENCE)


def tasks(slurm, job: str) -> list[str]:
  """Returns the tasks of a job that are not over, each with its state."""
  return slurm("squeue", "--noheader", "--array", "--format=%i %T", "--jobs", job).splitlines()


@pytest.mark.slow
def test_a_real_slurm_requeues_what_it_warned_and_not_what_was_cancelled(slurm, tmp_path):
  def submit(workdir):
    options = ["--parsable", "--cpus-per-task=1", "--mem=0", f"--output={workdir}-%a.out"]
    script = LAUNCH / "slurm_array.sbatch"
    job = slurm("sbatch", *options, "--array=0-1", script, *LONG, f"--workdir={workdir}")
    shards = [workdir / "shards" / f"0000{number}-of-00002" for number in (0, 1)]
    wait_for(lambda: (shards[1] / "checkpoints" / "group_0000").exists())
    return job

  workdir = tmp_path / "warned"
  job = submit(workdir)
  collection = f"python -m toy_superposition.collect --workdir={workdir}"
  slurm("sbatch", f"--dependency=afterok:{job}", "--output=collect.out", f"--wrap={collection}")
  slurm("scancel", "--batch", "--signal=USR1", f"{job}_1")
  wait_for(lambda: f"{job}_1 PENDING" in tasks(slurm, job))
  time.sleep(4)  # SLURM waits two minutes, so that all of the first run is gone
  slurm("scontrol", "update", f"JobId={job}_1", "StartTime=now")
  wait_for(lambda: (workdir / "results.nc").exists())
  log = (tmp_path / "warned-1.out").read_text()
  assert "back into the queue" in log and "continuing after step" in log
  assert "continuing after step" not in (tmp_path / "warned-0.out").read_text()

  workdir = tmp_path / "cancelled"
  job = submit(workdir)
  slurm("scancel", job)
  wait_for(lambda: tasks(slurm, job) == [])
  log = (tmp_path / "cancelled-1.out").read_text()
  assert "SIGTERM: stopped; the same command continues" in log
  assert "back into the queue" not in log


@pytest.mark.slow
def test_a_real_slurm_runs_processes_together_and_requeues_them_as_one(slurm, tmp_path):
  def submit(workdir):
    options = ["--parsable", "--cpus-per-task=1", "--mem=0", f"--output={workdir}.out"]
    options += ["--nodes=1", "--ntasks-per-node=2", "--overcommit"]  # one core will do
    job = slurm(
      "sbatch", *options, LAUNCH / "slurm_multihost.sbatch", *LONG, f"--workdir={workdir}"
    )
    group = workdir / "checkpoints" / "group_0000"
    wait_for(lambda: any(path.name.isdigit() for path in group.glob("*")))
    return job

  workdir = tmp_path / "warned"
  job = submit(workdir)
  slurm("scancel", "--batch", "--signal=USR1", job)
  wait_for(lambda: f"{job} PENDING" in tasks(slurm, job))
  log = (tmp_path / "warned.out").read_text()
  assert log.count("SIGTERM: stopped; the same command continues") == 2
  time.sleep(4)  # SLURM waits two minutes, so that all of the first run is gone
  slurm("scontrol", "update", f"JobId={job}", "StartTime=now")
  wait_for(lambda: (workdir / "results.nc").exists())
  assert "continuing after step" in (tmp_path / "warned.out").read_text()
  assert len(metrics(workdir)) == STEPS // LOG_EVERY  # none of them twice

  workdir = tmp_path / "cancelled"
  job = submit(workdir)
  slurm("scancel", job)
  wait_for(lambda: tasks(slurm, job) == [])
  log = (tmp_path / "cancelled.out").read_text()
  assert log.count("SIGTERM: stopped; the same command continues") == 2
  assert "back into the queue" not in log
