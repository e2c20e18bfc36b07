"""Both sides train the same: the loss after the same number of steps, within the seeds' spread."""

from typing import NamedTuple

import numpy as np

from tests.benchmarks.engine import Engine, plan_for
from tests.benchmarks.workloads import WORKLOADS, group

N_BATCHES = 10  # fresh ones, of the training's size, on which a trained instance is judged
STANDARD_ERRORS = 3.0
ROUND_OFF = 2.0**-24  # relative, of one float32 operation


class Training(NamedTuple):
  """How long, and how many models, a comparison takes."""

  n_instances: int  # densities
  n_seeds: int  # models of each density
  n_steps: int


TRAININGS = {
  "intro": Training(10, 16, 400),
  "W1": Training(10, 8, 300),
  "W3": Training(4, 4, 80),
  "W4": Training(8, 4, 150),
}


class Agreement(NamedTuple):
  """The mean loss over densities and seeds on either side."""

  workload: str
  training: Training
  estimator: str
  own: float
  notebook: float
  standard_error: float  # of their difference
  tolerance: float  # on their difference

  @property
  def holds(self) -> bool:
    """Whether the two losses are the same as far as the seeds can tell."""
    return abs(self.own - self.notebook) <= self.tolerance

  def __str__(self) -> str:
    """One line."""
    errors = (self.own - self.notebook) / self.standard_error
    n_instances, n_seeds, n_steps = self.training
    return (
      f"{'same loss' if self.holds else 'DIFFERENT LOSS'}: {self.workload} after {n_steps} steps, "
      f"{n_instances} densities × {n_seeds} seeds: {self.estimator} {self.own:.6f}, notebook "
      f"{self.notebook:.6f}, difference {errors:+.2f} standard errors "
      f"(of {self.standard_error / self.notebook:.2%})"
    )


def compare(name: str) -> Agreement:
  """Trains a row of TRAININGS on both sides from first weights and data of their own.

  The spread is that of the seeds at each density. Beyond it only round-off may differ: every step
  rounds a parameter once, so that at worst the steps' relative errors add up.
  """
  from tests.benchmarks.notebook import Notebook

  training = TRAININGS[name]
  workload = WORKLOADS[name]._replace(n_instances=training.n_instances)
  what = group(workload, n_restarts=training.n_seeds)
  engine = Engine(plan_for(what))
  sides = []
  for side in (engine, Notebook(what)):
    side.advance(training.n_steps)
    sides.append(side.losses(N_BATCHES).reshape(training.n_instances, training.n_seeds))
  own, other = (float(losses.mean()) for losses in sides)
  variances = [losses.var(axis=1, ddof=1) / training.n_seeds for losses in sides]
  error = float(np.sqrt(np.sum(variances))) / training.n_instances
  tolerance = STANDARD_ERRORS * error + training.n_steps * ROUND_OFF * other
  return Agreement(name, training, engine.estimator, own, other, error, tolerance)
