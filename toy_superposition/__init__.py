"""A laboratory for toy models of superposition: `import toy_superposition as ts`.

>>> config = ts.get_config("introduction:quick")    # a file of configs/, its variant
>>> config.train.steps = 2000
>>> config = ts.sweep(config, density=[1, 0.3, 0.1], seed=8)  # another sweep: 3 × 8 models
>>> results = ts.run(config)                        # trained in memory: an xarray.Dataset
>>> best = ts.best(results).isel(density=-1)        # the restart with the lowest loss
>>> ts.summary(results)["loss"]                     # mean, interval and best over the seeds
>>> ts.plots.arrows(best)                           # matplotlib Axes
>>> ts.explore(results)                             # panels with sliders, in a notebook
>>> ts.measure(results, "feature_dimensionality")   # an xarray.DataArray
>>> ts.certified(results)["optimum_bound"]          # how low the loss can be, where it is known
>>> ts.sample(results, 1000)                        # features, inputs, hidden, outputs of each
>>> ts.export(best, "model.safetensors")            # for PyTorch
>>> ts.MEASURES["mine"] = ts.Measure(function, ("feature",), "description")

Tables such as MEASURES and OPTIMIZERS take rows from outside the package, which configs then name.
Nothing is imported before it is used, so that importing the package costs nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
  from toy_superposition.api import claims, draw, get_config, load, measure, run, run_shapes
  from toy_superposition.certificates import CERTIFICATES, Certificate
  from toy_superposition.config.base import sweep
  from toy_superposition.declare import choice, flag, integer, number
  from toy_superposition.distributions import DISTRIBUTIONS, Distribution
  from toy_superposition.drawing import plots
  from toy_superposition.errors import TransientError, UserError
  from toy_superposition.exchange import export, weights, write_report
  from toy_superposition.experiments import add as add_experiment
  from toy_superposition.experiments.excess import certified
  from toy_superposition.experiments.experiment import Claim, Experiment, verdict
  from toy_superposition.experiments.restarts import best
  from toy_superposition.inputs import INPUTS, Input
  from toy_superposition.joining import join
  from toy_superposition.measures import MEASURES, Measure
  from toy_superposition.models import MODELS, Model
  from toy_superposition.objective import LOSSES, PENALTIES, TARGETS
  from toy_superposition.optimizers import OPTIMIZERS, Descent
  from toy_superposition.records.results import rebuild
  from toy_superposition.report.notebook import explore
  from toy_superposition.samples import sample
  from toy_superposition.summaries import summary

__all__ = [
  "CERTIFICATES",
  "DISTRIBUTIONS",
  "INPUTS",
  "LOSSES",
  "MEASURES",
  "MODELS",
  "OPTIMIZERS",
  "PENALTIES",
  "TARGETS",
  "Certificate",
  "Claim",
  "Descent",
  "Distribution",
  "Experiment",
  "Input",
  "Measure",
  "Model",
  "TransientError",
  "UserError",
  "add_experiment",
  "best",
  "certified",
  "choice",
  "claims",
  "draw",
  "explore",
  "export",
  "flag",
  "get_config",
  "integer",
  "join",
  "load",
  "measure",
  "number",
  "plots",
  "rebuild",
  "run",
  "run_shapes",
  "sample",
  "summary",
  "sweep",
  "verdict",
  "weights",
  "write_report",
]
# Name → module, and after a colon its name there if it differs ("" for the module itself). Names
# that are not listed are in api.py.
_HOMES = {
  "DISTRIBUTIONS": "distributions",
  "Distribution": "distributions",
  "CERTIFICATES": "certificates",
  "Certificate": "certificates",
  "certified": "experiments.excess",
  "MEASURES": "measures",
  "Measure": "measures",
  "MODELS": "models",
  "Model": "models",
  "OPTIMIZERS": "optimizers",
  "Descent": "optimizers",
  "Claim": "experiments.experiment",
  "Experiment": "experiments.experiment",
  "verdict": "experiments.experiment",
  "add_experiment": "experiments:add",
  "TransientError": "errors",
  "UserError": "errors",
  "best": "experiments.restarts",
  "join": "joining",
  "summary": "summaries",
  "sweep": "config.base",
  "INPUTS": "inputs",
  "Input": "inputs",
  "LOSSES": "objective",
  "PENALTIES": "objective",
  "TARGETS": "objective",
  "choice": "declare",
  "explore": "report.notebook",
  "export": "exchange",
  "flag": "declare",
  "integer": "declare",
  "number": "declare",
  "plots": "drawing.plots:",
  "rebuild": "records.results",
  "sample": "samples",
  "weights": "exchange",
  "write_report": "exchange",
}


def __getattr__(name: str) -> Any:
  """Imports a public name when it is first used."""
  if name not in __all__:
    from toy_superposition.errors import nearest

    raise AttributeError(f"toy_superposition has no {name!r}{nearest(name, __all__)}")
  module, colon, attribute = _HOMES.get(name, "api").partition(":")
  home = importlib.import_module(f"toy_superposition.{module}")
  value = home if colon and not attribute else getattr(home, attribute or name)
  globals()[name] = value
  return value


def __dir__() -> list[str]:
  """Returns the public names, for completion."""
  return sorted({*globals(), *__all__})
