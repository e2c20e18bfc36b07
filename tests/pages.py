"""Small results for tests of pages: random weights with the measures that a run would store."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
import xarray as xr

from toy_superposition import report
from toy_superposition.experiments.experiment import CONFIRMED, CONTRADICTED, Claim
from toy_superposition.measures import MEASURES, measure
from toy_superposition.models import TiedParams

ODD = "<script>alert(1)</script> \"quoted\" 'too' & 😀 </script>"
CONFIG = {"name": "small", "train.steps": 10, "train.batch_size": 4, "seed": 3}


def dataset(
  axes: Mapping[str, Any], m: int, n: int, model: str = "relu_output", seed: int = 0
) -> xr.Dataset:
  """Returns results over the axes, whose weights have norms near 1."""
  dims, shape = tuple(axes), tuple(len(points) for points in axes.values())
  rng = np.random.default_rng(seed)
  W = rng.normal(0, m**-0.5, (*shape, m, n)).astype(np.float32)
  b = rng.normal(0, 0.1, (*shape, n)).astype(np.float32)
  params = TiedParams(jnp.array(W.reshape(-1, m, n)), jnp.array(b.reshape(-1, n)))
  found = measure(params, tuple(MEASURES))
  variables: dict[str, Any] = {
    name: ((*dims, *MEASURES[name].dims), np.array(values).reshape(*shape, *values.shape[1:]))
    for name, values in found.items()
  }
  density = xr.DataArray(np.full(b.shape, 0.1, np.float32), dims=(*dims, "feature"))
  if "density" in axes:
    column = xr.DataArray(np.asarray(axes["density"], np.float32), dims="density")
    density = (0 * density + column).transpose(*dims, "feature")
  return xr.Dataset(
    variables
    | {
      "W": ((*dims, "hidden", "feature"), W),
      "b": ((*dims, "feature"), b),
      "loss": (dims, rng.uniform(0.01, 0.02, shape).astype(np.float32)),
      "finite": (dims, np.ones(shape, np.int8)),
      "feature_importance": ((*dims, "feature"), np.ones(b.shape, np.float32)),
      "feature_density": density,
    },
    {name: list(points) for name, points in axes.items()},
    {"model": model, "config": json.dumps(CONFIG), "title": "small"},
  )


def with_history(data: xr.Dataset, steps: Sequence[int]) -> xr.Dataset:
  """Returns the results with parameters during training, which grow to the last ones."""
  share = xr.DataArray(np.linspace(0.5, 1, len(steps), dtype=np.float32), dims="step")
  rising = xr.DataArray(np.linspace(3, 1, len(steps), dtype=np.float32), dims="step")
  return data.assign_coords(step=list(steps)).assign(
    history_W=(data["W"] * share).transpose(..., "step", "hidden", "feature"),
    history_b=(data["b"] * share).transpose(..., "step", "feature"),
    history_loss=data["loss"] * rising,
  )


def with_neurons(data: xr.Dataset) -> xr.Dataset:
  """Returns results of a model with separate weights into and out of its neurons."""
  W2 = data["W"].transpose(..., "feature", "hidden") * 2
  return data.rename(W="W1").assign(W2=W2).assign_attrs(model="absolute_value")


def run(name: str, datasets: Mapping[str, xr.Dataset] | xr.Dataset, **changes: Any) -> report.Run:
  """Returns what a page says of results: two claims, a config and one session."""
  claims = (
    Claim("the sky is <blue>", "1 < 2", "👍", CONFIRMED),
    Claim(ODD, "0", "1", CONTRADICTED),
  )
  session = {"started": "2026-01-01T00:00:00+00:00", "seconds": 3.2, "versions": {"jax": "1.2"}}
  session |= {"devices": ["cpu:0"], "command": ["python", "-m", "x"]}
  of_root = {"/": datasets} if isinstance(datasets, xr.Dataset) else datasets
  made = report.Run(name, "About <b>it</b>.", "phase_change", claims, (), f"run --it={ODD}", CONFIG)
  return made._replace(sessions=[session], datasets=of_root)._replace(**changes)
