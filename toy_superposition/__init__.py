"""A laboratory for toy models of superposition: `import toy_superposition as ts`.

>>> config = ts.get_config("introduction:quick")    # a file of configs/, its variant
>>> config.train.steps = 2000
>>> results = ts.run(config)                        # trained in memory: an xarray.Dataset
>>> best = ts.best(results).isel(density=-1)        # of the restarts the one of least loss
>>> ts.plots.arrows(best)                           # matplotlib Axes
>>> ts.measure(results, "feature_dimensionality")   # an xarray.DataArray
>>> ts.MEASURES["mine"] = ts.Measure(function, ("feature",), "what it is")

Nothing is imported before it is used, so that importing the package costs nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
  from toy_superposition.api import claims, draw, get_config, load, measure, run, run_shapes
  from toy_superposition.distributions import DISTRIBUTIONS, Distribution
  from toy_superposition.drawing import plots
  from toy_superposition.errors import UserError
  from toy_superposition.experiments.experiment import Claim
  from toy_superposition.experiments.restarts import best
  from toy_superposition.measures import MEASURES, Measure
  from toy_superposition.records.results import rebuild

__all__ = [
  "DISTRIBUTIONS",
  "MEASURES",
  "Claim",
  "Distribution",
  "Measure",
  "UserError",
  "best",
  "claims",
  "draw",
  "get_config",
  "load",
  "measure",
  "plots",
  "rebuild",
  "run",
  "run_shapes",
]
# Name → where it is defined.
_HOMES = {
  "DISTRIBUTIONS": "distributions",
  "Distribution": "distributions",
  "MEASURES": "measures",
  "Measure": "measures",
  "Claim": "experiments.experiment",
  "UserError": "errors",
  "best": "experiments.restarts",
  "plots": "drawing",
  "rebuild": "records.results",
}


def __getattr__(name: str) -> Any:
  """Imports a public name when it is first used."""
  if name not in __all__:
    from toy_superposition.errors import nearest

    raise AttributeError(f"toy_superposition has no {name!r}{nearest(name, __all__)}")
  home = importlib.import_module(f"toy_superposition.{_HOMES.get(name, 'api')}")
  found = getattr(home, name)
  globals()[name] = found
  return found


def __dir__() -> list[str]:
  """Returns the public names, for completion."""
  return sorted({*globals(), *__all__})
