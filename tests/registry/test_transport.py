"""One exchange: connections that are used again, and headers that no server should send."""

import psutil
import pytest

from runtime.registry import Access
from runtime.registry.faults import RegistryFault, Transient
from runtime.registry.transport import Transport, number
from tests.registry.faulty import Faulty, serving


@pytest.fixture
def server(made):
    with serving(Faulty(*made)) as faulty:
        yield faulty


def mine(server):
    """This process's connections to the server, from the side that asks."""
    port = int(server.host.rpartition(":")[2])
    connections = psutil.Process().net_connections(kind="tcp")
    return [one for one in connections if one.raddr and one.raddr.port == port]


@pytest.mark.parametrize("method", ["HEAD", "POST"])
def test_an_empty_answer_gives_its_connection_back(server, method):
    """Two threads see this by chance: the first still has its answer when the second asks."""
    with Transport(Access()) as transport:
        url = f"http://{server.host}/v2/"
        with transport.exchange(method, url, {}, b"") as first:
            pass
        for _ in range(2):
            with transport.exchange("GET", url, {}) as answer:
                assert answer.body(10) == b""
        assert first.status in (202, 404)
    assert len(server.connections) == 1


def test_the_end_closes_the_connections_of_what_somebody_still_refers_to(server):
    """An error's frames do, until they are collected."""
    with Transport(Access()) as transport:
        with transport.exchange("GET", f"http://{server.host}/v2/", {}) as answer:
            answer.body(10)
        (manager,) = transport._pools.values()
        kept = [manager.pools[key] for key in manager.pools.keys()]  # noqa: SIM118 - it refuses to be iterated
        assert len(mine(server)) == 1
    assert len(kept) == 1
    assert mine(server) == []


@pytest.mark.parametrize(
    "length", ["9" * 5000, "\u00b2", "-1", "x"], ids=["huge", "no digit", "negative", "word"]
)
def test_a_length_that_is_none_is_no_reason_to_fail_otherwise_than_by_a_fault(server, length):
    def wrong(handler):
        handler.reply(200, b"x", claim=length)
        handler.hang_up()

    server.wrongs["ping"] = [wrong]
    url = f"http://{server.host}/v2/"
    with Transport(Access()) as transport:
        try:
            with transport.exchange("GET", url, {}) as answer:
                said = answer.body(10).decode()
        except (RegistryFault, Transient) as fault:
            said = str(fault)
    assert said == "x" or server.host in said


def test_numbers_of_headers():
    assert [number(text) for text in ("0", "17", "9" * 18)] == [0, 17, int("9" * 18)]
    assert [number(text) for text in (None, "", "-1", "\u00b2", "x", "9" * 19)] == [None] * 6
