"""Containers on the bridge, in a network of the test's own: who reaches whom, and who must not."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

import pytest

from runtime import network
from runtime.errors import RuntimeFault
from runtime.linux import syscalls
from runtime.network import links, sysctls
from runtime.network.netlink import Netlink
from tests.fakes.network_lab import Box, Host, in_lab, neighbour, talk, traces

pytestmark = pytest.mark.privileged

OURS, THEIRS = "192.0.2.9", "192.0.2.1"
_MS_BIND = 0x1000


def outside():
    return neighbour("up0", f"{OURS}/24", f"{THEIRS}/24")


def attach(run, name, box, *published, **changes):
    ports = [port for text in published for port in network.parse(text)]
    return network.attach(run, name, box.netns, owner=box.owner, published=ports, **changes)


def refused(run, name, box, *published, **changes):
    with pytest.raises(RuntimeFault) as caught:
        attach(run, name, box, *published, **changes)
    return str(caught.value)


def unreachable(box, address, port):
    with pytest.raises(OSError, match=r"timed out|refused|unreachable"):
        box.connect(address, port, seconds=0.7)
    return True


def test_containers_reach_each_other_and_the_host(tmp_path):
    in_lab(_reach_each_other, tmp_path)


def _reach_each_other(run):
    before = traces(run)
    with Box() as one, Box() as two, attach(run, "one", one) as first, attach(run, "two", two) as second:
        assert (first.address, second.address, first.gateway) == ("10.88.0.2", "10.88.0.3", "10.88.0.1")
        for box, address in ((one, second.address), (two, first.address), (one, first.gateway)):
            done = box.command("busybox", "ping", "-c", "1", "-W", "2", address)
            assert "1 packets received" in done.stdout, done
        done = Host().command("busybox", "ping", "-c", "1", "-W", "2", first.address)
        assert "1 packets received" in done.stdout, done
        assert [found.container for found in network.attachments(run)] == ["one", "two"]
    assert traces(run) == before
    assert one.pid == 0


def test_a_published_port_is_reached_from_everywhere(tmp_path):
    in_lab(_published, tmp_path)


def _published(run):
    with outside() as far, Box() as one, Box() as two, attach(run, "one", one, "8080:80") as found:
        server, host = one.listen(80), Host()
        assert talk(host, "127.0.0.1", 8080, server) == found.gateway
        assert talk(host, OURS, 8080, server) == OURS
        assert talk(far, OURS, 8080, server) == THEIRS
        assert talk(one, OURS, 8080, server) == found.gateway, "a container and its own port"
        with attach(run, "two", two):
            assert talk(two, OURS, 8080, server) == found.gateway
            assert talk(two, found.gateway, 8080, server) == found.gateway
        network.detach(run, "one")
        assert unreachable(far, OURS, 8080)
        assert unreachable(host, "127.0.0.1", 8080)


def test_datagrams_are_published_and_answered(tmp_path):
    in_lab(_datagrams, tmp_path)


def _datagrams(run):
    with outside() as far, Box() as box, attach(run, "dns", box, "5353:53/udp"):
        server = box.datagrams(53)
        for client, target in ((far.datagrams(0), OURS), (Host().datagrams(0), "127.0.0.1")):
            client.sendto(b"name?", (target, 5353))
            words, back = server.recvfrom(99)
            assert words == b"name?"
            server.sendto(b"address", back)
            assert client.recvfrom(99) == (b"address", (target, 5353))


def test_a_port_of_one_address_is_only_there(tmp_path):
    in_lab(_one_address, tmp_path)


def _one_address(run):
    with outside() as far, Box() as box, attach(run, "one", box, "127.0.0.1:8080:80", f"{OURS}:8081:80"):
        server, host = box.listen(80), Host()
        talk(host, "127.0.0.1", 8080, server)
        talk(far, OURS, 8081, server)
        assert unreachable(host, OURS, 8080)
        assert unreachable(far, OURS, 8080)
        assert unreachable(host, "127.0.0.1", 8081)


def test_ranges_and_chosen_numbers(tmp_path):
    in_lab(_ranges, tmp_path)


def _ranges(run):
    with Box() as box, attach(run, "one", box, "8000-8001:80-81", "82") as found:
        chosen = found.ports[-1].number
        assert chosen > 0
        for number, inside in ((8000, 80), (8001, 81), (chosen, 82)):
            talk(Host(), "127.0.0.1", number, box.listen(inside))
        assert found.settings()["Ports"] == {
            "80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8000"}],
            "81/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8001"}],
            "82/tcp": [{"HostIp": "0.0.0.0", "HostPort": str(chosen)}],
        }


def test_containers_leave_with_the_hosts_address(tmp_path):
    in_lab(_masquerade, tmp_path)


def _masquerade(run):
    with outside() as far, Box() as box, attach(run, "one", box):
        assert talk(box, THEIRS, 7000, far.listen(7000)) == OURS


def test_a_neighbour_does_not_reach_what_is_not_published(tmp_path):
    in_lab(_not_published, tmp_path)


def _not_published(run):
    with outside() as far, Box() as box, attach(run, "one", box) as found:
        server = box.listen(80)
        assert unreachable(far, found.address, 80)
        _flush(found.bridge, "passing")  # the rule is what kept it out
        talk(far, found.address, 80, server)


def test_the_host_becomes_no_router_for_others(tmp_path):
    in_lab(_no_router, tmp_path)


def _no_router(run):
    with outside() as far, neighbour("up1", "198.51.100.9/24", "198.51.100.1/24") as other:
        server = other.listen(80)
        assert unreachable(far, "198.51.100.1", 80)
        with Box() as box, attach(run, "one", box) as found:
            assert not sysctls.host_forwards()
            assert sysctls.forwards("up0")
            assert unreachable(far, "198.51.100.1", 80)
            talk(box, "198.51.100.1", 80, server)
            _flush(found.bridge, "passing")
            talk(far, "198.51.100.1", 80, server)
        assert not sysctls.forwards("up0")
        assert not sysctls.forwards("up1")


def test_a_host_that_is_a_router_stays_one(tmp_path):
    in_lab(_router, tmp_path)


def _router(run):
    switch = Path("/proc/sys/net/ipv4/ip_forward")
    with outside() as far, neighbour("up1", "198.51.100.9/24", "198.51.100.1/24") as other, Box() as box:
        with attach(run, "one", box):
            switch.write_text("1")  # by somebody else, while a container runs
            server = other.listen(80)
            with Box() as second, attach(run, "two", second):
                talk(far, "198.51.100.1", 80, server)
        assert sysctls.host_forwards()
        assert sysctls.forwards("up0")


def test_a_container_does_not_reach_the_hosts_loopback(tmp_path):
    in_lab(_loopback, tmp_path)


def _loopback(run):
    secret = Host().datagrams(7777, "127.0.0.1")
    secret.settimeout(0.5)
    with Box() as box, attach(run, "one", box) as found:
        aim = (
            "ip addr del 127.0.0.1/8 dev lo; ip route flush table local dev lo; "
            "echo 1 >/proc/sys/net/ipv4/conf/eth0/route_localnet; "
            f"ip route add 127.0.0.0/8 via {found.gateway} src {found.address}; ip route get 127.0.0.1"
        )
        assert "dev eth0" in box.command("sh", "-c", aim).stdout
        attacker = box.datagrams(0, found.address)
        attacker.sendto(b"x", ("127.0.0.1", 7777))
        with pytest.raises(TimeoutError):
            secret.recv(9)
        _flush(found.bridge, "guard")  # the rule is what kept it out
        attacker.sendto(b"x", ("127.0.0.1", 7777))
        assert secret.recv(9) == b"x"


def _flush(table, chain):
    subprocess.run(["nft", "flush", "chain", "ip", table, chain], check=True)


def test_ports_in_use_are_refused_and_nothing_is_left(tmp_path):
    in_lab(_in_use, tmp_path)


def _in_use(run):
    before = traces(run)
    with Box() as one, Box() as two, Host().listen(8080, "127.0.0.1") as listener:
        taken = refused(run, "one", one, "8080:80")
        assert taken == "cannot publish 0.0.0.0:8080/tcp: a program of the host uses it"
        assert traces(run) == before
        assert one.links() == ["lo"]
        listener.close()
        with attach(run, "one", one, "8080:80"):
            taken = refused(run, "two", two, "127.0.0.1:8080:80")
            assert taken == "cannot publish 127.0.0.1:8080/tcp: the container one uses it"
            assert "asked for twice" in refused(run, "two", two, "81:80", "81:81")
            talk(Host(), "127.0.0.1", 8080, one.listen(80))
    assert traces(run) == before


def test_an_attached_container_stays_so_when_it_is_attached_again(tmp_path):
    in_lab(_twice, tmp_path)


def _twice(run):
    with Box() as box, Box() as other, attach(run, "one", box, "8080:80") as found:
        assert refused(run, "one", other) == "one is attached already, as 10.88.0.2"
        talk(Host(), "127.0.0.1", 8080, box.listen(80))
        network.detach(run, "none of ours")
        assert network.attachments(run) == [found]
        assert network.prune(run) == []
    network.detach(run, "one")


def test_a_namespace_that_has_the_link_already_is_refused_and_kept(tmp_path):
    in_lab(_taken_name, tmp_path)


def _taken_name(run):
    before = traces(run)
    with Box() as box:
        box.command("ip", "link", "add", "eth0", "type", "bridge")
        said = refused(run, "one", box)
        assert said.startswith("cannot attach one to the bridge (create link tare-")
        assert "File exists" in said
        assert box.links() == ["eth0", "lo"]
    assert traces(run) == before


def test_the_container_that_is_gone_gives_its_place_to_the_next(tmp_path):
    in_lab(_gone, tmp_path)


def _gone(run):
    before = traces(run)
    with Box() as one, Box() as two:
        attach(run, "web", one, "8080:80")
        one.kill()
        attach(run, "web", two, "8080:80")
        talk(Host(), "127.0.0.1", 8080, two.listen(80))
        two.kill()
        assert network.prune(run) == ["web"]
        assert network.prune(run) == []
    assert traces(run) == before


def test_addresses_run_out_and_rest_before_they_are_given_again(tmp_path):
    in_lab(_addresses, tmp_path)


def _addresses(run):
    with Box() as box, Box() as second, Box() as third:
        first = attach(run, "a", box, subnet="10.77.0.0/29")
        attach(run, "b", second)
        network.detach(run, "a")
        got = [attach(run, f"c{number}", netns).address for number, netns in enumerate((box, third))]
        assert (first.address, got) == ("10.77.0.2", ["10.77.0.4", "10.77.0.5"])
        extra = [Box() for _ in range(3)]
        assert attach(run, "d", extra[0]).address == "10.77.0.6"
        assert attach(run, "e", extra[1]).address == "10.77.0.2"
        assert refused(run, "f", extra[2]) == "all addresses of 10.77.0.0/29 are in use"
        taken = refused(run, "f", extra[2], subnet="10.78.0.0/24")
        assert taken == "the bridge tare0 has 10.77.0.0/29 already"
        assert len(network.attachments(run)) == 5


def test_the_subnet_avoids_the_hosts_routes(tmp_path):
    in_lab(_overlap, tmp_path)


def _overlap(run):
    with neighbour("up0", "10.88.0.9/23", "10.88.0.1/23"), Box() as box:
        said = refused(run, "one", box, subnet="10.88.1.0/24")
        assert said == "10.88.1.0/24 overlaps this host's route to 10.88.0.0/23"
        with attach(run, "one", box) as found:
            assert found.address == "10.88.2.2"


def test_two_run_directories_do_not_touch_each_other(tmp_path):
    in_lab(_two_roots, tmp_path / "a", tmp_path / "b")


def _two_roots(one, two):
    with Box() as box, Box() as other, attach(one, "web", box, "8080:80") as first:
        between = traces(two)
        with attach(two, "web", other, "8081:80") as second:
            assert (first.bridge, second.bridge) == ("tare0", "tare1")
            assert second.address == "10.88.1.2"
            talk(Host(), "127.0.0.1", 8081, other.listen(80))
        network.prune(two)
        assert traces(two) == between
        talk(Host(), "127.0.0.1", 8080, box.listen(80))


def test_rules_that_somebody_flushed_come_back(tmp_path):
    in_lab(_flushed, tmp_path)


def _flushed(run):
    with Box() as box, Box() as other, attach(run, "one", box, "8080:80"):
        subprocess.run(["nft", "flush", "ruleset"], check=True)
        with attach(run, "two", other):
            talk(Host(), "127.0.0.1", 8080, box.listen(80))


def test_ipv6_stays_off_the_bridge(tmp_path):
    in_lab(_no_ipv6, tmp_path)


def _no_ipv6(run):
    with Box() as box, attach(run, "one", box) as found:
        assert found.bridge not in Path("/proc/net/if_inet6").read_text()
        assert "tare-" not in Path("/proc/thread-self/net/if_inet6").read_text()
        assert "eth0" not in Path(f"/proc/{box.pid}/net/if_inet6").read_text()


def test_without_nft_the_bridge_is_refused_by_name(tmp_path):
    in_lab(_no_nft, tmp_path)


def _no_nft(run):
    syscalls.mount("/dev/null", "/usr/sbin/nft", "", _MS_BIND)
    with Box() as box:
        assert refused(run, "one", box) == "the bridge network needs the program nft"


def test_the_kernels_own_words_are_in_the_error():
    in_lab(_words)


def _words():
    with Netlink() as route, pytest.raises(OSError, match=r"link tare-x.*peer eth0") as caught:
        links.create_veth(
            route, "tare-x", mtu=1500, peer="eth0", peer_mac="03:00:00:00:00:00", netns=Host().netns
        )
    assert "Invalid" in caught.value.strerror or "assign" in caught.value.strerror
    assert socket.if_nameindex() == [(1, "lo")]
