"""Durations and sizes as Go programs write them: `1m30s`, `512m`."""

import re

_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)")
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?([kmgtp]?)(?:i?b)?", re.IGNORECASE | re.ASCII)
_LONGEST = 290 * 365 * 86400.0  # a signed 64-bit number of nanoseconds ends at 292 years


def seconds(text: str) -> float:
    """Read a duration of Go's time.ParseDuration that is not negative; a value error names the text."""
    body = text.removeprefix("+")
    if body == "0":
        return 0.0
    if not re.fullmatch(rf"(?:{_PART.pattern})+", body):
        raise ValueError(f"not a duration: {text!r}, write for example 1m30s")
    total = sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(body))
    if total > _LONGEST:
        raise ValueError(f"a duration that is too long: {text!r}")
    return total


def size(text: str) -> int:
    """Read a number of bytes with docker's binary suffixes; a value error names the text."""
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ValueError(f"not a size: {text!r}, write for example 64m")
    return int(float(match[1]) * 1024 ** " kmgtp".index(match[2].lower() or " "))
