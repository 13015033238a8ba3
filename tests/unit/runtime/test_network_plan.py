"""What is decided before anything is done: subnets, records, messages, rules, files."""

from __future__ import annotations

import struct
from ipaddress import IPv4Network

import pytest

from runtime.errors import RuntimeFault
from runtime.network import files, netlink, subnet
from runtime.network.firewall import ruleset
from runtime.network.ports import Port
from runtime.network.records import Bridge, Lease, Records

BRIDGE = Bridge("tare0", "10.88.0.0/24", "02:00:00:00:00:00", 1500)
LEASE = Lease("10.88.0.2", "web", 1, 2, "tare-1", (Port(8080, 80), Port(53, 5353, "udp", "127.0.0.1")))


def networks(*texts):
    return [IPv4Network(text) for text in texts]


@pytest.mark.parametrize(
    ("routed", "chosen"),
    [
        ([], "10.88.0.0/24"),
        (["0.0.0.0/0", "192.0.2.0/24"], "10.88.0.0/24"),
        (["10.88.0.128/25"], "10.88.1.0/24"),
        (["10.88.0.7/32", "10.88.1.0/24"], "10.88.2.0/24"),
        (["10.88.0.0/16"], "172.30.0.0/24"),
        (["10.0.0.0/8", "172.16.0.0/12"], "192.168.128.0/24"),
        (["0.0.0.0/1", "128.0.0.0/1"], "10.88.0.0/24"),
    ],
)
def test_the_subnet_is_the_first_that_no_route_leads_to(routed, chosen):
    assert str(subnet.choose(networks(*routed))) == chosen


def test_a_wanted_subnet_is_checked():
    assert str(subnet.choose(networks("10.0.0.0/8"), "172.20.0.0/20")) == "172.20.0.0/20"
    with pytest.raises(RuntimeFault, match=r"10\.9\.0\.0/24 overlaps this host's route to 10\.0\.0\.0/8"):
        subnet.choose(networks("10.0.0.0/8"), "10.9.0.0/24")
    for wrong in ("10.88.0.1/24", "10.88.0.0/8", "10.88.0.0/30", "fd00::/64", "x"):
        with pytest.raises(RuntimeFault) as caught:
            subnet.choose([], wrong)
        assert wrong in str(caught.value)
        assert caught.value.kind == "usage"


def test_no_subnet_left_is_said():
    with pytest.raises(RuntimeFault, match="leave no subnet"):
        subnet.choose(networks("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))


def test_records_come_back_as_they_were(tmp_path):
    records = Records(tmp_path)
    assert records.bridge() is None
    assert records.leases() == []
    with records.locked():
        records.write_bridge(BRIDGE)
        records.write_lease(LEASE)
    assert records.bridge() == BRIDGE
    assert records.leases() == [LEASE]
    records.forget_lease(LEASE)
    records.forget_lease(LEASE)
    assert records.leases() == []


def test_leases_are_in_the_order_of_their_addresses(tmp_path):
    records = Records(tmp_path)
    with records.locked():
        for last in (10, 9, 100):
            records.write_lease(Lease(f"10.88.0.{last}", f"c{last}", 1, 2, "x"))
    assert [lease.container for lease in records.leases()] == ["c9", "c10", "c100"]


def test_a_draft_is_no_record(tmp_path):
    records = Records(tmp_path)
    with records.locked():
        draft = tmp_path / "network/leases/10.88.0.2.new"
        draft.write_text('{"addr')
        assert records.leases() == []
        records.sweep()
    assert not draft.exists()


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"address": "10.88.0.2"}', "7"])
def test_a_damaged_record_is_named(tmp_path, text):
    records = Records(tmp_path)
    with records.locked():
        (tmp_path / "network/leases/10.88.0.2").write_text(text)
    with pytest.raises(RuntimeFault, match=r"leases/10\.88\.0\.2 is damaged") as caught:
        records.leases()
    assert caught.value.kind == "corrupt"


def test_two_run_directories_have_different_marks(tmp_path):
    one, two = Records(tmp_path / "a"), Records(tmp_path / "b")
    assert one.mark("web") == Records(tmp_path / "a").mark("web")
    assert len({one.mark("web"), two.mark("web"), one.mark("db"), one.mark("w", "eb")}) == 4


def test_attributes_survive_the_wire():
    data = netlink.text(3, "eth0") + netlink.number(4, 1500) + netlink.attribute(1, b"abc")
    assert len(data) % 4 == 0
    assert netlink.attributes(data) == {3: b"eth0\0", 4: struct.pack("=I", 1500), 1: b"abc"}
    assert netlink.attributes(b"\1\0\3\0") == {}  # shorter than its own head


def test_the_table_publishes_each_port_on_its_address():
    text = ruleset(BRIDGE, [LEASE])
    assert "elements = { tcp . 8080 : 10.88.0.2 . 80 }" in text
    assert "elements = { 127.0.0.1 . udp . 53 : 10.88.0.2 . 5353 }" in text
    assert text.startswith("table ip tare0\ndelete table ip tare0\n")


def test_hosts_name_the_container():
    text = files.hosts("web", "10.88.0.2", {"db": "10.88.0.9"})
    assert text.splitlines()[0].split() == ["127.0.0.1", "localhost"]
    assert text.splitlines()[-2:] == ["10.88.0.9\tdb", "10.88.0.2\tweb"]
    assert files.hosts("web", None).endswith("127.0.1.1\tweb\n")
    assert files.hostname("web") == "web\n"
    with pytest.raises(RuntimeFault, match="cannot add the host 1: it is not an address"):
        files.hosts("web", None, {"db": "1"})


def resolv(tmp_path, *texts):
    paths = [tmp_path / str(number) for number in range(len(texts))]
    for path, text in zip(paths, texts, strict=True):
        path.write_text(text)
    return [str(path) for path in (*paths, tmp_path / "missing")]


def test_the_hosts_resolvers_are_kept(tmp_path):
    sources = resolv(tmp_path, "# mine\nsearch a b\nnameserver 192.0.2.53\noptions ndots:2\n")
    text = files.resolv_conf(sources=sources)
    assert text == "search a b\noptions ndots:2\nnameserver 192.0.2.53\n"


def test_resolvers_on_loopback_are_passed_over(tmp_path):
    stub = "nameserver 127.0.0.53\nsearch x\nnameserver ::1\n"
    sources = resolv(tmp_path, stub, "nameserver 192.0.2.53\nsearch y\n")
    assert files.resolv_conf(sources=sources) == "search y\nnameserver 192.0.2.53\n"
    assert files.resolv_conf(sources=resolv(tmp_path, stub)) == "search x\n"
    mixed = "nameserver 127.0.0.53\nnameserver 192.0.2.53\nnameserver\nnameserver fe80::1%eth0\n"
    assert "nameserver 192.0.2.53" in files.resolv_conf(sources=resolv(tmp_path, mixed))
    assert "127.0.0.53" not in files.resolv_conf(sources=resolv(tmp_path, mixed))


def test_servers_of_the_users_choice_replace_the_hosts(tmp_path):
    sources = resolv(tmp_path, "search a\nnameserver 192.0.2.53\n")
    assert files.resolv_conf(["192.0.2.1"], sources=sources) == "search a\nnameserver 192.0.2.1\n"
    with pytest.raises(RuntimeFault, match=r"cannot use the name server dns\.example"):
        files.resolv_conf(["dns.example"], sources=sources)
