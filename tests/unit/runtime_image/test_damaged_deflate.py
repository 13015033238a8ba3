"""A gzip stream whose header is sound and whose content is none."""

import io

import pytest

from runtime.errors import RuntimeFault
from runtime.image.layer.decompression import decompressed


def test_damage_inside_is_a_fault_that_names_it():
    stream = io.BytesIO(b"\x1f\x8b\x08\0\0\0\0\0\0\xffno deflate at all")
    with (
        pytest.raises(RuntimeFault, match="it is damaged") as caught,
        decompressed(stream, name="it") as plain,
    ):
        plain.read()
    assert caught.value.kind == "corrupt"
