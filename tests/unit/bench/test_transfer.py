"""How a pull and a push show their blobs, on a terminal and elsewhere."""

import io

from bench.cli.transfer import Transfer
from runtime.image.digest import Digest

BLOB, OTHER = Digest.of(b"blob"), Digest.of(b"other")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def moved(stream: io.StringIO, **options: bool) -> str:
    """Move one blob, after an attempt that failed at its half, and find another one there."""
    with Transfer(stream=stream, **options) as watch:
        watch.begin(BLOB, 1000)
        watch.advance(BLOB, 500)
        watch.note("the mirror [red]m[/red] is no help")
        watch.begin(BLOB, 1000)
        watch.advance(BLOB, 1000)
        watch.end(BLOB, "done")
        watch.begin(OTHER, 10)
        watch.end(OTHER, "exists")
    return stream.getvalue()


def test_elsewhere_each_blob_has_a_line():
    assert moved(io.StringIO()).splitlines() == [
        "the mirror [red]m[/red] is no help",
        f"  {BLOB.short} done",
        f"  {OTHER.short} exists",
    ]


def test_quiet_says_only_what_a_person_must_know():
    assert moved(io.StringIO(), quiet=True) == "the mirror [red]m[/red] is no help\n"


def test_on_a_terminal_each_blob_has_one_bar(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    shown = moved(Terminal())
    last = shown[shown.rindex(BLOB.short) :]
    assert "1,000/1,000 bytes" in last
    assert "done" in last
    assert last.count(BLOB.short) == last.count(OTHER.short) == 1
    assert "the mirror [red]m[/red] is no help" in shown


def test_a_dumb_terminal_gets_lines(monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    assert f"  {BLOB.short} done\n" in moved(Terminal())
