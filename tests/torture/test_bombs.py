"""T2: small archives that want to become large take at most 256 MiB of memory, and end.

Each goes through `tare image load`, and what got in is unpacked, flattened, verified and pruned: in a process
of its own, whose peak is measured. It succeeds, or says in a line what is wrong.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest

from runtime.image import Store, bootstrap
from tests.torture import bombs

pytestmark = [pytest.mark.privileged, pytest.mark.torture, pytest.mark.timeout(600)]
ROOT = Path(__file__).resolve().parents[2]
LIMIT = 256 << 10  # KiB
PATIENCE = 120  # seconds: what is not bounded takes for ever
# The peak of this very memory (proc(5), VmHWM): ru_maxrss would begin with that of the process that forked.
HEAD = """
import atexit, sys
from pathlib import Path
def tell():
    with open("/proc/self/status") as file:
        print("peak", next(line.split()[1] for line in file if line.startswith("VmHWM")))
atexit.register(tell)
"""
COMMAND = HEAD + "from bench.cli.main import main; main()"
WHOLE = (
    HEAD
    + """
from runtime.image import Store
from runtime.image.archive.load import load
from runtime.image.prune import prune
from runtime.image.verify import verify
from runtime.errors import RuntimeFault
store = Store(Path(sys.argv[1]))
try:
    with open(sys.argv[2], "rb") as stream:
        load(store, stream, what="the archive")
    image = store.resolve("bomb:1")
    tree = store.checkout(image) if sys.argv[3] == "all" else store.layer_paths(image)[0]
    print("names", sum(1 for _ in tree.iterdir()))
except RuntimeFault as fault:
    print("refused", fault.kind, fault)
if sys.argv[3] == "all":
    problems = [problem.what for problem in verify(store)]
    assert not problems, problems
    prune(store)
"""
)
MIB = 1 << 20
FULL = os.environ.get("TARE_TORTURE") == "full"
BIG = 1 << 30 if FULL else 128 * MIB


def child(code, *words, home=None):
    """Run it; returns what it said, its peak in KiB, and how long it took in seconds."""
    environment = {**os.environ, "HOME": str(home or "/nonexistent")}
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, words)], cwd=ROOT, env=environment, capture_output=True,
        text=True, check=False, timeout=PATIENCE, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    peak = next(int(line.split()[1]) for line in done.stdout.splitlines() if line.startswith("peak "))
    return done, peak, time.monotonic() - began


LAYERS = {
    "gzip": (lambda: bombs.zeros(BIG), "names 1"),
    "zstd": (lambda: bombs.zeros(BIG), "names 1"),
    "entries": (lambda: bombs.entries(200_000 if FULL else 20_000), "names 100"),
    "names that change": (lambda: bombs.replaced(50_000 if FULL else 5000), "names 2"),
    "opaque whiteouts": (lambda: bombs.opaque(10_000), "names 10000"),
    "sparse, 1 TiB": (lambda: bombs.sparse, "names 2"),
    "PAX header": (lambda: bombs.pax_header(100 * MIB), "a header of more than 1 MiB"),
    "global PAX header": (
        lambda: bombs.pax_header(100 * MIB, tarfile.XGLTYPE), "a header of more than 1 MiB"
    ),
    "many global headers": (lambda: bombs.global_headers(400), "global headers of more than 64 KiB"),
    "many global keys": (lambda: bombs.global_keys(60_000, 20_000), "global headers of more than 64 KiB"),
    "long name": (lambda: bombs.long_name(100 * MIB), "a header of more than 1 MiB"),
    "list of holes": (lambda: bombs.endless_map(60_000), "a header of more than 1 MiB"),
    "whiteout of 4 EiB": (lambda: bombs.whiteout_claiming(1 << 62), "unexpected end of data"),
}  # fmt: skip


MANY = {"entries", "names that change", "opaque whiteouts"}


@pytest.fixture
def memory(tmp_path):
    place = tmp_path / "memory"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2g", "tare-test", place], check=True)
    yield place
    subprocess.run(["umount", place], check=True)


@pytest.mark.parametrize("case", LAYERS)
def test_a_layer(case, tmp_path, memory, figure):
    make, said = LAYERS[case]
    packer = bombs.Zstd if case == "zstd" else bombs.GzipWriter
    archive = bombs.bomb(tmp_path / "archive", make(), packer)
    # Removing a directory takes some disks 2 ms, and `verify` makes and removes all of them twice more.
    way = "some" if case in MANY else "all"
    done, peak, seconds = child(WHOLE, memory / "images", archive, way)
    figure("T2", what=case, archive_kib=archive.stat().st_size >> 10, peak_mib=peak >> 10,
           seconds=round(seconds, 1))  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert said in done.stdout
    assert peak < LIMIT
    kept = [path for path in (memory / "images/tmp").iterdir() if not path.name.startswith(".")]
    assert kept == []


@pytest.mark.parametrize(("case", "make", "said"), [
    ("manifest of 5 MB", lambda: bombs.manifest(5_000_000), "more than 4 MiB"),
    ("index 100 deep", lambda: bombs.nested_index(100), "more than 3 deep"),
])  # fmt: skip
def test_a_document(case, make, said, tmp_path, figure):
    archive = bombs.archive_of(tmp_path / "archive", make())
    done, peak, seconds = child(COMMAND, "--root", tmp_path / "root", "image", "load", "-i", archive)
    figure("T2", what=case, peak_mib=peak >> 10, seconds=round(seconds, 1))
    assert done.returncode == 1
    assert said in done.stderr
    assert "  hint: make the archive again" in done.stderr
    assert peak < LIMIT


@pytest.mark.parametrize("packer", ["gzip", "bzip2", "xz", "zstd"])
def test_a_compressed_archive(packer, tmp_path, figure):
    """A file in the archive that is no image's is put aside, and away."""
    plain = tmp_path / "plain"
    with plain.open("wb") as file:
        bombs.zeros(BIG)(file)
    with (tmp_path / "archive").open("wb") as sink, plain.open("rb") as source:
        subprocess.run([packer, "-9", "-c"], stdin=source, stdout=sink, check=True)
    plain.unlink()
    done, peak, seconds = child(WHOLE, tmp_path / "images", tmp_path / "archive", "all")
    figure("T2", what=f"archive, {packer}", peak_mib=peak >> 10, seconds=round(seconds, 1))
    assert "no archive of images" in done.stdout
    assert peak < LIMIT


def test_xz_that_wants_4_gib_is_refused(tmp_path, figure):
    import lzma  # noqa: PLC0415

    filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1 << 29}]
    (tmp_path / "archive").write_bytes(lzma.compress(b"x" * 4096, lzma.FORMAT_XZ, filters=filters))
    done, peak, _ = child(COMMAND, "--root", tmp_path / "root", "image", "load", "-i", tmp_path / "archive")
    figure("T2", what="xz, dictionary of 512 MiB", peak_mib=peak >> 10)
    assert done.returncode == 1
    assert "is damaged: Memory usage limit" in done.stderr
    assert peak < LIMIT


@pytest.fixture(scope="module")
def grouped(tmp_path_factory):
    """A root of data with an image whose /etc/group has 64 MB."""
    place = tmp_path_factory.mktemp("group")
    archive = bombs.bomb(place / "archive", bombs.group_file(64_000_000))
    done, peak, _ = child(COMMAND, "--root", place / "root", "image", "load", "-q", "-i", archive)
    assert done.returncode == 0, done.stderr
    return place, peak


def test_a_huge_group_file_and_a_container(grouped, figure):
    place, loading = grouped
    words = ("--root", place / "root", "container", "run", "--rm", "--network", "none", "-u", "who", "bomb:1")
    done, peak, seconds = child(COMMAND, *words, "sh", "-c", "true")
    figure("T2", what="64 MB /etc/group, run", peak_mib=max(peak, loading) >> 10, seconds=round(seconds, 1))
    assert done.returncode in {125, 126, 127}
    assert "group" in done.stderr
    assert peak < LIMIT


def test_a_huge_group_file_and_a_build(grouped, tmp_path, figure):
    place, _ = grouped
    bootstrap(Store(place / "root/images"), "busybox")
    (tmp_path / "file").write_text("x")
    for line in ("COPY --chown=who:g file /", "USER who:g\nRUN true"):
        (tmp_path / "Dockerfile").write_text(f"FROM bomb:1\n{line}\n")
        done, peak, seconds = child(COMMAND, "--root", place / "root", "image", "build", "-q", tmp_path)
        figure("T2", what=f"64 MB /etc/group, {line.split()[0]}", peak_mib=peak >> 10,
               seconds=round(seconds, 1))  # fmt: skip
        assert done.returncode in {1, 2}, done.stderr
        assert "/etc/group" in done.stderr
        assert "is larger than 4 MiB" in done.stderr
        assert peak < LIMIT
