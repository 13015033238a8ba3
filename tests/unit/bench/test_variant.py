"""Versions of a target: how they are named, and what is refused."""

import pytest

from bench.errors import BenchFault
from bench.scenarios.registry import scenarios
from bench.sizes import Sizes
from bench.targets.names import choose
from bench.targets.variants import VersionLauncher
from bench.turns import turns
from bench.variant import Variant, among, parse


@pytest.mark.parametrize(
    ("text", "name", "key", "value"),
    [
        ("container:image=debian:12", "container@debian-12", "image", "debian:12"),
        ("container:image=host:5000/team/app:v1", "container@app-v1", "image", "host:5000/team/app:v1"),
        ("native@old:image=busybox", "native@old", "image", "busybox"),
        ("vm:kernel=/boot/vmlinuz-6.1.0-50", "vm@vmlinuz-6.1.0-50", "kernel", "/boot/vmlinuz-6.1.0-50"),
        ("vm:channel=virtio-serial", "vm@virtio-serial", "channel", "virtio-serial"),
        ("vm-micro:kernel=/a/b/", "vm-micro@b", "kernel", "/a/b/"),
        ("oci:runtime=/usr/sbin/runc", "oci@runc", "runtime", "/usr/sbin/runc"),
        ("container@x:image=a@sha256:00", "container@x", "image", "a@sha256:00"),
        ("container:image=a=b", "container@a-b", "image", "a=b"),
    ],
)
def test_a_version_is_read_and_named(text, name, key, value):
    found = parse(text)
    assert (found.name, found.key, found.value) == (name, key, value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("container", "is no version"),
        ("container@x", "is no version"),
        ("container:", "is no version"),
        ("container:image", "is no version"),
        ("container:image=", "names no image"),
        ("container:kernel=x", "container can't have another kernel"),
        ("vm-full:image=x", "there are no versions of 'vm-full'"),
        ("docker:image=x", "there are no versions of 'docker'"),
        ("oci:image=x", "oci can't have another image"),
        ("vm-micro:channel=serial", "vm-micro can't have another channel"),
        ("container@a/b:image=x", "can't be a label"),
        ("container@:image=x", "can't be a label"),
        (f"container@{'x' * 41}:image=x", "can't be a label"),
        ("container@-x:image=x", "can't be a label"),
    ],
)
def test_what_is_no_version_is_refused_with_a_way_out(text, said):
    with pytest.raises(BenchFault, match=said) as caught:
        parse(text)
    assert (caught.value.kind, bool(caught.value.hint)) == ("usage", True)


def test_a_long_value_gives_a_label_that_can_be_one():
    assert parse(f"container:image={'y' * 90}").label == "y" * 40
    assert parse("container:image=///").label == "other"


def test_two_versions_with_one_name_are_refused_and_the_same_twice_is_one():
    with pytest.raises(BenchFault, match="would be called oci@runc") as caught:
        choose("oci:runtime=/a/runc,oci:runtime=/b/runc")
    assert "oci@old:runtime=" in caught.value.hint
    assert choose("native,oci:runtime=/a/runc,oci:runtime=/a/runc,native").names == ("native", "oci@runc")


def test_the_same_thing_under_two_labels_is_a_comparison_with_itself():
    assert choose("container@a:image=x,container@b:image=x").names == ("container@a", "container@b")


def test_versions_take_part_after_their_targets():
    found = among(("native", "container", "vm"), ["vm@k", "oci@runc", "native@x", "vm-micro@k"])
    assert found == ("native", "native@x", "container", "oci@runc", "vm", "vm@k")


def test_a_version_has_as_many_turns_as_its_target_and_layers_has_none():
    known = scenarios(["vm@k", "oci@runc"])
    startup = known["startup"]
    order = turns(startup, Sizes("fast", 1), ["container", "oci@runc", "vm", "vm@k"])
    counts = {name: sum(t.target == name and not t.warmup for t in order) for name in startup.targets}
    assert counts["oci@runc"] == counts["container"] > 0
    assert counts["vm@k"] == counts["vm"] > 0
    assert known["layers"].targets == ("container", "native", "vm")
    assert "vm@k" not in scenarios()["startup"].targets, "one command's versions are not the next one's"


class Recorder:
    prepared = None

    def start(self, name, *, ledger=False):
        return name


def test_instances_have_names_that_every_driver_takes():
    label = "A" * 40
    launcher = VersionLauncher(Recorder(), f"vm-micro@{label}")
    first = launcher.start(f"startup-vm-micro@{label}-100")
    assert first.startswith("startup-vm-micro-")
    assert first.endswith("-100")
    assert len(first) <= 40
    assert first == first.lower()
    assert set(first) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    other = VersionLauncher(Recorder(), "vm-micro@b").start("startup-vm-micro@b-100")
    assert other != first


def test_a_variant_says_what_it_is():
    assert Variant("oci", "x", "runtime", "/usr/bin/crun").name == "oci@x"
