import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reports import units


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.0052, "s", "5.20 ms"),
        (0.00062, "s", "0.620 ms"),
        (0.9996, "s", "1,000 ms"),
        (2.75, "s", "2.75 s"),
        (661.0, "s", "11.0 min"),
        (108.4 * 2**20, "B", "108 MiB"),
        (-1.5 * 2**20, "B", "\N{MINUS SIGN}1.50 MiB"),
        (24 * 2**30, "B", "24.0 GiB"),
        (229_431.0, "1/s", "229,000 /s"),
        (0.0, "s", "0 ms"),
        (None, "s", units.MISSING),
        (math.nan, "B", units.MISSING),
    ],
)
def test_people_read_three_digits_in_a_fitting_unit(value, unit, text):
    assert units.quantity(value, unit) == text


def test_both_ends_of_an_interval_share_a_unit():
    assert units.interval(0.9, 1.2, "s") == "0.900 to 1.20 s"
    assert units.interval(None, None, "s") == units.MISSING


def test_rounding_up_to_the_next_power_keeps_three_digits():
    assert units.significant(9.996) == "10.0"
    assert units.significant(99.96) == "100"


@given(st.floats(min_value=1e-12, max_value=1e12))
@example(4.557861671748898e-05)
@example(3e-7)
def test_a_written_number_is_within_half_a_percent_of_the_value(value):
    assert float(units.significant(value).replace(",", "")) == pytest.approx(value, rel=0.0051)


@given(st.floats(min_value=1e-6, max_value=1e4), st.floats(min_value=1.0, max_value=1e5))
def test_marks_enclose_the_data_and_are_few(low, factor):
    marks, words = units.ticks(low, low * factor, "s")
    assert marks[0] <= low * (1 + 1e-12)
    assert marks[-1] >= low * factor * (1 - 1e-12)
    assert 1 <= len(marks) == len(words) <= 9
