"""LXC: the older runtime behind Proxmox and, with lxd or incus above it, Ubuntu's system containers."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.target import Availability, Box, Kind, Launcher
from bench.targets.drivers import Drivers
from bench.targets.foreground import ForegroundLauncher, root
from bench.targets.program import Program, found
from bench.workloads.agent import PATH as AGENT
from runtime.cgroups.manager import Resources

LXC = Program("lxc-start", "lxc")
BOUNDARY = (
    "every process of a cgroup around lxc-start, which stays as the monitor; pid, mount, net, uts, ipc and "
    "cgroup namespaces; memory and CPU limits of that cgroup; the root a flattened copy that all instances "
    "share read-only, no overlay, all capabilities, no masked paths, no filter of system calls"
)
CONFIG = """lxc.uts.name = box
lxc.rootfs.path = dir:{root}
lxc.rootfs.options = ro
lxc.init.cmd = {agent}
lxc.mount.auto = proc:mixed sys:ro
lxc.mount.entry = tmpfs tmp tmpfs nosuid,nodev,mode=1777 0 0
lxc.autodev = 1
lxc.pty.max = 8
lxc.tty.max = 0
lxc.console.path = none
lxc.net.0.type = empty
lxc.cgroup.relative = 1
"""
ROLES = {"lxc-start": "LXC monitor", "[lxc monitor]": "LXC monitor"}


class Lxc:
    """A container of LXC, from a configuration of Tare's."""

    name = "lxc"
    title = "container (LXC)"
    kind: Kind = "container"

    def __init__(self, drivers: Drivers) -> None:
        self._drivers = drivers

    def availability(self) -> Availability:
        """Needs the program, root and cgroups."""
        return found(LXC, reason="an application container of lxc-start, limits by a cgroup around it")

    @contextmanager
    def launcher(self, box: Box) -> Iterator[Launcher]:
        """Flatten the image once; each instance gets a configuration."""

        def words(name: str, place: Path) -> tuple[str, ...]:
            file = place / "config"
            file.write_text(CONFIG.format(root=tree.path, agent=AGENT))
            log = ("--logfile", str(place / "lxc.log"), "--logpriority", "WARN")
            return (
                LXC.path,
                "--lxcpath",
                str(place),
                "--name",
                name,
                "--foreground",
                "--rcfile",
                str(file),
                *log,
            )

        with root(self._drivers, box) as tree:
            yield ForegroundLauncher(
                self._drivers, tree.place, words, Resources(box.memory, box.cpus, box.pids), ROLES,
                tree.prepared(BOUNDARY), everywhere=True,
            )  # fmt: skip
