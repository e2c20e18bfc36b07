"""Closed forms of least losses, and which features coincide, against exact losses of descents."""

from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from toy_superposition.experiments.experiment import REPORTED, Claim, identity, verdict
from toy_superposition.experiments.loss_exponent import theory
from toy_superposition.experiments.loss_exponent.analysis import CROSS_ENTROPY

if TYPE_CHECKING:
  import xarray as xr

MIN_RESTARTS = 10
EXACT = 1e-4  # relative: float32 after BFGS
BETTER = 2e-3  # relative: far above that
ALL_ONES = 1 - 1e-3
# Verified independently: T → least L2 loss for z = 1, D = 2; for T = 5, z = 2; and L4 losses.
SQUARED = {3: 0.1111, 4: 0.125, 5: 0.12, 6: 0.1111}
PAIRS_OF_FIVE = 0.18
TRIANGLE, FOUR_LINES = 1 / 81, 0.02166


def claims(dataset: "xr.Dataset") -> list[Claim]:
  """Returns the verdicts on all numbers of features together."""
  decided = dataset.sizes["restart"] >= MIN_RESTARTS
  loss = dataset["loss"].transpose("n", "active", "loss_name", "restart")
  best = loss.min("restart")
  rows = _squared_claims(dataset, loss, decided)
  if 1 in dataset["active"].values:
    rows += _single_claims(dataset, loss.sel(active=1), decided)
  if 2 in dataset["active"].values:
    rows += _pair_claims(dataset, best.sel(active=2), decided)
  return [*rows, _bound_claim(dataset, best)]


def _listed(values: "xr.DataArray", digits: int = 4) -> str:
  return ", ".join(f"T = {n}: {float(values.sel(n=n)):.{digits}g}" for n in values["n"].values)


def _squared_claims(dataset: "xr.Dataset", loss: "xr.DataArray", decided: bool) -> list[Claim]:
  """The squared error, whose optima have closed forms."""
  rows, counts = [], dataset["n"].values.tolist()
  for z in dataset["active"].values.tolist():
    mine = loss.sel(active=z, loss_name="L2")
    least = np.array([theory.least_squared_error(n, 2, z) for n in counts])
    lowest, all_of_them = mine.min("restart").values, mine.values / least[:, None] - 1
    form = "(T − D)/T²" if z == 1 else "α(T − D)/T"
    rows.append(
      Claim(
        f"z = {z}: the least squared error is {form}, and every descent reaches it",
        f"{_listed(mine.min('restart'))}; {(np.abs(all_of_them) <= EXACT).mean():.0%} of restarts",
        f"{', '.join(f'{value:.4g}' for value in least)}, within {EXACT:g} in every restart",
        verdict(bool((np.abs(all_of_them) <= EXACT).all()), decided),
      )
    )
    known = SQUARED if z == 1 else {5: PAIRS_OF_FIVE} if z == 2 else {}
    there = [(value, known[n]) for n, value in zip(counts, lowest, strict=True) if n in known]
    if there:
      rows.append(
        Claim(
          f"z = {z}: least squared errors are those of an independent computation",
          ", ".join(f"{value:.4f}" for value, _ in there),
          ", ".join(f"{value:g}" for _, value in there),
          verdict(all(abs(a - b) <= 6e-5 for a, b in there), decided),
        )
      )
    if z > 1:
      share = dataset["ones_share"].sel(active=z, loss_name="L2")
      rows.append(
        Claim(
          f"z = {z}: with the squared error the row space contains the vector of ones",
          f"least share of it {float(share.min()):.5f}",
          f"≥ {ALL_ONES:g} in every restart",
          verdict(bool((share >= ALL_ONES).all()), decided),
        )
      )
  return rows


def _single_claims(dataset: "xr.Dataset", loss: "xr.DataArray", decided: bool) -> list[Claim]:
  """One active feature: what exponents above 2 choose, and the squared error does not."""
  part = dataset.sel(active=1)
  spread = part["leverage_std"].sel(loss_name="L2").mean("restart")
  chance = [theory.random_leverage_std(n, 2) for n in dataset["n"].values.tolist()]
  rows = [
    Claim(
      "z = 1: with the squared error training stays in a random plane: spread of the features' "
      "leverages P_ii within a model",
      _listed(spread, 2),
      f"of random planes: {', '.join(f'{value:.2f}' for value in chance)}",
      REPORTED,
    ),
    Claim(
      "z = 1: share of single features whose own output is the largest, over all restarts",
      "; ".join(
        f"{name}: {float(part['told_apart'].sel(loss_name=name).mean()):.2f}"
        for name in part["loss_name"].values
      ),
      "",
      REPORTED,
    ),
  ]
  if 3 in loss["n"].values:
    rows += _triangle_claims(dataset, loss.sel(n=3), decided)
  rows += _line_claims(dataset, loss.min("restart"), decided)
  if CROSS_ENTROPY in dataset["loss_name"].values:
    kl = part["kl"].sel(loss_name=CROSS_ENTROPY)
    apart = part["told_apart"].sel(loss_name=CROSS_ENTROPY)
    chosen = kl.argmin("restart")
    own = apart.isel(restart=chosen)
    told = int((apart == 1).sum())
    interval = stats.binomtest(told, apart.size).proportion_ci(0.95)
    rows += [
      Claim(
        "z = 1: at the optimum cross-entropy tells all features apart in two dimensions, however "
        "many there are",
        f"least KL divergence of each T: {float(kl.isel(restart=chosen).max()):.1g} nats at most; "
        f"share told apart {float(own.min()):.3f} at least",
        "all of them in the best descent of every T",
        verdict(bool((own == 1).all()), decided),
      ),
      Claim(
        "z = 1: share of descents in which cross-entropy tells all features apart",
        f"{told} of {apart.size}: {interval.low:.1%} to {interval.high:.1%} (95 %)",
        "",
        REPORTED,
      ),
    ]
  return rows


def _powers(dataset: "xr.Dataset") -> list[tuple[str, float]]:
  names, exponents = dataset["loss_name"].values, dataset["loss_name_loss_q"].values
  return [
    (str(name), float(q)) for name, q in zip(names, exponents, strict=True) if name != CROSS_ENTROPY
  ]


def _triangle_claims(dataset: "xr.Dataset", loss: "xr.DataArray", decided: bool) -> list[Claim]:
  """Three features in a plane, D = T − 1: the optimum is known for every exponent."""
  at = {name: float(loss.sel(loss_name=name).min()) for name, _ in _powers(dataset)}
  least = {name: 3.0**-q for name, q in _powers(dataset)}
  near = all(abs(at[name] / least[name] - 1) <= 10 * EXACT for name in at)
  rows = [
    Claim(
      "z = 1, T = 3: the least L_q loss is that of an even triangle, 3^−q, for every q",
      ", ".join(f"{name} {value:.5g}" for name, value in at.items()),
      ", ".join(f"{value:.5g}" for value in least.values()),
      verdict(near, decided),
    )
  ]
  if "L4" in at:
    lines = dataset["n_lines"].sel(n=3, active=1, loss_name="L4")
    rows.append(
      Claim(
        "z = 1, T = 3: the L4 optimum is the triangle's, 1/81",
        f"{at['L4']:.6f}, on {int(lines.min())} lines at least",
        f"{TRIANGLE:.6f}",
        verdict(abs(at["L4"] / TRIANGLE - 1) <= 10 * EXACT, decided),
      )
    )
  return rows


def _line_claims(dataset: "xr.Dataset", best: "xr.DataArray", decided: bool) -> list[Claim]:
  """Evenly spaced lines, against the best that descents found."""
  rows = []
  counts = [n for n in best["n"].values.tolist() if n > 3]
  for name in ("L4", "L3"):
    if name not in best["loss_name"].values or not counts:
      continue
    mine = best.sel(loss_name=name, n=counts)
    even = dataset["even_loss"].sel(loss_name=name, n=counts)
    ratio = mine / even - 1
    lines = _lines_of_best(dataset.sel(active=1, loss_name=name, n=counts))
    listed = ", ".join(
      f"T = {n}: {float(mine.sel(n=n)):.5f} ({float(ratio.sel(n=n)):+.2%}, {k} lines)"
      for n, k in zip(counts, lines, strict=True)
    )
    told = ", ".join(f"{value:.5f}" for value in even.values)
    if name == "L4":
      known = abs(float(mine.sel(n=4)) - FOUR_LINES) <= 6e-6 if 4 in counts else True
      rows.append(
        Claim(
          "z = 1: evenly spaced lines are the best that descents find with L4 (four: .02166)",
          listed,
          f"{told}, within {10 * EXACT:g}",
          verdict(known and bool((abs(ratio) <= 10 * EXACT).all()), decided),
        )
      )
    elif 4 in counts:
      rows.append(
        Claim(
          "z = 1, T = 4: with L3 an uneven frame is better than four evenly spaced lines",
          listed,
          f"below {told.partition(',')[0]} by more than {BETTER:.1%}",
          verdict(float(ratio.sel(n=4)) < -BETTER, decided),
        )
      )
  return rows


def _lines_of_best(part: "xr.Dataset") -> list[int]:
  """Returns on how many lines the features of the best restart lie, for every T."""
  chosen = part["loss"].argmin("restart")
  return part["n_lines"].isel(restart=chosen).values.astype(int).tolist()


def _pair_claims(dataset: "xr.Dataset", best: "xr.DataArray", decided: bool) -> list[Claim]:
  """Two active features at once."""
  rows = []
  for n in [n for n in dataset["n"].values.tolist() if n > 3]:
    if "L4" not in dataset["loss_name"].values:
      break
    part = dataset.sel(active=2, loss_name="L4", n=n)
    (lines,) = _lines_of_best(part.expand_dims("n"))
    unit = part["embedding"].dropna("corner").transpose("axis", "corner").values
    unit = unit / np.linalg.norm(unit, axis=0)
    cosine = np.abs(unit.T @ unit) - np.eye(unit.shape[1])
    rows.append(
      Claim(
        f"z = 2, T = {n}: at the L4 optimum two features coincide",
        f"{lines} lines; largest |cos| of two features {cosine.max():.3f}; loss "
        f"{float(best.sel(n=n, loss_name='L4')):.5f}",
        f"fewer than {n} lines",
        verdict(lines < n, decided),
      )
    )
  if CROSS_ENTROPY in dataset["loss_name"].values:
    kl = dataset["kl"].sel(active=2, loss_name=CROSS_ENTROPY).min("restart")
    rows.append(
      Claim(
        "z = 2: least KL divergence in nats per active feature, with cross-entropy",
        _listed(kl.where(abs(kl) > 1e-6, 0), 2),
        "",
        REPORTED,
      )
    )
  return rows


def _bound_claim(dataset: "xr.Dataset", best: "xr.DataArray") -> Claim:
  ratio = (best / dataset["bound"]).where(np.isfinite(dataset["bound"]))
  return Claim(
    "no model is below the bound that the least squared error gives for every q (Jensen)",
    f"losses are {float(ratio.min()):.4f} to {float(ratio.max()):.4f} of the bound",
    "≥ 1",
    identity(float(ratio.min()) >= 1 - EXACT),
  )
