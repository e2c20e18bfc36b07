"""Whether the small world keeps the published order of methods, at equal L0."""

import json
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from toy_superposition.experiments.dictionaries import all_finite
from toy_superposition.experiments.experiment import REPORTED, Claim, verdict
from toy_superposition.models.sparse_autoencoders import SPARSE_AUTOENCODERS

if TYPE_CHECKING:
  import xarray as xr

MIN_SEEDS, MIN_STEPS = 10, 1500
# Where methods are compared, over the true L0: published at 25 of 34.
SHARE = 0.7
ERRORS = 2.0  # standard errors of a paired difference from which it counts
# Published at L0 = 25, mean of five seeds: F1, and the explained variance.
PUBLISHED = {
  "matryoshka_sae": (0.879, 0.779),
  "batch_topk_sae": (0.732, 0.792),
  "jumprelu_sae": (0.732, 0.795),
  "l1_sae": (0.556, 0.765),
  "matching_pursuit_sae": (0.446, 0.835),
}
# "About as good": half of the smallest published gap between neighbours that differ, .556 − .446.
ALIKE = 0.055

Seeds = Float[np.ndarray, "seed"]


def title(name: str) -> str:
  """Returns what a row of MODELS is called."""
  return SPARSE_AUTOENCODERS[name].title


def compared_at(dataset: "xr.Dataset") -> float:
  """Returns the L0 at which methods are compared."""
  return SHARE * float(dataset["active"].mean())


def at_equal_l0(dataset: "xr.Dataset", score: str) -> dict[str, Seeds]:
  """Returns a score of every method at the L0 of comparison, in every seed: between the two nearest
  points of its sweep, linear in log L0.

  Methods whose points lie on one side of it are left out.
  """
  learns = ~dataset["variant_model_frozen_decoder"].values.astype(bool)
  names = dataset["variant_model_name"].values
  target = np.log(compared_at(dataset))
  found = {}
  for name in dict.fromkeys(names[learns].tolist()):
    part = dataset.isel(variant=np.flatnonzero(learns & (names == name)))
    l0 = np.log(np.maximum(part["l0"].transpose("seed", "variant").values, 1e-3))
    values = part[score].transpose("seed", "variant").values
    if not np.all((l0.min(axis=1) <= target) & (target <= l0.max(axis=1))):
      continue
    order = [np.argsort(row) for row in l0]
    found[name] = np.array(
      [np.interp(target, x[o], y[o]) for x, y, o in zip(l0, values, order, strict=True)]
    )
  return found


def claims(dataset: "xr.Dataset") -> list[Claim]:
  """Returns the verdicts on the order of methods."""
  steps = json.loads(dataset.attrs["config"])["train.steps"]
  decided = dataset.sizes["seed"] >= MIN_SEEDS and steps >= MIN_STEPS and all_finite(dataset)
  f1, fvu = at_equal_l0(dataset, "f1_live"), at_equal_l0(dataset, "fvu")
  better = [
    ("matryoshka_sae", "batch_topk_sae"),
    ("jumprelu_sae", "l1_sae"),
    ("l1_sae", "matching_pursuit_sae"),
  ]
  rows = [_better(f1, *pair, decided) for pair in better if set(pair) <= set(f1)]
  if {"batch_topk_sae", "jumprelu_sae"} <= set(f1):
    rows.append(_alike(f1["batch_topk_sae"] - f1["jumprelu_sae"], decided))
  if "matching_pursuit_sae" in fvu and len(fvu) > 1:
    rows.append(_best_reconstruction(fvu, decided))
  rows += _frozen(dataset, decided)
  rows += _oracle(dataset, f1, decided)
  return [*rows, *_reported(dataset)]


def _difference(values: Seeds) -> tuple[float, float]:
  """Returns the mean of a paired difference over seeds, and its standard error."""
  if len(values) < 2:
    return float(values.mean()), np.inf
  return float(values.mean()), float(values.std(ddof=1) / len(values) ** 0.5)


def _clear(values: Seeds, decided: bool) -> tuple[str, str]:
  """Returns what was measured and the verdict on a difference that should be positive."""
  mean, error = _difference(values)
  return (
    f"{mean:+.3f} ± {error:.1g} (standard error of the paired difference)",
    verdict(mean > 0, decided and abs(mean) > ERRORS * error),
  )


def _better(f1: dict[str, Seeds], one: str, other: str, decided: bool) -> Claim:
  gap = PUBLISHED[one][0] - PUBLISHED[other][0]
  measured, found = _clear(f1[one] - f1[other], decided)
  return Claim(
    f"at equal L0, latents of {title(one)} autoencoders are better detectors of features than "
    f"those of {title(other)}: difference of F1",
    measured,
    f"above 0 by {ERRORS:g} standard errors; published for the large world: {gap:+.3f}",
    found,
  )


def _alike(difference: Seeds, decided: bool) -> Claim:
  mean, error = _difference(difference)
  return Claim(
    "at equal L0, BatchTopK and JumpReLU autoencoders detect features about equally well: "
    "difference of F1",
    f"{mean:+.3f} ± {error:.1g} (standard error)",
    f"within ± {ALIKE:g}, half of the smallest published gap; published: .000",
    verdict(abs(mean) <= ALIKE, decided and abs(abs(mean) - ALIKE) > ERRORS * error),
  )


def _best_reconstruction(fvu: dict[str, Seeds], decided: bool) -> Claim:
  """Against the best of the others, which is chosen by its mean and named."""
  own = fvu["matching_pursuit_sae"]
  others = {name: values for name, values in fvu.items() if name != "matching_pursuit_sae"}
  rival = min(others, key=lambda name: float(others[name].mean()))
  measured, found = _clear(others[rival] - own, decided)
  return Claim(
    "at equal L0, matching pursuit leaves the least variance unexplained: FVU of the best other "
    f"method ({title(rival)}) less its own",
    measured,
    f"above 0 by {ERRORS:g} standard errors; published: .040 more variance explained than JumpReLU",
    found,
  )


def _frozen(dataset: "xr.Dataset", decided: bool) -> list[Claim]:
  """Whether learning the decoder finds more features than a random one of the same method."""
  frozen = dataset["variant_model_frozen_decoder"].values.astype(bool)
  rows = []
  for at in np.flatnonzero(frozen):
    same = [
      i
      for i in np.flatnonzero(~frozen)
      if all(
        dataset[f"variant_model_{field}"].values[i] == dataset[f"variant_model_{field}"].values[at]
        for field in ("name", "k", "sparsity")
      )
    ]
    if not same:
      continue
    label = str(dataset["variant"].values[same[0]])
    gain = dataset["f1_live"].isel(variant=same[0]) - dataset["f1_live"].isel(variant=at)
    measured, found = _clear(gain.values, decided)
    rows.append(
      Claim(
        f"{label}: learned directions detect features better than random ones that stay frozen: "
        "difference of F1",
        measured,
        f"above 0 by {ERRORS:g} standard errors",
        found,
      )
    )
  return rows


def _oracle(dataset: "xr.Dataset", f1: dict[str, Seeds], decided: bool) -> list[Claim]:
  """Whether sparse coding with the true dictionary is out of reach."""
  target = np.log(compared_at(dataset))
  l0 = np.log(np.maximum(dataset["oracle_l0"].transpose("seed", "oracle_penalty").values, 1e-3))
  values = dataset["oracle_f1"].transpose("seed", "oracle_penalty").values
  if not f1 or not np.all((l0.min(axis=1) <= target) & (target <= l0.max(axis=1))):
    return []
  best = np.array([np.interp(target, x[::-1], y[::-1]) for x, y in zip(l0, values, strict=True)])
  rival = max(f1, key=lambda name: float(f1[name].mean()))
  measured, found = _clear(best - f1[rival], decided)
  return [
    Claim(
      "at equal L0, sparse coding with the true dictionary detects its most frequent features, as "
      f"many as there are latents, better than any autoencoder's latents ({title(rival)}) detect "
      "theirs: difference of F1",
      f"{measured}; with the true dictionary {best.mean():.3f}",
      f"above 0 by {ERRORS:g} standard errors",
      found,
    )
  ]


def _reported(dataset: "xr.Dataset") -> list[Claim]:
  """Numbers of every method at the L0 of comparison."""
  scores = ("f1_live", "mcc", "uniqueness", "fvu")
  found = {score: at_equal_l0(dataset, score) for score in scores}
  chance = float(dataset["mcc_chance"].mean())
  return [
    Claim(
      f"{title(name)} autoencoders at an L0 of {compared_at(dataset):.2f}, {SHARE:g} of the true "
      "one: F1, MCC, uniqueness, FVU",
      ", ".join(f"{found[score][name].mean():.3f}" for score in scores),
      f"MCC by chance {chance:.3f}",
      REPORTED,
    )
    for name in found["f1_live"]
  ]
