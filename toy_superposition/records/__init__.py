"""The run's folder on disk. The only place where files are written, figures apart."""

from toy_superposition.records.results import Results, load

__all__ = ["Results", "load"]
