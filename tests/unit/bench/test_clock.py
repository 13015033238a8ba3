import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.clock import MonotonicClock, elapsed, elapsed_ns, now, now_ns
from bench.errors import BenchFault


def test_it_reads_the_hosts_monotonic_clock():
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    readings = [now_ns(), MonotonicClock().now_ns(), round(now() * 1e9)]
    after = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    assert all(before - 1 <= reading <= after + 1 for reading in readings)


def test_sleep_lets_at_least_that_time_pass():
    begin = now()
    MonotonicClock().sleep(0.01)
    assert elapsed(begin, now()) >= 0.01


@given(st.integers(0, 2**62), st.integers(0, 2**40))
def test_elapsed_ns_is_exact(begin, length):
    assert elapsed_ns(begin, begin + length) == length * 1e-9


@pytest.mark.parametrize(("begin", "end"), [(2.0, 1.0), (1.0, float("nan")), (float("inf"), 0.0)])
def test_a_negative_duration_is_a_hard_error(begin, end):
    with pytest.raises(BenchFault, match="negative duration") as caught:
        elapsed(begin, end)
    assert caught.value.kind == "failed"
    with pytest.raises(BenchFault):
        elapsed_ns(5, 4)
