"""The table in docs/ says what the tests and their last runs say."""

from tests.conformance import table
from tests.conformance.deviations import DEVIATIONS


def test_the_document_is_up_to_date():
    assert table.DOCUMENT.read_text() == table.document()


def test_every_test_says_what_it_is_for():
    decorated = {row.key for row in table.rows()}
    for path in table.HERE.glob("test_*.py"):
        if path.name != "test_document.py":
            names = {
                line[4:].partition("(")[0]
                for line in path.read_text().splitlines()
                if line.startswith("def test_")
            }
            assert names
            assert {f"{path.name}::{name}" for name in names} <= decorated


def test_every_deviation_is_of_a_test():
    keys = {row.key for row in table.rows()}
    known = {name.partition("[")[0] for deviations in DEVIATIONS.values() for name in deviations}
    assert known <= keys


def test_the_verdicts_are_of_these_tests():
    keys = {row.key for row in table.rows()}
    assert "runc" in table.stored()
    for name, found in table.stored().items():
        assert set(found["tests"]) == keys, name


def test_what_is_not_met_has_a_reason():
    for name in ("runc", "crun"):
        found = table.stored()[name]["tests"]
        assert [key for key, entry in found.items() if entry["verdict"] != "met" and not entry["why"]] == []
