"""The run's folder on disk. Every file of a run but its figures is written here."""

from toy_superposition.records.results import Results, load

__all__ = ["Results", "load"]
