import io
import os
import subprocess

from vmdriver.cpio import CpioWriter


def tree(root):
    (root / "d").mkdir(mode=0o750)
    (root / "d/file").write_bytes(b"hello")
    (root / "d/file").chmod(0o4751)
    (root / "empty").write_bytes(b"")
    os.link(root / "d/file", root / "zz-hard")
    (root / "link").symlink_to("d/file")
    (root / "to-directory").symlink_to("d")
    os.mkfifo(root / "pipe")
    return root


def archive(root):
    out = io.BytesIO()
    writer = CpioWriter(out)
    writer.tree(root)
    writer.close()
    return out.getvalue()


def busybox(arguments, data, cwd=None):
    return subprocess.run(
        ["busybox", "cpio", *arguments], input=data, cwd=cwd, capture_output=True, check=True
    ).stdout.decode()


def test_another_implementation_unpacks_the_same_tree(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    root = tree(tmp_path / "in")
    busybox(["-i", "-d"], archive(root), cwd=tmp_path / "out")
    out = tmp_path / "out"
    assert (out / "d/file").read_bytes() == b"hello"
    assert (out / "d/file").stat().st_mode == (root / "d/file").stat().st_mode
    assert (out / "d").stat().st_mode == (root / "d").stat().st_mode
    assert (out / "zz-hard").samefile(out / "d/file")
    assert str((out / "to-directory").readlink()) == "d"
    assert (out / "pipe").is_fifo()
    assert (out / "empty").stat().st_size == 0


def test_hard_links_carry_their_content_once_under_one_inode(tmp_path):
    data = archive(tree(tmp_path))
    assert data.count(b"hello") == 1
    entries = {name: (inode, links) for name, inode, links in headers(data)}
    assert entries["d/file"] == entries["zz-hard"]
    assert entries["d/file"][1] == 2


def headers(data):
    """Walk the archive as the kernel does: fixed header, name and content, each padded to 4 bytes."""
    place = 0
    while place < len(data):
        assert data[place : place + 6] == b"070701"
        fields = [int(data[place + 6 + 8 * n : place + 14 + 8 * n], 16) for n in range(13)]
        name = data[place + 110 : place + 110 + fields[11] - 1].decode()
        yield name, fields[0], fields[4]
        place += -(-(110 + fields[11]) // 4) * 4
        place += -(-fields[6] // 4) * 4


def test_archives_are_aligned_and_end_in_a_trailer_so_that_they_can_follow_one_another(tmp_path):
    one = archive(tree(tmp_path))
    assert len(one) % 4 == 0
    assert [name for name, _, _ in headers(one + one)].count("TRAILER!!!") == 2


def test_the_same_tree_gives_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    first, second = tree(tmp_path / "one"), tree(tmp_path / "two")
    os.utime(second / "empty", (1, 1))
    assert archive(first) == archive(second)


def test_devices_and_files_can_be_made_from_nothing():
    out = io.BytesIO()
    writer = CpioWriter(out)
    writer.directory("dev")
    writer.device("dev/console", 5, 1)
    writer.file("init", b"#!x\n", 0o755)
    writer.close()
    listing = busybox(["-t", "-v"], out.getvalue()).splitlines()
    assert listing[1].startswith("crw-------")
    assert listing[2].startswith("-rwxr-xr-x")
    assert " 4 " in listing[2]
