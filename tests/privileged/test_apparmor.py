"""process.apparmorProfile where the kernel has AppArmor (`nox -s guest`), and its refusal where not."""

from __future__ import annotations

import os
import subprocess

import pytest

from runtime.linux import apparmor
from tests.fakes.busybox_layer import make_layer
from tests.privileged.test_oci_lifecycle import Oci

pytestmark = pytest.mark.privileged
NAME = f"tare-test-{os.getpid()}"
# No rule lets a program run another: the first program needs none, as under any other runtime.
PROFILE = f"""profile {NAME} flags=(attach_disconnected) {{
  /** rm,
  deny /secret r,
}}
"""


@pytest.fixture
def oci(tmp_path):
    made = Oci(tmp_path, make_layer(tmp_path / "layer"))
    (tmp_path / "layer/secret").write_text("readable\n")
    yield made
    for record in made.root.iterdir() if made.root.exists() else ():
        made("delete", "--force", record.name)


@pytest.fixture
def profile(tmp_path):
    if not apparmor.enabled():
        pytest.skip("this kernel has no AppArmor enabled")
    path = tmp_path / "profile"
    path.write_text(PROFILE)
    subprocess.run(["apparmor_parser", "-r", "-K", path], check=True, capture_output=True)
    yield NAME
    subprocess.run(["apparmor_parser", "-R", path], check=True, capture_output=True)


def asking(profile, **more):
    return {"process": {"apparmorProfile": profile, **more}}


def test_the_program_has_the_profile(oci, profile):
    oci.configure("/bin/cat", "/proc/self/attr/current", **asking(profile))
    assert oci("run", "box") == f"{profile} (enforce)\n"


def test_the_profile_is_enforced(oci, profile):
    oci.configure("/bin/cat", "/secret")
    assert oci("run", "box") == "readable\n"
    oci.configure("/bin/cat", "/secret", **asking(profile))
    assert "ermission denied" in oci("run", "box", code=1)
    oci.configure("/bin/sh", "-c", "/bin/cat /proc/self/attr/current", **asking(profile))
    assert "ermission denied" in oci("run", "box", code=126)


def test_without_new_privileges_and_after_create_and_start(oci, profile):
    oci.configure("/bin/cat", "/proc/self/attr/current", **asking(profile, noNewPrivileges=True))
    oci("create", "box")
    oci("start", "box")
    oci.await_status("stopped")
    assert (oci.place / "output").exists()
    assert oci("run", "other") == f"{profile} (enforce)\n"


def test_further_processes_have_it_or_another(oci, profile):
    oci.configure("/bin/sleep", "100", **asking(profile))
    oci("run", "-d", "box")
    assert oci("exec", "box", "/bin/cat", "/proc/self/attr/current") == f"{profile} (enforce)\n"
    free = oci("exec", "--apparmor", "unconfined", "box", "/bin/cat", "/proc/self/attr/current")
    assert free == "unconfined\n"


def test_an_image_can_not_take_the_request(oci, profile):  # CVE-2019-16884
    layer = oci.place / "layer/proc/self/attr"
    layer.mkdir(parents=True)
    for path in (layer / "exec", layer / "apparmor/exec"):
        path.parent.mkdir(exist_ok=True)
        path.touch()
    mounts = [{"destination": "/real", "type": "proc", "source": "proc"}]
    oci.configure("/bin/cat", "/real/self/attr/current", mounts=mounts, **asking(profile))
    assert oci("run", "box") == f"{profile} (enforce)\n"


def test_a_profile_that_is_not_loaded_is_refused(oci, profile):
    oci.configure("/bin/true", **asking(f"{profile}-not"))
    assert f"process.apparmorProfile {profile}-not: No such file or directory" in oci("run", "box", code=1)
    assert oci("list", "-q") == ""


@pytest.mark.skipif(apparmor.enabled(), reason="this kernel has AppArmor")
def test_without_apparmor_it_is_refused(oci):
    oci.configure("/bin/true", **asking("docker-default"))
    text = oci("run", "box", code=1)
    assert "process.apparmorProfile docker-default: this kernel has no AppArmor enabled" in text
    assert oci("list", "-q") == ""


def test_an_empty_profile_is_none(oci):
    oci.configure("/bin/echo", "ran", **asking(""))
    assert oci("run", "box") == "ran\n"
