"""A network of its own for a test: a fork in new namespaces, with boxes and neighbours to talk to.

What runs in here cannot touch the host's network, and all of it is gone when the fork ends.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import traceback
from contextlib import contextmanager
from ipaddress import IPv4Interface
from pathlib import Path

from runtime.linux import namespaces, syscalls
from runtime.linux.processes import start_time
from runtime.network import links, sysctls
from runtime.network.netlink import Netlink
from runtime.network.netns import entered

_MS_REC, _MS_PRIVATE = 0x4000, 1 << 18


def in_lab(scenario, *args):
    """Run `scenario(*args)` in a fork with its own network; its failure is the test's, with its traceback.

    It may take as long as its test: pytest's own time limit, which the guest extends, ends both.
    """
    read, write = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(read)
        _scenario(write, scenario, args)
    os.close(write)
    try:
        with os.fdopen(read, encoding="utf-8") as report:
            text = report.read()
    except BaseException:
        os.kill(pid, signal.SIGKILL)
        raise
    finally:
        _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0, text or f"the lab ended with {status}"


def _scenario(report, scenario, args):
    code = 1
    try:
        syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
        syscalls.unshare(namespaces.flags("network", "mount"))
        syscalls.mount("none", "/", "", _MS_REC | _MS_PRIVATE)
        namespaces.raise_loopback()
        Path("/proc/sys/net/ipv4/ip_forward").write_text("0")  # it is inherited from the host's
        scenario(*args)
        code = 0
    except BaseException:  # noqa: BLE001 - all that goes wrong is for the parent to show
        os.write(report, traceback.format_exc().encode())
    finally:
        os._exit(code)


class Box:
    """A process in a network namespace of its own, as a container's first one is."""

    def __init__(self):
        ready, told = os.pipe()
        self.pid = os.fork()
        if not self.pid:
            syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
            syscalls.unshare(namespaces.flags("network"))
            os.write(told, b".")
            os.closerange(3, 1024)
            while True:
                signal.pause()
        os.read(ready, 1)
        os.close(ready), os.close(told)
        self.owner = self.pid, start_time(self.pid)
        self.netns = os.open(f"/proc/{self.pid}/ns/net", os.O_RDONLY)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()
        os.close(self.netns)

    def kill(self):
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self.pid = 0

    def listen(self, port, address=""):
        with entered(self.netns):
            server = socket.create_server((address, port))
        server.settimeout(5)
        return server

    def datagrams(self, port, address=""):
        with entered(self.netns):
            made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.bind((address, port))
        made.settimeout(2)
        return made

    def connect(self, address, port, seconds=5.0):
        with entered(self.netns):
            return socket.create_connection((address, port), seconds)

    def command(self, *words):
        with entered(self.netns):
            return subprocess.run(words, capture_output=True, text=True, check=False, timeout=20)

    def links(self):
        with entered(self.netns), Netlink() as route:
            return sorted(link.name for link in links.every(route))


class Host(Box):
    """The lab itself, as the host that the boxes are on."""

    def __init__(self):
        self.pid, self.netns = 0, os.open("/proc/thread-self/ns/net", os.O_RDONLY)


@contextmanager
def neighbour(name, ours, theirs):
    """A machine on a wire: `ours` is the host's address on it, `theirs` the neighbour's (with prefix)."""
    with Box() as machine, Netlink() as route:
        links.create_veth(
            route, name, mtu=1500, peer="wire", peer_mac="02:00:00:00:00:01", netns=machine.netns
        )
        _address(route, name, ours)
        with entered(machine.netns), Netlink() as inside:
            namespaces.raise_loopback()
            _address(inside, "wire", theirs)
            links.add_default_route(inside, IPv4Interface(ours).ip)
        try:
            yield machine
        finally:
            links.delete(route, name)


def _address(route, name, address):
    sysctls.forbid_ipv6(name)
    links.add_address(route, links.get(route, name), IPv4Interface(address))
    links.raise_(route, name)


def talk(box, address, port, server):
    """Connect from `box` and exchange a word with `server`; gives the address that the server saw."""
    with box.connect(address, port) as client:
        far, (seen, _) = server.accept()
        with far:
            client.sendall(b"hello")
            assert far.recv(9) == b"hello"
            far.sendall(b"back")
            assert client.recv(9) == b"back"
    return seen


def traces(run):
    """Whatever the network part may leave on a host or in its records."""
    with Netlink() as route:
        devices = {link.name for link in links.every(route)}
    rules = subprocess.run(["nft", "list", "ruleset"], capture_output=True, text=True, check=True).stdout
    opened = {name for name in devices if sysctls.forwards(name)}
    records = {str(path.relative_to(run)) for path in Path(run).rglob("*")}
    return devices, rules, opened, records - {"network", "network/lock", "network/leases"}
