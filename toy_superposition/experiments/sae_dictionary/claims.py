"""Whether more examples make the dictionary, and with it the codes, right."""

from typing import TYPE_CHECKING

import numpy as np

from toy_superposition.experiments.dictionaries import all_finite
from toy_superposition.experiments.experiment import Claim, verdict

if TYPE_CHECKING:
  import xarray as xr

MIN_SEEDS, FEW, MANY = 10, 5000, 100_000  # examples: of the published experiment, and many more
TRUE = 0.95  # published for the true dictionary: .986 at 10 of 100 features in 47 dimensions
NEAR = 0.02  # of the codes of the true dictionary


def claims(dataset: "xr.Dataset") -> list[Claim]:
  """Returns the verdicts on encoder, dictionary and number of examples."""
  dataset = dataset.sortby("examples").transpose("examples", "seed", ...)
  examples = dataset["examples"].values
  decided = dataset.sizes["seed"] >= MIN_SEEDS and all_finite(dataset)
  decided = decided and examples[0] <= FEW < MANY <= examples[-1]
  mcc = dataset["mcc"].values
  encoder, learned, true, classical, simple = (
    dataset[f"codes_{name}"].values
    for name in ("encoder", "fista", "true", "classical", "true_encoder")
  )
  directions = dataset["mcc_classical"].values
  gap = true[-1].mean() - learned[-1].mean()
  return [
    Claim(
      "dictionaries of sparse autoencoders become more like the true one with more examples",
      f"MCC of directions: {_listed(examples, mcc)}; by chance "
      f"{float(dataset['mcc_chance'].mean()):.3f}",
      "mean over seeds rising with every larger number of examples",
      verdict(bool(np.all(np.diff(mcc.mean(axis=1)) > 0)), decided),
    ),
    Claim(
      "sparse coding with the true dictionary finds the codes of examples never seen",
      f"MCC of codes {true.mean():.3f} ± {true.std():.1g}",
      f"≥ {TRUE:g} in every seed; published: .986 for more features",
      verdict(bool((true >= TRUE).all()), decided),
    ),
    Claim(
      "sparse coding with the learned dictionary finds better codes than the autoencoder's encoder",
      f"learned dictionary {_listed(examples, learned)}; encoder {_listed(examples, encoder)}",
      "a higher mean at every number of examples",
      verdict(bool(np.all(learned.mean(axis=1) > encoder.mean(axis=1))), decided),
    ),
    Claim(
      "with many examples the learned dictionary is no bottleneck: its codes are as good as those "
      "of the true one",
      f"{gap:.3f} less at {examples[-1]} examples",
      f"at most {NEAR:g} less",
      verdict(bool(gap <= NEAR), decided),
    ),
    Claim(
      "an encoder is not enough even with the true dictionary: its k largest inner products are "
      "worse codes than its sparse codes",
      f"MCC of codes {simple.mean():.3f} ± {simple.std():.1g}, of sparse codes {true.mean():.3f}",
      "lower in every seed",
      verdict(bool((simple < true).all()), decided),
    ),
    Claim(
      "classical dictionary learning, without an encoder, finds the true dictionary from as many "
      "examples as the published experiment had",
      f"MCC of directions: {_listed(examples, directions)}",
      f"≥ {TRUE:g} in every seed at {FEW} examples and more",
      verdict(bool((directions[examples >= FEW] >= TRUE).all()), decided),
    ),
    Claim(
      "sparse codes of the classical dictionary are better than those of the autoencoder's",
      f"classical {_listed(examples, classical)}; autoencoder {_listed(examples, learned)}",
      "a higher mean at every number of examples",
      verdict(bool(np.all(classical.mean(axis=1) > learned.mean(axis=1))), decided),
    ),
  ]


def _listed(examples: np.ndarray, values: np.ndarray) -> str:
  return ", ".join(f"{x}: {y.mean():.3f}" for x, y in zip(examples, values, strict=True))
