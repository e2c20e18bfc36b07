"""Scores of sparse autoencoders whose true directions are known.

Sweeps of several methods have an axis that sets the method's fields together (`base.together`); the
models of one method are scored in one program.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from jax.sharding import Mesh
from jaxtyping import Float

from toy_superposition import fields, models, sizes, sweeps
from toy_superposition.experiments import trained
from toy_superposition.experiments.trained import Trained
from toy_superposition.geometry.definitions import is_represented
from toy_superposition.inputs import SOURCE
from toy_superposition.records import schema
from toy_superposition.recovery import chance, metrics
from toy_superposition.recovery.statistics import Pairs, Statistics, statistics
from toy_superposition.types import Spec

if TYPE_CHECKING:
  import xarray as xr

N_SAMPLES = 20_480
# Arrays of (feature, example) that sparse coding with a few penalties holds at once: XLA's own
# count for 256 features and 2 048 examples.
CODE_ARRAYS = 15
# Variable → its dimension beside the sweep's axes, if any, and its description.
SCORES: dict[str, str] = {
  "mcc": "mean |cosine| of the best one-to-one assignment of latents to features",
  "mmcs": "mean over features of the largest |cosine| of a latent",
  "uniqueness": "different best features over live latents",
  "splitting": "live latents with the same best feature",
  "precision": "precision of assigned latents as detectors of their features",
  "recall": "recall of assigned latents as detectors of their features",
  "f1": "F1 of assigned latents as detectors of their features",
  "f1_live": "F1 of all live latents as detectors of their best features",
  "l0": "latents that are on in an example",
  "fvu": "fraction of variance unexplained",
  "dead": f"share of latents that are on in less than {metrics.DEAD:g} of examples",
  "shrinkage": "E ‖ŝ‖ / E ‖s‖",
  "active": "features that are on in an example: the true L0",
  "mcc_chance": "MCC of random decoders of as many latents",
  "mcc_chance_std": "standard deviation of the MCC over random decoders",
  "absorption": "share of examples with parent and child on in which the parent's latent is silent",
  "hedging": "mean cosine of the parents' latents with the children",
}


OF_PAIRS = ("absorption", "hedging")


def all_finite(dataset: "xr.Dataset") -> bool:
  """Returns whether no model has diverged: otherwise claims about every seed are not decided."""
  return bool((dataset["finite"] == 1).all())


def scored(dataset: "xr.Dataset", mesh: Mesh, pairs: Pairs | None = None) -> "xr.Dataset":
  """Returns the dataset with SCORES of every model; absorption and hedging of `pairs` of parents
  and children, if any."""
  dims = tuple(str(dim) for dim in dataset["loss"].dims)
  found: dict[str, np.ndarray] = {}
  for where, part in methods(dataset):
    for name, values in _scores(trained.trained(part), mesh, pairs).items():
      found.setdefault(name, np.full(dataset["loss"].shape, np.nan))[where] = values
  return dataset.assign(
    {name: (dims, values, {"long_name": SCORES[name]}) for name, values in found.items()}
  )


def methods(dataset: "xr.Dataset") -> Iterator[tuple[tuple[Any, ...], "xr.Dataset"]]:
  """Yields (index into arrays over the sweep, dataset) of the models of each method: those that
  share the values of all fields that are compiled in."""
  dims = dataset["loss"].dims
  compiled = [
    coordinate
    for coordinate in dataset.coords.values()
    if coordinate.ndim == 1
    and (field := coordinate.attrs.get("config_field"))
    and field in fields.fields()
    and not sweeps.is_swept(field)
  ]
  by_dim: dict[Any, list[Any]] = {}
  for coordinate in compiled:
    by_dim.setdefault(coordinate.dims[0], []).append(coordinate.values.tolist())
  if not by_dim:
    yield (slice(None),) * len(dims), dataset
    return
  ((dim, columns),) = by_dim.items()  # one axis of methods
  points: dict[tuple[Any, ...], list[int]] = {}
  for i, values in enumerate(zip(*columns, strict=True)):
    points.setdefault(values, []).append(i)
  for at in points.values():
    where = tuple(np.array(at) if d == dim else slice(None) for d in dims)
    yield where, dataset.isel({dim: at})


def directions(models_: Trained, i: int) -> Float[np.ndarray, "input feature"]:
  """Returns the true directions of a model's features; 0 for those that its source does not
  represent."""
  arrays = models_.instances.given
  assert arrays is not None
  return _directions({name: leaf[i] for name, leaf in arrays.items()}, models_.problem.spec.source)


def given(dataset: "xr.Dataset") -> dict[str, tuple[str, ...]]:
  """Returns the frozen arrays of a dataset that have the true directions, and their dimensions;
  nothing if there are none."""
  there = {name: dims for name, dims in schema.given_dims().items() if name in dataset}
  if "dictionary" in there:
    return {"dictionary": there["dictionary"]}
  return there if schema.source(dataset) is not None else {}


def true_directions(
  arrays: Mapping[str, np.ndarray], dataset: "xr.Dataset"
) -> Float[np.ndarray, "input feature"]:
  """Returns the true directions of a model's features from its own arrays of `given`; 0 for
  features that the dataset's source does not represent."""
  source = schema.source(dataset)
  return _directions(arrays, None if source is None else fields.make_spec(source))


def _directions(
  arrays: Mapping[str, Any], source: Spec | None
) -> Float[np.ndarray, "input feature"]:
  if "dictionary" in arrays:
    return np.asarray(arrays["dictionary"])
  assert source is not None
  kind = models.params_class(source.model)
  W = np.asarray(kind(**{n.removeprefix(SOURCE): leaf for n, leaf in arrays.items()}).directions)
  return np.where(is_represented(W), W, 0)


def with_represented(dataset: "xr.Dataset") -> "xr.Dataset":
  """Returns the dataset with `n_represented`, the number of features with a direction."""
  models_ = trained.trained(dataset)
  number = [(directions(models_, i) != 0).any(axis=0).sum() for i in range(dataset["loss"].size)]
  about = {"long_name": "features that the source represents"}
  return dataset.assign(n_represented=(models_.dims, np.reshape(number, models_.shape), about))


def bound(dataset: "xr.Dataset") -> Float[np.ndarray, "*model"]:
  """Returns the largest MCC that a decoder can have: one latent for every represented feature, as
  far as there are latents."""
  number = dataset["n_represented"].values
  return np.minimum(1, dataset.sizes["latent"] / np.maximum(number, 1))


def coding_bytes(spec: Spec, n_examples: int) -> int:
  """Returns the bytes of a model and of sparse codes of examples with the true dictionary."""
  widest = max(spec.n_features, spec.n_hidden)
  codes = 4 * CODE_ARRAYS * widest * n_examples
  return max(trained.working_bytes(spec), sizes.params_bytes(spec) + codes)


def _scores(models_: Trained, mesh: Mesh, pairs: Pairs | None) -> dict[str, np.ndarray]:
  """Returns the scores of models of one method, with the shape of their axes; NaN of diverged
  models."""

  def of_one(params, instance) -> Statistics:
    return statistics(models_.problem, params, instance, N_SAMPLES, pairs)

  found = trained.each(of_one, models_, mesh)
  decoders = np.asarray(models_.params.W_dec)
  scores = {name: np.full(len(decoders), np.nan) for name in SCORES}
  for i in np.flatnonzero(np.isfinite(decoders).all(axis=(1, 2))).tolist():
    for name, value in _score(found, decoders[i], directions(models_, i), i, pairs).items():
      scores[name][i] = value
  without = () if pairs else OF_PAIRS
  return {n: values.reshape(models_.shape) for n, values in scores.items() if n not in without}


def _score(
  found: Statistics,
  decoder: Float[np.ndarray, "input latent"],
  truth: Float[np.ndarray, "input feature"],
  i: int,
  pairs: Pairs | None,
) -> dict[str, float]:
  """Returns the scores of one model; features without a direction do not count."""
  there = (truth != 0).any(axis=0)
  latent_on, feature_on = np.asarray(found.latent_on[i]), np.asarray(found.feature_on[i])[there]
  together, live = np.asarray(found.together[i])[:, there], latent_on >= metrics.DEAD
  cosine = metrics.cosines(decoder, truth[:, there])
  latents, features = metrics.assignment(cosine)
  assigned = metrics.detection(together, latent_on, feature_on, latents, features)
  alive = np.flatnonzero(live)
  best = metrics.best_features(cosine)[alive]
  by_chance = chance.chance(metrics.mcc, truth[:, there], decoder.shape[1])
  scores = {
    "mcc": metrics.mcc(cosine),
    "mmcs": metrics.mmcs(cosine),
    "uniqueness": metrics.uniqueness(cosine, live),
    "splitting": metrics.splitting(cosine, live),
    "precision": assigned.precision,
    "recall": assigned.recall,
    "f1": assigned.f1,
    "f1_live": metrics.detection(together, latent_on, feature_on, alive, best).f1,
    "l0": float(found.l0[i]),
    "fvu": float(found.fvu[i]),
    "dead": float(1 - live.mean()),
    "shrinkage": float(found.shrinkage[i]),
    "active": float(np.sum(found.feature_on[i])),
    "mcc_chance": by_chance.mean,
    "mcc_chance_std": by_chance.std,
  }
  if pairs:
    silent, both = np.asarray(found.silent[i]), np.asarray(found.both[i])
    scores["absorption"] = metrics.absorption(cosine, silent, both, pairs[0])
    scores["hedging"] = metrics.hedging(cosine, *pairs)
  return scores


def spread(values: "xr.DataArray") -> str:
  """Returns "mean ± standard deviation" over all models of an array."""
  return f"{float(values.mean()):.3g} ± {float(values.std(ddof=1)):.1g}"
