"""Build the root of a bundle in a child of its own, run a script in it, and return what it printed."""

from __future__ import annotations

import contextlib
import json
import os
import traceback
from pathlib import Path

from runtime.linux import syscalls
from runtime.linux.namespaces import flags
from runtime.rootfs import oci_cgroups
from runtime.rootfs.execute import execute
from runtime.rootfs.oci_plan import plan
from runtime.rootfs.sources import Taken
from runtime.rootfs.step_error import StepError
from tests.fakes.busybox_layer import make_layer

NONE = ["nosuid", "nodev", "noexec"]
MOUNTS = [
    {"destination": "/proc", "type": "proc", "source": "proc"},
    {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
    {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": [*NONE, "ro"]},
]
MAPPING = [{"containerID": 0, "hostID": 200000, "size": 65536}]
ISOLATED = ("pid", "network", "ipc", "uts", "mount", "cgroup")


class Bundle:
    """A directory with a busybox root, and a configuration to be changed."""

    def __init__(self, directory: Path, *, user: bool = False):
        self.directory, self.root, self.user = directory, directory / "rootfs", user
        make_layer(self.root)
        self.mounts = [dict(mount) for mount in MOUNTS]
        spaces = [*ISOLATED, *(["user"] if user else [])]
        self.linux = {"namespaces": [{"type": name} for name in spaces]}
        self.readonly = False
        if user:
            self.linux |= {"uidMappings": MAPPING, "gidMappings": MAPPING}
            for path in (self.root, *self.root.rglob("*")):
                os.chown(path, 200000, 200000, follow_symlinks=False)

    @property
    def config(self):
        root = {"path": "rootfs", "readonly": self.readonly}
        return {"root": root, "mounts": self.mounts, "linux": self.linux}

    def bind(self, source, target, *options, **more):
        given = {
            "destination": target,
            "type": "bind",
            "source": str(source),
            "options": list(options),
            **more,
        }
        self.mounts.append(given)

    def steps(self, *, pivot=True):
        view = oci_cgroups.view([])
        return plan(self.config, str(self.directory), rootless=False, cgroup=view, pivot=pivot)

    def run(self, script="true", *, pivot=True, pauses=None, setup=None):
        """Exit status and output; a step that fails gives 99 and "stage: errno: text"."""
        steps = self.steps(pivot=pivot)
        with Taken(steps, self.config, rootless=False) as taken:
            return _forked(lambda: _child(taken.steps, script, pauses, setup), user=self.user)


def _forked(inside, *, user):
    read, write = os.pipe()
    hear, tell = os.pipe()
    outer = os.fork()
    if outer == 0:
        os.close(read)
        os.close(tell)
        _outer(inside, write, hear, user=user)
    os.close(write)
    os.close(hear)
    with contextlib.ExitStack() as stack:
        stack.callback(os.waitpid, outer, 0)
        if user:
            _map(outer, read)
        os.close(tell)
        chunks = []
        while chunk := os.read(read, 65536):
            chunks.append(chunk)
        os.close(read)
        text = b"".join(chunks).decode(errors="replace")
    body, _, status = text.rpartition("\0")
    return int(status), body


def _map(outer, read):
    assert os.read(read, 1) == b"u"
    for name in ("uid_map", "gid_map"):
        Path(f"/proc/{outer}/{name}").write_text("0 200000 65536\n")


def _outer(inside, write, hear, *, user):
    """Make namespaces, become their root, and be the parent of the first process in them."""
    try:
        if user:
            syscalls.unshare(flags("user"))
            os.write(write, b"u")
            os.read(hear, 1)
            os.setresgid(0, 0, 0)
            os.setresuid(0, 0, 0)
        syscalls.unshare(flags(*ISOLATED))
        pid = os.fork()
        if pid == 0:
            os.dup2(write, 1)
            os.dup2(write, 2)
            inside()
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        os.write(write, f"\0{status}".encode())
    except BaseException:  # noqa: BLE001 - a forked test must not go on
        os.write(write, f"{traceback.format_exc()}\0{98}".encode())
    finally:
        os._exit(0)


def _child(steps, script, pauses, setup):
    try:
        if setup:
            setup()
        execute(json.loads(json.dumps([step.wire() for step in steps])), pauses)
        env = {"PATH": "/bin"}
        os.execve("/bin/sh", ["sh", "-c", script], env)
    except StepError as err:
        os.write(1, f"{steps[err.index].describe()}: {err.errno}: {err.strerror}".encode())
        os._exit(99)
    except BaseException:  # noqa: BLE001
        os.write(1, traceback.format_exc().encode())
    finally:
        os._exit(98)
