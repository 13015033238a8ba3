"""ADD of a URL: a file over HTTP, fetched once per build, its digest checked or taken for the cache."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from runtime.builder import cloning

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_CHECKSUM = re.compile(r"sha256:[0-9a-f]{64}")


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
            from runtime.builder import downloading  # noqa: PLC0415 - HTTP, which few builds need

            target = self._place() / hashlib.sha256(url.encode()).hexdigest()
            self._known[url] = downloading.fetched(url, target)
        found = self._known[url]
        if checksum and found.digest != checksum:
            raise ValueError(f"{url} has the digest {found.digest}, not {checksum}")
        return found

    def content(self, url: str, checksum: str) -> str:
        """Return the digest of what the URL gives; with a checksum nothing is fetched yet.

        For a repository it is the commit.
        """
        if cloning.is_repository(url):
            return cloning.commit(url, checksum)
        if checksum and not _CHECKSUM.fullmatch(checksum):
            raise ValueError(f"--checksum takes sha256: and 64 hexadecimal digits, not {checksum!r}")
        return checksum or self.fetch(url).digest


def name(url: str) -> str:
    """Return the file's name; a value error if the URL has none."""
    found = unquote(urlsplit(url).path).rpartition("/")[2]
    if found in {"", ".", ".."} or "\0" in found or "/" in found:
        raise ValueError(f"{url} has no file name; give one at the end of the destination")
    return found
