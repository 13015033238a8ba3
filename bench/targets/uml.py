"""User-mode Linux: a second kernel as processes of the first, without hardware virtualization."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from bench.channel import KEPT_OUTPUT, Channel, ChannelFault
from bench.clock import elapsed, now
from bench.target import Availability, Box, Image, Kind, Launcher, Prepared
from bench.targets import uml_registers
from bench.targets.drivers import Drivers
from bench.targets.foreground import ForegroundLauncher, root
from bench.targets.program import Program, found, tail
from bench.workloads.agent import PATH as AGENT
from runtime.cgroups.manager import Resources
from runtime.container.scratch import scratch

MIB = 2**20
UML = Program("linux.uml", "user-mode-linux")
BOUNDARY = (
    "every process of the host that the kernel runs as (one for each of its own, and helpers), and the "
    "memory file that all of them map, by a cgroup around them; its memory is its own limit, one CPU; "
    "the root is the image's flattened copy on the host (hostfs), shared read-only"
)
INIT = (
    "printf '\\036tare init\\n'; stty raw -echo; mount -t proc proc /proc; mount -t sysfs sysfs /sys; "
    f"mount -t devtmpfs dev /dev 2>/dev/null; mount -t tmpfs -o mode=1777 tmp /tmp; exec {AGENT}"
)
"""Says what the harness times before it does anything else, as the early init of the other guests does."""
ENVIRONMENT = ("TMPDIR=/dev/shm",)
"""Where the file that is the kernel's memory is in memory."""
PROBE = "printf '\\036tare init\\n'"
ENOUGH = 64  # MiB for a kernel and a shell
PATIENCE = 20.0
COMPLETED = "; too old for this CPU's registers (AMX): a library of Tare's completes what it writes to them"
REGISTERS = "set fp regs failed"
ROLES = {"linux.uml": "UML kernel and its processes"}


class UserModeLinux:
    """A kernel that is a program."""

    name = "uml"
    title = "virtual machine (User-mode Linux)"
    kind: Kind = "vm"

    def __init__(self, drivers: Drivers) -> None:
        self._drivers = drivers

    def availability(self) -> Availability:
        """Needs the program, root and cgroups, and a kernel that comes to user space: it is tried."""
        there = found(UML, reason="")
        if not there.available:
            return there
        try:
            env = environment(self._drivers)
        except OSError as missing:
            return Availability(available=False, reason=f"{_too_old()}, or a library of Tare's: {missing}")
        begun = now()
        refused = probe(self._drivers, env)
        if refused:
            return Availability(available=False, reason=refused)
        reason = (
            f"a kernel in user space, proven by one that reached user space in {elapsed(begun, now()):.1f} s"
        )
        return replace(there, reason=reason + _how(env))

    @contextmanager
    def launcher(self, box: Box) -> Iterator[Launcher]:
        """Flatten the image once."""

        def words(name: str, place: Path) -> tuple[str, ...]:
            return command(name, place, tree.path, box.memory // MIB, INIT)

        env = environment(self._drivers)
        with root(self._drivers, box) as tree:
            yield ForegroundLauncher(
                self._drivers, tree.place, words, Resources(), ROLES,
                tree.prepared(BOUNDARY + _how(env), "uml", (Path(UML.path),)), env=env,
            )  # fmt: skip


def environment(drivers: Drivers) -> tuple[str, ...]:
    """Return the kernel's environment; OSError where it needs a library that can't be made."""
    if not uml_registers.needed(UML.version):
        return ENVIRONMENT
    return (*ENVIRONMENT, f"LD_PRELOAD={uml_registers.library(drivers.data)}")


def _how(env: tuple[str, ...]) -> str:
    return "" if env == ENVIRONMENT else COMPLETED


def command(name: str, place: Path, tree: Path, mib: int, script: str) -> tuple[str, ...]:
    """Return the kernel with its command line: a console on our channel, the tree as its root."""
    return (
        UML.path, f"mem={mib}M", f"umid={name}", f"uml_dir={place}/", "con=null", "con0=fd:0,fd:1",
        "rootfstype=hostfs", f"rootflags={tree}", "ro", "init=/bin/sh", "--", "-c", f'"{script}"',
    )  # fmt: skip


def probe(drivers: Drivers, env: tuple[str, ...]) -> str:
    """Boot a kernel on the host's own shell; return why it does not come so far, or nothing."""
    with scratch(drivers.run) as place:

        def words(name: str, own: Path) -> tuple[str, ...]:
            return command(name, own, Path("/"), ENOUGH, PROBE)

        nothing = Prepared(Image("probe", ""), "uml", BOUNDARY)
        launcher = ForegroundLauncher(drivers, place, words, Resources(), ROLES, nothing, env=env)
        instance = launcher.start(f"uml-probe-{os.getpid()}")
        channel = Channel(instance.agent)
        try:
            channel.wait("init", deadline=now() + PATIENCE)
        except ChannelFault:
            return _refusal(channel.tail(KEPT_OUTPUT) + instance.log())
        finally:
            instance.remove()
    return ""


def _refusal(said: str) -> str:
    """Say why a kernel did not come to user space."""
    if REGISTERS in said:
        return _too_old()
    return f"{UML.name} does not come to user space: {tail(said)}"


def _too_old() -> str:
    return f"{UML.name} {UML.version} can't set this CPU's registers (AMX): it takes 6.13 or newer"
