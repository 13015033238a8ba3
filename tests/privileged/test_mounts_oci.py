"""What config.json's mounts become, seen from inside real roots."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from runtime.errors import RuntimeFault
from tests.fakes.root_builder import MAPPING, Bundle

pytestmark = pytest.mark.privileged


@pytest.fixture
def bundle(tmp_path):
    return Bundle(tmp_path / "bundle")


@pytest.fixture
def volume(tmp_path):
    path = tmp_path / "volume"
    path.mkdir()
    (path / "inner").mkdir()
    (path / "file").write_text("of the host\n")
    return path


def sh(bundle, script, **changes):
    status, text = bundle.run(script, **changes)
    assert status == 0, text
    return text.strip()


def flags_of(bundle, target):
    """Options of the mount at `target`, and its propagation."""
    for line in sh(bundle, "cat /proc/self/mountinfo").splitlines():
        words = line.split(" ")
        if words[4] == target:
            return set(words[5].split(",")), words[6]
    raise AssertionError(f"{target} is not mounted")


def test_only_its_own_mounts_are_there(bundle):
    places = sh(bundle, "awk '{print $5}' /proc/self/mountinfo").split()
    assert sorted(places) == ["/", "/dev", "/proc", "/sys"]


def test_default_devices_and_links(bundle):
    nodes, links = "null zero full random urandom tty", "fd stdin stdout stderr ptmx"
    script = f"cd /dev; stat -c '%n %F %t:%T %a' {nodes}; for n in {links}; do readlink $n; done"
    text = sh(bundle, script)
    assert "null character special file 1:3 666" in text
    assert "tty character special file 5:0 666" in text
    assert text.split()[-5:] == [
        "/proc/self/fd", "/proc/self/fd/0", "/proc/self/fd/1", "/proc/self/fd/2", "pts/ptmx",
    ]  # fmt: skip


def test_listed_devices_have_their_mode_and_owner(bundle):
    bundle.linux["devices"] = [
        {
            "path": "/dev/sub/fuse",
            "type": "c",
            "major": 10,
            "minor": 229,
            "fileMode": 0o640,
            "uid": 5,
            "gid": 6,
        },
        {"path": "/dev/queue", "type": "p", "fileMode": 0o600},
        {"path": "/dev/null", "type": "c", "major": 1, "minor": 3, "fileMode": 0o600},
    ]
    text = sh(bundle, "stat -c '%F %t:%T %a %u:%g' /dev/sub/fuse /dev/queue /dev/null")
    assert text.splitlines() == [
        "character special file a:e5 640 5:6", "fifo 0:0 600 0:0", "character special file 1:3 600 0:0",
    ]  # fmt: skip


def test_another_file_in_a_device_s_place_is_an_error(bundle):
    bundle.mounts = [mount for mount in bundle.mounts if mount["destination"] != "/dev"]
    (bundle.root / "dev/null").write_text("no device")
    status, text = bundle.run()
    assert status == 99
    assert "make the device /dev/null (linux.devices)" in text
    assert "is not that device" in text


@pytest.mark.parametrize(
    ("options", "there", "absent"),
    [
        (["bind", "ro"], {"ro"}, {"nosuid"}),
        (["bind", "ro", "rw"], {"rw"}, set()),
        (["bind", *["nosuid", "nodev", "noexec"]], {"nosuid", "nodev", "noexec", "rw"}, set()),
        (["bind", "noatime"], {"noatime"}, {"relatime"}),
        (["bind", "nosymfollow", "nodiratime"], {"nosymfollow", "nodiratime"}, set()),
    ],
)
def test_attributes_of_a_bind(bundle, volume, options, there, absent):
    bundle.bind(volume, "/data", *options)
    found, _ = flags_of(bundle, "/data")
    assert there <= found
    assert not absent & found


@pytest.mark.parametrize(("option", "pattern"), [
    ("shared", r"shared:\d+"), ("rslave", "-|master"), ("unbindable", "unbindable"), ("private", "-"),
])  # fmt: skip
def test_propagation_of_a_mount(bundle, volume, option, pattern):
    bundle.bind(volume, "/data", "bind", option)
    assert re.match(pattern, flags_of(bundle, "/data")[1])


def test_recursive_read_only_reaches_what_is_below(bundle, volume, tmp_path):
    bundle.bind(volume, "/data", "rbind", "rro")
    bundle.bind(volume, "/plain", "rbind", "ro")

    def below():
        from runtime.linux import syscalls  # noqa: PLC0415

        syscalls.mount("none", "/", "", 16384 | 1 << 18)
        syscalls.mount("x", str(volume / "inner"), "tmpfs")

    script = "touch /data/inner/x && echo written; touch /plain/inner/x && echo plain"
    assert sh(bundle, script + "; true", setup=below).splitlines()[-1] == "plain"
    assert "written" not in sh(bundle, script + "; true", setup=below)


def test_a_single_file_is_bound_over_nothing(bundle, volume):
    bundle.bind(volume / "file", "/etc/deep/down", "bind")
    assert sh(bundle, "cat /etc/deep/down") == "of the host"
    assert (bundle.root / "etc/deep/down").read_text() == ""


def test_a_relative_source_counts_from_the_bundle(bundle):
    (bundle.directory / "extra").write_text("beside\n")
    bundle.bind("extra", "/extra", "bind")
    assert sh(bundle, "cat /extra") == "beside"


def test_a_tmpfs_starts_with_a_copy_of_what_it_covers(bundle):
    skel = bundle.root / "var/skel"
    (skel / "sub").mkdir(parents=True)
    (skel / "sub/file").write_text("x" * 3_000_000)
    (skel / "sub/file").chmod(0o4640)
    (skel / "link").symlink_to("sub/file")
    os.chown(skel / "sub", 7, 8)
    options = ["tmpcopyup", "ro"]
    bundle.mounts.append({"destination": "/var/skel", "type": "tmpfs", "source": "tmpfs", "options": options})
    text = sh(bundle, "cd /var/skel; stat -c '%a %s' sub/file; stat -c %u:%g sub; readlink link; "
                      "stat -fc %T .; touch x 2>/dev/null || echo ro")  # fmt: skip
    assert text.splitlines() == ["4640 3000000", "7:8", "sub/file", "tmpfs", "ro"]


def test_a_tmpfs_keeps_the_mode_of_its_place(bundle):
    (bundle.root / "var").mkdir(mode=0o700)
    bundle.mounts += [{"destination": path, "type": "tmpfs", "source": "tmpfs"} for path in ("/var", "/new")]
    assert sh(bundle, "stat -c %a /var /new").split() == ["700", "1777"]


def test_file_system_data_the_kernel_refuses_is_named(bundle):
    bundle.mounts.append({"destination": "/x", "type": "tmpfs", "source": "x", "options": ["size=much"]})
    status, text = bundle.run()
    assert status == 99
    assert "mount tmpfs at /x (mounts[3])" in text
    assert "Bad value for 'size'" in text


def test_options_too_long_for_the_new_interface(bundle, tmp_path):
    lower = tmp_path / ("l" * 200) / ("m" * 100)
    upper, work = tmp_path / "upper", tmp_path / "work"
    for path in (lower, upper, work):
        path.mkdir(parents=True)
    (lower / "below").touch()
    options = [f"lowerdir={lower}", f"upperdir={upper}", f"workdir={work}", "nodev"]
    bundle.mounts.append({"destination": "/o", "type": "overlay", "source": "overlay", "options": options})
    assert sh(bundle, "ls /o; touch /o/above") == "below"
    assert (upper / "above").exists()
    assert "nodev" in flags_of(bundle, "/o")[0]


def test_read_only_root_with_writable_mounts(bundle, volume):
    bundle.readonly = True
    bundle.bind(volume, "/data", "bind")
    assert sh(bundle, "touch /x 2>/dev/null || echo ro; touch /data/made /dev/made && echo rw") == "ro\nrw"
    assert (volume / "made").exists()
    assert not (bundle.root / "x").exists()


def test_a_read_only_dev_is_filled_first(bundle):
    bundle.mounts[1]["options"].append("ro")
    assert sh(bundle, "test -c /dev/null && touch /dev/x 2>/dev/null || echo ro") == "ro"


def test_masked_and_read_only_paths(bundle):
    bundle.linux["maskedPaths"] = [
        "/proc/keys",
        "/proc/timer_list",
        "/sys/firmware",
        "/no/such",
        "/proc/acpi",
    ]
    bundle.linux["readonlyPaths"] = ["/proc/sys", "/proc/bus", "/etc", "/no/such"]
    script = """cat /proc/keys /proc/timer_list; ls /sys/firmware; test ! -e /proc/acpi || ls /proc/acpi
            echo x >/proc/keys
        echo 1 >/proc/sys/kernel/hung_task_panic; echo x >/etc/made; true"""
    text = sh(bundle, script)
    assert text.count("Read-only") == 2, text
    assert len(text.splitlines()) == 2, text
    assert not (bundle.root / "etc/made").exists()


@pytest.mark.parametrize("pivot", [True, False])
def test_the_host_is_gone(bundle, pivot):
    text = sh(bundle, "cd /../..; ls; cat /proc/self/mountinfo | wc -l; chroot . /bin/ls /", pivot=pivot)
    assert "rootfs" not in text
    assert "home" not in text
    if pivot:
        assert int(re.search(r"^\d+$", text, re.MULTILINE)[0]) == 4


def test_without_pivot_no_proc_of_the_host_stays(bundle):
    bundle.mounts = bundle.mounts[:1]
    script = "grep -c ' - proc ' /proc/self/mountinfo; grep -c ' - sysfs ' /proc/self/mountinfo; true"
    text = sh(bundle, script, pivot=False)
    assert text.split() == ["1", "0"]


def test_others_may_act_at_two_moments(bundle):
    root = bundle.root

    def mounted():
        os.write(1, f"{(root / 'proc/self').exists()} {Path('/usr').exists()}\n".encode())

    seen = {"mounted": mounted, "entered": lambda: Path("/etc/by-pause").touch()}
    bundle.readonly = True
    assert sh(bundle, "ls /etc", pauses=seen).split() == ["True", "True", "by-pause", "group", "passwd"]


def test_root_propagation_is_what_was_asked(bundle):
    assert flags_of(bundle, "/")[1] in {"-"} or flags_of(bundle, "/")[1].startswith("master")
    bundle.linux["rootfsPropagation"] = "shared"
    assert flags_of(bundle, "/")[1].startswith("shared")
    bundle.linux["rootfsPropagation"] = "unbindable"
    assert flags_of(bundle, "/")[1] == "unbindable"


def test_cgroups_are_its_own_trees_with_and_without_a_namespace(bundle):
    bundle.mounts.append(
        {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["ro"]}
    )
    script = "ls /sys/fs/cgroup; grep -c 'cgroup' /proc/self/mountinfo; touch /sys/fs/cgroup/x; true"
    text = sh(bundle, script)
    assert "Read-only" in text
    assert "memory" in text or "cgroup.procs" in text
    bundle.linux["namespaces"] = [one for one in bundle.linux["namespaces"] if one["type"] != "cgroup"]
    assert sh(bundle, script).split()[0] == text.split()[0]


def test_bundle_of_a_user_namespace(tmp_path):
    bundle = Bundle(tmp_path / "bundle", user=True)
    secret = tmp_path / "private"
    secret.mkdir(mode=0o700)
    (secret / "volume").mkdir()
    (secret / "volume/file").write_text("reached\n")
    for path in (tmp_path, *list(tmp_path.parents)[:-2]):
        path.chmod(path.stat().st_mode | 0o011)
    bundle.bind(secret / "volume", "/data", "rbind", "ro")
    bundle.linux["maskedPaths"] = ["/proc/keys", "/sys/firmware"]
    text = sh(
        bundle,
        "id -u; cat /data/file; echo x >/dev/null; cat /proc/keys; stat -c %t:%T /dev/full; ls -d /sys",
    )
    assert text.split() == ["0", "reached", "1:7", "/sys"]


def test_id_mapped_mounts(bundle, volume):
    mapping = {"uidMappings": MAPPING, "gidMappings": MAPPING}
    bundle.bind(volume, "/mapped", "bind", "idmap", **mapping)
    bundle.bind(volume, "/plain", "bind")
    assert sh(bundle, "stat -c %u:%g /mapped/file /plain/file").split() == ["200000:200000", "0:0"]


def test_id_mapping_without_mappings_is_refused_by_name(bundle, volume):
    bundle.bind(volume, "/mapped", "bind", "idmap")
    with pytest.raises(RuntimeFault, match=r"mounts\[3\]"):
        bundle.run()
