"""The file with the code of a verb's modules: what it holds is what an import gives, or it does not count."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

BUILT_IN = "_ctypes" in sys.builtin_module_names
SOURCES = Path(__file__).resolve().parents[3]
FIRST = """
import sys
sys.path[:0] = [{place!r}, {sources!r}]
from runtime.oci import codecache
known = codecache.load({file!r})
recorder = None if known else codecache.Recorder()
import shop.till, ctypes
origin = sys.modules["_ctypes"].__spec__.origin
searched = "/" not in origin or origin.rpartition("/")[0] in sys.path_importer_cache
if recorder:
    recorder.save({file!r})
till = sys.modules["shop.till"]
found = sys.modules["shop"].till is till and till.__package__ == "shop" and ctypes.sizeof(ctypes.c_int) == 4
import json
print(json.dumps([known, till.total(), till.__file__, found, searched]))
"""


@pytest.fixture
def place(tmp_path):
    shop = tmp_path / "shop"
    shop.mkdir()
    (shop / "__init__.py").write_text('"""A package."""\n')
    (shop / "prices.py").write_text("apple = 2\n")
    (shop / "till.py").write_text("from shop import prices\n\n\ndef total():\n    return prices.apple * 3\n")
    return tmp_path


def run(place: Path) -> list[object]:
    """One process that imports with the file, as tare-oci does.

    [known, total, file, is it whole, was _ctypes searched for]
    """
    program = FIRST.format(place=str(place), sources=str(SOURCES), file=str(place / "codes"))
    said = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program], capture_output=True, check=True, timeout=30
    )
    found: list[object] = json.loads(said.stdout)
    return found


def test_the_second_time_all_comes_from_the_file(place):
    source = str(place / "shop/till.py")
    assert run(place) == [False, 6, source, True, True]
    shutil.rmtree(place / "shop/__pycache__")
    assert run(place) == [True, 6, source, True, BUILT_IN]
    assert not (place / "shop/__pycache__").exists()  # nothing was imported on the usual way


def test_a_changed_source_counts(place):
    run(place)
    (place / "shop/prices.py").write_text("apple = 5   # another size\n")
    assert run(place)[:2] == [False, 15]
    assert run(place)[:2] == [True, 15]


def test_a_source_of_the_same_size_and_another_time_counts(place):
    run(place)
    prices = place / "shop/prices.py"
    prices.write_text("apple = 7\n")
    os.utime(prices, ns=(1, 1))
    assert run(place)[:2] == [False, 21]


def test_a_source_that_is_gone_makes_it_stale(place):
    run(place)
    (place / "shop/prices.py").rename(place / "shop/fees.py")
    (place / "shop/till.py").write_text("def total():\n    return 0\n")
    assert run(place)[:2] == [False, 0]


@pytest.mark.parametrize("content", [b"", b"{", b"[\x00", os.urandom(4000)])
def test_a_damaged_file_is_made_again(place, content):
    run(place)
    (place / "codes").write_bytes(content)
    assert run(place)[:2] == [False, 6]
    assert run(place)[:2] == [True, 6]


def test_half_a_file_is_made_again(place):
    run(place)
    codes = place / "codes"
    codes.write_bytes(codes.read_bytes()[: codes.stat().st_size // 2])
    assert run(place)[:2] == [False, 6]


def test_where_it_cannot_be_written_all_is_imported(place):
    (place / "codes").mkdir()
    assert run(place)[:2] == [False, 6]
    assert sorted(path.name for path in place.iterdir()) == ["codes", "shop"]  # and no draft is left
