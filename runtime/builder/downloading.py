"""One file over HTTP, for ADD."""

from __future__ import annotations

import hashlib
import http.client
import urllib.error
import urllib.request
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from runtime.builder.fetching import Fetched

if TYPE_CHECKING:
    from pathlib import Path

_TIMEOUT = 60  # seconds without a byte
_CHUNK = 1 << 18


def fetched(url: str, target: Path) -> Fetched:
    """Write what a URL gives to `target`; a value error says why it can't be had."""
    try:
        return _fetched(url, target)
    except (OSError, http.client.HTTPException) as err:
        raise ValueError(f"cannot fetch {url}: {_reason(err)}") from err


def _fetched(url: str, target: Path) -> Fetched:
    request = urllib.request.Request(url, headers={"Accept-Encoding": "identity"})  # noqa: S310 - checked
    whole, size = hashlib.sha256(), 0
    with urllib.request.urlopen(request, timeout=_TIMEOUT) as answer, target.open("wb") as file:  # noqa: S310
        while chunk := answer.read(_CHUNK):
            whole.update(chunk)
            size += file.write(chunk)
        expected = answer.headers.get("Content-Length", "")
        modified = _time(answer.headers.get("Last-Modified", ""))
    if expected.isdecimal() and int(expected) != size:
        raise http.client.IncompleteRead(b"", int(expected) - size)
    return Fetched(target, f"sha256:{whole.hexdigest()}", modified)


def _time(text: str) -> int:
    try:
        return max(0, int(parsedate_to_datetime(text).timestamp()))
    except (ValueError, OverflowError):
        return 0


def _reason(err: OSError | http.client.HTTPException) -> str:
    if isinstance(err, http.client.IncompleteRead):
        return f"{err.expected} bytes are missing at its end"
    if isinstance(err, urllib.error.HTTPError):
        return f"the server says {err.code} {err.reason}"
    return str(getattr(err, "reason", None) or err)
