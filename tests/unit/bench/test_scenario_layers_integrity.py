"""The layers-integrity scenario on fake boxes: each faulty one changes its own fact."""

import pytest

from bench.scenarios import layers_integrity
from bench.scenarios.layers_integrity import LayersIntegrity
from bench.scenarios.registry import METRICS
from tests.fakes.fake_target import INIT, LISTENING, FakeTarget
from tests.fakes.figures import figures

FOUND = {"nothing": False, "blob": True, "document": True, "unpacked": True}


@pytest.fixture
def layer(tmp_path):
    folder = tmp_path / "layer"
    folder.mkdir()
    (folder / "file").write_text("below")
    return folder


@pytest.fixture
def store(monkeypatch):
    """A store whose content and findings the test may change."""
    said = {"content": ("a", "b"), "names": ("a", "b"), "finds": dict(FOUND)}
    for name in ("content", "names", "finds"):
        monkeypatch.setattr(layers_integrity.integrity, name, lambda *_, name=name: said[name])
    return said


def box(layer, *, writes=0, reaches=False, leaks=False):
    def behave(inside):
        inside.say(INIT, LISTENING)
        for words in inside.requests():
            if words[0] == "ping":
                inside.pong(words)
            elif "intruder" in words[2]:
                said = f"{layer}\nend\n" if reaches else "end\n"
                inside.say(said.encode(), f"\x1etare done {words[1]} 0\n".encode())
            else:
                if leaks:
                    (layer / "file").write_text("above")
                inside.say(f"\x1etare done {words[1]} {writes}\n".encode())

    return behave


def facts(measure, layer, **faults):
    target = FakeTarget("container", behaviour=box(layer, **faults), images=[layer], store=layer.parent)
    run = measure(LayersIntegrity(), target, runs=1)
    assert not run.failures
    return {name: value for name, (value,) in figures(run, "container").items()}


def test_all_is_well(measure, layer, store):
    assert facts(measure, layer) == dict.fromkeys(METRICS["layers-integrity"], 1.0)


@pytest.mark.parametrize(
    ("fault", "fact"),
    [
        ({"writes": 1}, "writes_land"),
        ({"leaks": True}, "layers_unchanged"),
        ({"reaches": True}, "layers_out_of_reach"),
    ],
)
def test_a_box_with_a_fault_is_told(measure, layer, store, fault, fact):
    found = facts(measure, layer, **fault)
    assert [name for name, value in found.items() if not value] == [fact]


@pytest.mark.parametrize(
    ("change", "fact"),
    [
        ({"names": ("a", "c")}, "image_unchanged"),
        ({"finds": {**FOUND, "nothing": True}}, "sound_copy_passes"),
        ({"finds": {**FOUND, "blob": False}}, "changed_blob_found"),
        ({"finds": {**FOUND, "document": False}}, "changed_document_found"),
        ({"finds": {**FOUND, "unpacked": False}}, "changed_file_found"),
    ],
)
def test_a_store_with_a_fault_is_told(measure, layer, store, change, fact):
    store.update(change)
    found = facts(measure, layer)
    assert [name for name, value in found.items() if not value] == [fact]


def test_a_target_without_tares_store_is_refused(measure, layer):
    run = measure(LayersIntegrity(), FakeTarget("container", images=[layer]), runs=1)
    assert "does not use its image from Tare's store" in run.failures[0].text
