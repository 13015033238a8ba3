"""Whose the unpacked files are: as the image says, as a user namespace maps that, or all the user's own.

One store may be used in all three ways, for example by an ordinary user before and after he installs
newuidmap. The trees differ, in overlayfs's marks too (`layer.whiteout`), so each way has its own directories.
"""

import os

from runtime.linux import userns


def kept() -> bool:
    """Whether this process can give a file to whom the image says."""
    return os.geteuid() == 0 and userns.maps_many()


def suffix() -> str:
    """Return what the names of directories with unpacked files end in: nothing for the host's root."""
    if userns.privileged():
        return ""
    return "-mapped" if kept() else "-own"
