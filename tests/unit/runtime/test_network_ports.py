from __future__ import annotations

import socket

import pytest

from runtime.errors import RuntimeFault
from runtime.network import Mode, Port, check, parse
from runtime.network.ports import clash, held


@pytest.mark.parametrize(
    ("text", "ports"),
    [
        ("8080:80", [Port(8080, 80)]),
        ("80", [Port(0, 80)]),
        ("53:53/udp", [Port(53, 53, "udp")]),
        ("53:53/TCP", [Port(53, 53)]),
        ("127.0.0.1:8080:80", [Port(8080, 80, "tcp", "127.0.0.1")]),
        ("127.0.0.1::80", [Port(0, 80, "tcp", "127.0.0.1")]),
        (":8080:80", [Port(8080, 80)]),
        ("8000-8002:80-82", [Port(8000, 80), Port(8001, 81), Port(8002, 82)]),
        ("90-91/udp", [Port(0, 90, "udp"), Port(0, 91, "udp")]),
        ("65535:1", [Port(65535, 1)]),
    ],
)
def test_what_docker_users_write_is_read(text, ports):
    assert list(parse(text)) == ports


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "(empty) is not a port"),
        ("x:80", "x is not a port"),
        ("0:80", "0 is not within 1 to 65535"),
        ("80:65536", "65536 is not within"),
        ("80:-1", "-1 is not a port"),
        ("80:٣", "٣ is not a port"),
        ("82-80:80-82", "82-80 is not within"),
        ("80-81:80", "different length"),
        ("80:80/sctp", "the protocol sctp is not supported"),
        ("80:80/", "the protocol (empty) is not supported"),
        ("localhost:80:80", "localhost is not an IPv4 address"),
        ("010.0.0.1:80:80", "010.0.0.1 is not an IPv4 address"),
        ("[::1]:80:80", "IPv6 is not supported"),
        ("::1:80:80", "IPv6 is not supported"),
    ],
)
def test_what_cannot_be_published_is_said(text, why):
    with pytest.raises(RuntimeFault) as caught:
        parse(text)
    assert f"cannot publish {text}: " in str(caught.value)
    assert why in str(caught.value)
    assert caught.value.kind == "usage"


@pytest.mark.parametrize(
    ("wanted", "taken", "met"),
    [
        ("80:1", "80:2", True),
        ("127.0.0.1:80:1", "80:2", True),
        ("80:1", "127.0.0.1:80:2", True),
        ("127.0.0.1:80:1", "127.0.0.2:80:2", False),
        ("80:1", "80:1/udp", False),
        ("80", "80", False),
    ],
)
def test_ports_clash_where_one_address_includes_the_other(wanted, taken, met):
    assert (clash(parse(wanted), parse(taken)) is not None) == met


def test_a_port_asked_for_twice_clashes_with_itself():
    assert clash([*parse("80:1"), *parse("80:2")], ()) == Port(80, 2)


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_a_port_in_use_is_one_clear_line(protocol):
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    with socket.socket(socket.AF_INET, kind) as other:
        other.bind(("127.0.0.1", 0))
        if protocol == "tcp":
            other.listen()
        number = other.getsockname()[1]
        with pytest.raises(RuntimeFault) as caught, held([Port(number, 80, protocol, "127.0.0.1")]):
            pass
    said = f"cannot publish 127.0.0.1:{number}/{protocol}: a program of the host uses it"
    assert str(caught.value) == said


def test_an_address_of_another_machine_is_refused():
    with pytest.raises(RuntimeFault, match="this host has no such address"), held(parse("192.0.2.77:80:80")):
        pass


def test_a_port_left_open_gets_a_free_number_and_is_held():
    with held([Port(0, 80, "tcp", "127.0.0.1")]) as (port,):
        assert port.number > 0
        with pytest.raises(RuntimeFault, match="uses it"), held([port]):
            pass
    with held([port]) as again:
        assert again == (port,)


@pytest.mark.parametrize("name", ["none", "host", "bridge"])
def test_the_three_networks_are_known(name):
    assert check(name) == Mode(name)


def test_another_network_and_ports_without_a_bridge_are_refused():
    with pytest.raises(RuntimeFault, match="no network is called mesh"):
        check("mesh")
    for name in ("none", "host"):
        with pytest.raises(RuntimeFault, match=f"the network {name} cannot publish ports"):
            check(name, parse("80:80"))
    assert check("bridge", parse("80:80")) is Mode.BRIDGE
