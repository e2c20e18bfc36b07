"""The page as a file: text, figures and panels in one HTML document."""

import base64
import html
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from toy_superposition.experiments.experiment import VERDICTS, Claim
from toy_superposition.records import files
from toy_superposition.records.workdir import Workdir
from toy_superposition.report import packing, panels
from toy_superposition.report.runs import Run, fields, provenance, read, summary

if TYPE_CHECKING:
  import xarray as xr

CLASSES = dict(zip(VERDICTS, ("confirmed", "contradicted", "undecided", "reported"), strict=True))
INSTALL = 'pip install -e ".[report]"'
WORDS = (
  ("feature", "one of the n numbers that a model is given and shall give back"),
  ("hidden dimension", "one of the m numbers, fewer than n, through which everything has to pass"),
  (
    "W_i, norm",
    "the direction in which feature i is stored; its length: near 1 if stored, 0 if not",
  ),
  ("density p", "how often a feature is active; sparse is 1 − p = S near 1"),
  ("importance", "the weight of a feature's error in the loss"),
  ("superposition", "how much other features lie along one: 0 if it has a direction to itself"),
  ("dimensionality", "the share of a hidden dimension that a feature has: 1 alone, 1/2 in a digon"),
  ("digon, triangle, pentagon …", "2 opposite features in 1 dimension, 3 or 5 evenly spread in 2"),
  ("restart", "the same training from other random weights; the one of least loss is the best"),
)
SCRIPTS = (
  "base.js",
  "geometry.js",
  "models.js",
  "neurons.js",
  "maps.js",
  "page.js",
)  # one script, in this order
FIGURES_ROOM = 3.2e6  # bytes of all static figures of a page together, in base64


def plotly() -> str | None:
  """Returns the plotting library as JavaScript; None if it is not installed."""
  try:
    from plotly.offline import get_plotlyjs
  except ImportError:
    return None
  return get_plotlyjs()


def write_run(
  workdir: Workdir,
  datasets: "Mapping[str, xr.Dataset] | None" = None,
  claims: Sequence[Claim] | None = None,
) -> Path:
  """Writes the page of one finished run into its folder and returns its path.

  Its results and what they decide are read and computed unless they are given.

  Raises:
    UserError: there are no results, or the disk is full or cannot be written.
  """
  run = read(workdir, datasets=datasets, claims=claims)
  write(workdir.report, run.name, [run])
  return workdir.report


def write(path: Path, title: str, runs: Sequence[Run]) -> None:
  """Writes the page, whole or not at all.

  Raises:
    UserError: the disk is full or cannot be written.
  """
  library = plotly()
  made = panels.make([run.datasets for run in runs]) if library else [[] for _ in runs]
  # Without plotly the figures are all that there is, and it leaves room for them.
  images, room = [], FIGURES_ROOM if library else FIGURES_ROOM + 7e6
  for run in runs:
    images.append(_figures(run, room))
    room -= sum(len(image) for image in images[-1])
  body = [f"<header><h1>{html.escape(title)}</h1>", f"<p>{html.escape(_total(runs))}</p>"]
  if library is None:
    body.append(f'<p class="note">Without plotly this page has no interactive parts. {INSTALL}</p>')
  body.append(f"{_glossary()}</header><main>")
  if len(runs) > 1:
    body += [_contents(runs), '<section id="claims"><h2>All claims</h2>']
    body += [_claims(runs), "</section>"]
  for run, of_run, pictures in zip(runs, made, images, strict=True):
    body.append(_section(run, of_run, pictures, alone=len(runs) == 1))
  drawn = [{"kind": one.kind, **one.data} for of_run in made for one in of_run if not one.problem]
  parts = [
    "<!doctype html>",
    '<html lang="en"><head><meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    '<link rel="icon" href="data:,">',
    f"<title>{html.escape(title)}</title><style>{_resource('page.css')}</style></head><body>",
    *body,
    f'</main><script type="application/json" id="data">{packing.block(drawn)}</script>',
    f"<script>{library}</script>" if library and drawn else "",
    f"<script>{''.join(map(_resource, SCRIPTS))}</script></body></html>\n",
  ]
  with files.replacing(path) as temporary:
    temporary.write_text("\n".join(parts), encoding="utf-8")


def _resource(name: str) -> str:
  return (
    resources.files("toy_superposition.report")
    .joinpath("static")
    .joinpath(name)
    .read_text(encoding="utf-8")
  )


def _total(runs: Sequence[Run]) -> str:
  said = summary([claim for run in runs for claim in run.claims])
  failed = [run.name for run in runs if run.problem]
  return said + (f"; failed: {', '.join(failed)}" if failed else "") + "."


def _glossary() -> str:
  rows = "".join(
    f"<dt>{html.escape(word)}</dt><dd>{html.escape(meaning)}</dd>" for word, meaning in WORDS
  )
  return f"<details><summary>Words on this page</summary><dl>{rows}</dl></details>"


def _id(run: Run, part: str = "") -> str:
  """Returns the id of a part of a run's section, as an attribute's value."""
  return html.escape("-".join(filter(None, (run.name, part))).replace(" ", "_"))


def _table(head: Sequence[str], rows: Sequence[str], label: str) -> str:
  """Returns a table that scrolls sideways by itself, by keyboard too."""
  cells = "".join(f'<th scope="col">{html.escape(cell)}</th>' for cell in head)
  return (
    f'<div class="wide" role="region" tabindex="0" aria-label="{html.escape(label)}"><table>'
    f"<thead><tr>{cells}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
  )


def _contents(runs: Sequence[Run]) -> str:
  rows = []
  for run in runs:
    said = f"failed: {run.problem}" if run.problem else summary(run.claims)
    link = f'<a href="#{_id(run)}">{html.escape(run.name)}</a>'
    cells = "".join(f"<td>{html.escape(cell)}</td>" for cell in (run.about, said))
    rows.append(f"<tr><td>{link}</td>{cells}<td>{run.seconds:.0f} s</td></tr>")
  head = ("experiment", "what it is", "claims", "time")
  return f"<nav>{_table(head, rows, 'Experiments')}</nav>"


def _section(run: Run, made: Sequence[panels.Made], images: Sequence[str], alone: bool) -> str:
  """Returns a run's part of the page; `alone` is whether the page has no other."""
  text = html.escape
  paper = f" Paper: “{text(run.section)}”." if run.section else ""
  title = "" if alone else f"<h2>{text(run.name)}</h2>"
  parts = [f'<section class="run" id="{_id(run)}">{title}']
  parts.append(f"<p>{text(run.about)}{paper}</p>")
  if run.problem:
    parts.append(f'<p class="failed">{text(run.problem)}</p>')
  parts.append(f'<div id="{_id(run, "figure")}">')
  parts += [_panel(one) for one in made]
  parts.append("</div>")
  if run.claims:
    parts.append("<h3>Claims</h3>")
    parts.append(_claims([run]) if alone else _claim_table([run]))
  if images:
    still = f"<summary>Static figures ({len(images)})</summary>"
    parts.append(f"<details>{still}" if made else "")
    parts += images
    parts.append("</details>" if made else "")
  left = len(run.figures) - len(images)
  if left > 0:
    parts.append(f'<p class="note">{left} figures have no room here; see the folder figures.</p>')
  parts.append(_provenance(run))
  return "\n".join([*parts, "</section>"])


def _panel(made: panels.Made) -> str:
  """Returns the frame of a panel, in which page.js draws."""
  row = panels.PANELS[made.kind]
  title = html.escape(row.title + (f": {made.group}" if made.group else ""))
  if made.problem:
    return f'<h3>{title}</h3><p class="failed">could not be drawn: {html.escape(made.problem)}</p>'
  notes = made.data.get("notes")
  thinned = f" To keep this file small it holds {', '.join(notes)}." if notes else ""
  return (
    f'<div class="panel" data-kind="{made.kind}"><h3>{title}</h3>'
    f"<p>{html.escape(row.hint + thinned)}</p>"
    "<noscript>The interactive part of this page needs JavaScript.</noscript></div>"
  )


def _figures(run: Run, room: float) -> list[str]:
  """Returns the static figures as HTML, as many as there is room for, in bytes."""
  found: list[str] = []
  for figure in run.figures:
    content = base64.b64encode(figure.read_bytes()).decode()
    name = f"{figure.stem.replace('_', ' ')}, drawn from the results of {run.name}"
    image = f'<img alt="{html.escape(name)}" loading="lazy" src="data:image/png;base64,{content}">'
    if sum(len(one) for one in found) + len(image) > room:
      break
    found.append(f"<figure>{image}</figure>")
  return found


def _claims(runs: Sequence[Run]) -> str:
  """Returns the claims of runs with controls that filter them."""
  verdicts = "".join(
    f'<label><input type="checkbox" value="{name}" checked> {html.escape(verdict)}</label>'
    for verdict, name in CLASSES.items()
  )
  return (
    '<div class="claims"><form class="filter" hidden>'
    f"<fieldset><legend>verdict</legend>{verdicts}</fieldset>"
    '<label>contains <input type="search" placeholder="any word"></label>'
    '<output aria-live="polite"></output></form>'
    f"{_claim_table(runs)}</div>"
  )


def _claim_table(runs: Sequence[Run]) -> str:
  """Returns the claims as a table, the verdict first: a narrow screen shows it beside the claim."""
  rows, several = [], len(runs) > 1
  for run in runs:
    figure = "figure" if run.datasets or run.figures else ""
    links = f'<a href="#{_id(run, figure)}">figure</a> <a href="#{_id(run, "config")}">config</a>'
    if several:
      links = f'<a href="#{_id(run)}">{html.escape(run.name)}</a><br>{links}'
    for claim in run.claims:
      cells = "".join(f"<td>{html.escape(cell)}</td>" for cell in claim[:-1])
      kind = CLASSES[claim.verdict]
      badge = f'<td><span class="verdict {kind}">{html.escape(claim.verdict)}</span></td>'
      rows.append(f'<tr data-verdict="{kind}">{badge}{cells}<td>{links}</td></tr>')
  head = ["verdict", *Claim._fields[:-1], "see"]
  return _table(head, rows, "Claims" + ("" if several else f" of {runs[0].name}"))


def _provenance(run: Run) -> str:
  """Returns how a run was made and how to make it again."""
  text = html.escape
  rows = "".join(f"<dt>{text(name)}</dt><dd>{text(said)}</dd>" for name, said in provenance(run))
  parts = [f'<h3>How to make it again</h3><pre tabindex="0">{text(run.command)}</pre>']
  parts.append(f"<dl>{rows}</dl>" if rows else "")
  if run.config:
    listed = f'<pre tabindex="0" id="{_id(run, "config")}">{text(fields(run.config))}</pre>'
    parts.append(f"<details><summary>Every field of the config</summary>{listed}</details>")
  return "\n".join(parts)
