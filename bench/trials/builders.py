"""Two builders behind one face: Tare's and docker's classic one, both by their command lines."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from bench.clock import elapsed, now
from bench.errors import BenchFault
from bench.targets import archive
from bench.targets.calls import Calls
from bench.targets.faults import translated
from bench.trials import archives
from bench.trials.archives import Contents
from bench.trials.tools import Tare

NAME = "made:1"
PATIENCE = 120.0


@dataclass(frozen=True, slots=True)
class Recipe:
    """A Dockerfile whose base image is `{base}`, files beside it, and what the builder is told.

    `secret` is the value of the mount `id=token`.
    """

    text: str
    files: Mapping[str, str] = field(default_factory=dict)
    args: Mapping[str, str] = field(default_factory=dict)
    secret: str = ""

    def write(self, place: Path, base: str) -> Path:
        """Write the context below `place` and return its directory."""
        context = place / "context"
        context.mkdir(exist_ok=True)
        for name, content in {**self.files, "Dockerfile": self.text.format(base=base)}.items():
            (context / name).write_text(content)
        return context

    def options(self, place: Path) -> list[str]:
        """Return the options of the builder; the secret goes into a file beside the context."""
        found = [word for name, value in self.args.items() for word in ("--build-arg", f"{name}={value}")]
        if self.secret:
            (place / "token").write_text(self.secret)
            found += ["--secret", f"id=token,src={place / 'token'}"]
        return found


class Builder(Protocol):
    """Builds without a cache, and shows what was built."""

    @property
    def base(self) -> str:
        """The name that the base image has here."""

    def build(self, recipe: Recipe) -> float:
        """Build and return the seconds of the whole command."""

    def contents(self) -> Contents:
        """Return what the last build made."""


@dataclass(frozen=True)
class TareBuilder:
    """`tare image build`."""

    tare: Tare
    place: Path
    base: str = "busybox"

    def build(self, recipe: Recipe) -> float:
        """Build into the root's store."""
        context = recipe.write(self.place, self.base)
        begun = now()
        self.tare("image", "build", "--no-cache", "-t", NAME, *recipe.options(self.place), str(context))
        return elapsed(begun, now())

    def contents(self) -> Contents:
        """Read the image from the store, by the archive that docker would load."""
        file = self.place / "made.tar"
        with translated():
            archive.write(self.tare.store, self.tare.store.resolve(NAME), NAME, file)
        return archives.read(file)


@dataclass(frozen=True)
class ClassicBuilder:
    """`docker build` with DOCKER_BUILDKIT=0, the builder that docker had before BuildKit."""

    calls: Calls
    place: Path
    base: str

    def build(self, recipe: Recipe) -> float:
        """Build into the daemon."""
        if recipe.secret:
            raise BenchFault("the classic builder has no secret mounts", hint="use BuildKit", kind="host")
        context = recipe.write(self.place, self.base)
        words = ("build", "--no-cache", "--network", "none", "-t", NAME, *recipe.options(self.place))
        begun = now()
        self.calls.run("build", *words, str(context), patience=PATIENCE)
        return elapsed(begun, now())

    def contents(self) -> Contents:
        """Save the image and read it."""
        file = self.place / "made.tar"
        self.calls.run("save", "save", "--output", str(file), NAME)
        return archives.read(file)
