"""The file with the code of a verb's modules: what it holds is what an import gives, or it does not count."""

from __future__ import annotations

import json
import marshal
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
from runtime.oci import codecache, coderecord
known = codecache.load({file!r})
recorder = None if known else coderecord.Recorder()
import shop.till, ctypes
origin = sys.modules["_ctypes"].__spec__.origin
searched = "/" not in origin or origin.rpartition("/")[0] in sys.path_importer_cache
for name in sys.argv[1:]:
    __import__(name)
if recorder:
    recorder.save({file!r}, codecache.origin(), "ctypes")
else:
    coderecord.extend({file!r}, codecache.origin(), known)
till = sys.modules["shop.till"]
found = sys.modules["shop"].till is till and till.__package__ == "shop" and ctypes.sizeof(ctypes.c_int) == 4
missed = known.missed[:] if known else []
files = [getattr(sys.modules[name], "__file__", "") for name in sys.argv[1:]]
import json
print(json.dumps([known is not None, till.total(), till.__file__, found, searched, missed, files]))
"""


@pytest.fixture
def place(tmp_path):
    shop = tmp_path / "shop"
    shop.mkdir()
    (shop / "__init__.py").write_text('"""A package."""\n')
    (shop / "prices.py").write_text("apple = 2\n")
    (shop / "tax.py").write_text("from shop import rate\n")
    (shop / "rate.py").write_text("percent = 20\n")
    (shop / "till.py").write_text("from shop import prices\n\n\ndef total():\n    return prices.apple * 3\n")
    return tmp_path


def run(place: Path, *late: str) -> list[object]:
    """One process that imports with the file, as tare-oci does, and then the modules `late`.

    [known, total, file, is it whole, was _ctypes searched for, what the file lacked, files of the late ones]
    """
    program = FIRST.format(place=str(place), sources=str(SOURCES), file=str(place / "codes"))
    said = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program, *late], capture_output=True, check=True, timeout=30
    )
    found: list[object] = json.loads(said.stdout)
    return found


def test_the_second_time_all_comes_from_the_file(place):
    source = str(place / "shop/till.py")
    assert run(place) == [False, 6, source, True, True, [], []]
    shutil.rmtree(place / "shop/__pycache__")
    assert run(place) == [True, 6, source, True, BUILT_IN, [], []]
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


@pytest.mark.parametrize("parts", [(7, []), ([()], []), ([], [()]), ([("shop",)], []), None])
def test_a_file_of_another_shape_or_tree_is_made_again(place, parts):
    run(place)
    codes = place / "codes"
    origin, entries, late = marshal.loads(codes.read_bytes())
    codes.write_bytes(marshal.dumps((origin, *parts) if parts else ((0, *origin[1:]), entries, late)))
    assert run(place)[:2] == [False, 6]
    assert run(place)[:2] == [True, 6]


def test_no_umask_lets_others_write_what_root_will_run(place):
    before = os.umask(0)
    try:
        run(place)
    finally:
        os.umask(before)
    assert (place / "codes").stat().st_mode & 0o777 == 0o644


def test_half_a_file_is_made_again(place):
    run(place)
    codes = place / "codes"
    codes.write_bytes(codes.read_bytes()[: codes.stat().st_size // 2])
    assert run(place)[:2] == [False, 6]


def test_where_it_cannot_be_written_all_is_imported(place):
    (place / "codes").mkdir()
    assert run(place)[:2] == [False, 6]
    assert sorted(path.name for path in place.iterdir()) == ["codes", "shop"]  # and no draft is left


def test_what_comes_late_is_found_in_the_file_too(place):
    tax = [str(place / "shop/tax.py")]
    assert run(place, "shop.tax")[5:] == [[], tax]
    shutil.rmtree(place / "shop/__pycache__")
    assert run(place, "shop.tax")[5:] == [[], tax]
    assert run(place)[5:] == [[], []]
    assert not (place / "shop/__pycache__").exists()


def test_what_only_a_later_run_needs_is_added(place):
    run(place)
    tax = [str(place / "shop/tax.py")]
    assert run(place, "shop.tax")[5:] == [["shop.tax", "shop.rate"], tax]
    assert run(place, "shop.tax")[5:] == [[], tax]
    before = (place / "codes").stat()
    assert run(place)[0]
    assert (place / "codes").stat() == before  # written for what is new alone


def test_what_is_in_no_file_is_not_written_again_and_again(place):
    run(place)
    before = (place / "codes").stat()
    assert run(place, "__hello__")[5] == ["__hello__"]  # part of the interpreter
    assert (place / "codes").stat() == before


def test_a_changed_source_of_what_comes_late_counts(place):
    run(place, "shop.tax")
    (place / "shop/rate.py").write_text("raise SystemExit('the new one')\n")
    with pytest.raises(subprocess.CalledProcessError) as caught:
        run(place, "shop.tax")
    assert caught.value.stderr == b"the new one\n"
    (place / "shop/rate.py").write_text("percent = 7   # once more\n")
    assert run(place, "shop.tax")[5] == ["shop.rate"]
    assert run(place, "shop.tax")[5] == []
