"""What an engineer does, from an empty folder, with nothing but the package and its companions."""

import numpy as np
import xarray as xr

import toy_superposition as ts
from toy_superposition import main

SMALL = ("--config.axis.density.num=2", "--config.axis.restart.num=4", "--config.train.steps=40")
TINY = ("--config=introduction:quick", "--config.experiment=none", *SMALL)


def run(*words: str, code: int = 0) -> None:
  """Runs the program and compares its exit code."""
  ended: object
  try:
    ended = main.call(*TINY, *words)
  except SystemExit as error:
    ended = error.code
  assert ended == code, (words, ended)


# What it will cost, before anything is written: time, memory per device, and on N shards.
run("--dry_run")
run("--dry_run", "--shard=0/2")

# What does not fit is refused before training. With less memory models are trained and evaluated in
# slices, to the same bits.
run("--workdir=whole")
run("--workdir=never", "--config.run.memory_gib=1e-6", code=1)
run("--workdir=sliced", "--config.run.memory_gib=0.0004")
whole = xr.open_dataset("whole/results.nc", engine="h5netcdf")
sliced = xr.open_dataset("sliced/results.nc", engine="h5netcdf")
for variable in ("W", "b", "loss", "feature_loss"):
  np.testing.assert_array_equal(whole[variable], sliced[variable])

# Object storage, for which fsspec's memory stands; the same command finds the run finished.
run("--workdir=memory://bucket/run")
run("--workdir=memory://bucket/run")
run("--workdir=memory://bucket/run", "--config.train.steps=41", code=1)  # of another run
run("--workdir=nowhere://bucket/run", code=1)
np.testing.assert_array_equal(ts.load("memory://bucket/run")["W"], whole["W"])

# Exit codes: 1 for a mistake, in one line; what may be tried again has a kind of its own.
run("--config.train.steps=-1", code=1)
run("--workdir=never", "--shard=2/2", code=1)
assert issubclass(ts.TransientError, ts.UserError)
