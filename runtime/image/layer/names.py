"""Names of a tar's members, as paths below a root."""

from runtime.errors import RuntimeFault
from runtime.image.layer.rooted import Parts
from runtime.image.seam import corrupt


def parts_of(name: str) -> Parts:
    """Clean a member's name lexically, as docker does: absolute is relative.

    A `..` that climbs out of the root, and a null byte, are faults of kind `corrupt`.
    """
    plain = tuple(name.split("/"))
    if "" not in plain and "." not in plain and ".." not in plain and "\0" not in name:
        return plain  # almost all are like this
    parts: list[str] = []
    for part in plain:
        if part == "..":
            if not parts:
                raise _escape(name)
            parts.pop()
        elif part not in {"", "."}:
            parts.append(part)
    if any("\0" in part for part in parts):
        raise corrupt(f"a layer holds a name with a null byte: {name!r}")
    return tuple(parts)


def _escape(name: str) -> RuntimeFault:
    return corrupt(f"a layer names {name!r}, which is outside its root: it is damaged or hostile")
