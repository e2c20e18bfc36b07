"""A dataset of scored sparse autoencoders: known scores, on which claims and figures are tried."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from toy_superposition import fields

COORDINATES = ("model.name", "model.sparsity", "model.k", "model.frozen_decoder")
DEFAULTS = {
  "mcc": 0.9,
  "mmcs": 0.9,
  "uniqueness": 1.0,
  "splitting": 1.0,
  "precision": 0.9,
  "recall": 0.9,
  "f1": 0.9,
  "f1_live": 0.8,
  "l0": 2.0,
  "fvu": 0.1,
  "dead": 0.0,
  "shrinkage": 0.9,
  "active": 2.0,
  "mcc_chance": 0.4,
  "mcc_chance_std": 0.01,
  "absorption": 0.0,
  "hedging": 0.0,
  "loss": 0.1,
  "finite": 1.0,
}


def scored(
  variants: Sequence[tuple[Any, ...]],
  seeds: int,
  config: Mapping[str, Any] | None = None,
  sizes: tuple[int, int, int] = (4, 3, 6),
  **scores: Any,
) -> xr.Dataset:
  """Returns the dataset of an experiment's analysis with an axis of variants.

  Args:
    variants: (model, sparsity, k, whether the decoder is frozen) of each.
    seeds: how many.
    config: fields that differ from the defaults.
    sizes: numbers of features, inputs and latents.
    **scores: by name, broadcast against (variant, seed); others have DEFAULTS.
  """
  shape = (len(variants), seeds)
  n_features, n_inputs, n_latents = sizes
  data = {
    name: (("variant", "seed"), np.array(np.broadcast_to(value, shape), float))
    for name, value in (DEFAULTS | scores).items()
  }
  names = [f"variant {i}" for i in range(len(variants))]
  coords: dict[str, Any] = {"variant": names, "seed": range(seeds)}
  for k, field in enumerate(COORDINATES):
    values = [variant[k] for variant in variants]
    coords[f"variant_{field.replace('.', '_')}"] = ("variant", values, {"config_field": field})
  dataset = xr.Dataset(data, coords)
  rng = np.random.default_rng(0)
  dataset["W_dec"] = (
    ("variant", "seed", "input", "latent"),
    rng.normal(size=(*shape, n_inputs, n_latents)),
  )
  dataset["dictionary"] = (
    ("variant", "seed", "input", "feature"),
    rng.normal(size=(*shape, n_inputs, n_features)),
  )
  dataset["feature_density"] = (("variant", "seed", "feature"), np.full((*shape, n_features), 0.03))
  fields_ = fields.defaults() | {"axes": ("variant", "seed"), **(config or {})}
  return dataset.assign_attrs(config=json.dumps(fields_))
