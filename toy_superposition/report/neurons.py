"""The panel of hidden neurons: their weights as stacks, and circuits."""

from typing import TYPE_CHECKING, Any

import numpy as np

from toy_superposition import declare
from toy_superposition.geometry.definitions import is_monosemantic
from toy_superposition.geometry.neurons import asymmetric_motifs, rescaled
from toy_superposition.models.untied import LINEAR_INSIDE
from toy_superposition.records import schema
from toy_superposition.report.packing import pack, rounded
from toy_superposition.report.selection import bytes_each, choose, count, is_trained

if TYPE_CHECKING:
  import xarray as xr

MOST_MOTIFS = 6  # offered for one model


def applies(dataset: "xr.Dataset") -> bool:
  """Returns whether the hidden layer has a ReLU, so that neurons mean something."""
  names = dataset.attrs.get("model", "").split(schema.SEVERAL)
  linear = not set(LINEAR_INSIDE).isdisjoint(names)
  return is_trained(dataset) and not linear and ("W1" in dataset or names == ["relu_hidden"])


def size(dataset: "xr.Dataset") -> float:
  """Returns the bytes of all models."""
  return count(dataset, "W1" if "W1" in dataset else "W") * bytes_each(dataset, "W1")


def data(dataset: "xr.Dataset", room: float) -> dict[str, Any]:
  """Returns the panel's data, in about `room` bytes.

  Weights of a model whose decoder has weights of its own are rescaled so that every neuron's
  largest input weight is ±1.
  """
  separate = "W1" in dataset
  names = ["W1", "W2", "loss"] if separate else ["W", "loss"]
  selection = choose(dataset, names, int(room / bytes_each(dataset, "W1")))
  content: dict[str, Any] = {"axes": selection.axes, "notes": selection.notes, "scaled": separate}
  content["loss"] = rounded(selection.rows("loss"))
  if "restart_number" in selection.dataset.coords:
    content["restart"] = selection.rows("restart_number").tolist()
  W1 = selection.rows(names[0], "hidden", "feature")
  values = schema.config(dataset)
  distribution = declare.build("data.distribution", values["data.distribution"], values)
  signed = distribution.law.signed
  # Decided on all digits: the page's 16 bits would decide borderline neurons differently.
  content["monosemantic"] = [
    is_monosemantic(model, nonnegative=not signed).nonzero()[0].tolist()
    if np.isfinite(model).all()
    else []
    for model in W1
  ]
  if not separate:
    return content | {"W1": pack(W1)}
  with np.errstate(invalid="ignore", over="ignore"):  # of models that are not finite
    pairs = [
      rescaled(into, out)
      for into, out in zip(W1, selection.rows("W2", "feature", "hidden"), strict=True)
    ]
  finite = [bool(np.isfinite(into).all() and np.isfinite(out).all()) for into, out in pairs]
  motifs = [
    asymmetric_motifs(*pair) if is_finite else []
    for pair, is_finite in zip(pairs, finite, strict=True)
  ]
  return content | {
    "W1": pack(np.stack([into for into, _ in pairs])),
    "W2": pack(np.stack([out for _, out in pairs])),
    "motifs": [[list(motif) for motif in of_model[:MOST_MOTIFS]] for of_model in motifs],
  }
