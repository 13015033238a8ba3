"""What people get wrong, and what a host lacks: a clear line, a remedy, the right exit code."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.privileged


def complaint(done, code):
    """Return the one line; the exit code has to be right and a hint has to follow."""
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith(("tare: ", "Error: "))]
    assert len(lines) == 1, done.stderr
    return lines[0]


def test_unknown_scenario(tare):
    assert "no scenario 'starup'; there are: startup, memory" in complaint(tare("run", "starup"), 2)


def test_unknown_target(tare):
    line = complaint(tare("run", "startup", "-t", "native,vmware"), 2)
    assert "no target 'vmware'; there are: native, container, vm, vm-micro, vm-full" in line


def test_unknown_image(tare):
    done = tare("container", "run", "nginx", "true")
    assert "nginx" in complaint(done, 125)
    assert "tare image bootstrap" in done.stderr


def test_corrupt_store(tare, tmp_path):
    root = {"TARE_ROOT": str(tmp_path)}
    assert tare("image", "bootstrap", "busybox", env=root).returncode == 0
    for blob in (tmp_path / "images/blobs/sha256").iterdir():
        blob.chmod(0o644)
        blob.write_bytes(b"x" + blob.read_bytes()[1:])
    done = tare("run", "startup", "-t", "native", "-q", env=root)
    assert "sha256" in complaint(done, 1)
    assert "hint:" in done.stderr
    assert tare("image", "verify", env=root).returncode == 1


NOBODY = """
mount --bind {checkout} {seen}
cd {seen}
export PYTHONPATH={seen} PYTHONDONTWRITEBYTECODE=1 TARE_ROOT={root}
set -- {seen}/{python} -c "from bench.cli.main import main; main()" "$@"
exec setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
"""


def test_no_root():
    """An ordinary user may not look into root's folders, so the checkout is bound to a place outside."""
    checkout = Path(__file__).resolve().parents[2]
    python = Path(sys.executable).relative_to(checkout)
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        seen = Path(folder, "seen")
        seen.mkdir()
        Path(folder).chmod(0o777)
        script = NOBODY.format(checkout=checkout, seen=seen, python=python, root=f"{folder}/root")
        words = ["run", "startup", "-t", "native", "-q"]
        done = subprocess.run(
            ["unshare", "-m", "sh", "-ec", script, "tare", *words],
            check=False, capture_output=True, text=True,
        )  # fmt: skip
    assert "needs root" in complaint(done, 3)


def test_no_qemu(tare, tmp_path):
    bare = tmp_path / "bin"
    bare.mkdir()
    for name in ("python3", "env"):
        (bare / name).symlink_to(shutil.which(name))
    done = tare("run", "startup", "-t", "vm", "-q", env={"PATH": str(bare)})
    assert "qemu-system-x86_64" in complaint(done, 3)
    assert "apt-get install" in done.stderr


def test_no_libvirt(tare, tmp_path):
    (tmp_path / "libvirt.py").write_text("raise ImportError('libvirt.so.0: cannot open')\n")
    done = tare("run", "startup", "-t", "vm", "-q", env={"PYTHONPATH": str(tmp_path)})
    assert "libvirt" in complaint(done, 3)


def test_no_daemon_at_the_uri(tare):
    done = tare("run", "startup", "-t", "vm", "-q", "--connect", "qemu+unix:///system?socket=/nowhere.sock")
    assert "/nowhere.sock" in complaint(done, 3)


def test_a_full_disk(tare, tmp_path):
    place = tmp_path / "small"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place], check=True)
    try:
        done = tare("run", "startup", "-t", "native", "-q", env={"TARE_ROOT": str(place)})
        line = complaint(done, 3)
        assert "space" in line or "full" in line
        assert "hint:" in done.stderr
    finally:
        subprocess.run(["umount", place], check=True)


def test_a_result_file_that_cannot_be_written(tare, tmp_path):
    (tmp_path / "file").touch()
    done = tare("run", "startup", "-t", "native", "-q", "--json", tmp_path / "file/run.json")
    assert str(tmp_path / "file") in complaint(done, 3)


@pytest.mark.parametrize("option", [("--memory", "9" * 400), ("--cpus", "inf"), ("--cpus", "nan")])
def test_absurd_limits(tare, option):
    done = tare("container", "run", *option, "busybox", "true")
    assert done.returncode == 125, done.stderr
    assert "Traceback" not in done.stderr
