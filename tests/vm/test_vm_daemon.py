import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from vmdriver.errors import MachineFault
from vmdriver.hypervisor import Hypervisor

pytestmark = pytest.mark.vm

CONF = """\
unix_sock_dir = "{home}"
auth_unix_rw = "none"
auth_unix_ro = "none"
"""
QEMU_CONF = """\
stdio_handler = "file"
security_driver = "none"
user = "root"
group = "root"
cgroup_controllers = []
remember_owner = 0
namespaces = []
"""
# Its own mounts over the directories that the daemon can't be told to leave alone.
SCRIPT = """
for place in /run/libvirt /var/lib/libvirt /var/cache/libvirt /var/log/libvirt; do
    mkdir -p $place && mount -t tmpfs tmpfs $place || exit 1
done
mkdir -p /etc/libvirt && mount -t tmpfs tmpfs /etc/libvirt && cp {home}/qemu.conf /etc/libvirt/qemu.conf
exec libvirtd --config {home}/libvirtd.conf --pid-file {home}/pid
"""


@pytest.fixture(scope="module")
def daemon(data_root):
    """A libvirtd of our own, in a mount namespace; its URI."""
    home = data_root / "libvirtd"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir()
    (home / "libvirtd.conf").write_text(CONF.format(home=home))
    (home / "qemu.conf").write_text(QEMU_CONF)
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            ["unshare", "-m", "sh", "-c", SCRIPT.format(home=home)], stdout=log, stderr=log
        )
    deadline = time.monotonic() + 20
    while not (home / "libvirt-sock").exists():
        assert process.poll() is None, (home / "log").read_text()
        assert time.monotonic() < deadline, (home / "log").read_text()
        time.sleep(0.05)
    yield f"qemu+unix:///system?socket={home}/libvirt-sock"
    process.terminate()
    process.wait(20)
    shutil.rmtree(home)


def test_a_daemon_runs_guests_as_well(daemon, data_root, direct, talk):
    with (
        Hypervisor(data_root, data_root / "run", daemon) as hypervisor,
        hypervisor.start(direct("vm", "disk").named("test-daemon")) as guest,
    ):
        talk(guest).until(b"\x1etare listening")
        stat = Path(f"/proc/{guest.pid}/stat").read_text()
        assert int(stat.rpartition(")")[2].split()[1]) != os.getpid()
        guest.destroy()
        assert guest.leftovers() == []


def test_a_uri_without_a_daemon_is_told(data_root):
    with pytest.raises(MachineFault, match="connecting to qemu\\+unix") as caught:
        Hypervisor(data_root, data_root / "run", "qemu+unix:///system?socket=/none/libvirt-sock")
    assert caught.value.kind == "host"
    assert "virsh" in caught.value.hint
