"""The result file: its values, its schema, reading and writing."""

from bench.results.identity import new_id, timestamp
from bench.results.journal import beside
from bench.results.model import (
    SCHEMA,
    Calibration,
    Caveat,
    Cpu,
    Environment,
    ExclusionRule,
    Failure,
    Image,
    Kernel,
    Measurement,
    Memory,
    Proof,
    Run,
    Sample,
    Storage,
    Target,
)
from bench.results.reader import content, decode, encode, load
from bench.results.schema import schema, validate
from bench.results.writer import Writer

__all__ = [
    "SCHEMA",
    "Calibration",
    "Caveat",
    "Cpu",
    "Environment",
    "ExclusionRule",
    "Failure",
    "Image",
    "Kernel",
    "Measurement",
    "Memory",
    "Proof",
    "Run",
    "Sample",
    "Storage",
    "Target",
    "Writer",
    "beside",
    "content",
    "decode",
    "encode",
    "load",
    "new_id",
    "schema",
    "timestamp",
    "validate",
]
