"""The protocol of the paper's notebook in PyTorch: what the package is compared with.

A step draws two uniform numbers per feature, one that decides whether it is active and one for its
value; two einsums over all instances make the outputs; the importance-weighted squared error,
averaged over batch and features, is summed over instances and differentiated by autograd; AdamW
updates all instances at once.
"""

import ctypes
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from toy_superposition.types import Group, Spec

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


class Notebook:
  """A group of instances in PyTorch on the CPU, trained on the calling thread's torch threads."""

  def __init__(self, group: Group, seed: int = 0):
    """Draws the first weights with the standard deviation of the group's Spec."""
    spec = group.spec
    check(spec)
    torch.manual_seed(seed)
    self._spec, self._batch_size = spec, spec.batch_size
    self._density = torch.tensor(np.array(group.instances.density))
    self._importance = torch.tensor(np.array(group.instances.importance))
    shape = (len(self._density), spec.n_features, spec.n_hidden)
    rule, row = spec.row("init.scheme"), spec.row("train.optimizer")
    std = spec.init_scale * rule.std(n_features=spec.n_features, n_hidden=spec.n_hidden)
    n_matrices = 2 if spec.model == "absolute_value" else 1
    self._weights = [(std * torch.randn(shape)).requires_grad_() for _ in range(n_matrices)]
    self._bias = torch.zeros(shape[:2], requires_grad=True)
    self._optimizer = torch.optim.AdamW(
      [*self._weights, self._bias],
      lr=float(group.instances.learning_rate[0]),
      betas=(row.b1, row.b2),
      eps=row.epsilon,
      weight_decay=float(group.instances.numbers["train.weight_decay"][0]),
    )

  def advance(self, n_steps: int) -> float:
    """Trains and returns the seconds that it took."""
    started = time.perf_counter()
    for _ in range(n_steps):
      loss = self._losses(self._batch()).sum()
      self._optimizer.zero_grad()
      loss.backward()
      self._optimizer.step()
    return time.perf_counter() - started

  def losses(self, n_batches: int) -> np.ndarray:
    """Returns each instance's loss on that many fresh batches."""
    with torch.no_grad():
      each = [self._losses(self._batch()).numpy() for _ in range(n_batches)]
    return np.mean(each, axis=0)

  def _batch(self) -> torch.Tensor:
    shape = (self._batch_size, *self._density.shape)
    active, value = torch.rand(shape) < self._density, torch.rand(shape)
    if self._spec.distribution == "sparse_signed_uniform":
      value = 2 * value - 1
    return torch.where(active, value, torch.zeros(()))

  def _losses(self, x: torch.Tensor) -> torch.Tensor:
    encoder, decoder = self._weights[0], self._weights[-1]
    hidden = torch.einsum("bif,ifh->bih", x, encoder)
    if self._spec.model == "absolute_value":
      hidden = torch.relu(hidden)
    output = torch.relu(torch.einsum("bih,ifh->bif", hidden, decoder) + self._bias)
    target = x.abs() if self._spec.target == "absolute" else x
    return (self._importance * (target - output) ** 2).mean(dim=(0, 2))


def check(spec: Spec) -> None:
  """Checks that the protocol knows what a Spec asks for."""
  assert spec.model in ("relu_output", "absolute_value")
  assert spec.distribution in ("sparse_uniform", "sparse_signed_uniform")
  assert (spec.reduction, spec.optimizer) == ("mean", "adamw")
  row = spec.row("train.optimizer")
  assert (row.schedule, row.warmup_steps) == ("constant", 0)


def peak_increase(function: Callable[[], object]) -> int | None:
  """Returns by how many bytes the process grew at most while the function ran (Linux only).

  What earlier work has freed is given back to the system first, so that it is counted if used
  again.
  """
  try:
    ctypes.CDLL(None).malloc_trim(0)
    CLEAR.write_text("5")  # resets the peak to what is resident now
    before = _resident("VmRSS")
    function()
    return _resident("VmHWM") - before
  except (OSError, AttributeError):
    return None


def _resident(field: str) -> int:
  line = next(line for line in STATUS.read_text().splitlines() if line.startswith(field + ":"))
  return 1024 * int(line.split()[1])
