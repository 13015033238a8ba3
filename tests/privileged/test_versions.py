"""Versions of a target for real: images, and the runtimes of others."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bench.results import load, validate
from runtime.cgroups.hierarchy import detect
from tests.conftest import residue
from tests.runs import TARE

pytestmark = [pytest.mark.privileged, pytest.mark.timeout(300)]
TARE_OCI = Path(sys.executable).with_name("tare-oci")
# Debian's crun refuses a host with both versions of cgroups; as a target of its own it gets round that, as a
# runtime of `oci` it is taken as it is.
RUNTIMES = [
    name for name in ("runc", "crun") if shutil.which(name) and (name, detect().kind) != ("crun", "hybrid")
]


def groups():
    """Control groups that a runtime was told to make."""
    return sorted(map(str, Path("/sys/fs/cgroup").glob("**/tare-oci-*")))


@pytest.fixture
def measured(tare, tmp_path):
    def call(*words):
        file = tmp_path / "run.json"
        done = tare("run", *words, "-q", "--json", file, "--html", tmp_path / "run.html")
        return done, file

    return call


def test_runtimes_are_measured_in_turns_under_their_own_names(measured):
    if not RUNTIMES:
        pytest.skip("needs runc or crun: apt-get install runc crun")
    theirs = ",".join(f"oci:runtime={shutil.which(name)}" for name in RUNTIMES)
    targets = f"{theirs},oci@ours:runtime={TARE_OCI}"
    done, file = measured("startup", "memory", "-t", targets, "-r", 1, "--fast")
    assert done.returncode == 0, done.stderr
    run = load(file)
    validate(run)
    assert {m.target for m in run.measurements} == {"oci@ours", *(f"oci@{name}" for name in RUNTIMES)}
    versions = {target.name: target.version for target in run.targets}
    assert all(versions[f"oci@{name}"].startswith(f"{name} version") for name in RUNTIMES)
    assert versions["oci@ours"].startswith("tare-oci")
    for name in versions:
        charged = [m for m in run.measurements if (m.target, m.metric) == (name, "cgroup_anon")]
        assert all(s.value > 0 for m in charged for s in m.samples), "its cgroup charges what runs in it"
        assert charged
    assert groups() == []


def test_images_are_measured_in_turns_and_named_by_digest(measured, data_root, tare):
    assert tare("image", "bootstrap", "busybox").returncode == 0
    both = "container@one:image=busybox,container@other:image=busybox"
    done, file = measured("startup", "--ab", both, "-r", 2)
    assert done.returncode == 0, done.stderr
    assert "container@one → container@other" in done.stdout
    run = load(file)
    versions = {target.name: target.version for target in run.targets}
    assert versions["container@one"].startswith("image busybox sha256:")
    assert len({m.image.digest for m in run.measurements}) == 1


def test_what_is_not_there_is_told_before_anything_is_measured(measured):
    for spec, said in (
        ("container:image=no/such:image", "no/such"),
        ("oci:runtime=/bin/false", "/bin/false --version"),
        ("vm:kernel=/etc/passwd", "/etc/passwd is no bzImage"),
        ("vm:kernel=9.9.9-none", "there is no kernel '9.9.9-none'"),
    ):
        done, file = measured("startup", "-t", spec, "-r", 1)
        assert done.returncode == 3, done.stderr
        assert said in done.stderr
        assert not file.exists()


def test_an_image_without_a_shell_is_told_in_words(measured, tare, tmp_path):
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /etc/only\n")
    assert tare("image", "build", "-t", "tare-test/shell-less", tmp_path).returncode == 0
    try:
        done, _ = measured("startup", "-t", "container@bare:image=tare-test/shell-less", "-r", 1)
    finally:
        tare("image", "rm", "tare-test/shell-less")
    assert done.returncode == 2, done.stderr
    assert "has no /bin/sh, by which the agent runs" in done.stderr


def test_a_runtime_that_fails_says_why_and_leaves_nothing(measured, tmp_path):
    broken = tmp_path / "broken"
    broken.write_text(
        '#!/bin/sh\n[ "$1" = --version ] && { echo broken version 1; exit 0; }\n'
        'while [ "$1" != --log ]; do shift; done\necho \'{"msg":"it can not be"}\' >"$2"; exit 1\n'
    )
    broken.chmod(0o755)
    done, file = measured("startup", "-t", f"oci:runtime={broken}", "-r", 1)
    assert done.returncode == 1
    assert "it can not be" in done.stderr
    assert len(load(file).failures) == 2


PROGRAM = """
import sys, time
from pathlib import Path
from bench.scenarios.startup import BOX
from bench.targets.drivers import Drivers
from bench.targets.oci import Oci
root = Path(sys.argv[1])
with Drivers(root, root / "run", None, print) as drivers, Oci(drivers, sys.argv[2]).launcher(BOX) as launcher:
    launcher.start("killed-1")
    print("started", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("runtime", [*RUNTIMES, str(TARE_OCI)])
def test_what_a_killed_run_left_of_a_runtime_is_pruned(tare, data_root, runtime):
    before = residue()
    command = [sys.executable, "-c", PROGRAM, data_root, runtime]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]) as owner:
        assert b"started\n" in owner.stdout  # after what the preparation says
        owner.kill()
    assert groups() != []
    done = tare("system", "prune")
    assert "removed container killed-1" in done.stdout
    assert (groups(), residue()) == ([], before)


def test_the_plugin_measures_real_boxes(data_root, tmp_path):
    (tmp_path / "test_it.py").write_text(
        "def test_start(benchmark, target):\n    target.measure(benchmark, rounds=2)\n"
        "def test_inside(target):\n    box = target.start()\n    box.ping()\n"
    )
    command = [
        TARE.with_name("pytest"), "-c", "/dev/null", "--rootdir", tmp_path, "-p", "no:cacheprovider", "-q",
        "--tare-target", "native,container", "--tare-root", data_root,
        "--tare-json", tmp_path / "tare.json", "--benchmark-json", tmp_path / "bench.json", tmp_path,
    ]  # fmt: skip
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, check=False, timeout=120, env=os.environ
    )
    assert done.returncode == 0, done.stdout
    run = load(tmp_path / "tare.json")
    validate(run)
    assert {m.target for m in run.measurements} == {"native", "container"}
    ready = [m for m in run.measurements if m.metric == "ready" and "test_start" in m.params["test"]]
    assert [len(m.samples) for m in ready] == [3, 3]
