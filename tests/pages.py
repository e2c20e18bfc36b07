"""Small results for tests of pages: random weights with the measures that a run would store."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from tests import datasets
from toy_superposition import report
from toy_superposition.experiments.experiment import CONFIRMED, CONTRADICTED, Claim

ODD = "<script>alert(1)</script> \"quoted\" 'too' & 😀 </script>"
CONFIG = {"name": "small", "train.steps": 10, "train.batch_size": 4, "seed": 3}


def dataset(axes: Mapping[str, Any], *, m: int, n: int, seed: int = 0) -> xr.Dataset:
  """Returns results over the axes, whose weights have norms near 1."""
  shape = tuple(len(points) for points in axes.values())
  rng = np.random.default_rng(seed)
  return datasets.dataset(
    axes=axes,
    config=CONFIG | {"model.name": "relu_output", "density.base": 0.1},
    W=rng.normal(0, m**-0.5, (*shape, m, n)),
    b=rng.normal(0, 0.1, (*shape, n)),
    loss=rng.uniform(0.01, 0.02, shape),
  )


def with_history(data: xr.Dataset, steps: Sequence[int]) -> xr.Dataset:
  """Returns the results with parameters during training, which grow to the final ones."""
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


def run(name: str, results: Mapping[str, xr.Dataset] | xr.Dataset, **changes: Any) -> report.Run:
  """Returns a run with these results, two claims, a config and one session."""
  claims = (
    Claim("the sky is <blue>", "1 < 2", "👍", CONFIRMED),
    Claim(ODD, "0", "1", CONTRADICTED),
  )
  session = {"started": "2026-01-01T00:00:00+00:00", "seconds": 3.2, "versions": {"jax": "1.2"}}
  session |= {"devices": ["cpu:0"], "command": ["python", "-m", "x"]}
  return report.Run(
    name,
    about="About <b>it</b>.",
    experiment="phase_change",
    claims=claims,
    command=f"run --it={ODD}",
    config=CONFIG,
    sessions=[session],
    datasets={"/": results} if isinstance(results, xr.Dataset) else results,
  )._replace(**changes)
