"""The ledger that does not add up is named, above all where it fits worst."""

import msgspec
import pytest

from reports.facts import rests
from reports.model import View
from tests.fakes.sample_run import sample_run


def view_with(drop, rest):
    """Return a view of a run in which every memory sample of the container has these values (bytes)."""
    values = {"mem_available_drop": drop, "unexplained": rest}

    def touched(measurement):
        if measurement.target != "container" or measurement.metric not in values:
            return measurement
        value = values[measurement.metric]
        samples = tuple(msgspec.structs.replace(sample, value=value) for sample in measurement.samples)
        return msgspec.structs.replace(measurement, samples=samples)

    run = sample_run()
    run = msgspec.structs.replace(run, measurements=tuple(map(touched, run.measurements)))
    return View(run, msgspec.json.encode(run))


@pytest.mark.parametrize(
    ("drop", "rest", "share"),
    [(100.0, 10.0, 0.1), (-15.0, -17.0, -17 / 15), (0.0, -2.0, -1.0), (-1.0, -6.0, -1.2)],
)
def test_the_rest_is_a_share_of_what_should_be_explained_also_when_memory_became_free(drop, rest, share):
    assert rests(view_with(drop, rest))["container"] == pytest.approx(share)
