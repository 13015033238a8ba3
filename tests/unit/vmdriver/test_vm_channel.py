import os
import socket

import pytest

from vmdriver.channel import Listener, peer, read_until
from vmdriver.errors import MachineFault


def test_bytes_sent_before_the_connection_is_accepted_are_kept(tmp_path):
    with Listener(tmp_path / "s") as listener, socket.socket(socket.AF_UNIX) as other:
        other.connect(str(tmp_path / "s"))
        other.sendall(b"early")
        with listener.accept(5) as channel:
            assert channel.recv(5) == b"early"
            assert peer(channel) == os.getpid()
    assert not (tmp_path / "s").exists()


def test_nobody_there_is_told_after_the_limit(tmp_path):
    with (
        Listener(tmp_path / "s") as listener,
        pytest.raises(MachineFault, match=r"no machine connected.* 0\.01 s"),
    ):
        listener.accept(0.01)


def test_a_path_too_long_for_a_socket_says_what_to_do(tmp_path):
    with pytest.raises(MachineFault, match="too long") as caught:
        Listener(tmp_path / ("x" * 120))
    assert caught.value.kind == "usage"
    assert "--root" in caught.value.hint


@pytest.fixture
def pair():
    here, there = socket.socketpair()
    with here, there:
        yield here, there


def test_a_marker_is_seen_and_the_console_is_drained(pair):
    here, there = pair
    console, guest = socket.socketpair()
    with console, guest:
        guest.sendall(b"Linux version")
        there.sendall(b"noise tare in")
        there.sendall(b"it\n")
        assert read_until(here, b"tare init", 5, also=console) == (True, b"Linux version")


def test_the_end_of_the_channel_ends_the_wait(pair):
    here, there = pair
    there.sendall(b"panic")
    there.close()
    assert read_until(here, b"tare init", 60) == (False, b"panic")


def test_silence_ends_at_the_limit(pair):
    assert read_until(pair[0], b"tare init", 0.02) == (False, b"")
