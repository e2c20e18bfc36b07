"""What a page says of a run, read from its folder; its claims as JSON and Markdown."""

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from toy_superposition import runner, shards
from toy_superposition.experiments import ANALYSES
from toy_superposition.experiments.experiment import VERDICTS, Claim
from toy_superposition.records import files, results
from toy_superposition.records.workdir import Workdir

if TYPE_CHECKING:
  import xarray as xr


class Run(NamedTuple):
  """What the page says of one experiment."""

  name: str
  about: str = ""  # one line
  analysis: str = "none"  # row of ANALYSES, or "none"
  claims: Sequence[Claim] = ()
  figures: Sequence[Path] = ()  # PNG files
  command: str = ""  # that makes the run again
  config: Mapping[str, Any] = MappingProxyType({})  # every field
  sessions: Sequence[Mapping[str, Any]] = ()  # of the manifest, the last one last
  datasets: Mapping[str, "xr.Dataset"] = MappingProxyType({})
  problem: str = ""  # why there is no result, if there is none

  @property
  def seconds(self) -> float:
    """Time of all sessions together."""
    return sum(session.get("seconds", 0.0) for session in self.sessions)

  @property
  def section(self) -> str:
    """The paper's section, "" without one."""
    return ANALYSES[self.analysis].section if self.analysis in ANALYSES else ""


def read(
  workdir: Workdir,
  *,
  name: str = "",
  about: str = "",
  command: str = "",
  datasets: Mapping[str, "xr.Dataset"] | None = None,
  claims: Sequence[Claim] | None = None,
) -> Run:
  """Returns what the page says of the finished run in a folder.

  Args:
    workdir: of the run.
    name: that of its config if not given.
    about: one line; sizes and number of models if not given.
    command: that makes it again; that of its last session if not given.
    datasets: its results, where they have been read already.
    claims: what they decide, where it has been computed already.

  Raises:
    UserError: there are no results, or a file is damaged.
  """
  manifest = files.read_json(workdir.manifest)
  datasets = results.read(workdir) if datasets is None else datasets
  config, sessions = manifest["config"], manifest["sessions"]
  made_by = _command(sessions[-1])
  parts = [shard.folder(workdir.path) for shard in shards.found(workdir.path)]
  if parts:  # the results are a collection: its parts took the time
    of_parts = [files.read_json(Workdir(part).manifest)["sessions"] for part in parts]
    one = re.sub(r"--shard[= ]\d+/(\d+)", r"--shard=i/\1", _command(of_parts[0][-1]))
    made_by = f"{one}   # for every i from 0 to {len(parts) - 1}, and then\n{made_by}"
    sessions = [*(session for part in of_parts for session in part), *sessions]
  return Run(
    name=name or str(config["name"]),
    about=about or _sizes(config, datasets),
    analysis=config["analysis"],
    claims=runner.claims(config["analysis"], datasets) if claims is None else claims,
    figures=sorted(workdir.figures.glob("*.png")),
    command=command or made_by,
    config=config,
    sessions=sessions,
    datasets=datasets,
  )


def _command(session: Mapping[str, Any]) -> str:
  """Returns the command of a session, without where its Python lies."""
  return shlex.join(["python", *session["command"][1:]])


def _sizes(config: Mapping[str, Any], datasets: Mapping[str, "xr.Dataset"]) -> str:
  n_models = _n_models(datasets)
  n, m = (
    sorted({dataset.sizes[dim] for dataset in datasets.values() if dim in dataset.sizes})
    or [config[field]]
    for dim, field in (("feature", "model.n_features"), ("hidden", "model.n_hidden"))
  )
  sizes = f"{_span(n)} features in {_span(m)} hidden dimension{'s' if m != [1] else ''}"
  return f"{sizes}, {config['model.name']}: {n_models} model{'s' if n_models != 1 else ''}."


def _span(values: Sequence[int]) -> str:
  return str(values[0]) if len(values) == 1 else f"{values[0]} to {values[-1]}"


def _n_models(datasets: Mapping[str, "xr.Dataset"]) -> int:
  """Returns the number of models; what is gathered of several shapes has none of its own."""
  return sum(int(ds["finite"].size) for name, ds in datasets.items() if name != results.SWEEP)


def counts(claims: Sequence[Claim]) -> dict[str, int]:
  """Returns verdict → number of claims."""
  return {verdict: sum(claim.verdict == verdict for claim in claims) for verdict in VERDICTS}


def summary(claims: Sequence[Claim]) -> str:
  """Returns the counts in words, without those that are 0."""
  found = [f"{n} {verdict}" for verdict, n in counts(claims).items() if n]
  return ", ".join(found) or "no claims"


def write_claims(path: Path, runs: Sequence[Run]) -> None:
  """Writes every claim as JSON: one object each, with the experiment and the paper's section."""
  rows: list[dict[str, Any]] = [
    {"experiment": run.name, "section": run.section, **claim._asdict()}
    for run in runs
    for claim in runner.claims
  ]
  files.write_json(path, rows)


def write_markdown(path: Path, runs: Sequence[Run]) -> None:
  """Writes the claims as Markdown, a heading with the paper's section and a table for each run."""
  lines = []
  for run in runs:
    lines += [f"### {run.name}: {run.section or run.about}", ""]
    if run.problem:
      lines += [f"Failed: {run.problem}", ""]
    if not runner.claims:
      continue
    for cells in (Claim._fields, ["---"] * len(Claim._fields), *runner.claims):
      row = (cell.replace("|", r"\|").replace("\n", " ") for cell in cells)
      lines.append(f"| {' | '.join(row)} |")
    lines.append("")
  with files.replacing(path) as temporary:
    temporary.write_text("\n".join(lines), encoding="utf-8")


def provenance(run: Run) -> list[tuple[str, str]]:
  """Returns (name, text) of what made a run, in the order in which it is shown."""
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
  """Returns the work in words: models × steps × examples."""
  steps, batch = run.config.get("train.steps", 0), run.config.get("train.batch_size", 0)
  return (
    f"{_n_models(run.datasets)} models × {steps} steps × {batch} examples"
    if steps
    else "nothing is trained"
  )


def fields(config: Mapping[str, Any]) -> str:
  """Returns a config as text, a field per line."""
  return "\n".join(
    f"{name} = {json.dumps(config[name], ensure_ascii=False)}" for name in sorted(config)
  )
