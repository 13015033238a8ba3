"""Stored runs: JSON files as the truth, names for them, an index that can always be made again."""

from bench.history.entry import Entry, Figure
from bench.history.index import Index
from bench.history.names import BASELINE, LATEST, Names
from bench.history.shelf import Shelf

__all__ = ["BASELINE", "LATEST", "Entry", "Figure", "Index", "Names", "Shelf"]
