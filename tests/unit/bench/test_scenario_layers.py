"""The layers scenario on fake targets."""

import os
import subprocess

import pytest

from bench import residency, spares
from bench import session as session_module
from bench.scenarios import layers as layers_module
from bench.scenarios.layers import Layers
from bench.session import Session
from tests.fakes.fake_target import FakeTarget, obedient, virtual
from tests.fakes.figures import figures


@pytest.fixture
def tree(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    for name in ("base", "top"):
        with (folder / name).open("wb") as stream:
            stream.write(os.urandom(2**20))
            os.fsync(stream.fileno())
    (folder / "again").hardlink_to(folder / "base")
    return folder


def reading(tree, *, said=None):
    """Return a box that reads its base, as far as the host's page cache is concerned."""

    def behave(inside):
        def read():
            (tree / "base").read_bytes()
            return f"{said or 50 * 2**20}\n"

        inside.say(b"\x1etare init\n\x1etare listening\n")
        for words in inside.requests():
            if words[0] == "ping":
                inside.pong(words)
                continue
            output = read() if "cat {}" in words[2] else "Cached:  2048 kB\n" if "Cached" in words[2] else ""
            inside.say(output.encode(), f"\x1etare done {words[1]} 0\n".encode())

    return behave


def test_a_layout_that_was_set_aside_is_taken_again_under_its_own_name(measure, tree, monkeypatch):
    """Its samples bear its target's name; two layouts of guests share one."""
    seen = []

    def reason(sentinels):
        seen.append(sentinels["window"])
        return "steal" if len(seen) == 1 else None

    monkeypatch.setitem(layers_module.SIZES["fast"], "container", (1,))
    monkeypatch.setattr(spares, "most", lambda _runs: 2)
    monkeypatch.setattr(Session, "_look_around", lambda _session: None)
    monkeypatch.setattr(session_module.exclusion, "reason", reason)
    run = measure(Layers(), FakeTarget("container", behaviour=reading(tree), images=[tree]))
    (disk,) = [m for m in run.measurements if m.metric == "disk"]
    assert len(disk.samples) == layers_module.RUNS["fast"] + 1


def test_layers_counts_shared_files_once_and_what_was_read(measure, tree):
    in_memory = subprocess.run(["stat", "-f", "-c", "%T", tree], check=True, capture_output=True, text=True)
    if in_memory.stdout.strip() == "tmpfs":
        pytest.skip("the temporary directory is in memory: there is no page cache to drop (set TMPDIR)")
    target = FakeTarget("container", behaviour=reading(tree), images=[tree])
    run = measure(Layers(), target, runs=1)
    disk = residency.allocated([tree])
    for n in (1, 2, 4, 8):
        found = figures(run, "container", n=n, layout="layers")
        assert found["disk"] == [disk]
        assert found["page_cache"] == [2**20]
        assert found["page_cache_before"] == [0]
        assert "guest_cache" not in found
    assert [box.workload for box in target.boxes] == [f"layers-{index}" for index in range(8)]


def test_layers_adds_what_each_instance_has_for_itself(measure, tree, tmp_path):
    def own(name):
        path = tmp_path / name
        path.write_bytes(b"x" * 2**20)
        return [path]

    target = virtual(behaviour=reading(tree), images=[tree], storage=own)
    run = measure(Layers(), target, runs=1)
    disks = {
        layout: [figures(run, "vm", n=n, layout=layout) for n in (1, 2)]
        for layout in ("qcow2-full", "qcow2-linked")
    }
    for one, two in disks.values():
        assert two["disk"][0] - one["disk"][0] >= 2**20
        assert (one["guest_cache"], two["guest_cache"]) == ([2 * 2**20], [4 * 2**20])
    assert {(box.root, box.workload) for box in target.boxes} == {
        ("full", "layers-base"),
        ("linked", "layers-base"),
    }
    writes = [line for instance in target.instances for line in instance.inside.asked if "urandom" in line]
    assert len(writes) == len(target.instances) == 4


def test_a_base_that_was_not_really_read_is_a_failure(measure, tree):
    run = measure(Layers(), FakeTarget("container", behaviour=reading(tree, said=1000)), runs=1)
    (failure,) = run.failures
    assert "too small: '1000'" in failure.text
    assert failure.target == "container"
    assert not run.measurements


def test_a_command_that_fails_inside_is_a_failure(measure):
    run = measure(Layers(), FakeTarget("native", behaviour=obedient(status=1)), runs=1)
    (failure,) = run.failures
    assert "failed with status 1" in failure.text


def test_every_layout_belongs_to_a_target_of_the_scenario():
    assert {layout.target for layout in layers_module.LAYOUTS.values()} == set(Layers.targets)
    assert set(Layers().counts("fast", ["vm"])) == {"qcow2-full", "qcow2-linked"}
