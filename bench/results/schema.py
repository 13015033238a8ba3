"""The JSON Schema of the result file, and validation against it (jsonschema is imported when asked for)."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import msgspec

from bench.errors import BenchFault


def schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of the result file."""
    document: dict[str, Any] = msgspec.json.decode(
        files("bench.results").joinpath("schema.json").read_bytes()
    )
    return document


def validate(document: object, *, origin: str = "the result") -> None:
    """Raise `BenchFault` ("corrupt") with the place of the worst violation when `document` breaks the schema.

    `document` is decoded JSON (dicts and lists) or a `Run`.
    """
    from jsonschema import Draft202012Validator  # noqa: PLC0415 - slow to import, rarely needed
    from jsonschema.exceptions import best_match  # noqa: PLC0415

    validator = Draft202012Validator(schema(), format_checker=Draft202012Validator.FORMAT_CHECKER)
    error = best_match(validator.iter_errors(_as_json(document)))
    if error is not None:
        raise BenchFault(
            f"{origin} breaks the schema at {error.json_path}: {error.message}",
            hint="the file was changed by hand or written by another program; run again",
            kind="corrupt",
        )


def _as_json(document: object) -> object:
    # Structs become objects and tuples arrays, exactly as in the file.
    return msgspec.json.decode(msgspec.json.encode(document))
