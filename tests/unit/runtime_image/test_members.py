"""Headers that are decoded at once say what tarfile says, and a stream is read in order and whole."""

import io
import tarfile

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runtime.image.layer.members import Forward, Member, opened

KINDS = [
    tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE,
    tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.CONTTYPE,
]  # fmt: skip
SAID = (
    "name", "mode", "uid", "gid", "size", "mtime", "chksum", "type", "linkname", "uname", "gname", "devmajor",
    "devminor",
)  # fmt: skip
NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=140)


def said(kind, header):
    """What a class makes of a header: the fields, or the kind of error."""
    try:
        found = kind.frombuf(header, "utf-8", "surrogateescape")
    except tarfile.HeaderError as err:
        return type(err), str(err)
    return [getattr(found, name) for name in SAID]


@st.composite
def headers(draw):
    member = tarfile.TarInfo(draw(NAMES))
    member.type = draw(st.sampled_from(KINDS))
    member.linkname, member.uname, member.gname = draw(NAMES), draw(NAMES)[:8], draw(NAMES)[:8]
    member.mode = draw(st.integers(0, 0o7777))
    member.uid, member.gid = draw(st.integers(0, 1 << 40)), draw(st.integers(0, 1 << 21))
    member.size, member.mtime = draw(st.integers(0, 1 << 40)), draw(st.integers(0, 1 << 33))
    member.devmajor, member.devminor = draw(st.integers(0, 255)), draw(st.integers(0, 255))
    form = draw(st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]))
    return member.tobuf(form, "utf-8", "surrogateescape")[-512:]


@given(headers())
def test_a_header_says_what_tarfile_says(header):
    assert said(Member, header) == said(tarfile.TarInfo, header)


@given(headers(), st.integers(0, 511), st.binary(min_size=1, max_size=12))
@example(tarfile.TarInfo("a").tobuf(), 0, b"\xff")
@example(tarfile.TarInfo("a").tobuf(), 124, b"-0000000001\0")
def test_so_does_a_damaged_one_with_the_right_sum_or_the_wrong(header, place, damage):
    altered = bytearray(header)
    altered[place : place + len(damage)] = damage
    altered = altered[:512]
    assert said(Member, bytes(altered)) == said(tarfile.TarInfo, bytes(altered))
    altered[148:156] = b"%06o\0 " % (sum(altered[:148]) + 256 + sum(altered[156:]))
    assert said(Member, bytes(altered)) == said(tarfile.TarInfo, bytes(altered))


@pytest.mark.parametrize("size", [0, 1, 511, 513])
def test_a_header_of_another_size_is_an_error(size):
    assert said(Member, b"x" * size) == said(tarfile.TarInfo, b"x" * size)


class Dribble:
    """Gives what it has in pieces of odd sizes."""

    def __init__(self, content, pieces):
        self.content, self.pieces = io.BytesIO(content), iter(pieces)

    def read(self, size=-1):
        return self.content.read(min(size, next(self.pieces, 7)))


@given(
    st.binary(max_size=400),
    st.lists(st.integers(1, 90)),
    st.lists(st.tuples(st.booleans(), st.integers(0, 70))),
)
def test_a_stream_reads_and_seeks_as_a_file_does(content, pieces, steps):
    stream, file = Forward(Dribble(content, pieces)), io.BytesIO(content)
    for seek, count in steps:
        if seek and file.tell() + count <= len(content):
            stream.seek(stream.tell() + count)
            file.seek(count, io.SEEK_CUR)
        else:
            assert stream.read(count) == file.read(count)
        assert stream.tell() == file.tell()
    assert b"".join(stream.pieces(-1)) == file.read()
    assert stream.read(5) == b""


def test_a_stream_does_not_go_back():
    stream = Forward(io.BytesIO(bytes(10)))
    stream.read(5)
    with pytest.raises(tarfile.StreamError):
        stream.seek(4)


def test_long_names_come_through_in_either_form():
    for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        buffer, name = io.BytesIO(), "d/" * 150 + "ü"
        with tarfile.open(fileobj=buffer, mode="w", format=form) as archive:
            archive.addfile(tarfile.TarInfo(name))
        found = opened(Forward(io.BytesIO(buffer.getvalue())))
        assert [member.name for member in found] == [name]
