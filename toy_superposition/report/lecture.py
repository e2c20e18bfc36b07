"""The page for a lecture: six experiments in the paper's order, each with a question."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from toy_superposition.records import files
from toy_superposition.report import document
from toy_superposition.report.runs import Run
from toy_superposition.report.selection import STEP

TITLE = "Superposition in six experiments"


class Slide(NamedTuple):
  """What the page says about an experiment."""

  title: str
  sentence: str
  question: str  # to the audience, before a slider is moved
  answer: str  # hidden at first


# Config → its slide.
SLIDES = {
  "introduction": Slide(
    "Five features in two dimensions",
    "A network with two hidden dimensions is asked to remember five features; the rarer they are, "
    "the more of them it stores.",
    "How many directions fit into a plane if each has to be read back without the others? Guess "
    "before you move the density to the right.",
    "Two while features are dense, at a right angle. Then four, as two opposite pairs, since a "
    "ReLU removes the negative echo of the partner. At last all five, as a pentagon: rare features "
    "seldom meet, so that a little interference costs less than a forgotten feature.",
  ),
  "demonstration": Slide(
    "A linear model against one with a ReLU",
    "Twenty features of falling importance share five dimensions: a linear model stores the five "
    "most important at every density, a ReLU model more and more.",
    "Both models have the same weights and sizes, and differ in one ReLU at the output. Which of "
    "them will store a sixth feature, and where in the list of importances will it be?",
    "The ReLU model alone. It puts the least important of its features into opposite pairs, which "
    "makes room for a sixth; the most important ones keep a dimension to themselves until features "
    "are rare.",
  ),
  "phase_change": Slide(
    "A phase change",
    "Two features compete for one dimension: the map says, for every importance and density of "
    "both, whether the extra feature is ignored, has the dimension to itself, or shares it.",
    "Will the weight of the extra feature grow slowly from 0 as features become rarer, or jump?",
    "It jumps where importances differ, like water that becomes ice: two kinds of solution have "
    "the same loss at the border. Compare the theory, the true optimum and what training found.",
  ),
  "uniform_geometry": Slide(
    "Features form regular shapes",
    "If all features are equally important, their shares of a dimension gather on a few "
    "fractions: 3/4, 2/3, 1/2, 2/5, the corners of regular shapes.",
    "When features become rarer, dimensions per feature fall. Smoothly, or with a rest somewhere?",
    "They rest at 1/2 for long: all features are then in opposite pairs. Choose densities left and "
    "right of the flat part and compare the groups in the picture below.",
  ),
  "learning_dynamics_geometry": Slide(
    "Learning as a geometric transformation",
    "Six features in two correlated sets begin as two bundles in space and end as the corners of "
    "an octahedron; the loss falls in stairs.",
    "Where on the loss curve does the shape change: on the flat parts, or where the loss falls?",
    "Where it falls. On the first flat part each set is one direction, as in principal component "
    "analysis; at each stair the bundles open into more dimensions. Press Play.",
  ),
  "absolute_value": Slide(
    "Neurons that compute in superposition",
    "Forty neurons compute the absolute values of a hundred features: dense features get neurons "
    "of their own, rare ones share them.",
    "Would you rather look for the meaning of single neurons in a dense or in a sparse world?",
    "In a dense one: there most neurons have a single colour. With rare features every neuron "
    "means many things, although each output is still computed well.",
  ),
}


def write(path: Path, runs: Sequence[Run]) -> None:
  """Writes the page: the complete file, or none if writing fails.

  Args:
    path: of the page.
    runs: whose names are those of SLIDES, in the order of the page.

  Raises:
    UserError: the disk is full or cannot be written.
  """
  library = document.plotly()
  sections = document.sections_of(runs, interactive=library is not None)
  for section in sections:
    for panel in section.panels:
      _begin(panel.data.get("axes", ()))
  script = document.static("gallery.js")
  text = document.render("gallery.html", TITLE, sections, library, slides=SLIDES, keys=script)
  with files.replacing(path) as temporary:
    temporary.write_text(text, encoding="utf-8")


def _begin(axes: Sequence[dict[str, Any]]) -> None:
  """Sets the sliders of a panel to dense features and to the first step: before the answer."""
  for axis in axes:
    if axis["name"] == "density":
      axis["start"] = axis["values"].index(max(axis["values"]))
    elif axis["name"] == STEP:
      axis["start"] = 0
