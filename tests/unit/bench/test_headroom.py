"""Memory that is used and freed beforehand."""

import mmap
import subprocess
import sys
from types import SimpleNamespace

import psutil
import pytest

from bench import headroom

MIB = 2**20


@pytest.fixture
def peak(monkeypatch):
    """What the process has resident, while `provide` has filled its memory."""
    seen, close = [], mmap.mmap.close

    class Watched(mmap.mmap):
        def __exit__(self, *error):
            seen.append(psutil.Process().memory_info().rss)
            close(self)

    monkeypatch.setattr(headroom.mmap, "mmap", Watched)
    return seen


@pytest.mark.parametrize("populate", [headroom._POPULATE_WRITE, 9999])
def test_it_is_all_in_use_and_freed_again(peak, monkeypatch, populate):
    monkeypatch.setattr(headroom, "_POPULATE_WRITE", populate)  # 9999: as a kernel that doesn't know it
    before = psutil.Process().memory_info().rss
    assert headroom.provide(64 * MIB) == 64 * MIB
    assert peak[0] - before > 60 * MIB
    assert psutil.Process().memory_info().rss - before < 20 * MIB


def test_at_most_half_of_what_is_free(monkeypatch):
    monkeypatch.setattr(headroom.psutil, "virtual_memory", lambda: SimpleNamespace(free=12 * MIB))
    assert headroom.provide(2**40) == 6 * MIB


@pytest.mark.parametrize("size", [0, 4096, 2 * MIB - 1])
def test_what_is_less_than_a_huge_page_is_left(size):
    assert headroom.provide(size) == 0


@pytest.mark.parametrize(("more", "given"), [(128 * MIB, 64 * MIB), (32 * MIB, 0)])
def test_where_the_host_gives_none_there_is_none(more, given):
    program = (
        "import psutil, resource\nfrom bench import headroom\n"
        f"limit = psutil.Process().memory_info().vms + {more}\n"
        "resource.setrlimit(resource.RLIMIT_AS, (limit, limit))\n"
        "print(headroom.provide(64 * 2**20))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert int(done.stdout) == given
