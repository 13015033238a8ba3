"""Where the engine keeps things: below RUN what a reboot ends, below DATA what stays.

RUN/engine/{keeper.sock,keeper.lock,keeper.log,oci/ID}: the keeper, and the records of the runtime.
DATA/engine/containers/ID/{container.json,state.json,config.json,log.json,hosts,…,upper,work,rootfs}
DATA/engine/names/NAME: a symlink to the ID, which is what makes a name unique.
DATA/engine/volumes/NAME/_data
"""

from __future__ import annotations


class Places:
    """The paths of one pair of roots, as strings."""

    __slots__ = ("containers", "data", "lock", "log", "names", "oci", "run", "socket", "volumes")

    def __init__(self, run: str, data: str) -> None:
        self.run, self.data = run, data
        self.socket, self.lock = f"{run}/engine/keeper.sock", f"{run}/engine/keeper.lock"
        self.log, self.oci = f"{run}/engine/keeper.log", f"{run}/engine/oci"
        self.containers, self.names = f"{data}/engine/containers", f"{data}/engine/names"
        self.volumes = f"{data}/engine/volumes"

    def of(self, name: str) -> str:
        """Return the directory of a container, by its full id."""
        return f"{self.containers}/{name}"

    def volume(self, name: str) -> str:
        """Return the directory whose content a named volume is."""
        return f"{self.volumes}/{name}/_data"
