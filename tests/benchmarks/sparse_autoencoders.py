"""Sparse autoencoders per second, against the same autoencoder in plain PyTorch, one at a time.

  python -m tests.benchmarks.sparse_autoencoders

The sweep of one program: 32 seeds × 8 values of λ at n = 64 features, 32 inputs and 128 latents.
The PyTorch side is what a user writes: a module, Adam, decoder columns renormalised after each
step, data drawn on the fly. Ratios are of medians over rounds that alternate.
"""

import time

import numpy as np
import torch

from toy_superposition import problem, train
from toy_superposition.config import base
from toy_superposition.config.resolve import resolve
from toy_superposition.devices import meshes, setup
from toy_superposition.devices.plan import make_plans

SEEDS, PENALTIES = 32, (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5)
N, M, D = 64, 32, 128
BATCHES = (64, 512)
ROUNDS, OURS, THEIRS = (
  5,
  40,
  300,
)  # rounds; steps of all our models, and of one of theirs, in a round


def sweep(batch_size: int):
  """Returns the config of the sweep."""
  config = base.get_config()
  config.name = "benchmark"
  config.model.name, config.model.n_features, config.model.n_hidden = "l1_sae", N, D
  config.data.input, config.data.target, config.data.n_dimensions = "dictionary", "input", M
  config.data.generator, config.density.base, config.measures = "hash", 0.03, ()
  config.train.optimizer, config.train.batch_size = "adam", batch_size
  config.train.steps = OURS * (ROUNDS + 2)
  base.set_axes(
    config,
    sparsity=base.points("model.sparsity", PENALTIES),
    seed=base.points("data.dictionary", range(SEEDS)),
  )
  return config


class Torch(torch.nn.Module):
  """The same autoencoder."""

  def __init__(self, batch_size: int):
    """Draws a dictionary and weights."""
    super().__init__()
    self.batch_size = batch_size
    A = torch.randn(N, M)
    self.dictionary = A / A.norm(dim=1, keepdim=True)
    W = torch.randn(D, M)
    W /= W.norm(dim=1, keepdim=True)
    self.W_dec = torch.nn.Parameter(W)
    self.W_enc = torch.nn.Parameter(W.T.clone())
    self.b_enc = torch.nn.Parameter(torch.zeros(D))
    self.b_dec = torch.nn.Parameter(torch.zeros(M))
    self.optimizer = torch.optim.Adam(self.parameters(), lr=1e-3)

  def step(self, penalty: float) -> None:
    """Makes one step of training."""
    x = torch.rand(self.batch_size, N) * (torch.rand(self.batch_size, N) < 0.03)
    s = x @ self.dictionary
    h = torch.relu((s - self.b_dec) @ self.W_enc + self.b_enc)
    error = ((s - h @ self.W_dec - self.b_dec) ** 2).sum(1).mean()
    self.optimizer.zero_grad()
    (error + penalty * h.sum(1).mean()).backward()
    gradient = self.W_dec.grad
    assert gradient is not None
    with torch.no_grad():
      gradient -= (self.W_dec * gradient).sum(1, keepdim=True) * self.W_dec
    self.optimizer.step()
    with torch.no_grad():
      self.W_dec.div_(self.W_dec.norm(dim=1, keepdim=True))


def theirs(batch_size: int) -> float:
  """Returns PyTorch's model-steps per second."""
  model = Torch(batch_size)
  model.step(0.1)
  started = time.perf_counter()
  for _ in range(THEIRS):
    model.step(0.1)
  return THEIRS / (time.perf_counter() - started)


def main() -> None:
  """Prints a row per batch size."""
  mesh = meshes.make_mesh(setup.devices())
  print("batch   PyTorch   ours   × PyTorch (over rounds); model-steps per second")
  for batch_size in BATCHES:
    (plan,) = make_plans(resolve(sweep(batch_size)), mesh)
    ends = range(OURS, OURS * (ROUNDS + 2), OURS)
    run = train.run(problem.make(plan.group.spec), plan, ends)
    next(run)  # compiles
    rows = []
    for _ in range(ROUNDS):
      other, started = theirs(batch_size), time.perf_counter()
      next(run)
      own = OURS * len(plan.group.cells) / (time.perf_counter() - started)
      rows.append((other, own, own / other))
    other, own, ratio = np.median(rows, axis=0)
    low, high = min(r[2] for r in rows), max(r[2] for r in rows)
    print(f"{batch_size:5}  {other:8.0f}  {own:6.0f}  {ratio:6.1f} ({low:.1f} to {high:.1f})")


if __name__ == "__main__":
  setup.prepare(setup.cores(), compilation_cache=True)
  main()
