"""systemd-nspawn: a container that systemd's own tools manage, here without systemd as the host's init."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.target import Availability, Box, Kind, Launcher
from bench.targets.drivers import Drivers
from bench.targets.foreground import ForegroundLauncher, root
from bench.targets.program import Program, found
from bench.workloads.agent import PATH as AGENT
from runtime.cgroups.manager import Resources

NSPAWN = Program("systemd-nspawn", "systemd-container")
BOUNDARY = (
    "every process of a cgroup around systemd-nspawn, its two helpers among them; pid, mount, net, uts, ipc "
    "and cgroup namespaces; memory and CPU limits of that cgroup, since no systemd is asked for a unit; "
    "nspawn's own filter of system calls; the root a flattened copy that all instances share read-only, no "
    "overlay"
)
QUIET = (
    "--quiet", "--register=no", "--keep-unit", "--console=pipe", "--read-only", "--private-network",
    "--tmpfs=/tmp:mode=1777", "--timezone=off", "--resolv-conf=off", "--link-journal=no",
)  # fmt: skip
STATE = Path("/run/systemd/nspawn")
ROLES = {"systemd-nspawn": "systemd-nspawn", "(sd-namens)": "systemd-nspawn"}


class Nspawn:
    """A container of systemd-nspawn."""

    name = "nspawn"
    title = "container (systemd-nspawn)"
    kind: Kind = "container"

    def __init__(self, drivers: Drivers) -> None:
        self._drivers = drivers

    def availability(self) -> Availability:
        """Needs the program, root and cgroups."""
        return found(NSPAWN, reason="a container without a unit, limits by a cgroup around it")

    @contextmanager
    def launcher(self, box: Box) -> Iterator[Launcher]:
        """Flatten the image once."""

        def words(name: str, _place: Path) -> tuple[str, ...]:
            return NSPAWN.path, *QUIET, "-M", name, "-D", str(tree.path), AGENT

        with root(self._drivers, box) as tree:
            yield ForegroundLauncher(
                self._drivers, tree.place, words, Resources(box.memory, box.cpus, box.pids), ROLES,
                tree.prepared(BOUNDARY), traces,
            )  # fmt: skip


def traces(name: str) -> Sequence[Path]:
    """Name the directory in which nspawn would hand mounts over to a running container."""
    return (STATE / "propagate" / name,)
