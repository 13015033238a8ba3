"""T9: what images, volumes and races have done to other runtimes' mounts, done to ours.

Each test is red when its defence is taken away; the published weakness is named with it. A sentinel directory
of the host stands for everything outside.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import time
from pathlib import Path

import pytest

from runtime.linux import syscalls
from runtime.rootfs import resolve
from tests.fakes.root_builder import Bundle

pytestmark = pytest.mark.privileged
_LIBC = ctypes.CDLL(None, use_errno=True)
_EXCHANGE = 2


@pytest.fixture
def bundle(tmp_path):
    return Bundle(tmp_path / "bundle")


@pytest.fixture
def outside(tmp_path):
    path = tmp_path / "outside"
    path.mkdir()
    (path / "secret").write_text("of the host\n")
    yield path
    assert [entry.name for entry in path.iterdir()] == ["secret"]
    assert (path / "secret").read_text() == "of the host\n"


@pytest.fixture
def volume(tmp_path):
    path = tmp_path / "volume"
    path.mkdir()
    return path


def link(bundle, name, target):
    """Replace a directory of the image by a link."""
    (bundle.root / name).rmdir()
    (bundle.root / name).symlink_to(target)


def refused(bundle, *words, **changes):
    status, text = bundle.run("echo ran", **changes)
    assert status == 99, text
    for word in words:
        assert word in text
    return text


def places():
    return [line.split(" ")[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]


def only_inside(bundle, before):
    """Every mount that was added lies below the root."""
    return [place for place in places() if place not in before and not place.startswith(str(bundle.root))]


@pytest.mark.parametrize("target", ["/etc", "bin", "../../outside", "/tmp/../.."])  # CVE-2019-19921
@pytest.mark.parametrize("name", ["proc", "sys"])
def test_kernel_file_systems_behind_a_link(bundle, outside, name, target):
    link(bundle, name, target)
    refused(bundle, f"/{name}", "must be mounted on an ordinary directory")


def test_proc_behind_a_link_further_up(bundle):  # CVE-2023-27561, CVE-2023-28642
    (bundle.root / "real").mkdir()
    (bundle.root / "way").symlink_to("real")
    bundle.mounts.append({"destination": "/way/proc", "type": "proc", "source": "proc"})
    refused(bundle, "/way/proc", "must be mounted on an ordinary directory")


def test_dev_as_a_link_to_the_host(bundle, outside):
    bundle.mounts = [mount for mount in bundle.mounts if mount["destination"] != "/dev"]
    link(bundle, "dev", outside)
    status, text = bundle.run("test -c /dev/null && readlink /dev")
    assert (status, text.strip()) == (0, str(outside))
    assert (bundle.root / str(outside).lstrip("/") / "null").is_char_device()


def test_mount_on_dev_as_a_link_to_the_host(bundle, outside):
    link(bundle, "dev", outside)
    before = places()
    left: list[str] = []

    def look():
        left.extend(only_inside(bundle, before))
        os.write(1, json.dumps(left).encode() + b"\n")

    status, text = bundle.run("true", pauses={"mounted": look})
    assert (status, json.loads(text)) == (0, [])


_WAYS = ("{outside}/new", "../../../../../../../../..{outside}/new", "up/../new", "{outside}/../there")


@pytest.mark.parametrize("way", _WAYS)
def test_volumes_with_links_in_their_targets(bundle, volume, outside, way):
    text = way.format(outside=outside)
    (outside.parent / "there/deep/er").mkdir(parents=True)  # what is there is found without a walk by hand
    (bundle.root / "data").mkdir()
    (bundle.root / "data/up").symlink_to("/")
    (bundle.root / "data/link").symlink_to(text)
    (volume / "mine").touch()
    bundle.bind(volume, "/data/link/deep/er", "bind")
    status, text = bundle.run("ls /data/link/deep/er")
    assert (status, text.strip()) == (0, "mine")


def test_a_file_mount_point_behind_a_link(bundle, volume, outside):
    (bundle.root / "etc/resolv.conf").symlink_to(outside / "made")
    (volume / "conf").write_text("conf\n")
    bundle.bind(volume / "conf", "/etc/resolv.conf", "bind")
    assert bundle.run("cat /etc/resolv.conf") == (0, "conf\n")


_OVER = ("/proc", "/proc/self/attr/exec", "/proc/sys/kernel/hostname", "/proc/1/attr", "/aside", "/aside/sys",
         "/proc/self/fd", "/proc/../proc/sys")  # fmt: skip


@pytest.mark.parametrize("target", _OVER)
def test_volumes_over_proc(bundle, volume, target):  # CVE-2019-16884, CVE-2025-52881
    (bundle.root / "aside").symlink_to("proc")
    (volume / "attr").mkdir()
    bundle.bind(volume, target, "bind")
    refused(bundle, "is inside /proc")


def test_a_second_proc_is_no_way_in(bundle, volume):  # CVE-2025-52881
    bundle.mounts.append({"destination": "/other", "type": "proc", "source": "proc"})
    bundle.bind(volume, "/other/sys", "bind")
    refused(bundle, "is inside /proc")


def test_files_that_are_emulated_may_be_covered(bundle, volume):
    (volume / "uptime").write_text("1.0 1.0\n")
    bundle.bind(volume / "uptime", "/proc/uptime", "bind")
    assert bundle.run("cat /proc/uptime") == (0, "1.0 1.0\n")


def test_the_root_itself_is_no_target(bundle, volume):
    (bundle.root / "top").symlink_to("/")
    bundle.bind(volume, "/top", "bind")
    refused(bundle, "is not inside the root")


@pytest.mark.parametrize("moment", ["mounted", "entered"])
def test_dev_null_swapped_before_masking(bundle, moment):  # CVE-2025-31133
    bundle.linux["maskedPaths"] = ["/proc/keys", "/proc/timer_list"]
    dev = bundle.root / "dev" if moment == "mounted" else Path("/dev")

    def swap():
        (dev / "null").unlink()
        (dev / "null").symlink_to("/proc/sys/kernel/core_pattern")

    status, text = bundle.run(
        "stat -c %t:%T /proc/keys /proc/timer_list; cat /proc/keys", pauses={moment: swap}
    )
    assert (status, text.split()) == (0, ["1:3", "1:3"])


def test_dev_null_missing_is_no_reason_to_leave_paths_open(bundle):  # CVE-2025-31133
    bundle.linux["maskedPaths"] = ["/proc/keys"]
    status, text = bundle.run("cat /proc/keys", pauses={"entered": Path("/dev/null").unlink})
    assert (status, text) == (0, "")


def cover(path, source):
    """In the child's own mount namespace, put another file over one of the host's."""

    def act():
        syscalls.mount("none", "/", "", 16384 | 1 << 18)
        syscalls.mount(str(source), path, "", 4096)

    return act


def test_a_null_device_that_is_another_file(bundle, outside):  # CVE-2025-31133
    bundle.linux["maskedPaths"] = ["/proc/keys"]
    refused(bundle, "mask /proc/keys", "is not the null device", setup=cover("/dev/null", outside / "secret"))


def test_a_borrowed_device_that_is_another_file(tmp_path, outside):
    bundle = Bundle(tmp_path / "mapped", user=True)
    for path in (tmp_path, *list(tmp_path.parents)[:-2]):
        path.chmod(path.stat().st_mode | 0o011)
    setup = cover("/dev/full", outside / "secret")
    refused(bundle, "bind the host's device /dev/full", "is not the device", setup=setup)


def test_device_behind_a_dangling_link(bundle, outside):
    bundle.linux["devices"] = [{"path": "/odd/node", "type": "c", "major": 1, "minor": 3}]
    (bundle.root / "odd").symlink_to(outside / "sub")
    assert bundle.run("test -c /odd/node")[0] == 0


def test_device_in_the_place_of_a_link(bundle, outside):
    bundle.linux["devices"] = [{"path": "/etc/node", "type": "c", "major": 1, "minor": 3}]
    (bundle.root / "etc/node").symlink_to(outside / "secret")
    refused(bundle, "is not that device")


def test_copying_up_follows_no_link(bundle, outside):
    (bundle.root / "var").mkdir()
    (bundle.root / "var/file").symlink_to(outside / "secret")
    (bundle.root / "var/tree").symlink_to(outside)
    bundle.mounts.append({"destination": "/var", "type": "tmpfs", "source": "t", "options": ["tmpcopyup"]})
    status, text = bundle.run("cat /var/file; ls /var/tree; readlink /var/tree")
    assert status == 0
    assert text.splitlines()[-1] == str(outside)
    assert "secret" not in text.replace(f"{outside}/secret", "")


def test_masks_stay_inside(bundle, outside):
    (bundle.root / "way").symlink_to(outside)
    bundle.linux["maskedPaths"] = ["/way/secret"]
    bundle.linux["readonlyPaths"] = ["/way"]
    assert bundle.run()[0] == 0


def test_magic_links_lead_nowhere(bundle):
    bundle.linux["maskedPaths"] = ["/proc/self/root/etc"]
    refused(bundle, "mask /proc/self/root/etc", "40:")


def test_the_walk_by_hand_agrees_and_stays_inside(tmp_path, outside):
    """The walk is what old kernels get, and what makes missing directories."""
    root = tmp_path / "root"
    (root / "a/b").mkdir(parents=True)
    (root / "a/up").symlink_to("../../../../../..")
    (root / "a/out").symlink_to(outside)
    (root / "loop").symlink_to("loop")
    fd = os.open(root, os.O_PATH)
    for path in ("/a/b", "a/up/a", "a/b/../../../..", "a/up/../a/up"):
        walked, found = resolve._Walk(fd, path).run(), resolve.find(fd, path)
        assert os.path.samestat(os.fstat(walked), os.fstat(found))
        os.close(walked)
        os.close(found)
    made = resolve.make(fd, "/a/out/x/y", directory=True)
    assert Path(f"/proc/self/fd/{made}").readlink() == Path(f"{root}{outside}/x/y")
    os.close(made)
    for path in ("loop", "loop/x"):
        with pytest.raises(OSError, match="symbolic links"):
            resolve._Walk(fd, path).run()
    os.close(fd)


def swapper(first, second):
    """A process that exchanges two names until it is killed, or 100 s have passed."""
    pid = os.fork()
    if pid == 0:
        end = time.monotonic() + 100
        one, two = os.fsencode(first), os.fsencode(second)
        while time.monotonic() < end:
            for _ in range(1000):
                _LIBC.renameat2(-100, one, -100, two, _EXCHANGE)
        os._exit(0)
    return pid


@pytest.mark.slow
def test_300_starts_while_a_volume_path_is_swapped(bundle, volume, outside):  # CVE-2021-30465
    (volume / "target").mkdir()
    (volume / "link").symlink_to(outside)
    bundle.bind(volume, "/data", "rbind")
    bundle.mounts.append({"destination": "/data/target", "type": "tmpfs", "source": "t"})
    bundle.mounts.append({"destination": "/data/target/deep", "type": "tmpfs", "source": "t"})
    before = places()

    def look():
        os.write(1, json.dumps(only_inside(bundle, before)).encode() + b"\n")

    pid = swapper(volume / "target", volume / "link")
    outcomes = []
    try:
        for _ in range(300):
            status, text = bundle.run("true", pauses={"mounted": look})
            assert status in {0, 99}, text
            outcomes.append((status, json.loads(text) if status == 0 else []))
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    assert [left for _, left in outcomes if left] == []
    assert sum(status == 0 for status, _ in outcomes) >= 100
