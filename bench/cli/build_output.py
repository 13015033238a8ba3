"""`--output` of `tare image build`: where the result goes besides the store."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from runtime.errors import RuntimeFault

if TYPE_CHECKING:
    from runtime.image.image import Image
    from runtime.image.reference import Reference
    from runtime.image.store import Store

_HINT = "types are local (a directory), tar (its tree), oci (an archive of the image) and image (the store)"


@dataclass(frozen=True, slots=True)
class Output:
    """One --output: `destination` is a path, or `-` for stdout; empty for the store alone."""

    kind: str
    destination: str

    @property
    def on_stdout(self) -> bool:
        """Whether the result itself is what stdout gets."""
        return self.destination == "-"

    def write(self, store: Store, image: Image, names: tuple[Reference, ...]) -> None:
        """Put the image there; a file appears whole or not at all. Raises OSError."""
        from runtime.builder import exports  # noqa: PLC0415 - for builds alone

        if self.kind == "local":
            exports.local(store, image, Path(self.destination))
            return
        if self.kind == "image":
            return
        partial = Path(f"{self.destination}.partial")
        with os.fdopen(os.dup(1), "wb") if self.on_stdout else partial.open("wb") as sink:
            if self.kind == "tar":
                exports.tree(store, image, sink)
            else:
                exports.archive(store, image, sink, name=names[0] if names else None)
        if not self.on_stdout:
            partial.rename(self.destination)


def parse(text: str) -> Output:
    """Read `DIR`, `-`, or `type=…,dest=…`; a usage fault names what is not supported."""
    if "=" not in text:
        return Output("tar" if text == "-" else "local", text)
    fields = dict(part.partition("=")[::2] for part in text.split(","))
    kind, destination = fields.pop("type", ""), fields.pop("dest", "")
    if kind not in {"local", "tar", "oci", "image"}:
        raise RuntimeFault(f"--output {text}: type={kind} is not supported", kind="usage", hint=_HINT)
    if fields:
        raise RuntimeFault(
            f"--output {text}: {next(iter(fields))} is not supported", kind="usage", hint=_HINT
        )
    if kind == "local" and destination in {"", "-"}:
        raise RuntimeFault(f"--output {text}: local needs dest=DIR", kind="usage", hint=_HINT)
    if kind == "image" and destination:
        raise RuntimeFault(f"--output {text}: an image has no dest", kind="usage", hint="name it with -t")
    return Output(kind, destination or ("" if kind == "image" else "-"))
