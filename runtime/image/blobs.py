"""Content-addressed files: the `blobs` directory of an OCI image layout."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import BinaryIO

from runtime.image import disk
from runtime.image.digest import Digest
from runtime.image.layer.compression import Tally
from runtime.image.manifest import Descriptor
from runtime.image.seam import corrupt


class Blobs:
    """The blobs below `root`; `scratch` is a directory for unfinished ones on the same file system."""

    def __init__(self, root: Path, scratch: Path) -> None:
        self._root = root
        self._scratch = scratch

    def path(self, digest: Digest) -> Path:
        """Return where a blob is, or would be."""
        return self._root / digest.algorithm / digest.hex

    def __contains__(self, digest: Digest) -> bool:
        return self.path(digest).is_file()

    def __iter__(self) -> Iterator[Digest]:
        """Yield the digest of every blob, by its file's name alone."""
        for path in sorted(self._root.glob("*/*")):
            yield Digest.parse(f"{path.parent.name}:{path.name}")

    def read(self, digest: Digest, *, most: int = -1) -> bytes:
        """Return a small blob's content; missing or altered content is a fault of kind `corrupt`.

        So is one of more than `most` bytes.
        """
        with self.open(digest) as stream:
            content = stream.read(most if most < 0 else most + 1)
        if 0 <= most < len(content):
            raise corrupt(f"blob {digest} is no document of an image: it has more than {most >> 20} MiB")
        if digest.algorithm == "sha256" and Digest.of(content) != digest:
            raise corrupt(f"blob {digest} is damaged: its content has the digest {Digest.of(content)}")
        return content

    @contextmanager
    def open(self, digest: Digest) -> Iterator[BinaryIO]:
        """Open a blob for reading, unchecked."""
        try:
            stream = self.path(digest).open("rb")
        except FileNotFoundError as err:
            raise corrupt(f"blob {digest} is missing from {self._root}") from err
        with stream:
            yield stream

    def write(self, content: bytes, media_type: str) -> Descriptor:
        """Store a small blob."""
        with self.writing() as sink:
            sink.write(content)
        return Descriptor(media_type=media_type, digest=sink.digest, size=sink.size)

    @contextmanager
    def writing(self) -> Iterator["Sink"]:
        """Yield a sink; what was written becomes a blob, named by its digest, if the block succeeds."""
        descriptor, name = tempfile.mkstemp(dir=self._scratch)
        temporary = Path(name)
        try:
            with os.fdopen(descriptor, "wb", buffering=0) as file:
                sink = Sink(file, temporary)
                yield sink
                os.fchmod(descriptor, 0o644)
            final = self.path(sink.digest)
            final.parent.mkdir(parents=True, exist_ok=True)
            disk.publish(temporary, final)
        finally:
            temporary.unlink(missing_ok=True)

    def adopt(self, path: Path, digest: Digest) -> None:
        """Make a finished file of the scratch directory, whose digest it has, a blob."""
        final = self.path(digest)
        final.parent.mkdir(parents=True, exist_ok=True)
        path.chmod(0o644)
        disk.publish(path, final)

    def remove(self, digest: Digest) -> int:
        """Remove a blob and return its size in bytes."""
        path = self.path(digest)
        size = path.stat().st_size
        path.unlink()
        return size


class Sink(Tally):
    """A blob on its way into the store: hashes, counts and writes. `path` is where it grows."""

    def __init__(self, file: FileIO, path: Path) -> None:
        super().__init__()
        self._file = file
        self.path = path

    def account(self, data: bytes) -> None:
        """Take note of bytes that are in the file already."""
        self._account(data)

    def write(self, data: bytes, /) -> None:
        """Write and account; all of it is in the file afterwards."""
        view = memoryview(self._account(data))
        while view:
            view = view[self._file.write(view) :]
