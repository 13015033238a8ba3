"""A stream in the place of a file: tarfile's stream mode reads in blocks of 10 KiB and copies each thrice."""

import tarfile
from collections.abc import Iterator

from runtime.image.layer.compression import CHUNK, Readable


class Forward:
    """A stream that tarfile takes for a file: it tells its position, and seeks forward by reading."""

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self._chunk, self._at = b"", 0
        self._passed = 0  # bytes before the chunk

    def tell(self) -> int:
        """Return the position in bytes."""
        return self._passed + self._at

    def read(self, size: int = -1, /) -> bytes:
        """Return `size` bytes, or all that is left if there are fewer, or if it is negative."""
        end = self._at + size
        if self._at <= end <= len(self._chunk):
            data = self._chunk[self._at : end]
            self._at = end
            return data
        return b"".join(self.pieces(size))

    def pieces(self, size: int) -> Iterator[memoryview]:
        """Yield the next `size` bytes, or all for a negative number, in parts and without a copy."""
        while size:
            if self._at == len(self._chunk) and not self._more():
                return
            piece = memoryview(self._chunk)[self._at :]
            if 0 <= size < len(piece):
                piece = piece[:size]
            self._at += len(piece)
            size -= len(piece) if size > 0 else 0
            yield piece

    def seek(self, position: int, /) -> None:
        """Go forward; the end of the stream is no error."""
        if position < self.tell():
            raise tarfile.StreamError("a stream can't go back")
        for _ in self.pieces(position - self.tell()):
            pass

    def _more(self) -> bool:
        self._passed += len(self._chunk)
        self._chunk, self._at = self._full(), 0
        return bool(self._chunk)

    def _full(self) -> bytes:
        """Read a whole chunk, which a pipe gives in parts: holes are found in large pieces only."""
        parts, left = [], CHUNK
        while left and (part := self._stream.read(left)):
            parts.append(part)
            left -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)
