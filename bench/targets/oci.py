"""A container by any runtime with runc's command line: runc, crun, tare-oci."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from bench.errors import BenchFault
from bench.target import Availability, Box, Image, Instance, Kind, Launcher, Member, Prepared
from bench.targets import oci_bundle, oci_record
from bench.targets.charge import memory_group
from bench.targets.drivers import Drivers
from bench.targets.faults import translated
from bench.targets.hosting import lacks
from bench.workloads.images import provide
from runtime.linux.processes import alive, start_time

BOUNDARY = (
    "every process of the container's cgroup; pid, mount, net, uts, ipc and cgroup namespaces, memory and "
    "CPU limits, docker's capabilities and filter of system calls; the root is a flattened image, read "
    "only, with no writable layer; `RUNTIME run --detach`, whose own process has ended by then"
)
PATIENCE = 60.0  # seconds for one command of the runtime


class OciInstance:
    """A container of an OCI runtime, by its record and the process id that the runtime wrote."""

    console: int | None = None
    requests: int | None = None

    def __init__(self, record: oci_record.Record, channel: socket.socket, pid: int) -> None:
        self.name = record.name
        self.agent = channel.fileno()
        self._record, self._channel, self._pid = record, channel, pid
        self._began = start_time(pid)
        self._group = memory_group(pid)

    @property
    def memory_cgroup(self) -> Path | None:
        """The memory controller's directory that the runtime has made."""
        return self._group

    @property
    def storage(self) -> Sequence[Path]:
        """Nothing: the root is read only."""
        return ()

    def members(self) -> Sequence[Member]:
        """Return the processes of the cgroup."""
        pids = (self._group / "cgroup.procs").read_text().split() if self._group else [str(self._pid)]
        return [Member(int(pid), "container") for pid in pids]

    def remove(self) -> None:
        """Kill and delete; returns when nothing is left."""
        self._record.delete()
        self._channel.close()

    def leftovers(self) -> Sequence[str]:
        """Name what is still there."""
        found = [f"process {self._pid}"] if alive(self._pid, self._began) else []
        found += [f"cgroup {self._group}"] if self._group and self._group.exists() else []
        return [*found, *self._record.leftovers()]

    def log(self) -> str:
        """Return nothing: what the runtime says goes into the error of the command that failed."""
        return ""


@dataclass(frozen=True)
class OciLauncher:
    """Starts containers of one bundle's template."""

    home: Path
    runtime: str
    root: Path
    box: Box
    prepared: Prepared

    def start(self, name: str, *, ledger: bool = False) -> Instance:  # noqa: ARG002 - always in a cgroup
        """`run --detach`: returns when the runtime has started process 1 and ended."""
        record = oci_record.Record(self.home, name, self.runtime)
        # A leaf of its own: no parent is left behind when the runtime removes it.
        record.write(oci_bundle.config(self.root, self.box, f"/tare-oci-{name}"))
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                _run(record, theirs)
            return OciInstance(record, ours, int((record.place / "pid").read_text()))
        except BaseException:
            ours.close()
            with suppress(BenchFault):
                record.delete()
            raise


class Oci:
    """Containers by the runtime program `runtime`: a path, or a name to be looked for in PATH."""

    name = "oci"
    kind: Kind = "container"

    def __init__(self, drivers: Drivers, runtime: str) -> None:
        self._drivers, self._runtime = drivers, runtime
        self.title = "container (OCI runtime)"

    def availability(self) -> Availability:
        """Needs root, cgroups and the program, which is asked for its version."""
        missing = lacks(root=True, cgroups=True, filters=True)
        found = shutil.which(self._runtime)
        if missing or not found:
            return Availability(available=False, reason=missing or f"there is no program {self._runtime}")
        try:
            done = subprocess.run(
                [found, "--version"], capture_output=True, text=True, timeout=PATIENCE, check=True
            )
        except (OSError, subprocess.SubprocessError) as err:
            return Availability(available=False, reason=f"{found} --version: {err}")
        version = (done.stdout.strip().splitlines() or ["no version"])[0]
        return Availability(available=True, reason=f"{found}, with runc's command line", version=version)

    @contextmanager
    def launcher(self, box: Box) -> Iterator[Launcher]:
        """Flatten the image once; each instance gets a bundle of its own."""
        with translated():
            image = provide(self._drivers, box.workload)
            root = self._drivers.store.checkout(image.image)
        found = shutil.which(self._runtime) or self._runtime
        prepared = Prepared(Image(image.reference, str(image.image.digest)), None, BOUNDARY, (root,))
        yield OciLauncher(oci_record.home(self._drivers.run), os.path.realpath(found), root, box, prepared)


def _run(record: oci_record.Record, end: socket.socket) -> None:
    words = record.command("run", "--detach", "--bundle", record.place, "--pid-file", record.place / "pid")
    # What the runtime itself complains about goes to its log: standard error belongs to the workload.
    try:
        subprocess.run(
            [*words, record.name], stdin=end.fileno(), stdout=end.fileno(), stderr=subprocess.DEVNULL,
            check=True, timeout=PATIENCE,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError) as err:
        said = record.complaint()
        raise BenchFault(
            f"{record.runtime} could not start {record.name}: {said or err}",
            hint="run it by hand: see the bundle's config.json in bench/targets/oci_bundle.py",
            kind="failed",
        ) from err
