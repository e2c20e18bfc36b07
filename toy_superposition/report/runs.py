"""A finished run as the report shows it, read from its folder; its claims as JSON and Markdown."""

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from toy_superposition import experiments, runner, shards
from toy_superposition.config import catalogue
from toy_superposition.experiments import excess
from toy_superposition.experiments.experiment import VERDICTS, Claim
from toy_superposition.records import files, results
from toy_superposition.records import workdir as workdirs
from toy_superposition.records.workdir import Workdir

if TYPE_CHECKING:
  import xarray as xr


class Run(NamedTuple):
  """What the report shows of one run."""

  name: str
  about: str = ""  # one line
  experiment: str = "none"  # a name in experiments.NAMES, or "none"
  claims: Sequence[Claim] = ()
  figures: Sequence[Path] = ()  # PNG files
  command: str = ""  # that reproduces the run
  config: Mapping[str, Any] = MappingProxyType({})  # every field
  sessions: Sequence[Mapping[str, Any]] = ()  # in order of time
  datasets: Mapping[str, "xr.Dataset"] = MappingProxyType({})
  problem: str = ""  # why there is no result, "" if there is one

  @property
  def seconds(self) -> float:
    """Total time of all sessions."""
    return sum((session.get("seconds", 0.0) for session in self.sessions), 0.0)

  @property
  def losses(self) -> list[str]:
    """Median loss, and how far models are above the known optimum, in a sentence for each shape;
    nothing of untrained models."""
    found = []
    for name, dataset in self.datasets.items():
      if name != results.SWEEP and self.config.get("train.steps", 0) and "loss" in dataset:
        above = excess.sentence(dataset)
        shape = f"{name.strip('/')}: " if name.strip("/") else ""
        found.append(f"{shape}{excess.losses(dataset)}{'; ' if above else ''}{above}.")
    return found

  @property
  def section(self) -> str:
    """The paper's section, "" without an experiment."""
    return "" if self.experiment == "none" else experiments.get(self.experiment).section


def read(
  workdir: Workdir,
  *,
  name: str = "",
  about: str = "",
  command: str = "",
  datasets: Mapping[str, "xr.Dataset"] | None = None,
  claims: Sequence[Claim] | None = None,
) -> Run:
  """Returns what the report shows of the finished run in a folder.

  Args:
    workdir: of the run.
    name: of the run; its config's by default.
    about: one line; sizes and number of models by default.
    command: that reproduces it; that of its last session by default.
    datasets: its results; read if not given.
    claims: what the results decide; computed if not given.

  Raises:
    UserError: there are no results, or a file is damaged.
  """
  datasets = results.read(workdir) if datasets is None else datasets
  config, sessions = workdirs.read_values(workdir), workdirs.sessions(workdir)
  made_by = _command(sessions)
  folders = [shard.folder(workdir.path) for shard in shards.begun(workdir.path)]
  if folders:  # the results were collected from shards, which took the time
    of_shards = [workdirs.sessions(Workdir(folder)) for folder in folders]
    of_any = re.sub(r"--shard[= ]\d+/(\d+)", r"--shard=i/\1", _command(of_shards[0]))
    made_by = f"{of_any}   # for every i from 0 to {len(folders) - 1}, and then\n{made_by}"
    sessions = [*(session for of_shard in of_shards for session in of_shard), *sessions]
  experiment = config["experiment"]
  return Run(
    name=name or str(config["name"]),
    about=about or f"{_subject(config)}{_sizes(config, datasets)}",
    experiment=experiment,
    claims=runner.claims(experiment, datasets) if claims is None else claims,
    figures=[path for path in workdirs.pictures(workdir) if path.suffix == ".png"],
    command=command or made_by,
    config=config,
    sessions=sessions,
    datasets=datasets,
  )


def _command(sessions: Sequence[Mapping[str, Any]]) -> str:
  """Returns the command of the last session, without the path of its Python."""
  return shlex.join(["python", *sessions[-1]["command"][1:]]) if sessions else ""


def _subject(config: Mapping[str, Any]) -> str:
  """Returns what a run of a shipped config is about, with a blank after it; "" of another one."""
  name = str(config["name"])
  names = (name, name.rpartition("_")[0])  # a variant's name follows the config's
  known = [name for name in names if (catalogue.folder() / f"{name}.py").is_file()]
  return f"{catalogue.about(known[0])} " if known and name else ""


def _sizes(config: Mapping[str, Any], datasets: Mapping[str, "xr.Dataset"]) -> str:
  n_models = _n_models(datasets)
  n, m, latents = (
    sorted({dataset.sizes[dim] for dataset in datasets.values() if dim in dataset.sizes})
    for dim in ("feature", "hidden", "latent")
  )
  n, m = n or [config["model.n_features"]], m or [config["model.n_hidden"]]
  hidden = f"in {_span(m)} hidden dimension{'s' if m != [1] else ''}"
  if latents:  # of sparse autoencoders
    hidden = f"and {_span(latents)} latents"
  names = sorted({str(ds.attrs.get("model", config["model.name"])) for ds in datasets.values()})
  named = f"{_span(n)} features {hidden}, {', '.join(names)}"
  return f"{named}: {n_models} model{'s' if n_models != 1 else ''}."


def _span(values: Sequence[int]) -> str:
  return str(values[0]) if len(values) == 1 else f"{values[0]} to {values[-1]}"


def _n_models(datasets: Mapping[str, "xr.Dataset"]) -> int:
  """Returns the number of models. The group of a whole sweep repeats those of the others."""
  return sum(int(ds["finite"].size) for name, ds in datasets.items() if name != results.SWEEP)


def counts(claims: Sequence[Claim]) -> dict[str, int]:
  """Returns verdict → number of claims."""
  return {verdict: sum(claim.verdict == verdict for claim in claims) for verdict in VERDICTS}


def summary(claims: Sequence[Claim]) -> str:
  """Returns the counts in words, without those that are 0."""
  parts = [f"{n} {verdict}" for verdict, n in counts(claims).items() if n]
  return ", ".join(parts) or "no claims"


def total(runs: Sequence[Run]) -> str:
  """Returns the counts over all runs, and the names of those that failed, in a sentence."""
  text = summary([claim for run in runs for claim in run.claims])
  failed = [run.name for run in runs if run.problem]
  return text + (f"; failed: {', '.join(failed)}" if failed else "") + "."


def write_claims(path: Path, runs: Sequence[Run]) -> None:
  """Writes every claim as a JSON object with its run, as "experiment", and the paper's section."""
  rows: list[dict[str, Any]] = [
    {"experiment": run.name, "section": run.section, **claim._asdict()}
    for run in runs
    for claim in run.claims
  ]
  files.write_json(path, rows)


def markdown(runs: Sequence[Run]) -> str:
  """Returns the claims as Markdown: per run, a heading with the paper's section and a table."""
  lines = []
  for run in runs:
    lines += [f"### {run.name}: {run.section or run.about}", ""]
    if run.problem:
      lines += [f"Failed: {run.problem}", ""]
    if not run.claims:
      continue
    for cells in (Claim._fields, ["---"] * len(Claim._fields), *run.claims):
      row = (cell.replace("|", r"\|").replace("\n", " ") for cell in cells)
      lines.append(f"| {' | '.join(row)} |")
    lines.append("")
  return "\n".join(lines)


def write_markdown(path: Path, runs: Sequence[Run]) -> None:
  """Writes the claims as Markdown, as `markdown` returns them."""
  with files.replacing(path) as temporary:
    temporary.write_text(markdown(runs), encoding="utf-8")


def provenance(run: Run) -> list[tuple[str, str]]:
  """Returns pairs (name, text): seed, times, cost, devices, versions and commit, if known."""
  if not run.sessions:
    return []
  last = run.sessions[-1]
  versions = ", ".join(f"{name} {version}" for name, version in last.get("versions", {}).items())
  starts = sorted(str(session["started"]) for session in run.sessions if "started" in session)
  started = ", ".join(starts if len(starts) <= 3 else (starts[0], "…", starts[-1]))
  rows = [
    ("seed", str(run.config.get("seed", ""))),
    ("started", started),
    ("time", f"{run.seconds:.0f} s" + _sessions(run)),
    ("cost", _cost(run)),
    ("devices", _devices(last.get("devices", ()))),
    ("versions", versions),
    ("commit", str(last.get("commit") or "")),
  ]
  return [(name, text) for name, text in rows if text]


def _sessions(run: Run) -> str:
  return f" in {len(run.sessions)} sessions" if len(run.sessions) > 1 else ""


def _devices(names: Sequence[str]) -> str:
  return f"{len(names)}: {', '.join(map(str, names))}" if names else ""


def _cost(run: Run) -> str:
  """Returns the amount of training in words: models × steps × examples."""
  steps, batch = run.config.get("train.steps", 0), run.config.get("train.batch_size", 0)
  if not steps:
    return "no training"
  return f"{_n_models(run.datasets)} models × {steps} steps × {batch} examples"


def config_text(config: Mapping[str, Any]) -> str:
  """Returns the fields of a config, one per line."""
  return "\n".join(
    f"{name} = {json.dumps(config[name], ensure_ascii=False)}" for name in sorted(config)
  )
