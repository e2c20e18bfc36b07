"""The flag --config: a config by name or by path, and its fields as flags --config.train.steps=…"""

import time

from absl import flags
from ml_collections import ConfigDict, config_flags

from toy_superposition import terminal

flags.disclaim_key_flags()  # --help shows the flag as one of the entry point's own


class _Parser(flags.ArgumentParser):
  """Turns the flag's value into the config."""

  def parse(self, argument: str) -> ConfigDict:
    """Returns the config, whose fields the flags that follow override."""
    from toy_superposition.config import execute

    return execute.get_config(argument)

  def flag_type(self) -> str:
    """Returns what absl calls the value."""
    return "config"


_defined = 0.0  # when the flag was defined, on the clock of time.perf_counter


def start_up() -> float:
  """Returns the seconds since the flag was defined, with which a program begins."""
  return time.perf_counter() - _defined


def define(values: flags.FlagValues) -> None:
  """Defines the flag; ml_collections overrides fields, and would take paths only."""
  global _defined
  _defined = time.perf_counter()
  about = "A config by name or path, such as phase_change:quick or ./mine.py."
  with terminal.flag_errors():  # overrides are looked for at once, also in files of flags
    config_flags.DEFINE_config_file("config", None, about, flag_values=values)
  values["config"].parser = _Parser()
