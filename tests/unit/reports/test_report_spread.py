"""Charts of single samples by kind: what is drawn, where, and under which words."""

import msgspec
import pytest

from reports.charts import spread
from reports.charts.all import KINDS
from reports.model import View
from tests.fakes.sample_run import sample_run


def view_of(*rows):
    """A view of samples; `rows` are (scenario, target, metric, unit, params, values)."""
    (first, *_) = sample_run().measurements
    plain = msgspec.structs.replace(first.samples[0], warmup=False, excluded=None)

    def one(row):
        scenario, target, metric, unit, params, values = row
        samples = tuple(
            msgspec.structs.replace(plain, value=value, round=place) for place, value in enumerate(values)
        )
        return msgspec.structs.replace(
            first, scenario=scenario, target=target, metric=metric, unit=unit, params=params, samples=samples
        )

    run = msgspec.structs.replace(sample_run(), measurements=tuple(map(one, rows)))
    return View(run, msgspec.json.encode(run))


def test_every_sample_is_a_dot_in_the_row_of_its_kind():
    view = view_of(
        ("contention", "container", "slowdown", "1", {"aggressor": "cpu", "limits": "none"}, [4.0, 5.0, 9.0]),
        ("contention", "container", "slowdown", "1", {"aggressor": "cpu", "limits": "set"}, [1.1]),
        ("contention", "native", "slowdown", "1", {"aggressor": "cpu", "limits": "none"}, [3.0]),
    )
    (chart,) = spread.charts(view)
    assert chart.key == "contention"
    assert list(chart.figure.layout.yaxis.ticktext) == [
        "native, cpu, no limits",
        "container, cpu, no limits",
        "container, cpu, with limits",
    ]
    dots = [trace for trace in chart.figure.data if trace.meta["role"] == "samples"]
    assert [list(trace.x) for trace in dots] == [[3.0], [4.0, 5.0, 9.0], [1.1]]
    medians = [trace for trace in chart.figure.data if trace.meta["role"] == "medians"]
    assert [list(trace.x) for trace in medians] == [[3.0], [5.0], [1.1]]


def test_bytes_are_mebibytes_in_tens_and_a_disk_is_a_matter_of_guests():
    changed = {"state": "changed", "disk": "delta"}
    view = view_of(
        ("distribution", "container", "pulled", "B", {"state": "cold"}, [50 * 2**20]),
        ("distribution", "container", "pulled", "B", changed, [2**20 // 100]),
        ("distribution", "vm", "pulled", "B", changed, [2 * 2**20]),
    )
    (chart,) = spread.charts(view)
    assert list(chart.figure.layout.yaxis.ticktext) == [
        "container, changed",
        "container, cold",
        "vm (TCG), changed, delta",
    ]
    assert {"0.01", "0.1", "1", "10", "100"} <= set(chart.figure.layout.xaxis.ticktext)
    low, high = chart.figure.layout.xaxis.range
    assert all(low <= at <= high for at in (-2, 1.7))


@pytest.mark.parametrize("question", spread.QUESTIONS, ids=lambda one: one.scenario)
def test_each_is_a_known_chart_that_is_drawn_where_there_are_data_and_only_there(question):
    assert question.scenario in KINDS
    (chart,) = spread.charts(view_of((question.scenario, "vm", question.metric, "s", {}, [1.0, 2.0])))
    assert chart.key == question.scenario
    assert list(chart.figure.layout.yaxis.ticktext) == ["vm (TCG)"]
    assert not spread.charts(view_of())
