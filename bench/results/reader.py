"""From a file to a checked `Run`; every refusal names the file and the place in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from bench.errors import BenchFault
from bench.results.checks import check_run
from bench.results.growing import Growing
from bench.results.journal import additions
from bench.results.model import SCHEMA, Run

if TYPE_CHECKING:
    from pathlib import Path

    from bench.results.journal import Addition

AGAIN = 5
"""Times that a file is read anew because its journal is already of a later one."""


def load(path: Path) -> Run:
    """Read, type-check and cross-check a result file; one that is not finished together with its journal.

    Raises `BenchFault`: "missing" when there is no such file, "corrupt" when it is not JSON, has another
    schema version, breaks the schema (with the JSON path), or breaks a rule of `bench.results.checks`.
    """
    data = _bytes(path)
    run = decode(data, origin=str(path))
    for _ in range(AGAIN):
        if run.finished is not None:
            return run
        added = additions(path.resolve(), data)
        if added is not None:
            return _grown(run, added, origin=str(path))
        before, data = data, _bytes(path)
        if data == before:  # a kill came between the file and its journal: the file has it all
            return run
        run = decode(data, origin=str(path))  # it is being written just now
    return run


def content(path: Path) -> bytes:
    """Return the bytes of a result file as it would be if its run ended now, checked. Errors as `load`."""
    run = load(path)
    data = _bytes(path)
    if run.finished is not None or additions(path.resolve(), data) == []:
        return data
    return encode(run)


def encode(run: Run) -> bytes:
    """Return a run as its file holds it."""
    return msgspec.json.format(msgspec.json.encode(run), indent=1) + b"\n"


def _grown(run: Run, added: list[Addition], *, origin: str) -> Run:
    if not added:
        return run
    growing = Growing(run)
    for one in added:
        growing.add(one)
    check_run(growing.run, origin=origin)
    return growing.run


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as err:
        raise BenchFault(
            f"no result file {path}", hint="check the path; `tare run` prints where it writes", kind="missing"
        ) from err
    except OSError as err:
        raise BenchFault(
            f"cannot read {path}: {err.strerror}", hint="check the path and its permissions", kind="host"
        ) from err


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
