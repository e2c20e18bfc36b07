"""One page of several finished runs: verdicts, figures, provenance; opens from disk, no network."""

import base64
import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from toy_superposition.analyses import ANALYSES
from toy_superposition.analyses.analysis import VERDICTS, Claim
from toy_superposition.records import files

STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8882; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; margin: 1rem 0; }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem;
  border-bottom: 1px solid var(--line); }
th { font-weight: 600; }
td:last-child { white-space: nowrap; }
.wide { overflow-x: auto; }
figure { margin: 1rem 0; background: white; border-radius: .4rem; padding: .5rem; }
figure img { max-width: 100%; display: block; margin: auto; }
section { border-top: 1px solid var(--line); margin-top: 2.5rem; }
code, pre { font-size: .85rem; background: var(--soft); border-radius: .25rem; padding: .1rem .3rem;
}
pre { overflow-x: auto; padding: .6rem; }
.verdict { border-radius: .25rem; padding: .05rem .4rem; }
.confirmed { background: #2a82; } .contradicted { background: #d443; }
.undecided { background: #c902; } .reported { background: var(--soft); }
.failed { border-left: .3rem solid #d44; padding-left: .8rem; }
@media (max-width: 40rem) { table { min-width: 40rem; } }
"""
CLASSES = dict(zip(VERDICTS, ("confirmed", "contradicted", "undecided", "reported"), strict=True))


class Run(NamedTuple):
  """What the page says of one experiment."""

  name: str
  about: str  # one line
  analysis: str  # row of ANALYSES, or "none"
  claims: Sequence[Claim]
  figures: Sequence[Path]  # PNG files
  seconds: float  # of all sessions together
  command: str  # that makes the run again
  versions: Mapping[str, str]
  problem: str = ""  # why there is no result, if there is none


def counts(claims: Sequence[Claim]) -> dict[str, int]:
  """Returns verdict → number of claims."""
  return {verdict: sum(claim.verdict == verdict for claim in claims) for verdict in VERDICTS}


def summary(claims: Sequence[Claim]) -> str:
  """Returns the counts in words, without those that are 0."""
  found = [f"{n} {verdict}" for verdict, n in counts(claims).items() if n]
  return ", ".join(found) or "no claims"


def write(path: Path, title: str, runs: Sequence[Run]) -> None:
  """Writes the page, whole or not at all.

  Raises:
    UserError: the disk is full or cannot be written.
  """
  text = html.escape
  everything = [claim for run in runs for claim in run.claims]
  body = [f"<h1>{text(title)}</h1>", f"<p>{text(summary(everything))}.</p>", _contents(runs)]
  body += [_section(run) for run in runs]
  page = (
    "<!doctype html>\n"
    '<html lang="en"><head><meta charset="utf-8">'
    '<meta name="viewport" content="width=device-width, initial-scale=1">'
    f"<title>{text(title)}</title><style>{STYLE}</style></head>\n<body>\n"
    + "\n".join(body)
    + "\n</body></html>\n"
  )
  with files.replacing(path) as temporary:
    temporary.write_text(page, encoding="utf-8")


def write_claims(path: Path, runs: Sequence[Run]) -> None:
  """Writes every claim as JSON: one object each, with the experiment and the paper's section."""
  rows: list[dict[str, Any]] = [
    {"experiment": run.name, "section": _section_title(run), **claim._asdict()}
    for run in runs
    for claim in run.claims
  ]
  files.write_json(path, rows)


def write_markdown(path: Path, runs: Sequence[Run]) -> None:
  """Writes the claims as Markdown, a heading with the paper's section and a table for each run."""
  lines = []
  for run in runs:
    lines += [f"### {run.name}: {_section_title(run) or run.about}", ""]
    if run.problem:
      lines += [f"Failed: {run.problem}", ""]
    if not run.claims:
      continue
    for cells in (Claim._fields, ["---"] * len(Claim._fields), *run.claims):
      row = (cell.replace("|", r"\|").replace("\n", " ") for cell in cells)
      lines.append(f"| {' | '.join(row)} |")
    lines.append("")
  with files.replacing(path) as temporary:
    temporary.write_text("\n".join(lines), encoding="utf-8")


def _section_title(run: Run) -> str:
  return ANALYSES[run.analysis].section if run.analysis in ANALYSES else ""


def _contents(runs: Sequence[Run]) -> str:
  rows = []
  for run in runs:
    said = f"failed: {run.problem}" if run.problem else summary(run.claims)
    cells = (run.about, said, f"{run.seconds:.0f} s")
    link = f'<a href="#{html.escape(run.name)}">{html.escape(run.name)}</a>'
    rows.append(
      f"<tr><td>{link}</td>" + "".join(f"<td>{html.escape(c)}</td>" for c in cells) + "</tr>"
    )
  head = "<tr><th>experiment</th><th></th><th>claims</th><th>time</th></tr>"
  return f'<div class="wide"><table>{head}{"".join(rows)}</table></div>'


def _section(run: Run) -> str:
  text = html.escape
  parts = [f'<section id="{text(run.name)}"><h2>{text(run.name)}</h2>']
  parts.append(f"<p>{text(run.about)}")
  if _section_title(run):
    parts.append(f" Paper: “{text(_section_title(run))}”.")
  if run.problem:
    parts.append(f'<p class="failed">{text(run.problem)}</p>')
  for figure in run.figures:
    content = base64.b64encode(figure.read_bytes()).decode()
    name = text(f"{figure.stem.replace('_', ' ')}, drawn from the results of {run.name}")
    parts.append(f'<figure><img alt="{name}" src="data:image/png;base64,{content}"></figure>')
  if run.claims:
    parts.append(_claims(run.claims))
  versions = ", ".join(f"{name} {version}" for name, version in run.versions.items())
  parts.append(f"<pre>{text(run.command)}</pre>")
  parts.append(f"<p><small>{run.seconds:.0f} s; {text(versions)}</small></p></section>")
  return "\n".join(parts)


def _claims(claims: Sequence[Claim]) -> str:
  rows = []
  for claim in claims:
    cells = "".join(f"<td>{html.escape(cell)}</td>" for cell in claim[:-1])
    verdict = html.escape(claim.verdict)
    badge = f'<span class="verdict {CLASSES[claim.verdict]}">{verdict}</span>'
    rows.append(f"<tr>{cells}<td>{badge}</td></tr>")
  head = "".join(f"<th>{name}</th>" for name in Claim._fields)
  return f'<div class="wide"><table><tr>{head}</tr>{"".join(rows)}</table></div>'
