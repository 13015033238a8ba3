"""`tare image`, through click's own runner."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bench.cli.context import Context
from bench.cli.image import command, human
from runtime.errors import RuntimeFault
from runtime.image import Store, from_tree


@pytest.fixture
def data(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "a").write_text("a")
    from_tree(Store(tmp_path / "images"), tree, "first:1")
    return tmp_path


def tare(data: Path, *arguments: str) -> Result:
    return CliRunner().invoke(command, arguments, obj=Context.at(data), catch_exceptions=True)


def test_ls_as_a_table_and_as_json(data):
    lines = tare(data, "ls").stdout.splitlines()
    assert lines[0].split() == ["IMAGE", "DIGEST", "CREATED", "LAYERS", "SIZE"]
    assert lines[1].split()[0] == "first:1"
    assert lines[1].split()[2:4] == ["2023-11-14", "1"]
    (entry,) = json.loads(tare(data, "ls", "--format", "json").stdout)
    assert entry["name"] == "docker.io/library/first:1"
    assert entry["size"] > 0


def test_tag_history_inspect_rm_and_prune(data):
    assert tare(data, "tag", "first:1", "second").exit_code == 0
    assert "tare import" in tare(data, "history", "second").stdout
    assert (
        json.loads(tare(data, "history", "second", "--format", "json").stdout)[0]["created_by"]
        == "tare import"
    )
    document = json.loads(tare(data, "inspect", "second").stdout)
    assert document["config"]["rootfs"]["type"] == "layers"
    assert tare(data, "rm", "first:1", "second").exit_code == 0
    assert "3 blobs" in tare(data, "prune").stderr
    assert tare(data, "ls", "--format", "json").stdout == "[]\n"


def test_verify_prints_each_problem_and_fails(data):
    assert tare(data, "verify").exit_code == 0
    (blob,) = Store(data / "images").resolve("first:1").layers
    Store(data / "images").blobs.path(blob.digest).write_bytes(b"bad")
    result = tare(data, "verify")
    assert isinstance(result.exception, RuntimeFault)
    assert result.exception.kind == "corrupt"
    assert blob.digest in result.stdout


@pytest.mark.parametrize("verb", [["inspect"], ["history"], ["rm"], ["tag", "first:2"]])
def test_an_unknown_image_is_a_fault_with_a_hint(data, verb):
    result = tare(data, *verb, "nosuch")
    assert isinstance(result.exception, RuntimeFault)
    assert result.exception.kind == "missing"
    assert "first:1" in result.exception.hint


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (47675003, "45.5 MiB"), (3 << 50, "3072.0 TiB")],
)
def test_sizes_for_people(size, text):
    assert human(size) == text
