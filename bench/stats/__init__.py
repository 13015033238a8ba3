"""Estimates with honest intervals; scipy is loaded on the first call that needs it, not on import."""

from bench.stats.estimate import LEVEL, Estimate
from bench.stats.line import Line, Point, fit
from bench.stats.location import median, order_interval
from bench.stats.ratio import ratio
from bench.stats.summary import Fit, Ratio, Summary, counted, fits, ratios, summarise

__all__ = [
    "LEVEL",
    "Estimate",
    "Fit",
    "Line",
    "Point",
    "Ratio",
    "Summary",
    "counted",
    "fit",
    "fits",
    "median",
    "order_interval",
    "ratio",
    "ratios",
    "summarise",
]
