"""Headers decoded at once say what tarfile says, a stream is read in order and whole, and numbers fit."""

import io
import tarfile

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runtime.errors import RuntimeFault
from runtime.image.layer import members
from runtime.image.layer.forward import Forward
from runtime.image.layer.header import Header
from runtime.image.layer.unpack import unpack

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
    assert said(Header, header) == said(tarfile.TarInfo, header)


@given(headers(), st.integers(0, 511), st.binary(min_size=1, max_size=12))
@example(tarfile.TarInfo("a").tobuf(), 0, b"\xff")
@example(tarfile.TarInfo("a").tobuf(), 124, b"-0000000001\0")
def test_so_does_a_damaged_one_with_the_right_sum_or_the_wrong(header, place, damage):
    altered = bytearray(header)
    altered[place : place + len(damage)] = damage
    altered = altered[:512]
    assert said(Header, bytes(altered)) == said(tarfile.TarInfo, bytes(altered))
    altered[148:156] = b"%06o\0 " % (sum(altered[:148]) + 256 + sum(altered[156:]))
    assert said(Header, bytes(altered)) == said(tarfile.TarInfo, bytes(altered))


@pytest.mark.parametrize("size", [0, 1, 511, 513])
def test_a_header_of_another_size_is_an_error(size):
    assert said(Header, b"x" * size) == said(tarfile.TarInfo, b"x" * size)


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


def names(tar):
    found = []
    members.read(io.BytesIO(tar), lambda member: found.append(member.info.name), what="it")
    return found


def test_long_names_come_through_in_either_form():
    for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        buffer, name = io.BytesIO(), "d/" * 150 + "ü"
        with tarfile.open(fileobj=buffer, mode="w", format=form) as archive:
            archive.addfile(tarfile.TarInfo(name))
        assert names(buffer.getvalue()) == [name]


@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.FIFOTYPE])
@pytest.mark.parametrize(("field", "value"), [
    ("mtime", "inf"), ("mtime", "nan"), ("mtime", "1e30"), ("uid", str(1 << 70)), ("gid", str(-(1 << 70))),
    ("linkpath", "a\0b"), ("size", "-5"),
])  # fmt: skip
def test_a_number_or_a_name_that_no_file_can_have_is_corrupt(kind, field, value, tmp_path):
    member = tarfile.TarInfo("a")
    member.type, member.linkname, member.pax_headers = kind, "b", {field: value}
    tar = io.BytesIO(member.tobuf(tarfile.PAX_FORMAT) + bytes(1024))
    if field == "linkpath" and kind != tarfile.SYMTYPE:
        unpack(tar, tmp_path, owners=True)
        return
    with pytest.raises(RuntimeFault) as caught:
        unpack(tar, tmp_path, owners=True)
    assert caught.value.kind == "corrupt"


def test_a_header_that_claims_too_much_is_refused_before_it_is_read():
    """Of whichever type the header is that is decoded at once or not."""

    class Endless:
        given = 0

        def __init__(self, head):
            self.head = head

        def read(self, size=-1):
            data = (self.head + bytes(size))[:size]
            self.head, self.given = self.head[size:], self.given + size
            return data

    for kind in (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK):
        member = tarfile.TarInfo("a")
        member.type, member.size = kind, 1 << 40
        stream = Endless(member.tobuf(tarfile.GNU_FORMAT))
        with pytest.raises(RuntimeFault, match="a header of more than 1 MiB"):
            members.read(stream, print, what="it")
        assert stream.given <= 1 << 20


@pytest.mark.parametrize(("keys", "size", "fits"), [(64, 10, True), (65, 10, False), (1, 70_000, False)])
def test_global_headers_are_few_since_every_member_is_given_them(keys, size, fits):
    shared = {f"k{number}": "v" * size for number in range(keys)}
    file = tarfile.TarInfo("a")
    tar = tarfile.TarInfo.create_pax_global_header(shared) + file.tobuf() * 2 + bytes(1024)
    found = []
    if fits:
        members.read(io.BytesIO(tar), lambda one: found.append(one.info.name), what="it")
        assert found == ["a", "a"]
    else:
        with pytest.raises(RuntimeFault, match="global headers of more than 64 KiB or 64 keys"):
            members.read(io.BytesIO(tar), found.append, what="it")
        assert found == []


def test_a_device_that_an_ordinary_user_can_not_make_leaves_nothing_under_its_name(tmp_path, monkeypatch):
    monkeypatch.setattr("runtime.linux.userns.privileged", lambda: False)
    file, device = tarfile.TarInfo("a"), tarfile.TarInfo("a")
    device.type = tarfile.CHRTYPE
    unpack(io.BytesIO(file.tobuf() + device.tobuf() + bytes(1024)), tmp_path, owners=False)
    assert list(tmp_path.iterdir()) == []
