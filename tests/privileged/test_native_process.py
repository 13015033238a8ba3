"""Bare processes, the base line: no namespaces, their own cgroup, and nothing stays."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from runtime.container import Bind, NativeSpec, Resources
from tests.fakes.busybox_layer import make_layer

pytestmark = pytest.mark.privileged


def test_a_bare_process_is_in_no_namespace_and_may_have_a_cgroup(spawner, layer):
    read, write = os.pipe()
    script = "echo $$; ls -d /notexec /proc/self; exec sleep 100"
    spec = NativeSpec("n", ("/bin/sh", "-c", script), root=layer, resources=Resources(memory=64 << 20))
    with os.fdopen(read) as output, spawner.start_native(spec, stdin=0, stdout=write, stderr=2) as started:
        os.close(write)
        assert int(output.readline()) == started.pid
        assert output.readline() == "/notexec\n"
        for name in ("mnt", "pid", "net", "uts", "ipc", "cgroup"):
            assert (
                Path(f"/proc/{started.pid}/ns/{name}").readlink() == Path(f"/proc/self/ns/{name}").readlink()
            )
        assert 1 <= started.cgroup.stats().pids <= 2
    assert started.leftovers() == []


def test_a_bare_process_with_binds_has_proc_and_devices(spawner, layer):
    read, write = os.pipe()
    binds = tuple(Bind(Path(path), path) for path in ("/proc", "/dev", "/sys"))
    spec = NativeSpec(
        "n", ("/bin/sh", "-c", "readlink /proc/self/ns/mnt; echo x >/dev/null"), root=layer, mounts=binds
    )
    with (
        os.fdopen(read) as output,
        spawner.start_native(spec, stdin=0, stdout=write, stderr=write) as started,
    ):
        os.close(write)
        assert output.read().strip() != str(Path("/proc/self/ns/mnt").readlink())
        assert started.wait(5).code == 0
    assert list((layer / "dev").iterdir()) == []


def test_descendants_of_a_bare_process_go_with_it(spawner, tmp_path):
    layer = make_layer(tmp_path / "layer")
    # The shell opens it for a background job's input, and ends the job, now or a moment later, if it can't.
    (layer / "dev/null").touch()
    ours, theirs = socket.socketpair()
    fd = theirs.fileno()
    spec = NativeSpec("n", ("/bin/sh", "-c", "sleep 100 & echo $!; wait"), root=layer)
    with ours, theirs, spawner.start_native(spec, stdin=fd, stdout=fd, stderr=fd):
        child = int(ours.recv(100))
        assert state(child) not in {"", "Z"}
    assert state(child) in {"", "Z"}  # whoever inherits the dead one may take a moment to reap it


def state(pid):
    """The kernel's letter for what a process does; empty if there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""
