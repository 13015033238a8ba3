"""The steps of an OCI bundle's root file system: plain values, since the start path has no time for more.

`rootfs.execute` carries out their wire form in the child. The root is entered late, so hooks can see it from
the host's side; until then every place in it is found by `rootfs.resolve`.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from runtime.rootfs.sources import IdMap


class Step:
    """`name` is its function (rootfs.execute), `where` its field in config.json, `given` its arguments."""

    __slots__ = ("given", "idmap", "name", "where")

    def __init__(self, name: str, where: str, **given: object) -> None:
        self.name, self.where = name, where
        self.idmap: IdMap | None = None  # the parent's share of the work (rootfs.sources)
        self.given: Mapping[str, object] = given

    def __repr__(self) -> str:
        return f"Step({self.name!r}, {self.where!r}, {self.given!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Step) and self.wire() == other.wire()

    __hash__ = None  # type: ignore[assignment] # the arguments may be lists

    def describe(self) -> str:
        """Say what it does, in words that fit after "cannot"."""
        words = _PHRASES[self.name].format_map(self.given)
        return f"{words} ({self.where})" if self.where else words

    def wire(self) -> list[object]:
        """Return the name and the arguments, fit for JSON."""
        return [self.name, dict(self.given)]

    def changed(self, **given: object) -> Step:
        """Return a copy with other arguments."""
        return Step(self.name, self.where, **{**self.given, **given})


_PHRASES = {
    "root": "bind the root file system {path}",
    "fresh": "mount {fstype} at {target}",
    "tree": "bind {source} at {target}",
    "remount": "remount {target}",
    "node": "make the device {path}",
    "borrow": "bind the host's device {path}",
    "symlink": "link {path} to {text}",
    "pause": "let others act when the root is {moment}",
    "enter": "make {path} the root",
    "chroot": "chroot to {root}",
    "late": "make mounts read-only",
    "shield": "make {path} read-only",
    "cover": "mask {path}",
    "seal": "make the root read-only",
    "spread": "set the propagation of the root",
}
