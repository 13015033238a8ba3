"""The relay that counts bytes at the socket."""

import socket
import threading

import pytest

from bench.trials.relay import relaying


@pytest.fixture
def shouting():
    """A server that answers each connection with twice what it was sent, once nothing more comes."""

    def serve():
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                connection.sendall(whole(connection) * 2)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
    thread.join()


def whole(connection):
    return b"".join(iter(lambda: connection.recv(4096), b""))


def ask(host, data):
    name, _, port = host.rpartition(":")
    with socket.create_connection((name, int(port))) as client:
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        return whole(client)


@pytest.mark.parametrize("size", [0, 1, 3_000_001])
def test_every_byte_goes_through_and_is_counted_both_ways(shouting, size):
    with relaying(shouting) as relay:
        assert relay.moved == 0
        assert ask(relay.host, b"x" * size) == b"x" * (2 * size)
        assert relay.moved == 3 * size
        assert ask(relay.host, b"yz") == b"yzyz"
        assert relay.moved == 3 * size + 6
