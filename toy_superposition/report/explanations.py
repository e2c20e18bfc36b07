"""What the page says to a reader who does not know the paper: on panels, verdicts and figures."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from toy_superposition.experiments.experiment import (
  CONFIRMED,
  CONTRADICTED,
  IDENTITY,
  REPORTED,
  UNDECIDED,
)
from toy_superposition.report.selection import SOLID

PAPER = "https://transformer-circuits.pub/2022/toy_model/index.html"


class Explanation(NamedTuple):
  """A paragraph about a panel."""

  drawn: str  # what is drawn
  look_for: str
  moves: str  # what happens when a slider moves


_MATRIX = (
  "The square beside it is WᵀW: the colour in row i and column j says how much of feature j is "
  "read back as feature i. Red on the diagonal is a feature that is stored; any other colour off "
  "the diagonal is interference between two features. The column b is the bias that each output "
  "adds."
)
_RESTARTS = (
  "Restarts are the same training from other random weights, sorted by loss: the first is the best."
)
# Row of panels.PANELS, or for the panels of features a word for what is drawn, → its paragraph.
EXPLANATIONS: dict[str, Explanation] = {
  "phases": Explanation(
    "Every cell of the map is a small model of its own with a few features, all of importance 1 "
    "except the extra one. To the right the extra feature becomes more important; downwards the "
    "features become rarer. The colour says what became of the extra feature. Beside the map are "
    "the weights of the chosen cell, and below it the numbers of every map in that cell.",
    "Sharp borders between the colours: like water and ice, the model changes its kind of solution "
    "at once. When features are dense, the less important one is dropped; when they are rare, both "
    "share the space. The dashed line is the border that the paper's formulas predict.",
    "The two sliders choose the cell, and the list chooses between theory, the best solution that "
    "any weights can reach, and what training found.",
  ),
  "dimensionality": Explanation(
    "All features are equally important here, and become rarer to the right. The upper curve is "
    "the number of hidden dimensions divided by the number of stored features; the band is the "
    "spread over restarts. Below, every dot is a feature, and its height is the share of a "
    "dimension that the feature has to itself.",
    "Dots that gather on a dotted line: features then form the regular shape whose name is beside "
    "the line, such as 1/2 for two opposite features in one dimension. The upper curve stays flat "
    "where all features are in such pairs, as if one shape were sticky.",
    "The slider moves the vertical line, and the panel of feature geometry shows the models at "
    "that density.",
  ),
  "arrows": Explanation(
    "Every arrow is a feature: its direction in the hidden layer, which has as many axes as the "
    "picture. A long arrow is a feature that the model stores; one of length 0 is ignored. "
    f"{_MATRIX}",
    "How many arrows are long, and at which angles. At a right angle two features do not disturb "
    "each other; more arrows than axes is superposition. Opposite pairs, triangles and pentagons "
    "are named in the legend.",
    f"Lower density makes features rarer: more arrows grow long and spread evenly. {_RESTARTS}",
  ),
  "graph": Explanation(
    "Every dot is a stored feature, and a line joins two features that are not at a right angle "
    "in the hidden layer: the thicker, the more they disturb each other. Groups without a line "
    f"between them have dimensions of their own. {_MATRIX}",
    "The shapes of the groups, which have their names and colours in the legend: single dots have "
    "a dimension to themselves, pairs are opposite in one dimension, larger groups form polygons "
    "and solids. More dots than hidden dimensions is superposition.",
    f"Lower density makes features rarer: single dots become pairs, and pairs larger groups. "
    f"{_RESTARTS}",
  ),
  "neurons": Explanation(
    "Every bar is a hidden neuron, and its parts are the weights of the features that excite it "
    "(upwards) or silence it (downwards), one colour per feature. The second picture is a circuit: "
    "features on the left, the chosen neurons in the middle, outputs on the right, positive "
    "weights red and negative ones blue.",
    "Bars of a single colour: such a neuron stands for one feature and is called monosemantic. "
    "Bars of many colours stand for several features at once.",
    "Lower density makes features rarer: bars of one colour turn into bars of many. Choose a bar "
    f"or a motif to see its circuit. {_RESTARTS}",
  ),
  "scores": Explanation(
    "A sparse autoencoder is asked to find the features that another model mixes. MCC is the mean "
    "|cosine| between every true feature and a latent of its own: 1 if all are found. Precision "
    "and recall say how reliably a latent is on if, and only if, its feature is. A point is the "
    "mean over trainings that differ in their random numbers alone, and its bar the range.",
    "MCC far above the dashed line, which random directions reach; the grey band is one standard "
    "deviation. Unexplained variance that falls while MCC falls too: a better reconstruction is "
    "not a better recovery. L0 near the dashed line, the number of features that are really on.",
    "The sliders choose the point whose numbers stand above the plots, and the curves that pass "
    "through it.",
  ),
  "latents": Explanation(
    "Every row of the matrix is a latent's direction, every column a true feature's, and the "
    "colour is the cosine between the two. Rows are sorted: first the latents that the best "
    "one-to-one assignment gives to the features, then all others by the feature nearest to them. "
    "Beside it, every dot is a feature with the |cosine| of its own latent.",
    "A clean red diagonal: every feature has a latent. A row with several coloured cells mixes "
    "features. Red cells below the diagonal are duplicates: several latents for one feature. Dots "
    "near the dotted line are no better than random directions.",
    f"The sliders choose the autoencoder. {_RESTARTS}",
  ),
}
_STEPS = Explanation(
  "The curve on top is the loss during training, and the red dot on it is the step shown below.",
  "Steps at which the loss falls suddenly: just there, arrows or groups below change their shape.",
  "The slider of the training step, or Play, moves through training from the random weights at "
  "the start to the trained model.",
)

VERDICTS = {
  CONFIRMED: "our number meets the expectation, whose tolerance was fixed before the run",
  CONTRADICTED: "it does not; BUILD_NOTES.md says whether paper, theory or this code is the reason",
  UNDECIDED: "models of this number and size cannot tell",
  IDENTITY: "true whatever training does: it checks the calculation",
  REPORTED: "a number without an expectation",
}

# Experiment → the figure of the paper (or of its notebook) that the run is to be compared with.
PAPER_FIGURES: dict[str, str] = {
  "introduction": "Three pictures of five features in a plane. Dense features: the two most "
  "important are at right angles and the others 0. Sparsity 80 %: four form two opposite pairs. "
  "Sparsity 90 %: all five form a pentagon.",
  "demonstration": "Rows of matrices WᵀW from dense to sparse, each with a bar per feature for its "
  "norm. The linear model stores as many features as it has dimensions at every sparsity. The ReLU "
  "model begins like it and stores more and more, the least important in superposition first; bars "
  "turn from dark (alone) to yellow (shared).",
  "feature_benefit": "No figure, but the formula of the loss as a sum: what a model gains by "
  "storing a feature, and what it loses by interference between features.",
  "phase_change": "Two maps side by side, theory and training, over the extra feature's importance "
  "and density: grey at the upper left where it is ignored, blue at the upper right where it has a "
  "dimension to itself, and a red region below a curved border, where two share the dimension.",
  "uniform_geometry": "Dimensions per feature fall from 1 with a long flat part at 1/2 while "
  "features become sparser; below, the features' dimensionalities cluster on lines at 3/4, 2/3, "
  "1/2, 2/5 and 3/8, with the graphs of tetrahedra, triangles, pairs, pentagons and antiprisms.",
  "thomson": "A table of solids, from the triangle to the square antiprism, with their matrices "
  "WᵀW and dimensionalities; several are minima of Thomson's problem of charges on a sphere.",
  "nonuniform_density": "Left, a pentagon whose corners move away from a feature that becomes "
  "denser and towards one that becomes sparser; right, the losses of the pentagon and of two "
  "opposite pairs as two curves that cross.",
  "correlated": "Five models in a row for each case. Correlated features are at right angles, or "
  "side by side if there is no room; anticorrelated ones are opposite.",
  "local_bases": "One matrix WᵀW of two sets of ten correlated features: within a set nearly all "
  "off the diagonal is 0, and between the sets there is interference.",
  "correlated_collapse": "A row of planes from sparse to dense: six features as a hexagon, then "
  "pair after pair collapses into one direction, as in principal component analysis.",
  "learning_dynamics_jumps": "Above, the dimensionality of every feature during training, as lines "
  "that jump between levels like electrons; below, the loss, which falls with each jump.",
  "learning_dynamics_geometry": "The loss as a staircase with six arrows in space at each stair: "
  "first two bundles, then an antiprism, and at the end an octahedron.",
  "adversarial": "Vulnerability to an attack, and features per dimension, over sparsity: the two "
  "curves have the same shape, and vulnerability rises to more than three times.",
  "privileged_basis": "A stack of coloured weights per neuron at several densities: five neurons "
  "with one feature each when dense, pairs of neurons for several features in between, and every "
  "feature spread over neurons when sparse.",
  "absolute_value_small": "Two neurons per feature, one for positive and one for negative inputs, "
  "drawn as a circuit: |x| = ReLU(x) + ReLU(−x).",
  "absolute_value": "Stacks of weights of 40 neurons at seven densities, on a background for "
  "neurons of one feature, nearly one and several: dense models have one feature per neuron, "
  "sparse ones several in each.",
  "asymmetric_superposition": "A circuit: one neuron stores two features with unequal weights, and "
  "another neuron silences the output that would be wrong.",
  "nonlinear_compression": "A steep staircase that writes two numbers into one, as the decimals "
  "after and before the comma.",
  "correlated_geometry": "No figure of the paper. In the follow-up twelve words are a ring in "
  "two dimensions; with strong weight decay they stay a ring in more dimensions, and without it "
  "the matrix WᵀW becomes the identity, harmonic by harmonic.",
  "feature_circle": "No figure of the paper. In the follow-up the features of a circle lie on a "
  "ring as long as each is active on half of it, and bunch up when they are narrow.",
  "composition": "No figure of the paper. The follow-up draws codes of coloured shapes: a "
  "neuron for each object, for each colour and each shape, or dense codes.",
  "correlation_phases": "No figure of the paper, which shows pairs that are active as a whole. In "
  "the follow-up a map over density and correlation is dark, for pairs apart, at the lower left, "
  "and bright, for merged pairs, at the upper right.",
  "cross_entropy_neuron": "In the successor “Towards Monosemanticity”: one neuron for four tokens "
  "lowers the loss most if it fires on two of them.",
  "kgon_phases": "In Chen et al. (2023): losses of trainings as a staircase, with polygons beside "
  "its levels that have a learning coefficient each; and the share of each polygon in the "
  "posterior, which has more corners the more examples there are.",
  "superposition_scaling": "In the follow-up by Liu, Liu and Gore: loss against dimensions on two "
  "logarithmic scales. With a negative decay the lines of all laws of frequencies are parallel and "
  "fall as 1/m; with a positive one every law has its own line, straight only for power laws.",
  "memorization": "In Henighan et al. (2023): for few examples their hidden vectors form a polygon "
  "and the columns of features a blur, for many it is the other way round; between them the test "
  "loss has a peak.",
  "partial_representation": "In the follow-up by Guo, Liu and Gore the share of features that are "
  "represented rises along a line up to a critical width, and the loss falls along a line up to it "
  "and as 1/m beyond.",
  "capacity": "In Scherlis et al. (2022): the capacity of each feature over its importance is 0, "
  "then rises, then is 1, as water fills a vessel, if values are sparse enough; else it jumps.",
  "uniform_theory": "No figure of the paper. The loss of equal features over m/n lies below two "
  "theories at every density: of polytopes in orthogonal subspaces, and of random directions.",
  "dropout_basis": "No figure of the paper. Of two later posts one says that dropout inhibits "
  "superposition, the other that it privileges the hidden units. Normal noise of the same variance "
  "is the control.",
  "decomposition_targets": "No figure of the paper. In the follow-ups on parameter decomposition a "
  "matrix of importances has one component for each of five features, and the components' columns "
  "are those of the trained model.",
  "access": "No figure of the paper. The follow-up by Garg, Kleinberg and Peng proves that linear "
  "access to every support of k features needs about k² dimensions, and nonlinear access about k.",
  "incidental_polysemanticity": "In the follow-up by Lecomte et al. the number of polysemantic "
  "neurons falls as 1/m along n²/4m, although there are enough neurons for all features.",
  "pairwise_and": "No figure of the paper. In Newgas (2025) the weights of a trained layer are "
  "dense and take few values: each neuron reads every input, with either sign, and writes to every "
  "output.",
  "engineering_monosemanticity": "In Jermyn et al. (2022): from an initial bias of −1 most neurons "
  "respond to one feature alone, from 0 hardly any, and both have the same loss; wider layers have "
  "more such neurons, up to one for every feature.",
}


def of_panel(kind: str, data: Mapping[str, Any]) -> tuple[Explanation, ...]:
  """Returns the paragraphs about a panel, none about one that is not known here.

  Args:
    kind: row of panels.PANELS.
    data: of the panel.
  """
  if kind not in ("explorer", "dynamics"):
    return (EXPLANATIONS[kind],) if kind in EXPLANATIONS else ()
  features = EXPLANATIONS["arrows" if data["W"]["shape"][1] <= SOLID else "graph"]
  if kind == "explorer":
    return (features,)
  return (_STEPS, features._replace(moves="The other sliders choose the model."))


def phase_legend() -> list[list[str]]:
  """Returns pairs (CSS colour, meaning) of the phase diagram."""
  from toy_superposition.drawing.phase_map import ABSENT, DEDICATED, SUPERPOSED  # matplotlib

  words = ("not represented", "has a dimension to itself", "in superposition")
  colours = (ABSENT, DEDICATED, SUPERPOSED)
  return [[f"rgb{rgb}", text] for rgb, text in zip(colours, words, strict=True)]
