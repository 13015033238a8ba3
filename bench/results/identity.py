"""Names a run: its identifier and its times."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime


def timestamp(moment: datetime | None = None) -> str:
    """Return `moment` (default: now) in UTC as RFC 3339 with milliseconds and `Z`."""
    moment = moment or datetime.now(UTC)
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def new_id(moment: datetime | None = None, *, suffix: str | None = None) -> str:
    """Return an identifier such as `20261123T201500Z-042ab12cd`: it sorts by time, to the millisecond.

    Three digits of milliseconds come before the random part: of two runs of one second the later one has
    to be the latest.
    """
    moment = (moment or datetime.now(UTC)).astimezone(UTC)
    return f"{moment:%Y%m%dT%H%M%SZ}-{moment.microsecond // 1000:03d}{suffix or secrets.token_hex(3)}"
