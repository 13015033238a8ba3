"""bubblewrap: namespaces for a command, without a daemon, a record or limits of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.target import Availability, Box, Kind, Launcher
from bench.targets.drivers import Drivers
from bench.targets.foreground import ForegroundLauncher, root
from bench.targets.program import Program, found
from bench.workloads.agent import PATH as AGENT
from runtime.cgroups.manager import Resources

BWRAP = Program("bwrap", "bubblewrap")
BOUNDARY = (
    "every process of a cgroup around bwrap, which stays as monitor and as process 1; pid, mount, net, uts, "
    "ipc and cgroup namespaces; memory and CPU limits of that cgroup, since bubblewrap has none; the root "
    "a flattened copy that all instances share read-only, no overlay, no sysfs, no masked paths, no filter "
    "of system calls"
)
SHARED = ("--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup")
OWN = ("--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--tmpfs", "/dev/shm")  # noqa: S108


class Bubblewrap:
    """A command in namespaces of its own."""

    name = "bwrap"
    title = "sandboxed process (bubblewrap)"
    kind: Kind = "container"

    def __init__(self, drivers: Drivers) -> None:
        self._drivers = drivers

    def availability(self) -> Availability:
        """Needs the program, root and cgroups."""
        return found(BWRAP, reason="namespaces by bubblewrap, limits by a cgroup around it")

    @contextmanager
    def launcher(self, box: Box) -> Iterator[Launcher]:
        """Flatten the image once."""

        def words(_name: str, _place: Path) -> tuple[str, ...]:
            view = ("--ro-bind", str(tree.path), "/", *OWN, "--hostname", "box", "--die-with-parent")
            return BWRAP.path, *SHARED, *view, AGENT

        with root(self._drivers, box) as tree:
            limits, names = Resources(box.memory, box.cpus, box.pids), {"bwrap": "bubblewrap"}
            prepared = tree.prepared(BOUNDARY)
            yield ForegroundLauncher(self._drivers, tree.place, words, limits, names, prepared)
