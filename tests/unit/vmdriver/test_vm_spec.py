from pathlib import Path

import pytest

from vmdriver.errors import MachineFault
from vmdriver.spec import GuestSpec


def guest(**changes):
    fields = {
        "name": "g1",
        "flavour": "vm",
        "memory": 256 << 20,
        "cpus": 1,
        "accelerator": "tcg",
        "kernel": Path("/k"),
    }
    return GuestSpec(**fields | changes)


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"name": "../x"}, "../x"),
        ({"name": ""}, "''"),
        ({"name": "a" * 41}, "aaaa"),
        ({"flavour": "vm-tiny"}, "vm-tiny"),
        ({"cpus": 0}, "0 CPUs"),
        ({"memory": 1 << 20}, "1048576 bytes"),
        ({"kernel": None}, "kernel"),
        ({"flavour": "vm-full"}, "kernel"),
        ({"flavour": "vm-micro", "channel": "virtio-serial"}, "no PCI bus"),
    ],
)
def test_a_guest_that_cannot_be_is_refused_by_name(changes, part):
    with pytest.raises(MachineFault, match=part.replace(".", r"\.")) as caught:
        guest(**changes)
    assert caught.value.kind == "usage"


def test_the_agent_shares_the_only_port_of_a_microvm():
    assert guest().agent_port == 1
    assert guest(flavour="vm-full", kernel=None).agent_port == 1
    assert guest(flavour="vm-micro").agent_port == 0
    assert [guest(flavour=one).apart for one in ("vm", "vm-micro")] == [True, False]


def test_the_first_word_of_an_agent_on_virtio_is_said_on_the_console():
    assert guest(channel="virtio-serial").agent_port == 0


def test_a_guest_can_be_started_again_under_another_name():
    assert guest().named("g2") == guest(name="g2")
    with pytest.raises(MachineFault):
        guest().named("G 2")
