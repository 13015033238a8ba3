"""Streams that two threads share: everything comes, in order, and so does every error."""

import io
import threading

import pytest

from runtime.image.growing import Growing
from runtime.image.layer.ahead import ahead

CONTENT = bytes(range(256)) * 40_000  # 10 MB: more than may wait


class Broken(io.BytesIO):
    """Fails after its content."""

    def read(self, size=-1):
        if found := super().read(size):
            return found
        raise EOFError("cut")


@pytest.mark.parametrize("size", [1000, 1 << 18, 1 << 20, -1])
def test_all_comes_in_order(size):
    with ahead(io.BytesIO(CONTENT)) as stream:
        parts = list(iter(lambda: stream.read(size), b""))
        assert stream.read(size) == b""
    assert b"".join(parts) == CONTENT
    assert size < 0 or max(map(len, parts)) <= size


def test_an_error_comes_after_what_was_read_and_stays():
    with ahead(Broken(CONTENT)) as stream:
        parts = []
        with pytest.raises(EOFError, match="cut"):
            while part := stream.read(1 << 18):
                parts.append(part)
        with pytest.raises(EOFError):
            stream.read(1)
    assert b"".join(parts) == CONTENT


def test_a_block_that_is_left_early_ends_the_thread():
    before = threading.active_count()
    with pytest.raises(ZeroDivisionError), ahead(io.BytesIO(CONTENT)) as stream:
        stream.read(10)
        raise ZeroDivisionError
    assert threading.active_count() == before


@pytest.fixture
def growing(tmp_path):
    path = tmp_path / "file"
    path.touch()
    found = Growing(path)
    yield path, found
    found.close()


def test_a_reader_follows_a_file_that_grows(growing):
    path, reader = growing

    def write():
        with path.open("wb", buffering=0) as file:
            for begin in range(0, len(CONTENT), 99_999):
                piece = CONTENT[begin : begin + 99_999]
                file.write(piece)
                reader.grown(len(piece))
        reader.finish()

    writer = threading.Thread(target=write)
    writer.start()
    assert b"".join(iter(lambda: reader.read(50_000), b"")) == CONTENT
    writer.join()


def test_a_reader_sees_nothing_that_it_was_not_told_of(growing):
    path, reader = growing
    path.write_bytes(b"abcdef")
    reader.grown(3)
    assert reader.read(10) == b"abc"
    reader.finish()
    assert reader.read(10) == b""


def test_a_reader_whose_writer_gave_up_is_told(growing):
    _, reader = growing
    timer = threading.Timer(0.05, reader.abandon)
    timer.start()
    with pytest.raises(EOFError):
        reader.read(10)
    timer.join()
