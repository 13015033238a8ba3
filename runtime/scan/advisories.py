"""A list of known weaknesses in the form of Debian's security tracker, and what of it an image has.

Source: https://security-tracker.debian.org/tracker/data/json, an object by source package, then by name of
the weakness, whose `releases` say by code name whether it is `open`, or in which version it was `resolved`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
from debian.debian_support import NativeVersion

from runtime.errors import RuntimeFault

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from runtime.scan.packages import Inventory, Package

_HINT = "it has to be like https://security-tracker.debian.org/tracker/data/json"


class _Release(msgspec.Struct, frozen=True):
    status: str
    fixed_version: str = ""
    urgency: str = ""


class _Weakness(msgspec.Struct, frozen=True):
    releases: dict[str, _Release] = {}
    description: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """A weakness of an installed package; `fixed` is the version that mends it, empty while none does."""

    package: Package
    weakness: str
    fixed: str
    urgency: str
    description: str


class Advisories:
    """The list, read once."""

    def __init__(self, known: dict[str, dict[str, _Weakness]]) -> None:
        self._known = known

    @classmethod
    def read(cls, file: Path) -> Advisories:
        """Read a file; a fault of kind `usage` where it is no such list."""
        try:
            return cls(msgspec.json.decode(file.read_bytes(), type=dict[str, dict[str, _Weakness]]))
        except OSError as err:
            raise RuntimeFault.from_os(err, f"read the advisories {file}") from err
        except (msgspec.MsgspecError, UnicodeDecodeError) as err:
            raise RuntimeFault(f"{file} is no list of advisories: {err}", kind="usage", hint=_HINT) from err

    def match(self, found: Inventory) -> list[Finding]:
        """Return what is known of the installed versions, by package and name of the weakness.

        A fault of kind `usage` where the list says nothing of the image's release: nothing found would then
        mean nothing.
        """
        releases = {name for one in self._weaknesses() for name in one.releases}
        if found.release not in releases:
            raise RuntimeFault(
                f"the advisories say nothing of the image's release {found.release or '(it names none)'}",
                kind="usage",
                hint=f"they know {', '.join(sorted(releases)) or 'none'}",
            )
        return [one for package in found.packages for one in self._of(package, found.release)]

    def _weaknesses(self) -> Iterator[_Weakness]:
        return (weakness for known in self._known.values() for weakness in known.values())

    def _of(self, package: Package, release: str) -> Iterator[Finding]:
        for name, weakness in sorted(self._known.get(package.source, {}).items()):
            said = weakness.releases.get(release)
            if said and _affects(said, package.source_version):
                fixed = said.fixed_version if said.status == "resolved" else ""
                yield Finding(package, name, fixed, said.urgency, weakness.description)


def _affects(said: _Release, version: str) -> bool:
    """Tell whether a version has a weakness; fixed in version 0 means that the release never had it."""
    if said.status == "open":
        return True
    return said.status == "resolved" and NativeVersion(version) < NativeVersion(said.fixed_version or "0")
