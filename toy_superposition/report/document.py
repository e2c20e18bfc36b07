"""The report as a file: templates filled with text, figures and panels, in one HTML document."""

import base64
import functools
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from toy_superposition.drawing import live
from toy_superposition.experiments.experiment import VERDICTS, Claim
from toy_superposition.geometry.definitions import MONOSEMANTIC, REPRESENTED
from toy_superposition.records import files
from toy_superposition.records.workdir import Workdir
from toy_superposition.report import explanations, packing, panels
from toy_superposition.report.runs import Run, config_text, provenance, read, summary, total
from toy_superposition.theory.phase_change import NORM_THRESHOLD

if TYPE_CHECKING:
  import jinja2
  import xarray as xr

# Verdict → its CSS class.
NAMES = ("confirmed", "contradicted", "undecided", "identity", "reported")
CLASSES = dict(zip(VERDICTS, NAMES, strict=True))
INSTALL = "pip install plotly"
# They become one script, in this order: a file may use the names of those before it.
SCRIPTS = (
  *("numbers.js", "definitions.js", "controls.js", "plots.js", "features.js"),
  *("explorer.js", "neurons.js", "phases.js", "dimensionality.js", "latents.js", "scores.js"),
  "page.js",
)
FIGURES_ROOM = 3.2e6  # bytes of all static figures of a page together, in base64
FIGURES_ROOM_OF_ONE = 3e5  # bytes of those of a page of one run, which stays below 3 MB
# Bytes added where plotly is not installed: the figures are then all that there is to see.
PLOTLY_ROOM = 7e6


class Figure(NamedTuple):
  """A static figure as an img element shows it."""

  alt: str
  source: str  # data URL
  width: int  # in pixels of a page, 100 to the inch


class Section(NamedTuple):
  """A run's part of the page."""

  run: Run
  panels: Sequence[panels.Panel]
  figures: Sequence[Figure]

  @property
  def has_pictures(self) -> bool:
    """Whether the run has results to draw or figures to show."""
    return bool(self.run.datasets or self.run.figures)

  @property
  def n_left_out(self) -> int:
    """Number of figures without room on the page."""
    return len(self.run.figures) - len(self.figures)


@functools.cache
def plotly() -> str | None:
  """Returns the plotting library, JavaScript, as the page has it; None if it is not installed.

  Compressed it takes 2.0 MB of a page, and 4.8 MB otherwise.
  """
  try:
    from plotly.offline import get_plotlyjs
  except ImportError:
    return None
  return packing.compressed(get_plotlyjs())


def static(name: str) -> str:
  """Returns a file of the folder static."""
  folder = resources.files("toy_superposition.report") / "static"
  return (folder / name).read_text(encoding="utf-8")


def write_run(
  workdir: Workdir,
  datasets: "Mapping[str, xr.Dataset] | None" = None,
  claims: Sequence[Claim] | None = None,
) -> Path:
  """Writes the page of one finished run into its folder and returns its path.

  Args:
    workdir: of the run.
    datasets: its results; read if not given.
    claims: what the results decide; computed if not given.

  Raises:
    UserError: there are no results, or the disk is full or cannot be written.
  """
  run = read(workdir, datasets=datasets, claims=claims)
  write(workdir.report, run.name, [run])
  return workdir.report


def write(path: Path, title: str, runs: Sequence[Run]) -> None:
  """Writes the page of one or several runs: the complete file, or none if writing fails.

  Raises:
    UserError: the disk is full or cannot be written.
  """
  library = plotly()
  sections = sections_of(runs, interactive=library is not None)
  text = render("page.html", title, sections, library)
  with files.replacing(path) as temporary:
    temporary.write_text(text, encoding="utf-8")


def sections_of(runs: Sequence[Run], interactive: bool) -> list[Section]:
  """Returns every run with its panels, if the page is interactive, and its figures."""
  made = panels.make([run.datasets for run in runs]) if interactive else [[] for _ in runs]
  room = FIGURES_ROOM if len(runs) > 1 else FIGURES_ROOM_OF_ONE
  room = room if interactive else FIGURES_ROOM + PLOTLY_ROOM
  sections = []
  for run, of_run in zip(runs, made, strict=True):
    figures = _figures(run, room)
    room -= sum(len(figure.source) for figure in figures)
    sections.append(Section(run, of_run, figures))
  return sections


def _figures(run: Run, room: float) -> list[Figure]:
  """Returns the static figures that fit into this many bytes.

  Raises:
    UserError: one of them is a link, whose content could be anybody's, or cannot be read.
  """
  figures: list[Figure] = []
  for path in run.figures:
    room -= 4 / 3 * path.lstat().st_size  # in base64
    if room < 0:
      break
    with files.disk_errors(path):
      picture = files.read_bytes(path, int(FIGURES_ROOM + PLOTLY_ROOM))
    content = base64.b64encode(picture).decode()
    alt = f"{path.stem.replace('_', ' ')}, drawn from the results of {run.name}"
    figures.append(Figure(alt, f"data:image/png;base64,{content}", _width(picture)))
  return figures


def _width(png: bytes) -> int:
  """Returns the width at which a picture is shown: that of its figure, whatever its resolution."""
  width = int.from_bytes(png[16:20])  # of the chunk IHDR, which comes first
  at = png.find(b"pHYs")
  per_metre = int.from_bytes(png[at + 4 : at + 8]) if at > 0 else 0
  return round(width / (per_metre * 0.0254) * 100) if per_metre else width


def watched(title: str, picture: str, reload: int, note: str) -> str:
  """Returns the page of a run that is being trained.

  Args:
    title: of the page.
    picture: HTML, of live.Live.
    reload: seconds after which it loads itself again; 0: never.
    note: in the place of the one that says so, if not "".
  """
  from markupsafe import Markup

  return (
    _templates()
    .get_template("watch.html")
    .render(
      title=title,
      picture=Markup(live.page_part(picture)),
      reload=reload,
      note=note,
      style=Markup(static("page.css")),
    )
  )


def render(
  template: str,
  title: str,
  sections: Sequence[Section],
  library: str | None,
  *,
  keys: str = "",
  **more: object,
) -> str:
  """Returns a page of panels.

  Every text is escaped except the package's own scripts and style; plotly and the data are base64.

  Args:
    template: name of a file of templates/.
    title: of the page.
    sections: of the page.
    library: plotly, as `plotly` returns it.
    keys: a script of the package, for templates that have one of their own.
    more: values for the template.
  """
  from markupsafe import Markup

  drawn = [panel for section in sections for panel in section.panels if not panel.error]
  page = _templates().get_template(template)
  return page.render(
    title=title,
    total=total([section.run for section in sections]),
    sections=sections,
    interactive=library is not None,
    library=library if drawn else None,
    data=packing.compressed(packing.block([{"kind": panel.kind, **panel.data} for panel in drawn])),
    style=Markup(static("page.css")),
    script=Markup("".join(map(static, SCRIPTS))),
    keys=Markup(keys),
    **more,
  )


def _templates() -> "jinja2.Environment":
  """Returns the environment of templates/, in which all text is escaped."""
  import jinja2

  environment = jinja2.Environment(
    loader=jinja2.PackageLoader("toy_superposition.report"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
  )
  environment.globals |= {
    "anchor": _anchor,
    "config_text": config_text,
    "counted": _counted,
    "install": INSTALL,
    "meanings": explanations.VERDICTS,
    "monosemantic": f"{MONOSEMANTIC:.0%}",
    "paper": explanations.PAPER,
    "paper_figures": explanations.PAPER_FIGURES,
    "phase_norm": NORM_THRESHOLD,
    "provenance": provenance,
    "represented": REPRESENTED,
    "summary": summary,
    "verdicts": CLASSES,
  }
  return environment


def _counted(sections: Sequence[Section], verdict: str) -> int:
  """Returns the number of claims with a verdict."""
  return sum(claim.verdict == verdict for section in sections for claim in section.run.claims)


def _anchor(run: Run, part: str = "") -> str:
  """Returns the id of a run's section, or of a part of it."""
  return "-".join(filter(None, (run.name, part))).replace(" ", "_")
