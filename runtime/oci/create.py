"""The `create` operation of runtime.md: from a bundle to a process that waits in the airlock, or to nothing.

Every step that acquires something is on record before it is taken, so that `delete -f` finds it whatever
happens in between; and every failure, a signal included, gives back what was taken.
"""

# pathlib stays out of the start path:
# ruff: noqa: PTH100, PTH104

from __future__ import annotations

import os
import time

from runtime.cgroups import mounts as cgroup_mounts
from runtime.cgroups import oci as cgroup
from runtime.errors import RuntimeFault
from runtime.linux import userns
from runtime.oci import config as configuration
from runtime.oci import init, launch, lifecycle, limits, maps, record, spaces, together
from runtime.oci.child import Child
from runtime.rootfs import oci_cgroups, oci_plan, sources

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.cgroups.oci import Group
    from runtime.oci.config import Config
    from runtime.oci.options import Arguments
    from runtime.oci.record import Record
    from runtime.oci.report import Log
    from runtime.oci.spaces import Spaces
    from runtime.oci.terminal import Terminal
    from runtime.rootfs.oci_steps import Step

OPTIONS = """
    bundle,b TEXT DIR with config.json (default: the working directory)
    console-socket TEXT SOCKET that receives the terminal's master
    pid-file TEXT FILE for the number of the first process
    no-pivot FLAG move the root's mount instead of pivot_root, for an initramfs
    no-new-keyring FLAG keep the session keyring of the caller
    preserve-fds TEXT N further descriptors from 3 on for the container
"""


class Plan:
    """Everything that is decided before anything is taken."""

    def __init__(self, arguments: Arguments, log: Log, *, share: bool = False) -> None:
        self.bundle = os.path.abspath(arguments.text("bundle") or ".")
        self.name = arguments.id()
        self.content = configuration.read(self.bundle)
        self.config: Config = configuration.parse(self.content)
        self.spaces: Spaces = spaces.plan(self.config)
        self.root = launch.root_of(self.config, self.bundle)
        self.rootless = os.geteuid() != 0
        maps.check(self.config, self.spaces, rootless=self.rootless)
        linux = self.config.get("linux") or {}
        self.group: Group = cgroup.plan(
            cgroup_mounts.find(), linux.get("cgroupsPath"), self.name, linux.get("resources"),
            rootless=_limited(arguments),
            owner=cgroup.owner(self.config) if "user" in self.spaces.new else None,
        )  # fmt: skip
        for warning in self.group.warnings:
            log.remark(warning)
        self.steps: list[Step] = oci_plan.plan(
            self.config, self.bundle, rootless=self.rootless, cgroup=oci_cgroups.view(self.group.paths),
            pivot=not arguments.flag("no-pivot"),
        )  # fmt: skip
        self.launch = {
            **launch.container(self.config, self.spaces),
            **launch.program(self.config["process"], linux, log, mapped=self.spaces.own("user")),
            "keyring": "" if arguments.flag("no-new-keyring") else self.name,
            "keep": arguments.count("preserve-fds"),
        }
        # Without root the time namespace has to be the user namespace's.
        offsets = linux.get("timeOffsets") or {} if "time" in self.spaces.new else None
        self.launch["offsets"] = None if self.rootless else offsets
        self.launch["inner_offsets"] = offsets if self.rootless else None
        self.shares = share and not self.rootless and together.possible(self.spaces, self.config, self.launch)

    def state(self) -> dict[str, Any]:
        """Return what goes on record first."""
        return {
            "bundle": self.bundle, "rootfs": self.root, "annotations": self.config.get("annotations") or {},
            "created": _now(), "cgroups": self.group.paths, "parents": self.group.parents,
            "group": self.group.wire(), "uid": os.geteuid(),
        }  # fmt: skip


def create(
    arguments: Arguments, log: Log, terminal: Terminal, *, share: bool = False
) -> tuple[Record, Child]:
    """Make the container; returns its record, and its first process in the airlock.

    `share` is for a process that is tare-oci and nothing else: it may lend the child its memory, and becomes
    another tare-oci if that is spoilt (`oci.together`). Raises RuntimeFault, and then nothing is left.
    """
    record.refuse_taken(arguments.root, arguments.id())
    plan = Plan(arguments, log, share=share)
    terminal.prepare(plan.launch)
    held = record.claim(arguments.root, plan.name, plan.state(), plan.content)
    held.remember(plan.config)
    try:
        return held, _make(plan, held, log, arguments)
    except BaseException:
        lifecycle.discard(held, log)
        raise


def _make(plan: Plan, held: Record, log: Log, arguments: Arguments) -> Child:
    cgroup.make(plan.group.steps())
    child = _fork(plan, held)
    hooks = lifecycle.Hooks(plan.config, held, log)
    try:
        _admit(plan, held, child)
        child.follow(plan.name, plan.steps, hooks.create, lambda of: listen(plan.launch, held, of))
        _settle(held, child, arguments)
    except BaseException:
        child.__exit__()
        raise
    return child


def _fork(plan: Plan, held: Record) -> Child:
    os.mkfifo(held.fifo, 0o600)
    fifo = os.open(held.fifo, os.O_RDWR | os.O_CLOEXEC)
    outcome = _outcome(plan, held)
    fds = spaces.open_joined(plan.spaces)
    try:
        with sources.Taken(plan.steps, plan.config, rootless=plan.rootless) as taken:
            wanted = {
                **plan.launch, "steps": [step.wire() for step in taken.steps], "join": launch.joining(fds),
                "fifo": fifo, "outcome": outcome, "state": lifecycle.state(held, "creating"),
            }  # fmt: skip
            flags = plan.spaces.flags("user", "pid")
            cgroups = plan.group.born_in, plan.group.joined
            shared = held if plan.shares else None
            return Child.fork(wanted, flags, launch.elsewhere(fds), cgroups, shared)
    finally:
        os.close(fifo)
        if outcome is not None:
            os.close(outcome)
        spaces.close(fds)


def _outcome(plan: Plan, held: Record) -> int | None:
    """Make the way on which `start` learns how startContainer hooks ended; None without any."""
    if not (plan.config.get("hooks") or {}).get("startContainer"):
        return None
    os.mkfifo(held.outcome, 0o600)
    return os.open(held.outcome, os.O_RDWR | os.O_CLOEXEC)


def _admit(plan: Plan, held: Record, child: Child) -> None:
    """Let the child go on, once it is on record; before, it acquires nothing."""
    if plan.shares:
        return
    held.state["init"] = {"pid": child.pid, "start": child.start}
    held.save()
    if "user" in plan.spaces.new:
        maps.write(child.pid, plan.config)
    child.go()
    limits.impose(child.pid, plan.launch["limits"])
    child.permit(init.LIMITED)


def listen(launched: dict[str, Any], held: Record, child: Child) -> None:
    """Pass the listener of the child's filter on to the agent that the profile names."""
    from runtime.linux import seccomp  # noqa: PLC0415 - few profiles have one

    wanted, handover = launched["filter"], launched["handover"]
    fd = handover.fetch(child.pidfd)
    if fd < 0:
        raise RuntimeFault("linux.seccomp: the filter's listener did not come")
    try:
        state = seccomp.process_state(lifecycle.state(held, "creating"), child.pid, wanted.metadata)
        seccomp.send_listener(wanted.listener, fd, state)
    except OSError as err:
        raise RuntimeFault.from_os(err, f"reach linux.seccomp.listenerPath {wanted.listener}") from err
    finally:
        os.close(fd)
    handover.release()


def _settle(held: Record, child: Child, arguments: Arguments) -> None:
    """Finish: the record belongs to nobody from here on, and the pid is told."""
    if not held.pid:
        raise RuntimeFault(f"{held.id} ended before it could start")
    write_pid_file(arguments, child.pid)
    held.state["owner"] = None
    held.save()


def write_pid_file(arguments: Arguments, pid: int) -> None:
    """Write the file that --pid-file asks for, so that it is never seen half written."""
    path = arguments.text("pid-file")
    if not path:
        return
    directory, name = os.path.split(os.path.abspath(path))
    draft = f"{directory}/.{name}"
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    try:
        os.write(fd, str(pid).encode())
    finally:
        os.close(fd)
    os.rename(draft, path)


def _limited(arguments: Arguments) -> bool:
    """Whether cgroups are only those that were delegated: --rootless, or what this process is."""
    given = arguments.text("rootless", "auto")
    if given not in {"true", "false", "auto"}:
        raise RuntimeFault(f"--rootless {given} is unknown", kind="usage", hint="use true, false or auto")
    return not userns.privileged() if given == "auto" else given == "true"


def _now() -> str:
    seconds = time.time()
    fraction = f"{seconds % 1:.9f}"[1:]
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + fraction + "Z"
