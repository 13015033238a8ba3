"""Carry out the steps of an OCI plan, in the child, with only what the parent has already imported."""

from __future__ import annotations

import os

from runtime.rootfs import fill, nodes, shield
from runtime.rootfs.room import Room
from runtime.rootfs.step_error import StepError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def execute(plan: list[list[Any]], pauses: dict[str, Callable[[], None]] | None = None) -> None:
    """Carry out the wire form of a plan; StepError tells which step failed.

    `pauses` are called at the moments of an OCI plan: "mounted", when the root is complete and not entered
    (createContainer hooks), and "entered", when it is "/" and nothing is read-only yet (console, sysctl).
    What they raise passes through as it is.
    """
    room = Room()
    try:
        for index, (name, given) in enumerate(plan):
            if name == "pause":
                (pauses or {}).get(given["moment"], _nothing)()
                continue
            try:
                _STEPS[name](room, **given)
            except OSError as err:
                raise StepError(index, err) from err
    finally:
        room.close()


def _nothing() -> None:
    return


def _chroot(_: Room, root: str) -> None:
    os.chroot(root)
    os.chdir("/")


_STEPS: dict[str, Callable[..., None]] = {
    "root": Room.open,
    "enter": Room.enter,
    "chroot": _chroot,
    "fresh": fill.fresh,
    "tree": fill.tree,
    "remount": fill.remount,
    "node": nodes.node,
    "borrow": nodes.borrow,
    "symlink": nodes.symlink,
    "late": shield.late,
    "seal": shield.seal,
    "shield": shield.shield,
    "cover": shield.cover,
    "spread": shield.spread,
}
