"""Values of options as tare-oci reads them, and messages as its log has them."""

from __future__ import annotations

import json

import pytest

from runtime.errors import RuntimeFault
from runtime.oci import signals
from runtime.oci.options import Arguments
from runtime.oci.report import Log


def given(text):
    return Arguments({}, {"it": text}, [])


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("67108864", 64 << 20), ("64m", 64 << 20), ("64M", 64 << 20), ("64MiB", 64 << 20), ("64mb", 64 << 20),
        ("1k", 1024), ("2G", 2 << 30), ("1t", 1 << 40), ("0", 0), ("-1", -1), ("12b", 12),
    ],
)  # fmt: skip
def test_sizes(text, size):
    assert given(text).size("it") == size


@pytest.mark.parametrize("text", ["", "m", "-2", "-1m", "1.5g", "64x", "k64", "1kk", "b", "٣"])
def test_what_is_no_size(text):
    with pytest.raises(RuntimeFault, match="--it takes a size"):
        given(text).size("it")


def test_a_count_is_not_negative():
    assert given("3").count("it") == 3
    with pytest.raises(RuntimeFault, match="from 0 on"):
        given("-1").count("it")


def test_signals():
    texts = ("0", "9", "KILL", "sigterm", "RTMIN+1", "SIGRTMAX")
    assert [signals.number(text) for text in texts] == [0, 9, 9, 15, 35, 64]
    for text in ("FOO", "65", "-9", "", "TERM+1", "RTMIN-99", "²"):
        with pytest.raises(RuntimeFault, match="unknown signal"):
            signals.number(text)


def test_a_message_stays_on_its_line(tmp_path, capsys):
    message = 'it says "no":\nnothing else'
    for form in ("text", "json"):
        Log(str(tmp_path / form), form).error(message)
    (text,) = (tmp_path / "text").read_text().splitlines()
    assert text.endswith(r'level=error msg="it says \"no\":\nnothing else"')
    (line,) = (tmp_path / "json").read_text().splitlines()
    assert json.loads(line)["msg"] == message
    assert capsys.readouterr().err.count("tare-oci: it says") == 2


def test_without_a_file_json_goes_to_standard_error(capsys):
    Log("", "json").error("no", "a hint")
    assert json.loads(capsys.readouterr().err)["msg"] == "no"
