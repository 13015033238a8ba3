"""The mount options of the OCI runtime specification (config.md, "Linux mount options") as kernel values.

`ro` and its like become attributes of the one mount (MOUNT_ATTR_*, mount_setattr(2)), those with a leading
"r" attributes of the mount and all below it; propagation is a list, since "slave,shared" is a thing.
What the table does not name is data for the file system; a bind mount has none, so there it is refused.
"""

from __future__ import annotations

from runtime.errors import RuntimeFault
from runtime.linux import mounts

ATIME, NOATIME, STRICTATIME = 0x70, 0x10, 0x20
RDONLY, NOSUID, NODEV, NOEXEC, NODIRATIME, NOSYMFOLLOW = 0x1, 0x2, 0x4, 0x8, 0x80, 0x200000

# option: (attributes set, attributes cleared)
_ATTRIBUTES = {
    "ro": (RDONLY, 0), "rw": (0, RDONLY), "nosuid": (NOSUID, 0), "suid": (0, NOSUID),
    "nodev": (NODEV, 0), "dev": (0, NODEV), "noexec": (NOEXEC, 0), "exec": (0, NOEXEC),
    "nodiratime": (NODIRATIME, 0), "diratime": (0, NODIRATIME),
    "nosymfollow": (NOSYMFOLLOW, 0), "symfollow": (0, NOSYMFOLLOW),
    "noatime": (NOATIME, ATIME), "strictatime": (STRICTATIME, ATIME), "relatime": (0, ATIME),
    # Relatime is the kernel's default, and the three are one field: it is cleared as a whole.
    "atime": (0, ATIME), "norelatime": (0, 0), "nostrictatime": (0, ATIME),
}  # fmt: skip
# Options of the super block: MS_ flag, set or cleared.
_SUPER = {
    "sync": (16, 0), "async": (0, 16), "dirsync": (128, 0), "mand": (64, 0), "nomand": (0, 64),
    "silent": (1 << 15, 0), "loud": (0, 1 << 15), "iversion": (1 << 23, 0), "noiversion": (0, 1 << 23),
    "lazytime": (1 << 25, 0), "nolazytime": (0, 1 << 25),
}  # fmt: skip
PROPAGATION = {
    "private": 1 << 18, "slave": 1 << 19, "shared": 1 << 20, "unbindable": 1 << 17,
}  # fmt: skip
# MS_ flags of mount(2) that stand for a mount's own attributes; it is RDONLY for the super block as well.
_MOUNT_FLAGS = (
    (RDONLY, mounts.RDONLY), (NOSUID, mounts.NOSUID), (NODEV, mounts.NODEV), (NOEXEC, mounts.NOEXEC),
    (NODIRATIME, 2048), (NOATIME, 1024), (STRICTATIME, mounts.STRICTATIME), (NOSYMFOLLOW, 256),
)  # fmt: skip
_OTHERS = ("bind", "rbind", "remount", "defaults", "tmpcopyup", "idmap", "ridmap")


def names() -> list[str]:
    """Return every option that is not a file system's own (features.md, mountOptions)."""
    plain = (*_ATTRIBUTES, *PROPAGATION)
    return sorted({*plain, *("r" + name for name in plain), *_SUPER, *_OTHERS})


class Options:
    """What a list of options asks for; `bind` and `idmap` are "", or the option's own name."""

    def __init__(self) -> None:
        self.set = self.clear = self.rset = self.rclear = self.super = 0
        self.propagation: list[tuple[int, bool]] = []
        self.bind = self.idmap = ""
        self.remount = self.copyup = False
        self.data: list[str] = []

    @property
    def flags(self) -> int:
        """All of it as flags of mount(2)."""
        return self.super | sum(flag for attribute, flag in _MOUNT_FLAGS if self.set & attribute)


def parse(options: list[str], where: str) -> Options:
    """Read `options`; `where` is the place in config.json, for a usage fault."""
    found = Options()
    for index, option in enumerate(options):
        if option.startswith("idmap=") or not _known(found, option):
            _other(found, option, f"{where}[{index}]")
    return found


def _known(found: Options, option: str) -> bool:
    bare = option[1:] if option.startswith("r") else ""
    if option in _ATTRIBUTES:
        found.set, found.clear = _merge(found.set, found.clear, *_ATTRIBUTES[option])
    elif option in _SUPER:
        found.super = found.super & ~_SUPER[option][1] | _SUPER[option][0]
    elif bare in _ATTRIBUTES:
        found.rset, found.rclear = _merge(found.rset, found.rclear, *_ATTRIBUTES[bare])
    elif option in PROPAGATION or bare in PROPAGATION:
        found.propagation.append((PROPAGATION.get(option) or PROPAGATION[bare], option not in PROPAGATION))
    else:
        return _flow(found, option)
    return True


def _flow(found: Options, option: str) -> bool:
    if option in {"bind", "rbind"}:
        found.bind = option
    elif option in {"idmap", "ridmap"}:
        found.idmap = option
    elif option == "remount":
        found.remount = True
    elif option == "tmpcopyup":
        found.copyup = True
    elif option != "defaults":
        return False
    return True


def _merge(now: int, cleared: int, set_: int, clear: int) -> tuple[int, int]:
    """Apply one option: the last one wins, and what was cleared stays so unless it is set again."""
    return now & ~clear | set_, cleared & ~set_ | clear


def _other(found: Options, option: str, where: str) -> None:
    if not option:  # as runc and mount(8) take it
        return
    if option.startswith("idmap="):
        raise RuntimeFault(f"{where}: the mount option {option!r} is not supported", kind="usage")
    found.data.append(option)
