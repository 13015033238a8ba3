import mmap
import os

from bench import residency

MIB = 1024**2
PAGE = mmap.PAGESIZE


def write(path, size=MIB):
    with path.open("wb") as stream:
        stream.write(os.urandom(size))
        os.fsync(stream.fileno())
    return path


def found(*roots):
    return residency.files(roots)


def test_every_inode_is_found_once_by_whatever_names(tmp_path):
    first = write(tmp_path / "a", 10)
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep/b").hardlink_to(first)
    (tmp_path / "link").symlink_to(first)
    (tmp_path / "way").symlink_to(tmp_path / "deep")
    os.mkfifo(tmp_path / "pipe")
    second = write(tmp_path / "deep/c", 10)
    files = found(tmp_path, tmp_path / "deep", first)
    assert {(file.inode, file.size) for file in files} == {(p.stat().st_ino, 10) for p in (first, second)}
    assert len(files) == 2


def test_a_root_may_be_a_file_and_a_linked_root_is_not_followed(tmp_path):
    path = write(tmp_path / "a", 10)
    (tmp_path / "link").symlink_to(path)
    assert [file.path for file in found(path)] == [path]
    assert found(tmp_path / "link") == []


def test_disk_is_counted_by_inode_and_by_blocks(disk):
    folder = disk / "tree"
    folder.mkdir()
    empty = residency.allocated([folder])
    path = write(folder / "a")
    one = residency.allocated([folder])
    assert one - empty == path.stat().st_blocks * 512 >= MIB
    (folder / "again").hardlink_to(path)
    assert residency.allocated([folder, folder, path]) == one
    write(folder / "copy")
    assert residency.allocated([folder]) - one >= MIB


def test_a_hole_takes_no_disk(disk):
    path = disk / "sparse"
    with path.open("wb") as stream:
        stream.truncate(64 * MIB)
    assert residency.allocated([path]) < MIB
    assert found(path)[0].size == 64 * MIB


def test_evicting_then_reading_changes_what_is_resident(disk):
    path = write(disk / "a")
    files = found(path)
    path.read_bytes()
    assert residency.resident(files) == MIB
    assert residency.evict(files) == 0
    assert residency.resident(files) == 0
    path.read_bytes()
    assert residency.resident(files) == MIB


def test_reading_a_part_makes_a_part_resident(disk):
    path = write(disk / "a", 8 * MIB)
    files = found(path)
    assert residency.evict(files) == 0
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_RANDOM)  # no read-ahead
        os.pread(descriptor, 3 * PAGE, 16 * PAGE)
    finally:
        os.close(descriptor)
    assert residency.resident(files) == 3 * PAGE


def test_asking_what_is_resident_makes_nothing_resident(disk):
    files = found(write(disk / "a"))
    residency.evict(files)
    assert [residency.resident(files) for _ in range(3)] == [0, 0, 0]


def test_hard_links_are_resident_once_and_evicted_together(disk):
    path = write(disk / "a")
    (disk / "b").hardlink_to(path)
    path.read_bytes()
    assert residency.resident(found(disk)) == MIB
    assert residency.evict(found(disk / "b")) == 0
    assert residency.resident(found(path)) == 0


def test_pages_are_whole_and_empty_files_have_none(disk):
    write(disk / "small", 1)
    write(disk / "odd", PAGE + 1)
    write(disk / "empty", 0)
    for path in disk.iterdir():
        path.read_bytes()
    assert residency.resident(found(disk)) == 3 * PAGE


def test_dirty_pages_are_written_before_they_are_dropped(disk):
    path = disk / "dirty"
    path.write_bytes(b"x" * MIB)
    assert residency.evict(found(path)) == 0
    assert path.read_bytes() == b"x" * MIB


def test_pages_that_somebody_maps_stay_and_are_told(disk):
    path = write(disk / "a")
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, prot=mmap.PROT_READ) as mapping:
        assert sum(mapping[offset] for offset in range(0, MIB, PAGE)) >= 0
        assert residency.evict(found(path)) > 0
    assert residency.evict(found(path)) == 0
