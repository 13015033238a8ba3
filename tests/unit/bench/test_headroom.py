"""Memory that is used and freed beforehand."""

import mmap
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


def test_at_most_half_of_what_is_available(monkeypatch):
    monkeypatch.setattr(headroom.psutil, "virtual_memory", lambda: SimpleNamespace(available=12 * MIB))
    assert headroom.provide(2**40) == 6 * MIB


@pytest.mark.parametrize("size", [0, 4096, 2 * MIB - 1])
def test_what_is_less_than_a_huge_page_is_left(size):
    assert headroom.provide(size) == 0
