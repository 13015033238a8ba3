"""The Dockerfiles of Debian's golang-github-openshift-imagebuilder-dev, and how each is built here."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.differential import package

EXTRA = Path(__file__).parent / "extra"  # Dockerfiles of our own, for what the package's don't touch
TIME = 1_000_000_000  # of all that stands in a context, seconds since 1970
NETWORK, PROGRAMS = "needs a network", "needs programs of the real base image, and a network"


@dataclass(frozen=True)
class Case:
    """One build of a Dockerfile, from its own directory.

    `without` are the lines (first, last) of instructions that are left out, for the `reason`. `files` are
    what it copies and the package hasn't, `web` is the part of its URLs that a server on the loopback stands
    in for, `start` an instruction put before the first line. `refused` is what Tare says, of a `line`, when
    neither builds it; `differs` names the rows of the table that explain what is not the same,
    `buildah_alone` the one by which only buildah builds it. The ordinary tests build the `brief` ones.
    """

    file: str
    without: tuple[tuple[int, int], ...] = ()
    reason: str = ""
    files: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    target: str = ""
    web: str = ""
    start: str = ""
    line: int = 0
    refused: str = ""
    differs: tuple[str, ...] = ()
    buildah_alone: str = ""
    brief: bool = False

    @property
    def id(self) -> str:
        """The file, and what tells its builds apart."""
        words = [self.file, *self.args, self.start, "in part" if self.without else ""]
        return " ".join(filter(None, words))

    @property
    def options(self) -> list[str]:
        """What both commands are given."""
        given = [word for value in self.args for word in ("--build-arg", value)]
        return [*given, "--target", self.target] if self.target else given

    def prepare(self, place: Path, server: str) -> tuple[Path, Path]:
        """Make its context in a directory that is not there yet; returns the Dockerfile and the context."""
        source = (EXTRA.parent if self.file.startswith("extra/") else package.ROOT) / self.file
        shutil.copytree(source.parent, place, symlinks=True)
        for name in self.files:
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_text(f"{name}\n")
        (place / source.name).write_text(self._text(source.read_text(), server))
        for path in [place, *place.rglob("*")]:
            os.utime(path, (TIME, TIME), follow_symlinks=False)
        return place / source.name, place

    def _text(self, text: str, server: str) -> str:
        lines = text.split("\n")
        for first, last in self.without:
            lines[first - 1 : last] = [""] * (last - first + 1)
        text = "\n".join([*filter(None, [self.start]), *lines])
        return text.replace(self.web, server) if self.web else text


def cases() -> list[Case]:
    """Return them all, in the order of their names; those that need nothing special as they are."""
    from tests.differential.special import SPECIAL  # noqa: PLC0415 - it is made of cases

    known = {case.file for case in SPECIAL}
    names = [str(path.relative_to(package.ROOT)) for path in package.dockerfiles()]
    names += [f"extra/{path.name}" for path in EXTRA.glob("Dockerfile.*")]
    plain = [Case(name) for name in names if name not in known]
    return sorted([*SPECIAL, *plain], key=lambda case: case.id)
