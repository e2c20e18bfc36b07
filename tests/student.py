"""What a student does, from an empty folder, with nothing but the package and its companions."""

import matplotlib
import numpy as np
import xarray as xr

import toy_superposition as ts
from toy_superposition import main

matplotlib.use("agg")
SMALL = ("--config.axis.density.num=3", "--config.axis.restart.num=3", "--config.train.steps=60")

# Experiments by name, from any folder, and one command for a picture and a page.
assert main.call("--list") == 0
assert main.call("--config=introduction:quick", *SMALL, "--workdir=first", "--watch") == 0

# The page moves without a second install, is small, and explains itself.
with open("first/report.html") as file:
  page = file.read()
assert len(page) < 3e6 and 'id="plotly"' in page
for words in ("Look for:", "Move a slider:", "The figure to expect from the paper:", "confirmed"):
  assert words in page, words

# Change one thing, and compare.
assert main.call("--config=introduction:quick", *SMALL, "--config.seed=1", "--workdir=second") == 0
first, second = (
  xr.open_dataset(f"{name}/results.nc", engine="h5netcdf") for name in ("first", "second")
)
assert not np.array_equal(first["W"], second["W"])

# The same panels in a notebook, and as a file.
panels = ts.explore(ts.load("second"))
assert "<iframe" in panels._repr_html_()
panels.save("panels.html")
