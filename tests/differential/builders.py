"""The two builders: each makes an image of a Dockerfile, and shows its tree and configuration."""

from __future__ import annotations

import json
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.privileged.building import Lab

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@dataclass(frozen=True)
class Made:
    """An image's root and its configuration document; or the `error` that there is none."""

    root: Path | None = None
    document: dict[str, Any] = field(default_factory=dict)
    error: str = ""


class Tare:
    """`tare image build`."""

    def __init__(self, home: Path) -> None:
        self._lab = Lab(home, home)

    def build(self, file: Path, context: Path, options: list[str]) -> Made:
        """Build a Dockerfile under the name `made`."""
        words = ["image", "build", "--progress", "plain", "-t", "made", "-f", str(file), *options]
        done = self._lab.tare(*words, str(context))
        if done.returncode:
            return Made(error=done.stderr)
        image = self._lab.store.resolve("made")
        document = json.loads(self._lab.store.blobs.read(image.manifest.config.digest))
        return Made(self._lab.root(image), document)


class Buildah:
    """`buildah build`, below a directory with a short name, since its locks' names have a limit."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._roots = ["--root", str(place / "p"), "--runroot", str(place / "r"), "--storage-driver", "vfs"]

    def load(self, store: Path, names: Mapping[str, tuple[str, ...]]) -> None:
        """Take images from an OCI layout, under the names that each is to have."""
        for source, targets in names.items():
            known = source if "/" in source else f"library/{source}"
            number = self._run("pull", "-q", f"oci:{store}:docker.io/{known}").strip()
            for name in targets:
                full = name if "/" in name else f"library/{name}"
                self._run("tag", number, f"docker.io/{full}", f"localhost/{name}")

    def build(self, file: Path, context: Path, options: list[str]) -> Made:
        """Build a Dockerfile under the name `made`."""
        words = [
            "build", "--pull-never", "--layers=false", "--isolation", "chroot", "--network", "host",
            "--format", "docker", "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024",
            "--cap-add", "mknod",  # as docker has it
            "-t", "made", "-f", str(file), *options, str(context),
        ]  # fmt: skip
        try:
            self._run(*words)
        except subprocess.CalledProcessError as err:
            return Made(error=err.stdout + err.stderr)
        shown = json.loads(self._run("inspect", "--type", "image", "made"))
        root = self._run("image", "mount", "made", program="podman").strip()
        return Made(Path(root), shown["Docker"])

    def forget(self) -> None:
        """Remove what the last build made."""
        self._run("image", "unmount", "made", program="podman")
        self._run("rmi", "-f", "made")

    def _run(self, *words: str, program: str = "buildah") -> str:
        # Its mounts go with the namespace.
        command = ["unshare", "-m", program, *self._roots, *words]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=100)
        return done.stdout


@contextmanager
def buildah() -> Iterator[Buildah]:
    """Yield one with an empty store."""
    with tempfile.TemporaryDirectory(prefix="pb-", dir="/tmp") as place:
        yield Buildah(Path(place))
