"""What is in an image, read from the archive that `docker save` writes: configuration, history, layers.

Source: moby, image/spec/v1.2.md ("Combined Image JSON + Filesystem Changeset Format").
"""

import gzip
import io
import json
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

GZIP = b"\x1f\x8b"
NOTHING = "#(nop)"
"""In the history of docker's classic builder: an instruction that ran no command."""


@dataclass(frozen=True)
class Contents:
    """An image: its configuration as JSON, and its layers as uncompressed tars, bottom first."""

    config: dict[str, Any]
    layers: tuple[bytes, ...]

    def file(self, path: str) -> str:
        """Return the text of a file (without a leading slash), from the topmost layer that has it."""
        for layer in reversed(self.layers):
            with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
                names = {name.removeprefix("./"): name for name in tar.getnames()}
                found = tar.extractfile(names[path]) if path in names else None
                if found:
                    return found.read().decode()
        raise KeyError(path)

    def where(self, secret: bytes) -> set[str]:
        """Search everything for a secret: `config`, `history`, `layer N`; all places that have it."""
        rest = {name: value for name, value in self.config.items() if name != "history"}
        places = {
            "history": json.dumps(self.config.get("history", [])).encode(),
            "config": json.dumps(rest).encode(),
            **{f"layer {number}": layer for number, layer in enumerate(self.layers)},
        }
        return {name for name, content in places.items() if secret in content}

    def steps(self, below: int) -> list[tuple[str, bool]]:
        """Return the instructions after the first `below` entries of the history: word, whether a layer."""
        return [
            (instruction(str(entry.get("created_by", ""))), not entry.get("empty_layer", False))
            for entry in self.config["history"][below:]
        ]


def read(file: Path) -> Contents:
    """Read an archive of one image."""
    with tarfile.open(file) as archive:

        def member(name: str) -> bytes:
            found = archive.extractfile(name)
            content = found.read() if found else b""
            return gzip.decompress(content) if content.startswith(GZIP) else content

        (listed,) = json.loads(member("manifest.json"))
        return Contents(json.loads(member(listed["Config"])), tuple(map(member, listed["Layers"])))


def instruction(created_by: str) -> str:
    """Return the Dockerfile's word for a line of a history, whoever wrote it."""
    if NOTHING in created_by:
        return created_by.partition(NOTHING)[2].split()[0]
    word = created_by.split(maxsplit=1)[0] if created_by.split() else ""
    return "RUN" if word.startswith(("/bin/sh", "|")) else word
