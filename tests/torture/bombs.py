"""Small archives that want to become large: each written to disk without ever being whole in memory."""

from __future__ import annotations

import io
import json
import struct
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

from runtime.image import Digest
from runtime.image.layer.compression import CHUNK, GzipWriter, HashingWriter
from runtime.image.layer.decompression import zstd
from runtime.image.layer.entry import TarWriter

if TYPE_CHECKING:
    from collections.abc import Callable

ZEROS = bytes(CHUNK)
TIB = 1 << 40


class Zstd:
    """A writer with the window that `zstd --ultra -22` wants, the largest that a reader takes."""

    def __init__(self, sink):
        options = {zstd.CompressionParameter.compression_level: 1, zstd.CompressionParameter.window_log: 27}
        self._sink, self._codec = sink, zstd.ZstdCompressor(options=options)

    def write(self, data):
        self._sink.write(self._codec.compress(data))

    def finish(self):
        self._sink.write(self._codec.flush())


def bomb(path: Path, fill: Callable[[HashingWriter], object], packer=GzipWriter) -> Path:
    """Write a docker archive of an image `bomb:1`, whose one layer is the tar that `fill` writes."""
    layer = path.with_name(f"{path.name}.layer")
    with layer.open("wb") as file:
        packed = packer(file)
        plain = HashingWriter(packed)
        fill(plain)
        packed.finish()
    config = {"architecture": "amd64", "os": "linux", "config": {"Cmd": ["sh"]},
              "rootfs": {"type": "layers", "diff_ids": [plain.digest]}}  # fmt: skip
    listed = [{"Config": "c.json", "RepoTags": ["bomb:1"], "Layers": ["layer.tar"]}]
    documents = {"manifest.json": json.dumps(listed).encode(), "c.json": json.dumps(config).encode()}
    archive_of(path, documents, layer)
    layer.unlink()
    return path


def archive_of(path: Path, documents: dict[str, bytes], layer: Path | None = None) -> Path:
    with path.open("wb") as file:
        writer = TarWriter(file)
        for name, content in documents.items():
            _add(writer, name, content)
        if layer is not None:
            member = tarfile.TarInfo("layer.tar")
            member.size = layer.stat().st_size
            with layer.open("rb") as content:
                writer.add(member, content)
        writer.finish()
    return path


def _add(writer, name, content=b"", **fields):
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(content), 0o644
    for key, value in fields.items():
        setattr(member, key, value)
    writer.add(member, io.BytesIO(content) if content else None)


def zeros(size):
    """One file of nothing but zeros."""

    def fill(sink):
        member = tarfile.TarInfo("zeros")
        member.size = size
        sink.write(member.tobuf(tarfile.PAX_FORMAT))
        for _ in range(size // CHUNK):
            sink.write(ZEROS)
        sink.write(bytes(1024))

    return fill


def entries(count, kind=tarfile.DIRTYPE):
    """Many members, each a directory: these wait for the end with their modes and times."""

    def fill(sink):
        writer = TarWriter(sink)
        for number in range(count):
            _add(writer, f"{number % 100}/{number}", type=kind, mode=0o755)
        writer.finish()

    return fill


def replaced(count):
    """Many directories, and then one name that is by turns a file and a directory: quadratic for some."""

    def fill(sink):
        writer = TarWriter(sink)
        for number in range(count):
            _add(writer, f"d/{number}", type=tarfile.DIRTYPE, mode=0o755)
        for number in range(count):
            _add(writer, "same", type=(tarfile.DIRTYPE, tarfile.REGTYPE)[number % 2], mode=0o755)
        writer.finish()

    return fill


def opaque(count):
    """Whiteouts of everything below, each in a directory of its own."""

    def fill(sink):
        writer = TarWriter(sink)
        for number in range(count):
            _add(writer, f"{number}/.wh..wh..opq")
        writer.finish()

    return fill


def sparse(sink):
    """A file of a TiB with a few bytes at its end, in the ways of GNU tar's 1.0 for PAX and of its own."""
    writer = TarWriter(sink)
    listing = b"1\n%d\n4\n" % (TIB - 4)
    body = listing + bytes(-len(listing) % 512) + b"last"
    _add(writer, "pax", body, pax_headers={
        "GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "pax",
        "GNU.sparse.realsize": str(TIB)})  # fmt: skip
    sink.write(_old_gnu("gnu", b"last"))
    writer.finish()


def _old_gnu(name, data):
    header = bytearray(512)
    header[: len(name)] = name.encode()
    header[100:108], header[108:116], header[116:124] = b"0000644\0", b"0000000\0", b"0000000\0"
    header[124:136], header[136:148] = b"%011o\0" % len(data), b"00000000000\0"
    header[156:157], header[257:265] = b"S", b"ustar  \0"
    header[386:398], header[398:410] = _base256(TIB - len(data)), b"%011o\0" % len(data)
    header[483:495] = _base256(TIB)
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + data + bytes(-len(data) % 512)


def _base256(number):
    return b"\x80" + bytes(3) + struct.pack(">Q", number)


def pax_header(size, kind=tarfile.XHDTYPE):
    """A header of its own of that size, before a small file."""

    def fill(sink):
        key = b"SCHILY.xattr.user.x="
        _raw(sink, "././@PaxHeader", kind, size)
        sink.write(b"%d " % size + key)
        left = size - len(b"%d " % size) - len(key) - 1
        for _ in range(left // CHUNK):
            sink.write(b"x" * CHUNK)
        sink.write(b"x" * (left % CHUNK) + b"\n" + bytes(-size % 512))
        _raw(sink, "file", tarfile.REGTYPE, 0)
        sink.write(bytes(1024))

    return fill


def long_name(size):
    """GNU tar's way of a long name, of that size."""

    def fill(sink):
        _raw(sink, "././@LongLink", tarfile.GNUTYPE_LONGNAME, size)
        for _ in range(size // CHUNK):
            sink.write(b"n" * CHUNK)
        sink.write(bytes(-size % 512))
        _raw(sink, "file", tarfile.REGTYPE, 0)
        sink.write(bytes(1024))

    return fill


def endless_map(blocks):
    """A sparse file's list of holes that goes on and on, before any content."""

    def fill(sink):
        listing = b"%d\n" % (blocks * 128) + b"0\n0\n" * (blocks * 128)
        _add(TarWriter(sink), "holes", listing, pax_headers={
            "GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "holes",
            "GNU.sparse.realsize": "9"})  # fmt: skip
        sink.write(bytes(1024))

    return fill


def global_headers(count):
    """Global headers, each with other keys: all hold for all that follows."""

    def fill(sink):
        for number in range(count):
            record = b"k%08d=" % number + b"v" * 500_000 + b"\n"
            record = b"%d " % (len(record) + 7) + record
            _raw(sink, "././@PaxHeader", tarfile.XGLTYPE, len(record))
            sink.write(record + bytes(-len(record) % 512))
            _raw(sink, f"f{number}", tarfile.REGTYPE, 0)
        sink.write(bytes(1024))

    return fill


def global_keys(keys, files):
    """One global header of many keys, which tarfile gives every file anew."""

    def fill(sink):
        records = b"".join(b"13 k%05d=vv\n" % number for number in range(keys))
        _raw(sink, "././@PaxHeader", tarfile.XGLTYPE, len(records))
        sink.write(records + bytes(-len(records) % 512))
        for number in range(files):
            _raw(sink, f"f{number}", tarfile.REGTYPE, 0)
        sink.write(bytes(1024))

    return fill


def whiteout_claiming(size):
    """A file without meaning that claims a size, and then nothing."""

    def fill(sink):
        member = tarfile.TarInfo(".wh.x")
        member.size = size
        sink.write(member.tobuf(tarfile.GNU_FORMAT))

    return fill


def group_file(size):
    """A root with busybox whose /etc/group is that large."""

    def fill(sink):
        writer = TarWriter(sink)
        _add(writer, "bin/sh", Path("/bin/busybox").read_bytes(), mode=0o755)
        _add(writer, "etc/passwd", b"who:x:7:8::/:/bin/sh\n")
        member = tarfile.TarInfo("etc/group")
        member.size, member.mode = size, 0o644
        sink.write(member.tobuf(tarfile.PAX_FORMAT))
        line = b"g:x:1:" + b"u," * 61 + b"\n"
        block = line * (CHUNK // len(line))
        done = 0
        while done < size:
            piece = block[: size - done]
            sink.write(piece)
            done += len(piece)
        sink.write(bytes(-size % 512))
        writer.finish()

    return fill


def _raw(sink, name, kind, size):
    member = tarfile.TarInfo(name)
    member.type, member.size, member.mode = kind, size, 0o644
    sink.write(member.tobuf(tarfile.USTAR_FORMAT))


def manifest(size):
    """A docker archive whose list is that large."""
    entry = {"Config": "c.json", "RepoTags": None, "Layers": []}
    return {"manifest.json": json.dumps([entry] * (size // len(json.dumps(entry)))).encode(), "c.json": b"{}"}


def nested_index(depth):
    """A layout whose index names an index that names an index."""
    kind = "application/vnd.oci.image.index.v1+json"
    inner = b'{"schemaVersion":2,"manifests":[]}'
    files = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}'}
    for _ in range(depth):
        digest = Digest.of(inner)
        files[f"blobs/sha256/{digest.hex}"] = inner
        # Each names the one below many times: whoever follows every name never ends.
        entries = [{"mediaType": kind, "digest": digest, "size": len(inner)}] * 50
        inner = json.dumps({"schemaVersion": 2, "manifests": entries}).encode()
    return {**files, "index.json": inner}
