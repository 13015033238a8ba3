"""What goes over the sockets arrives as it was, with its descriptors and no others."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from runtime.process import wire


@pytest.fixture
def ends():
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    wire.widen(ours)
    with ours, theirs:
        yield ours, theirs


@pytest.mark.parametrize(
    "value",
    [
        {"id": "größer", "n": [1, -1, 2**40], "f": 0.1, "b": b"\0\xff" * 3, "t": ("a", None), "yes": True},
        {"text": "x" * 200_000},
        "\udcff",
    ],
)
def test_values_arrive_as_they_were(ends, value):
    ours, theirs = ends
    inbox = wire.Inbox(theirs)
    wire.send(ours, wire.dumps(value))
    wire.send(ours, wire.dumps("next"))
    assert wire.loads(inbox.receive()[0]) == value
    assert wire.loads(inbox.receive()[0]) == "next"


def test_descriptors_come_with_their_message_and_are_closed_on_exec(ends):
    ours, theirs = ends
    inbox = wire.Inbox(theirs, fds=3)
    with Path(os.devnull).open("rb") as file:
        wire.send(ours, b"three", (file.fileno(),) * 3)
        wire.send(ours, b"none")
        data, fds = inbox.receive()
        assert bytes(data) == b"three"
        assert [os.fstat(fd).st_ino for fd in fds] == [os.fstat(file.fileno()).st_ino] * 3
        assert not any(map(os.get_inheritable, fds))
    for fd in fds:
        os.close(fd)
    data, fds = inbox.receive()
    assert (bytes(data), fds) == (b"none", [])


def test_what_is_too_large_is_refused_whole(ends):
    ours, theirs = ends
    with pytest.raises(OSError, match="Message too long"):
        wire.send(ours, bytes(wire.LARGEST + 1))
    wire.send(ours, b"next")
    assert bytes(wire.Inbox(theirs).receive()[0]) == b"next"


def test_an_inbox_takes_no_memory_before_something_comes(ends):
    def resident():
        return int(Path("/proc/self/statm").read_text().split()[1])

    before = resident()
    kept = [wire.Inbox(ends[1]) for _ in range(32)]
    assert (resident() - before) * os.sysconf("SC_PAGE_SIZE") < len(kept) * wire.LARGEST / 4


def test_an_end_and_an_empty_socket_are_told_apart(ends):
    ours, theirs = ends
    inbox = wire.Inbox(theirs)
    with pytest.raises(BlockingIOError):
        inbox.receive(socket.MSG_DONTWAIT)
    ours.close()
    assert not inbox.receive()[0]
