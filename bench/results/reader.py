"""From a file to a checked `Run`; every refusal names the file and the place in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from bench.errors import BenchFault
from bench.results.checks import check_run
from bench.results.model import SCHEMA, Run

if TYPE_CHECKING:
    from pathlib import Path


def load(path: Path) -> Run:
    """Read, type-check and cross-check a result file.

    Raises `BenchFault`: "missing" when there is no such file, "corrupt" when it is not JSON, has another
    schema version, breaks the schema (with the JSON path), or breaks a rule of `bench.results.checks`.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError as err:
        raise BenchFault(
            f"no result file {path}", hint="check the path; `tare run` prints where it writes", kind="missing"
        ) from err
    except OSError as err:
        raise BenchFault(
            f"cannot read {path}: {err.strerror}", hint="check the path and its permissions", kind="host"
        ) from err
    return decode(data, origin=str(path))


def decode(data: bytes, *, origin: str) -> Run:
    """Decode the bytes of a result file; `origin` names them in errors."""
    raw = _parse(data, origin)
    _check_version(raw, origin)
    try:
        run = msgspec.convert(raw, Run)
    except msgspec.ValidationError as err:
        raise _corrupt(f"{origin} breaks the schema {SCHEMA}: {err}") from err
    check_run(run, origin=origin)
    return run


def _parse(data: bytes, origin: str) -> Any:  # noqa: ANN401 - not typed yet, that is the point
    try:
        return msgspec.json.decode(data)
    except msgspec.DecodeError as err:
        raise _corrupt(f"{origin} is not JSON: {err}") from err


def _check_version(raw: Any, origin: str) -> None:  # noqa: ANN401
    version = raw.get("schema") if isinstance(raw, dict) else None
    if version is None:
        raise _corrupt(f"{origin} is JSON, but no result file of Tare: it names no schema")
    if version != SCHEMA:
        raise BenchFault(
            f"{origin} has the schema {version!r}, this Tare reads {SCHEMA!r}",
            hint="read it with the version of Tare that wrote it",
            kind="corrupt",
        )


def _corrupt(text: str) -> BenchFault:
    return BenchFault(
        text, hint="the file was changed or cut after it was written; run again", kind="corrupt"
    )
