"""A run as CSV (RFC 4180): a header, then a line for each sample."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from bench.exchange.flat import columns, rows

if TYPE_CHECKING:
    from bench.results import Run


def export(run: Run) -> str:
    """Return all samples, in SI base units; numbers as Python writes them, so that none loses a digit."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns(run), restval="")
    writer.writeheader()
    writer.writerows(rows(run))
    return text.getvalue()
