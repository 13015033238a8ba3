"""What the spawner reports, as faults that say what to do. The one seam where errno becomes words."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from runtime.errors import RuntimeFault
from runtime.process import accounts
from runtime.rootfs.steps import Overlay

if TYPE_CHECKING:
    from runtime.container.request import Request
    from runtime.process.client import Refusal
    from runtime.rootfs.steps import Step

_NO_CGROUPS = {errno.EROFS, errno.EACCES, errno.EPERM, errno.EBUSY}
_DELEGATE = (
    "inside a container, run it with --privileged and --cgroupns=host; else see if something holds the tree"
)


def translate(err: Refusal, wanted: Request) -> RuntimeFault:
    """Say what kept `wanted` from starting."""
    name = wanted.message["state"]["id"]
    if err.stage == "exec":
        return _not_started(err)
    if err.stage == "user":
        return _no_user(err)
    if err.errno == errno.EEXIST and err.what == wanted.message["run"]:
        return RuntimeFault(f"the name {name} is in use", kind="usage", hint=f"tare container rm {name}")
    if err.stage == "rootfs":
        return _not_mounted(err, name, wanted.steps[err.step])
    return _not_set_up(err, name)


def _no_user(err: Refusal) -> RuntimeFault:
    if err.errno:
        return RuntimeFault(f"{err.what} is larger than {accounts.LARGEST >> 20} MiB", kind="usage")
    hint = "use one from its /etc/passwd, or a number"
    return RuntimeFault(f"the image has no {err.what}", kind="usage", hint=hint)


def _not_set_up(err: Refusal, name: str) -> RuntimeFault:
    if err.stage == "recover":
        hint = "try again; if the host had no memory left, start fewer at once"
        return RuntimeFault(f"cannot start {name}: the process that prepared it was killed", hint=hint)
    if err.what.startswith("/sys/fs/cgroup") and err.errno in _NO_CGROUPS:
        return RuntimeFault(
            f"cannot make a cgroup: {err.what}: {err.os_error.strerror}", kind="host", hint=_DELEGATE
        )
    if err.errno:
        return RuntimeFault.from_os(err.os_error, f"start {name}{f' ({err.what})' if err.what else ''}")
    return RuntimeFault(f"cannot start {name}: {err.what}", hint="this is a defect of Tare: please report it")


def _not_mounted(err: Refusal, name: str, step: Step) -> RuntimeFault:
    doing = f"{step.describe()} for {name}"
    if err.errno == errno.EINVAL and isinstance(step, Overlay):
        hint = "put the data on ext4, xfs, btrfs or tmpfs with --root or TARE_ROOT"
        return RuntimeFault(f"cannot {doing}: its file system can't be the top", kind="host", hint=hint)
    return RuntimeFault.from_os(err.os_error, doing)


def _not_started(err: Refusal) -> RuntimeFault:
    if err.errno == errno.ENOENT:
        hint = (
            "is it in PATH of the image, and are its interpreter and loader in the image? "
            "`tare image verify` tells whether an unpacked layer has lost it"
        )
        return RuntimeFault(f"command not found: {err.what}", kind="not-found", hint=hint)
    reason = os.strerror(err.errno)
    hint = "it needs the execute bit, and to be a program for this machine or begin with #!"
    return RuntimeFault(f"cannot execute {err.what}: {reason}", kind="not-executable", hint=hint)
