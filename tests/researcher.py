"""What a researcher does, from an empty folder, with nothing but the package and its companions."""

import matplotlib
import numpy as np
import xarray as xr

import toy_superposition as ts

matplotlib.use("agg")
matplotlib.rcParams.update({"font.family": "serif", "font.size": 8})

# Weights trained elsewhere, in the layout of the paper's notebook: scored, measured, drawn, shown.
rng = np.random.default_rng(0)
W = rng.normal(size=(3, 5, 2)).astype(np.float32)  # [instance, feature, hidden]
b_final = np.zeros((3, 5), np.float32)
theirs = ts.weights(
  W, b_final, density=np.array([[1], [0.3], [0.1]]), importance=0.9 ** np.arange(5)
)
norm = ts.measure(theirs, "feature_norm")
np.testing.assert_allclose(norm, np.linalg.norm(W, axis=2), rtol=1e-5)
for draw in (ts.plots.arrows, ts.plots.gram, ts.plots.norms, ts.plots.graph):
  draw(theirs.sel(density=0.1))
ts.plots.dimensionality(theirs)
ts.plots.dimensions_per_feature(theirs)
assert ts.sample(theirs, 10)["outputs"].shape == (3, 10, 5)
ts.write_report(theirs, "theirs.html")
try:
  ts.weights(W, b_final)
except ts.UserError as error:
  assert "density is missing" in str(error)
else:
  raise AssertionError("the loss needs a density")

# The claims of an experiment about them need the experiment's config, and its number of models.
config = ts.sweep("introduction:quick", density=[1, 0.3, 0.1], restart=2)
config.train.steps = config.train.batch_size = 16
six = ts.weights(config, {"W": np.concatenate([W, W]), "b_final": np.concatenate([b_final] * 2)})
assert all(claim.verdict for claim in ts.claims(six)) and ts.claims(six)

# A sweep whose axis of repetitions is called seed.
plain = ts.get_config()
plain.train.steps, plain.train.batch_size, plain.evaluation.n_samples = 16, 16, 64
results = ts.run(ts.sweep(plain, density=[0.3, 0.1], seed=3))
np.testing.assert_array_equal(ts.best(results)["loss"], results["loss"].min("seed"))

# Mean, interval and best of every number.
summary = ts.summary(results, over="seed")["loss"]
low, mean, high = (summary.sel(statistic=name) for name in ("low", "mean", "high"))
np.testing.assert_allclose(mean, results["loss"].mean("seed"), rtol=1e-5)
assert (low < mean).all() and (mean < high).all()

# Models of two shapes in one dataset.
others = ts.weights(rng.normal(size=(2, 7)), density=0.1)
joined = ts.join([ts.weights(W[0], density=0.1), others])
assert isinstance(joined, xr.Dataset) and joined.sizes["n_features"] == 2
assert joined["b"].sel(n_features=5).isnull().sum() == 2
xr.testing.assert_equal(
  ts.measure(joined.sel(n_features=7), "feature_norm").drop_vars("n_features"),
  ts.measure(others, "feature_norm"),
)

# A figure for a paper, with its spread, and text that stays text.
figure = ts.draw(six, size=(5.5, 2))
assert tuple(figure.get_size_inches()) == (5.5, 2) and "2 restarts" in figure.get_supxlabel()
assert figure.axes[0].title.get_fontfamily() == ["serif"]
figure.savefig("figure.pdf")
figure.savefig("figure.svg")
with open("figure.pdf", "rb") as pdf, open("figure.svg") as svg:
  assert b"/Type3" not in pdf.read() and "restarts by loss" in svg.read()

# What to cite.
assert "toy_superposition" in six.attrs["versions"]
assert six.attrs["commit"] and six.attrs["section"]
