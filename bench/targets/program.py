"""A program of the host that a target needs: where it is, which version, and which package brings it."""

import shutil
from dataclasses import dataclass

from bench.environment.versions import program as version_of
from bench.target import Availability
from bench.targets.hosting import lacks

PLACES = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where daemons are although an ordinary user's PATH does not say so; the same that what we start gets."""


@dataclass(frozen=True, slots=True)
class Program:
    """`name` on the path, and the package of Debian and Ubuntu that holds it."""

    name: str
    package: str

    @property
    def path(self) -> str:
        """The program's file; the bare name where it is not installed, which then fails as such."""
        return shutil.which(self.name, path=PLACES) or self.name

    @property
    def missing(self) -> str:
        """What to do about it if it is not installed, else nothing."""
        if shutil.which(self.name, path=PLACES):
            return ""
        return f"{self.name} is not installed: apt-get install {self.package}"

    @property
    def version(self) -> str:
        """The version that it tells, or nothing."""
        return version_of([self.path, "--version"]) or ""


UTIL_LINUX = (Program("nsenter", "util-linux"), Program("unshare", "util-linux"))


def found(main: Program, *others: Program, reason: str) -> Availability:
    """Return whether `main` and the others are there, with its version; root and cgroups too."""
    missing = next(filter(None, (program.missing for program in (main, *others))), "")
    missing = missing or lacks(root=True, cgroups=True)
    if missing:
        return Availability(available=False, reason=missing)
    return Availability(True, reason, f"{main.name} {main.version}".strip())  # noqa: FBT003


def tail(text: str, lines: int = 3) -> str:
    """Return the last words of what a program wrote."""
    return "; ".join(line.strip() for line in text.strip().splitlines()[-lines:]) or "(silent)"
