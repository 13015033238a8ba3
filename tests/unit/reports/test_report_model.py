import hashlib
import itertools

import msgspec
import pytest

from bench.errors import BenchFault
from bench.results import Run
from reports import facts, palette, tables, units
from reports.charts import memory, spread
from reports.charts.all import KINDS, SECTIONS, draw
from reports.charts.ladder import steps
from reports.model import View, read
from tests.fakes.sample_run import MIB, sample_run, startup_run


def view_of(run: Run) -> View:
    return View(run, msgspec.json.encode(run))


def change(run: Run, **fields) -> Run:
    return msgspec.structs.replace(run, **fields)


def with_samples(run: Run, make) -> Run:
    """Return the run with every measurement's samples replaced by `make(samples)`."""
    return change(
        run,
        measurements=tuple(change(m, samples=tuple(make(m.samples))) for m in run.measurements),
    )


FULL = view_of(sample_run(3))


def test_every_kind_of_chart_is_drawn_once():
    keys = [chart.key for charts in draw(FULL).values() for chart in charts]
    spreads = [one.scenario for one in spread.QUESTIONS]  # test_report_spread draws each
    assert sorted([*keys, *spreads]) == sorted(KINDS)


def test_a_dot_for_every_counted_sample():
    chart = next(c for c in draw(FULL)["startup"] if c.key == "startup-ready")
    counted = {
        m.target: sum(not s.warmup and s.excluded is None for s in m.samples)
        for m in FULL.run.measurements
        if (m.scenario, m.metric) == ("startup", "ready")
    }
    drawn = {t.name: len(t.x) for t in chart.figure.data if t.meta["role"] == "samples"}
    assert drawn == counted


def test_a_cross_for_every_excluded_sample():
    chart = next(c for c in draw(FULL)["startup"] if c.key == "startup-ready")
    excluded = sum(
        s.excluded is not None and not s.warmup
        for m in FULL.run.measurements
        if (m.scenario, m.metric) == ("startup", "ready")
        for s in m.samples
    )
    assert excluded > 0
    assert sum(len(t.x) for t in chart.figure.data if t.meta["role"] == "excluded") == excluded


def test_rows_follow_the_targets_whatever_the_order_of_measurement():
    run = sample_run(3)
    backwards = view_of(change(run, measurements=tuple(reversed(run.measurements))))
    assert list(dict.fromkeys(backwards.samples.target)) == list(FULL.measured)


def test_phases_add_up_and_none_is_negative_when_the_call_returns_late():
    found = steps({"created": 0.005, "init": 0.004, "listening": 0.006, "ready": 0.006})
    assert [step.phase for step in found] == ["init", "created", "listening", "ready"]
    assert all(step.seconds >= 0 for step in found)
    assert sum(step.seconds for step in found) == pytest.approx(0.006)


def test_no_vm_is_ever_named_without_its_accelerator():
    assert FULL.boxes["vm"].label == "vm (TCG)"
    assert FULL.boxes["container"].label == "container"
    unproven = view_of(
        change(startup_run(), measurements=(), environment=change(startup_run().environment, accelerators={}))
    )
    assert unproven.boxes["vm"].label == "vm (accelerator unproven)"


def test_only_the_judged_are_in_the_close_up_and_the_emulated_are_hatched():
    bars, close = draw(FULL)["cpu"]
    hatched = {t.name.split(" ")[0] for t in bars.figure.data if t.marker.pattern.shape == "/"}
    assert hatched == {"vm", "vm-micro", "vm-full"}
    assert {t.name for t in close.figure.data} == {"container"}


def test_a_run_of_startup_alone_has_only_its_section():
    sections = {name for name, charts in draw(view_of(startup_run())).items() if charts}
    assert sections == {"startup", "method"}


def test_cost_of_one_more_recovers_the_known_slope():
    # The fake's PSS grows by 108 MiB with each VM.
    assert memory.costs(FULL)["vm"]["pss"].value == pytest.approx(108 * 2**20, rel=0.02)


def without_cgroup(run: Run, name: str) -> View:
    """Return a view of the run in which no cgroup accounts for a target."""
    return view_of(
        change(
            run,
            measurements=tuple(
                m
                for m in run.measurements
                if m.target != name or not m.metric.startswith(("cgroup", "footprint"))
            ),
        )
    )


def without_footprint(run: Run) -> View:
    return view_of(change(run, measurements=tuple(m for m in run.measurements if m.metric != "footprint")))


def test_kernel_memory_is_part_of_the_cost_also_in_runs_of_old():
    old = without_footprint(sample_run(3))
    for view in (FULL, old):
        lines = memory.costs(view)["container"]
        assert lines["footprint"].value == pytest.approx((0.6 + 0.4) * MIB, rel=0.05)
        assert f"container {units.quantity(lines['footprint'].value, 'B')}" in facts.summary(view)
    assert not memory.costs(old)["container"]["footprint"].has_interval


def test_a_box_that_no_cgroup_accounts_for_has_its_pss_and_says_so():
    view = without_cgroup(sample_run(3), "native")
    assert "footprint" not in memory.costs(view)["native"]
    said = facts.summary(view).split("native")[-1].split(",")[0]
    assert "(its kernel memory is not accounted for)" in said


@pytest.mark.parametrize("view", [FULL, without_cgroup(sample_run(3), "native")])
def test_each_row_has_one_figure_that_of_the_widest_measure(view):
    lines = memory.costs(view)
    texts = [text for trace in memory.charts(view)[0].figure.data for text in trace.text if text]
    expected = {name: lines[name].get("footprint", lines[name]["pss"]) for name in lines}
    assert sorted(text.strip() for text in texts) == sorted(
        units.quantity(one.value, "B") for one in expected.values()
    )


def test_a_single_n_is_a_total_divided_by_n_and_is_said_to_be_one():
    run = sample_run(3)
    single = view_of(
        change(run, measurements=tuple(m for m in run.measurements
                                       if m.scenario == "memory" and m.params["n"] == 2))
    )  # fmt: skip
    cost = memory.costs(single)["vm"]["pss"]
    assert cost.value == pytest.approx(108 * 2**20, rel=0.03)
    assert not cost.has_interval
    assert set(memory.averaged(single)) == set(single.measured)
    assert "only one N counted" in memory.charts(single)[0].caption


def with_memory(run: Run, metric: str, value) -> View:
    """Return a view of the run in which every sample of a memory metric is `value(n, round)` bytes."""

    def touched(m):
        if (m.scenario, m.metric) != ("memory", metric):
            return m
        return change(m, samples=tuple(change(s, value=value(m.params["n"], s.round)) for s in m.samples))

    return view_of(change(run, measurements=tuple(map(touched, run.measurements))))


def ledger_of(view: View):
    """Return the ledger chart's bars (bytes by target and part are in the texts) and its totals."""
    chart = next(c for c in memory.charts(view) if c.key == "memory-ledger")
    (totals,) = (t for t in chart.figure.data if t.meta["role"] == "totals")
    return chart, [t for t in chart.figure.data if t.meta["role"] == "ledger"], totals


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (lambda n, _: n * 3.0 * MIB, "rest +3.00 MiB"),
        (lambda n, _: n * -3.0 * MIB, "rest \N{MINUS SIGN}3.00 MiB"),
        (lambda n, turn: n * (turn - 1.0) * 5 * MIB, "rest: below noise"),
    ],
    ids=["positive", "negative", "around zero"],
)
def test_the_rest_stands_beside_the_bar_with_its_sign_and_never_in_it(value, words):
    view = with_memory(sample_run(3), "unexplained", value)
    _, bars, totals = ledger_of(view)
    assert [words in text for text in totals.text] == [True] * 5
    assert "unexplained" not in " ".join(bar.name for bar in bars)
    for place, name in enumerate(memory.costs(view)):
        shares = [x for bar in bars for x, y in zip(bar.x, bar.y, strict=True) if y == place]
        assert sum(shares) == pytest.approx(1), name


def test_the_sum_at_the_end_of_a_bar_is_what_the_cgroup_is_charged():
    lines = memory.costs(FULL)["container"]
    charged = lines["cgroup_anon"].value + lines["cgroup_kernel"].value
    view = without_cgroup(sample_run(3), "native")
    _, _, totals = ledger_of(view)
    assert f"charged {units.quantity(charged, 'B')}<" in totals.text[1]
    assert f"PSS {units.quantity(memory.costs(view)['native']['pss'].value, 'B')}<" in totals.text[0]


def test_a_rest_without_an_interval_is_said_to_be_perhaps_noise():
    run = sample_run(3)
    few = tuple(
        change(m, samples=(change(m.samples[0], excluded=None),))
        for m in run.measurements
        if m.scenario == "memory" and m.params["n"] <= 2
    )
    chart, _, totals = ledger_of(view_of(change(run, measurements=few)))
    assert "may be noise alone: native, container, vm (TCG)" in chart.caption
    assert not any("below noise" in text for text in totals.text)
    assert "may be noise alone" not in ledger_of(FULL)[0].caption


def test_a_negative_part_is_in_the_sum_and_is_said_not_to_be_drawn():
    view = with_memory(sample_run(3), "cgroup_kernel", lambda n, _: -0.1 * n * MIB)
    chart, bars, totals = ledger_of(view)
    charged = memory.costs(view)["container"]["cgroup_anon"].value - 0.1 * MIB
    assert f"charged {units.quantity(charged, 'B')}<" in totals.text[1]
    assert "kernel memory" not in " ".join(bar.name for bar in bars)
    assert "negative slope" in chart.caption


@pytest.mark.parametrize(
    "value",
    [lambda n, _: -1.0 * n * MIB, lambda n, turn: n * (turn - 0.9) * 5 * MIB],
    ids=["negative", "around zero"],
)
def test_a_drop_of_available_memory_below_its_noise_is_said_and_not_drawn(value):
    view = with_memory(sample_run(3), "mem_available_drop", value)
    cost = memory.charts(view)[0]
    drawn = {t.name: len(t.x) for t in cost.figure.data}
    assert drawn[memory.MEASURES["mem_available_drop"][0]] == 0
    assert drawn[memory.MEASURES["pss"][0]] == 5
    said = cost.caption.split("Below the noise of MemAvailable")[1]
    assert all(view.boxes[name].label in said for name in view.measured)


def test_a_drop_of_available_memory_above_its_noise_is_drawn():
    cost = memory.charts(FULL)[0]
    (drop,) = (t for t in cost.figure.data if t.name == memory.MEASURES["mem_available_drop"][0])
    assert len(drop.x) == 5
    assert "Below the noise" not in cost.caption


def test_a_line_without_a_slope_beside_fitted_ones_is_left_out():
    run = sample_run(3)
    kept = tuple(m for m in run.measurements if m.metric != "uss" or m.params["n"] == 1)
    view = view_of(change(run, measurements=kept))
    assert not any("uss" in lines for lines in memory.costs(view).values())
    (table,) = tables.memory(view)
    assert "USS" not in {row[0].text for row in table.rows}
    assert "PSS, anonymous part" in {row[0].text for row in table.rows}


@pytest.mark.parametrize(("rounds", "said"), [(2, True), (3, False)])
def test_an_interval_over_the_points_of_few_rounds_says_so(rounds, said):
    run = sample_run(3)
    kept = tuple(
        change(m, samples=tuple(change(s, excluded=None) for s in m.samples if s.round < rounds))
        for m in run.measurements
    )
    (table,) = tables.memory(view_of(change(run, measurements=kept)))
    cells = [cell.text for row in table.rows for cell in row if " to " in cell.text]
    assert cells
    assert {"(few rounds)" in text for text in cells} == {said}


def test_helpers_and_daemons_have_rows_of_their_own():
    run = sample_run(3)
    base = next(
        m for m in run.measurements if (m.scenario, m.metric, m.params.get("n")) == ("memory", "pss", 1)
    )
    parts = tuple(
        change(base, metric="pss_of", params={"n": n, "role": "shim"},
               samples=tuple(change(s, value=(2 + 3 * n) * MIB) for s in base.samples))
        for n in (1, 2, 4)
    )  # fmt: skip
    assert len(tables.memory(view_of(run))) == 1
    _, table = tables.memory(view_of(change(run, measurements=(*run.measurements, *parts))))
    ((target, part, first, further, _),) = table.rows
    assert (target.text, part.text, first.text, further.text) == (base.target, "shim", "5.00 MiB", "3.00 MiB")


def test_the_unexplained_rest_above_five_percent_is_announced():
    run = sample_run(3)
    doubled = tuple(
        change(m, samples=tuple(change(s, value=s.value * 4) for s in m.samples))
        if m.metric == "unexplained"
        else m
        for m in run.measurements
    )
    loud = facts.notices(view_of(change(run, measurements=doubled)))
    assert any("does not add up" in notice.text and "vm (TCG)" in notice.text for notice in loud)


def test_an_unfinished_run_says_so_first():
    first = facts.notices(view_of(change(startup_run(), finished=None)))[0]
    assert first.severe
    assert "did not end in order" in first.text


@pytest.mark.parametrize(
    "make",
    [
        lambda samples: samples[:0],
        lambda samples: samples[:1],
        lambda samples: (change(s, excluded="steal") for s in samples),
        lambda samples: (change(s, value=0.0) for s in samples),
        lambda samples: (change(s, value=1.0) for s in samples),
        lambda samples: (change(s, warmup=True) for s in samples),
    ],
    ids=["none", "one", "all-excluded", "all-zero", "all-equal", "all-warm-up"],
)
def test_poor_data_never_crash(make):
    poor = view_of(with_samples(sample_run(3), make))
    draw(poor)
    facts.summary(poor), facts.notices(poor), facts.host(poor)
    for make_tables in (
        tables.startup,
        tables.memory,
        tables.layers,
        tables.cpu,
        tables.others,
        tables.accounts,
    ):
        for table in make_tables(poor):
            assert all(len(row) == len(table.head) for row in table.rows)


def test_a_run_without_measurements_says_that_it_has_none():
    empty = view_of(change(startup_run(), measurements=(), targets=()))
    assert facts.summary(empty) == facts.NOTHING
    assert not any(draw(empty).values())


def test_scenarios_without_a_chart_get_a_table():
    run = startup_run()
    odd = change(run, measurements=tuple(change(m, scenario="calibration") for m in run.measurements))
    (table,) = tables.others(view_of(odd))
    assert table.rows[0][0].text == "calibration"


def test_colours_of_the_targets_differ_and_are_stable():
    colours = [palette.target(name) for name in palette.TARGETS]
    assert len(set(colours)) == len(colours)
    assert palette.target("docker") == palette.target("docker")
    assert all(a != b for a, b in itertools.pairwise([*palette.PHASES.values()]))


def test_the_digest_is_that_of_the_file(tmp_path):
    path = tmp_path / "run.json"
    path.write_bytes(msgspec.json.encode(sample_run(2)))
    assert read(path).digest == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_corrupt_file_is_refused(tmp_path):
    path = tmp_path / "run.json"
    path.write_bytes(b"{")
    with pytest.raises(BenchFault, match="not JSON"):
        read(path)


def test_sections_are_those_of_the_report():
    assert list(SECTIONS) == ["startup", "memory", "layers", "overlay", "cpu", "others", "method"]


def test_a_report_says_where_it_has_no_gate_and_what_that_takes():
    run = startup_run()
    gated = facts.summary(view_of(run))
    assert "Smallest difference in that time which this run can detect: native" in gated
    assert (
        "Of vm (TCG), vm-micro (TCG), vm-full (TCG) it is not known: that takes 12 runs that count." in gated
    )
    few = change(run, measurements=tuple(change(m, samples=m.samples[:8]) for m in run.measurements))
    told = facts.summary(view_of(few))
    assert "How small a difference it can detect is not known: an A/A gate takes 12 runs" in told
