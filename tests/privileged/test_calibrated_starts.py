"""The real part of `nox -s calibrate`, with few rounds: it has to run before its table can be believed."""

import pytest

from tests.calibration import alarms, starts

pytestmark = pytest.mark.privileged


def test_real_rounds_have_every_target_with_every_metric(data_root, monkeypatch):
    monkeypatch.setattr(starts, "FIRST", 6)
    found = starts.measure(8, 1, data_root, data_root / "run", print)
    names = {f"{name}{end}" for name in starts.NAMES for end in ("", "-again", "-5pct", "-1ms")}
    assert set(found.every) == {"created", "init", "listening", "ready", "teardown"}
    for metric, table in found.every.items():
        assert {name: len(values) for name, values in table.items()} == dict.fromkeys(names, 8), metric
    assert found.delays["native-1ms"] == 0.001
    assert found.delays["container-5pct"] == pytest.approx(0.05 * found.own["container"]["median"])


def test_power_and_alarms_are_those_of_a_report_and_its_family():
    """One of five figures differs: its p of 0.0078 is 0.039 among five, a claim; among seven it is none."""
    like = [1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7]
    tables = {m: {"a": like, "a-again": like} for m in ("created", "init", "listening", "teardown")}
    slow = [value * 1.5 for value in like]
    tables = {m: {k: starts.np.array(v) for k, v in t.items()} for m, t in tables.items()}
    tables["ready"] = {"a": starts.np.array(like), "a-again": starts.np.array(slow)}
    rounds = starts.np.arange(8)
    told = alarms.reported(tables, "a-again", "a", rounds)
    assert (told["ready"], told["init"]) == ("higher", "inconclusive")
    assert alarms.real(tables, "a", 8) == (1, 1)
    more = {**tables, **{f"more{i}": tables["init"] for i in range(2)}}
    assert alarms.reported(more, "a-again", "a", rounds)["ready"] == "inconclusive"
