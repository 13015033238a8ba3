"""A run as Parquet, through pyarrow, which is an extra: `pip install tare[parquet]`."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import msgspec

from bench.errors import BenchFault
from bench.exchange.flat import columns, rows

if TYPE_CHECKING:
    from bench.results import Run

HEADER = b"tare.run"
"""Key in the file's metadata under which the run stands as JSON, without its samples."""


def export(run: Run) -> bytes:
    """Return all samples as a table; BenchFault of kind `host` when pyarrow is not installed."""
    try:
        import pyarrow as pa  # noqa: PLC0415 - 100 MiB that few need
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError as err:
        raise BenchFault(
            "Parquet needs pyarrow, which is not installed",
            hint="pip install 'tare[parquet]', or export as csv",
            kind="host",
        ) from err
    found = rows(run)
    arrays = {name: _column([row.get(name) for row in found]) for name in columns(run)}
    header = msgspec.structs.replace(run, measurements=())
    table = pa.table(arrays).replace_schema_metadata({HEADER: msgspec.json.encode(header)})
    held = io.BytesIO()
    parquet.write_table(table, held)
    return held.getvalue()


def _column(values: list[Any]) -> list[Any]:
    """Return values of one type: a parameter may be a number in one scenario and a word in another."""
    types = {type(value) for value in values if value is not None}
    if types == {int, float}:
        return [None if value is None else float(value) for value in values]
    if len(types) > 1:
        return [None if value is None else str(value) for value in values]
    return values
