from vmdriver.tsc import frequency_khz


def test_the_counter_runs_at_a_steady_frequency():
    first = frequency_khz()
    frequency_khz.cache_clear()
    assert abs(frequency_khz() - first) < first / 500
    assert 500_000 < first < 10_000_000
