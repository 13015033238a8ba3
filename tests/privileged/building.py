"""A place to build in: a store with busybox, a context, and the real command line."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from runtime.image.store import Store

if TYPE_CHECKING:
    from runtime.image.image import Image

ROOT = Path(__file__).resolve().parents[2]
TARE = [sys.executable, "-c", "from bench.cli.main import main; main()"]
TIME = {"SOURCE_DATE_EPOCH": "1000000000"}


@dataclass(frozen=True)
class Lab:
    """`home` is TARE_ROOT, `context` the directory that is built."""

    home: Path
    context: Path

    @classmethod
    def at(cls, home: Path, place: Path) -> Lab:
        """Make a context with a file, and a directory with a program and a link."""
        context = place / "context"
        (context / "sub").mkdir(parents=True)
        (context / "a").write_text("a")
        (context / "sub/x").write_text("x")
        (context / "sub/x").chmod(0o750)
        (context / "sub/link").symlink_to("x")
        return cls(home, context)

    @property
    def store(self) -> Store:
        """The images."""
        return Store(self.home / "images")

    def tare(
        self, *words: str, stdin: bytes = b"", environment: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run the command line."""
        known = {key: value for key, value in os.environ.items() if key != "SOURCE_DATE_EPOCH"}
        done = subprocess.run(
            [*TARE, "--root", str(self.home), *words], cwd=ROOT, env={**known, **(environment or {})},
            input=stdin, capture_output=True, check=False, timeout=90,
        )  # fmt: skip
        return subprocess.CompletedProcess(
            done.args, done.returncode, done.stdout.decode(errors="surrogateescape"), done.stderr.decode()
        )

    def build(self, text: str, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Build that Dockerfile."""
        (self.context / "Dockerfile").write_text(text)
        return self.tare("image", "build", *options, str(self.context), environment=environment)

    def built(self, text: str, *options: str, **environment: str) -> Image:
        """Build a Dockerfile under the name `made`, which has to work."""
        done = self.build(text, "-t", "made", *options, **environment)
        assert done.returncode == 0, done.stderr
        return self.store.resolve("made")

    def refuses(self, text: str, *said: str) -> None:
        """Build a Dockerfile, which must fail, say all that, and leave no files on the side."""
        done = self.build(text)
        assert done.returncode != 0
        assert [part for part in said if part not in done.stderr] == [], done.stderr
        assert not any((self.home / "scratch").iterdir())

    def root(self, image: Image) -> Path:
        """Return the image's tree."""
        return self.store.checkout(image)
