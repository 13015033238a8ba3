"""What only root and a real overlay can show."""

import os
import stat
import subprocess
from pathlib import Path

import pytest

from runtime.errors import RuntimeFault
from runtime.image import Store, bootstrap, commit, derive, from_tree
from runtime.image.prune import prune
from runtime.image.verify import tree_digest, verify

pytestmark = pytest.mark.privileged


def run(*command: object, **more: object) -> str:
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False, **more
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def inside_overlay(layers: tuple[Path, ...], work: Path, script: str) -> str:
    """Run a shell in a private mount namespace with `layers` (bottom first) mounted at $1."""
    for name in ("upper", "work", "merged"):
        (work / name).mkdir(exist_ok=True)
    (work / "upper").chmod(0o755)
    lower = ":".join(map(str, reversed(layers)))
    options = f"lowerdir={lower},upperdir={work}/upper,workdir={work}/work"
    mount = f"mount -t overlay tare -o {options} {work}/merged && "
    return run("unshare", "-m", "sh", "-ec", mount + script, "sh", work / "merged")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "images")


def test_busybox_runs_in_its_own_tree(store):
    image = bootstrap(store, "busybox")
    tree = store.checkout(image)
    assert run("chroot", tree, "/bin/sh", "-c", "echo hello | tr h j; id -un") == "jello\nroot\n"
    assert stat.S_IMODE((tree / "tmp").stat().st_mode) == 0o1777
    assert bootstrap(store, "busybox", force=True).digest == image.digest
    assert verify(store) == []


def test_whiteouts_hide_under_a_real_overlay_and_survive_a_commit(store, tmp_path):
    base = bootstrap(store, "busybox")
    base = derive(store, base, {"srv/a": b"a", "srv/b": b"b", "opt/c": b"c", "opt/d/e": b"e"}, "base")
    change = "cd $1; rm srv/a; rm -r opt; mkdir opt; echo new > opt/new; rm -r etc; mv srv/b srv/moved"
    first = tmp_path / "first"
    first.mkdir()
    inside_overlay(store.layer_paths(base), first, change)
    image = commit(store, base, first / "upper", "changed")

    second = tmp_path / "second"
    second.mkdir()
    seen = inside_overlay(store.layer_paths(image), second, "cd $1; find srv opt etc 2>/dev/null || :")
    assert sorted(seen.split()) == ["opt", "opt/new", "srv", "srv/moved"]
    tree = store.checkout(image)
    assert sorted(
        str(path.relative_to(tree)) for name in ("srv", "opt", "etc") for path in (tree / name).rglob("*")
    ) == [
        "opt/new",
        "srv/moved",
    ]
    assert (tree / "srv/moved").read_text() == "b"
    assert verify(store) == []


def test_the_checkout_is_what_the_overlay_shows(store, tmp_path):
    base = bootstrap(store, "busybox")
    image = derive(store, base, {"etc/passwd": b"changed", "usr/lib/tare/agent": b"x"}, "d")
    listing = "cd $1; find . -printf '%P %y %m %U %G %s %l %T@\\n' | grep -v ' d ' | sort"
    work = tmp_path / "work"
    work.mkdir()
    merged = inside_overlay(store.layer_paths(image), work, listing)
    assert merged == run("sh", "-c", listing, "sh", store.checkout(image))


def test_devices_owners_and_attributes_survive(store, tmp_path):
    tree = tmp_path / "tree"
    tree.mkdir()
    os.mknod(tree / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    os.mknod(tree / "disk", stat.S_IFBLK | 0o660, os.makedev(7, 200))
    os.mkfifo(tree / "fifo")
    (tree / "tool").write_text("x")
    os.chown(tree / "tool", 1234, 70000)
    (tree / "tool").chmod(0o6755)
    capability = bytes.fromhex("0100000200200000000000000000000000000000")  # cap_net_raw+ep, with null bytes
    os.setxattr(tree / "tool", "security.capability", capability)
    os.setxattr(tree / "tool", "user.note", b"\xff\x00binary")
    (tree / "link").symlink_to("tool")
    os.chown(tree / "link", 5, 6, follow_symlinks=False)

    image = from_tree(store, tree, "kept")
    for copy in (*store.layer_paths(image), store.checkout(image)):
        assert tree_digest(copy) == tree_digest(tree)
        assert os.getxattr(copy / "tool", "security.capability") == capability
        assert os.getxattr(copy / "tool", "user.note") == b"\xff\x00binary"
        assert (copy / "null").stat().st_rdev == os.makedev(1, 3)
        assert ((copy / "tool").stat().st_uid, (copy / "tool").stat().st_gid) == (1234, 70000)
        assert oct((copy / "tool").stat().st_mode) == oct(0o106755)
        assert (copy / "link").lstat().st_gid == 6
    assert verify(store) == []


def test_a_redirected_directory_is_refused_and_not_lost(store, tmp_path):
    base = bootstrap(store, "busybox")
    upper = tmp_path / "upper"
    (upper / "moved").mkdir(parents=True)
    os.setxattr(upper / "moved", "trusted.overlay.redirect", b"/etc")
    with pytest.raises(RuntimeFault, match="only a pointer") as caught:
        commit(store, base, upper, "bad")
    assert "redirect_dir=off" in caught.value.hint


def test_prune_keeps_layers_under_a_mounted_overlay(store, tmp_path):
    base = bootstrap(store, "busybox")
    image = derive(store, base, {"x": b"x"}, "used")
    layers = store.layer_paths(image)
    store.remove("used")
    merged = tmp_path / "merged"
    merged.mkdir()
    lower = ":".join(map(str, reversed(layers)))
    mount = f"mount -t overlay tare -o lowerdir={lower} {merged} && echo ready && read x"
    holder = ["unshare", "-m", "sh", "-c", mount]
    with subprocess.Popen(holder, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        assert prune(store).kept == (layers[1],)
        process.communicate(b"\n")
    assert prune(store).kept == ()
    assert [path.exists() for path in layers] == [True, False]


def test_a_full_disk_is_said_and_leaves_a_sound_store(tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    run("mount", "-t", "tmpfs", "-o", "size=600k", "tare-test", small)
    try:
        store = Store(small / "images")
        with pytest.raises(RuntimeFault, match="is full") as caught:
            bootstrap(store, "busybox")
        assert caught.value.kind == "host"
        assert "free some space" in caught.value.hint
        assert store.images() == []
        assert verify(store) == []
        assert [path for path in store.scratch.iterdir() if not path.name.startswith(".")] == []
        run("mount", "-o", "remount,size=2500k", small)
        image = bootstrap(store, "busybox")
        with pytest.raises(RuntimeFault, match="is full"):
            store.layer_paths(image)
        assert list(store.layers.iterdir()) == []
        assert verify(store) == []
    finally:
        run("umount", small)


def test_no_permission_is_said(tmp_path):
    tmp_path.chmod(0o755)
    place = tmp_path / "place"
    place.mkdir(mode=0o555)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.setuid(65534)
            bootstrap(Store(place / "images"), "busybox")
        except RuntimeFault as fault:
            status = 0 if fault.kind == "host" and "no permission" in str(fault) else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_removal_does_not_cross_a_mount(store, tmp_path):
    bootstrap(store, "busybox")
    stranger = tmp_path / "stranger"
    stranger.mkdir()
    left = store.scratch / "left" / "dev"
    left.mkdir(parents=True)
    run("mount", "-t", "tmpfs", "tare-test", left)
    try:
        (left / "precious").write_text("x")
        with pytest.raises(RuntimeFault):
            store.tag("busybox", "again")
        assert (left / "precious").read_text() == "x"
    finally:
        run("umount", left)
    store.tag("busybox", "again")
    assert not left.exists()


def test_debian_without_mmdebstrap_names_the_package(store, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RuntimeFault, match="no mmdebstrap") as caught:
        bootstrap(store, "debian:bookworm")
    assert (caught.value.kind, caught.value.hint) == ("host", "install it: apt-get install mmdebstrap")
