"""A v2 cgroup that belongs to an ordinary user is divided for his containers, as far as it was delegated."""

import json
import os
from pathlib import Path

import pytest

from runtime.cgroups.mounts import find
from tests.fakes.ordinary_user import UID
from tests.privileged.test_rootless_oci import Bundle, user_with

pytestmark = pytest.mark.privileged
NAME = f"rootless-tests-{os.getpid()}"
# Goes where a session's processes are: once it has handed down controllers, in the leaf that they moved to.
ENTER = 'to="$0"; [ ! -d "$to/tare.aside" ] || to="$to/tare.aside"; echo $$ > "$to/cgroup.procs"; exec "$@"'


@pytest.fixture(scope="module")
def handed():
    """A cgroup of the user, with every controller that v2 has on this host."""
    unified = find().unified
    assert unified is not None, "no cgroup2 file system is mounted"
    top = Path(unified) / NAME
    session = top / "session"
    session.mkdir(parents=True)
    names = (top / "cgroup.controllers").read_text().split()
    (top / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in names))
    for path in (session, *(session / f"cgroup.{name}" for name in ("procs", "threads", "subtree_control"))):
        path.chmod(0o755 if path == session else 0o644)
        os.chown(path, UID, UID)
    yield session
    for path in (*session.glob("*/*"), *session.glob("*/"), session, top):
        if path.is_dir():
            path.rmdir()


@pytest.fixture(scope="module")
def bundle(handed):
    for user in user_with(ranges=False):
        user.inside("sh", "-ec", ENTER, str(handed))
        yield Bundle(user)


def test_a_container_is_born_in_it(bundle, handed):
    bundle.configure("sleep", "60")
    bundle("run", "--detach", "box")
    try:
        path = json.loads((bundle.user.run_root / "tare-oci/box/state.json").read_text())["cgroups"][0]
        assert path == f"{handed}/tare-box"
        assert json.loads(bundle("state", "box"))["pid"] == int(Path(path, "cgroup.procs").read_text())
        bundle("pause", "box")
        assert json.loads(bundle("state", "box"))["status"] == "paused"
        assert "frozen 1" in Path(path, "cgroup.events").read_text()
        bundle("resume", "box")
        assert json.loads(bundle("state", "box"))["status"] == "running"
        assert bundle("exec", "box", "sh", "-c", "echo $$; sleep 0").strip().isdigit()
        bundle("kill", "--all", "box", "KILL")
    finally:
        bundle("delete", "--force", "box")
    assert not Path(path).exists()


def test_a_process_from_elsewhere_is_refused(bundle, handed):
    bundle.configure("sleep", "60")
    bundle("run", "--detach", "box")
    bundle.user.inside()
    try:
        assert "be born in its cgroup: Permission denied" in bundle("exec", "box", "true", code=255)
    finally:
        bundle.user.inside("sh", "-ec", ENTER, str(handed))
        bundle("delete", "--force", "box")


def test_limits_of_delegated_controllers(bundle, handed):
    """Whichever there are: hugetlb alone on a hybrid host, memory and pids on others."""
    limits = {
        "pids": ({"pids": {"limit": 20}}, "pids.max", "20"),
        "memory": ({"memory": {"limit": 1 << 26}}, "memory.max", str(1 << 26)),
        "hugetlb": (
            {"hugepageLimits": [{"pageSize": "2MB", "limit": 1 << 22}]},
            "hugetlb.2MB.max",
            str(1 << 22),
        ),
    }
    names = set((handed / "cgroup.controllers").read_text().split()) & limits.keys()
    if not names:
        pytest.skip("version 2 has no controller to delegate on this host")
    for name in names:
        resources, file, value = limits[name]
        bundle.configure(
            "sleep", "60", change=lambda config, r=resources: config["linux"].update(resources=r)
        )
        bundle("run", "--detach", "box")
        try:
            assert (handed / "tare-box" / file).read_text().strip() == value
        finally:
            bundle("delete", "--force", "box")
    for name in limits.keys() - names:
        resources, _, _ = limits[name]
        text = bundle.refused(lambda config, r=resources: config["linux"].update(resources=r))
        assert f"linux.resources.{next(iter(resources))}" in text
        assert "not delegated to this user" in text
