"""Where cgroup hierarchies are that other runtimes may have made groups in."""

from pathlib import Path

from runtime.cgroups.hierarchy import mounts

HOST = """30 25 0:26 / /sys/fs/cgroup/memory rw,nosuid - cgroup cgroup rw,memory
31 25 0:27 / /sys/fs/cgroup/devices rw,nosuid - cgroup cgroup rw,devices
32 25 0:28 / /sys/fs/cgroup/unified rw,nosuid - cgroup2 cgroup2 rw
33 25 0:26 / /srv/box/sys/fs/cgroup/memory ro,nosuid - cgroup cgroup rw,memory
34 25 0:29 / /tmp rw - tmpfs tmpfs rw
"""


def test_all_hierarchies_count_that_can_be_written_each_once():
    names = ("memory", "devices", "unified")
    assert mounts(HOST + HOST) == tuple(Path("/sys/fs/cgroup", name) for name in names)
    assert mounts("") == ()
