"""Which images of a repository are to go: those that are old, and not among the newest."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from runtime.errors import RuntimeFault

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runtime.image.digest import Digest

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}  # seconds
_PART = re.compile(r"(\d{1,9})([smhdw])")


@dataclass(frozen=True, slots=True)
class Held:
    """An image that a repository holds: a manifest or an index, all tags that name it, and its age.

    `created` is what its configuration says, of an index the newest of its images'; None where nobody knows,
    as in images that are built reproducibly. `below` are the manifests that an index names.
    """

    digest: Digest
    tags: tuple[str, ...]
    created: datetime | None = None
    below: frozenset[Digest] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True)
class Policy:
    """An image goes if it is not among the `keep_last` newest and older than `older_than`.

    Only images of which all tags match `match` (with * and ?) are counted, and can go. Those without a known
    age never go, and don't count either.
    """

    keep_last: int = 0
    older_than: timedelta = timedelta(0)
    match: str = "*"

    def doomed(self, images: Iterable[Held], now: datetime) -> list[Held]:
        """Return the images that are to go, newest first; never one that an index which stays names."""
        held = list(images)
        dated = [(one.created, one) for one in held if one.created is not None and self._covers(one)]
        dated.sort(key=lambda pair: (pair[0], pair[1].digest), reverse=True)
        old = [one for created, one in dated[self.keep_last :] if now - created >= self.older_than]
        going = {one.digest for one in old}
        needed = {digest for one in held if one.digest not in going for digest in one.below}
        return [one for one in old if one.digest not in needed]

    def _covers(self, image: Held) -> bool:
        return all(fnmatchcase(tag, self.match) for tag in image.tags)


def orphans(images: Iterable[Held], doomed: Iterable[Held]) -> list[Digest]:
    """Return the manifests that only indexes which go name, and that have no tag of their own."""
    going = list(doomed)
    gone = {one.digest for one in going}
    stays = {digest for one in images if one.digest not in gone for digest in (one.digest, *one.below)}
    return sorted({digest for one in going for digest in one.below} - stays - gone)


def age(text: str) -> timedelta:
    """Parse a duration such as 90d, 2w or 1h30m; a usage fault for anything else."""
    parts = _PART.findall(text)
    seconds = sum(int(number) * _UNITS[unit] for number, unit in parts)
    if "".join(number + unit for number, unit in parts) != text or not parts or seconds > 1e11:  # noqa: PLR2004
        hint = "write weeks, days, hours, minutes or seconds: 2w, 30d, 12h, 1d12h"
        raise RuntimeFault(f"not an age: {text!r}", kind="usage", hint=hint)
    return timedelta(seconds=seconds)
