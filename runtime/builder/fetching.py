"""ADD of a URL: a file over HTTP, fetched once per build, its digest checked or taken for the cache."""

from __future__ import annotations

import hashlib
import http.client
import re
import urllib.error
import urllib.request
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_CHECKSUM = re.compile(r"sha256:[0-9a-f]{64}")
_TIMEOUT = 60  # seconds without a byte
_CHUNK = 1 << 18


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file as it came; `modified` is Last-Modified in seconds since 1970, 0 if the server says nothing."""

    path: Path
    digest: str
    modified: int


class Fetcher:
    """Fetches below the directory that `place` makes when the first one is asked for."""

    def __init__(self, place: Callable[[], Path]) -> None:
        self._place = place
        self._known: dict[str, Fetched] = {}

    def fetch(self, url: str, checksum: str = "") -> Fetched:
        """Return a URL's file; a value error says why it can't be had, or that it is another one."""
        if url not in self._known:
            target = self._place() / hashlib.sha256(url.encode()).hexdigest()
            try:
                self._known[url] = _fetched(url, target)
            except (OSError, http.client.HTTPException) as err:
                raise ValueError(f"cannot fetch {url}: {_reason(err)}") from err
        found = self._known[url]
        if checksum and found.digest != checksum:
            raise ValueError(f"{url} has the digest {found.digest}, not {checksum}")
        return found

    def content(self, url: str, checksum: str) -> str:
        """Return the digest of what the URL gives; with a checksum nothing is fetched yet."""
        if is_repository(url):
            raise ValueError(f"{url} is a git repository, which ADD cannot fetch here")
        if checksum and not _CHECKSUM.fullmatch(checksum):
            raise ValueError(f"--checksum takes sha256: and 64 hexadecimal digits, not {checksum!r}")
        return checksum or self.fetch(url).digest


def is_repository(url: str) -> bool:
    """Say whether BuildKit would clone this rather than download it."""
    parts = urlsplit(url)
    return parts.scheme not in {"http", "https"} or parts.path.endswith(".git")


def name(url: str) -> str:
    """Return the file's name; a value error if the URL has none."""
    found = unquote(urlsplit(url).path).rpartition("/")[2]
    if found in {"", ".", ".."} or "\0" in found or "/" in found:
        raise ValueError(f"{url} has no file name; give one at the end of the destination")
    return found


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
