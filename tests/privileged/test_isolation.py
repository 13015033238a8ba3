"""A child's session and namespaces, from a table and call by call: both leave it in the same place."""

from __future__ import annotations

import fcntl
import os
import socket
import struct
from functools import partial
from pathlib import Path

import pytest

from runtime.linux import batch, namespaces
from runtime.process.isolation import Isolation

pytestmark = pytest.mark.privileged
SIOCGIFFLAGS = 0x8913
KINDS = ("mnt", "uts", "ipc", "cgroup", "net")
FLAGS = namespaces.flags("mount", "uts", "ipc", "cgroup", "network")


def namespace(process, kind):
    return Path(f"/proc/{process}/ns/{kind}").readlink()


def loopback() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        found = fcntl.ioctl(control, SIOCGIFFLAGS, struct.pack("16sh22x", b"lo", 0))
    return struct.unpack("16sh22x", found)[1]


def seen(begin) -> str:
    """What a child says of itself after `begin`."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            begin()
            own = [namespace("self", kind) != namespace(os.getppid(), kind) for kind in KINDS]
            flags = hex(loopback())
            leader = os.getsid(0) == os.getpid()
            os.write(writer, f"{own} {flags} {socket.gethostname()} {leader}".encode())
        except OSError as err:
            os.write(writer, str(err).encode())
        finally:
            os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    with os.fdopen(reader) as said:
        return said.read()


@pytest.mark.skipif(not batch.possible(), reason="tables are made for x86_64")
@pytest.mark.parametrize("hostname", ["crate", "b" * 64, "c" * 65, "d" * 300])
def test_both_ways_lead_to_the_same(hostname):
    table, steps = Isolation(), Isolation()
    by_table = seen(lambda: table.begin(FLAGS, loopback=True, hostname=hostname))
    by_steps = seen(lambda: steps._step_by_step(FLAGS, loopback=True, hostname=hostname))
    assert by_table == by_steps
    assert (f"[True, True, True, True, True] 0x49 {hostname} True" == by_table) == (len(hostname) <= 64)
    assert ("host name" in by_table) == (len(hostname) > 64)


def test_one_table_serves_several_names_and_kinds():
    table = Isolation()
    for hostname in ("a-long-name", "b", "a-long-name"):
        begin = partial(table.begin, FLAGS, loopback=True, hostname=hostname)
        assert f" {hostname} " in seen(begin)
    assert seen(lambda: table.begin(0, loopback=False, hostname="")).startswith("[False, False, False")
