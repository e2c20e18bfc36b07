"""Configs and results of earlier versions of this package, under today's names."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toy_superposition import fields, joining

if TYPE_CHECKING:
  import xarray as xr

# Config field of earlier versions → today's.
RENAMED_FIELDS = {"analysis": "experiment", "data.values": "data.value_law"}
# Experiment → variable in results of the versions that had the field `analysis` → today's name.
# `features_per_dimension` is ‖W‖²_F / m in every experiment; this one counted features instead.
RENAMED_VARIABLES = {
  "feature_count": {"features_per_dimension": "represented_per_dimension"},
}
# All figures of folder format 1, whose manifest does not list the pictures that a run drew.
FORMAT_1_FIGURES = (
  *("introduction", "demonstration", "feature_benefit", "phase_diagram", "activation_functions"),
  *("uniform_geometry", "feature_count", "thomson", "nonuniform_density", "correlated"),
  *("local_bases", "correlated_collapse", "learning_dynamics_jumps", "learning_dynamics_geometry"),
  *("adversarial", "adversarial_training", "privileged_basis", "rotation_invariance"),
  *("optimizer_basis", "absolute_value_small", "absolute_value", "asymmetric_superposition"),
  *("l1_superposition", "nonlinear_compression", "compressed_sensing", "cross_entropy_neuron"),
)


def upgraded(values: Mapping[str, Any]) -> dict[str, Any]:
  """Returns a stored config's values by today's dotted fields.

  Renamed fields keep their value, fields that were removed are dropped, and fields that were added
  since have their declared default. A field that an axis sets may be absent, as in results of
  several model sizes (results.gathered), and then stays absent.

  Args:
    values: every field of a manifest or of the attribute `config` of a results dataset, of this
      version or an earlier one.
  """
  renamed = {RENAMED_FIELDS.get(field, field): value for field, value in values.items()}
  defaults = fields.defaults()
  stored = {k: v for k, v in renamed.items() if k in defaults or k.startswith("axis.")}
  swept = [value for field, value in stored.items() if field.endswith(".field")]
  return {k: v for k, v in defaults.items() if k in stored or k not in swept} | stored


def upgraded_dataset(dataset: "xr.Dataset") -> "xr.Dataset":
  """Returns a stored dataset with today's config fields and variable names.

  A selection of one shape from joined results becomes a dataset of this shape. A dataset without a
  readable attribute `config` is returned as it is.

  Raises:
    UserError: it joins models of several shapes.
  """
  dataset = joining.of_one_shape(dataset)
  try:
    values = json.loads(dataset.attrs["config"])
  except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
    return dataset
  if not isinstance(values, dict):
    return dataset
  names = RENAMED_VARIABLES.get(str(values.get("analysis")), {})
  here = {old: new for old, new in names.items() if old in dataset and new not in dataset}
  dataset = dataset.rename(here)
  return dataset.assign_attrs(config=json.dumps(upgraded(values), sort_keys=True))


def format_1_pictures(folder: Path) -> list[Path]:
  """Returns the files in a folder of figures with a name that format 1 gave: NAME.png, NAME.pdf, or
  NAME_AXIS=POINT.png for a model size."""

  def named(stem: str) -> bool:
    return any(
      stem == name or (stem.startswith(f"{name}_") and "=" in stem) for name in FORMAT_1_FIGURES
    )

  return sorted(p for p in folder.glob("*") if p.suffix in (".png", ".pdf") and named(p.stem))
