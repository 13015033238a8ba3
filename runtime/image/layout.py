"""The marker of an OCI image layout, `oci-layout` (image-spec, image-layout.md): which version it is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from runtime.image.seam import corrupt

if TYPE_CHECKING:
    from pathlib import Path

NAME, VERSION = "oci-layout", "1.0.0"
CONTENT = json.dumps({"imageLayoutVersion": VERSION}, separators=(",", ":")).encode()
_MOST = 4096  # bytes; the file holds one short object


def check(store: Path) -> None:
    """Refuse a layout of another version, which may keep its content in another way; none yet is no fault.

    Raises a fault of kind `corrupt`.
    """
    marker = store / NAME
    try:
        with marker.open("rb") as file:
            found = version(file.read(_MOST))
    except FileNotFoundError:
        return
    except IsADirectoryError:
        found = "that of a directory"
    if found != VERSION:
        hint = (
            f"use another data root (--root), or, if only this file is damaged, remove {marker}: "
            "the next `tare image bootstrap` writes it again"
        )
        raise corrupt(f"{marker}: the version of the image layout is {found}, not {VERSION}", hint=hint)


def version(content: bytes) -> str:
    """Return which version a marker says, or a word on why it says none."""
    try:
        document = json.loads(content)
    except ValueError:
        return "no JSON"
    found = document.get("imageLayoutVersion") if isinstance(document, dict) else None
    return found if isinstance(found, str) else "missing"
