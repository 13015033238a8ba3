"""What the numbers were taken on: collected by a process of its own and read as JSON."""

from bench.environment.survey import Survey, survey

__all__ = ["Survey", "survey"]
