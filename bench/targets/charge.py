"""A memory cgroup around a guest, so that its figures have the same boundary as a container's."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.errors import BenchFault
from runtime.cgroups.manager import Resources
from runtime.container import NativeSpec, Spawner
from runtime.container.started import Started


@dataclass(frozen=True)
class Charge:
    """A memory cgroup that is recorded like a container's, so that pruning finds it after a crash."""

    memory: Path
    home: Path

    @contextmanager
    def joined(self) -> Iterator[None]:
        """Move this process in, so that whatever it forks is charged from its first page, and back again.

        Pages that were charged before the move stay where they were (cgroup-v1/memory.rst, section 8;
        cgroup-v2.rst, "Memory Ownership").
        """
        enter(self.memory)
        try:
            yield
        finally:
            enter(self.home)


@contextmanager
def charging(spawner: Spawner, name: str) -> Iterator[Charge]:
    """Make the cgroup and remove it, with every process in it, at the end."""
    spec = NativeSpec(id=f"{name}-ledger", args=("/bin/true",), resources=Resources())
    with spawner.start_native(spec, stdin=0, stdout=2, stderr=2) as holder:
        holder.wait()
        yield Charge(_memory(holder), home())


def _memory(holder: Started) -> Path:
    path = holder.cgroup.path("memory") if holder.cgroup else None
    if path is None:
        raise BenchFault(
            "this host has no memory controller for a ledger",
            hint="enable the memory cgroup controller, or leave `memory` out",
            kind="host",
        )
    return path


def memory_group(pid: int) -> Path | None:
    """Return the directory of the memory controller that charges a process; None where there is none."""
    try:
        return home(process=Path(f"/proc/{pid}"))
    except (BenchFault, OSError, KeyError):
        return None


def home(proc: Path = Path("/proc/self"), process: Path | None = None) -> Path:
    """Return the directory of the memory controller (or the v2 tree) that a process is in.

    It is a path in the mounts of `proc`; `process` is /proc/PID of another than its owner.
    """
    lines = ((process or proc) / "cgroup").read_text().splitlines()
    # One hierarchy of version 1 may carry several controllers: `4:cpu,memory:/path`.
    places = {
        name: path for _, names, path in (line.split(":", 2) for line in lines) for name in names.split(",")
    }
    for line in (proc / "mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        kind, _, options = after.split(" ", 2)
        root, mount = before.split()[3:5]
        if kind == "cgroup" and "memory" in options.split(","):
            return below(mount, root, places["memory"])
        if kind == "cgroup2" and (Path(mount) / "cgroup.controllers").read_text().split().count("memory"):
            return below(mount, root, places[""])
    raise BenchFault("no memory controller is mounted", hint="mount a cgroup hierarchy", kind="host")


def below(mount: str, root: str, path: str) -> Path:
    """Return where a cgroup's path appears below a mount that shows the tree from `root` on."""
    relative = path.removeprefix(root) if root != "/" else path
    return Path(mount, relative.lstrip("/"))


def enter(group: Path) -> None:
    """Move this whole process into `group`."""
    (group / "cgroup.procs").write_text("0")
