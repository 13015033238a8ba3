"""What was drawn, read back from the SVG, against what the run's samples say."""

import math
import statistics
from itertools import pairwise

import pytest

from bench.stats.summary import counted as counting
from reports import units
from reports.model import ACCELERATORS

# Read from the SVG, not from the data that plotly was given; places are pixels of the window.
LOOK = r"""
() => Object.fromEntries([...document.querySelectorAll(".js-plotly-plot")].map((plot) => {
  const size = (node) => {
    const { width, height } = node.getBoundingClientRect();
    return width > 0 && height > 0;
  };
  const found = (root, selector) => [...root.querySelectorAll(selector)].filter(size);
  const count = (root, selector) => found(root, selector).length;
  const place = (node) => {
    const { x, y } = new DOMPoint(0, 0).matrixTransform(node.getScreenCTM());
    return [x, y];
  };
  const box = (node) => {
    const { left, right, top, bottom } = node.getBoundingClientRect();
    return { left, right, top, bottom };
  };
  const scatter = plot.calcdata.map((calc) => calc[0].trace)
    .filter((trace) => trace.type === "scatter")
    .map((trace) => {
      const dots = [...plot.querySelectorAll(".scatterlayer .trace" + trace.uid)]
        .flatMap((group) => found(group, ".points path"));
      return { role: trace.meta && trace.meta.role, name: trace.name,
               given: (trace.x || []).length, drawn: dots.length, places: dots.map(place) };
    });
  const axes = Object.entries(plot._fullLayout).filter(([key]) => /^[xy]axis\d*$/.test(key))
    .map(([key, axis]) => ({ key, range: axis.range, title: axis.title.text, visible: axis.visible }));
  const ticks = (axis, along) => [...plot.querySelectorAll(`.${axis}tick text`)].filter(size)
    .map((node) => [node.textContent, along(node)]);
  const across = (node) => new DOMPoint(node.x.baseVal[0].value, 0).matrixTransform(node.getScreenCTM()).x;
  const middle = (node) => (box(node).top + box(node).bottom) / 2;
  return [plot.id, {
    scatter, axes, bars: count(plot, ".barlayer .point path"),
    segments: found(plot, ".barlayer .point path").map(box),
    marks: ticks("x", across), rows: ticks("y", middle),
    words: found(plot, "text").map((node) => node.textContent),
    numbers: found(plot, ".textpoint text").map(box),
    intervals: [...plot.querySelectorAll(".errorbar path.xerror")].map(box),
  }];
}))
"""
SECONDS = {"ms": 1e-3, "s": 1.0, "min": 60.0}


def samples_of(run, scenario, metric):
    """Return the counted values of one metric, by target."""
    found = {}
    for m in run.measurements:
        if (m.scenario, m.metric) == (scenario, metric):
            found.setdefault(m.target, []).extend(sample.value for sample in counting(m))
    return found


def counted(run, scenario, metric):
    return {target: len(values) for target, values in samples_of(run, scenario, metric).items()}


def check_drawn(look, run):
    """Fail unless what is in the SVG is what the run's samples say."""
    assert set(look) >= {"chart-startup-ready", "chart-startup-ladder", "chart-startup-teardown"}
    for metric in ("ready", "teardown"):
        check_dots(look[f"chart-startup-{metric}"], samples_of(run, "startup", metric))
        check_rows(look[f"chart-startup-{metric}"], run)
    check_ladder(look["chart-startup-ladder"], run)
    for key, plot in look.items():
        check_plot(key, plot)


def check_dots(plot, expected):
    """Fail unless every sample is in its target's row, where the axis by its labels has its value."""
    value_at = time_axis(plot["marks"])
    traces = {trace["name"]: trace for trace in plot["scatter"] if trace["role"] == "samples"}
    assert {name: trace["drawn"] for name, trace in traces.items()} == {
        name: len(values) for name, values in expected.items() if values
    }
    for name, trace in traces.items():
        drawn = sorted(value_at(x) for x, _ in trace["places"])
        assert drawn == pytest.approx(sorted(expected[name]), rel=0.01), name
        assert {row_at(plot, y) for _, y in trace["places"]} == {name}
    (medians,) = (trace for trace in plot["scatter"] if trace["role"] == "medians")
    for x, y in medians["places"]:
        assert value_at(x) == pytest.approx(statistics.median(expected[row_at(plot, y)]), rel=0.01)


def time_axis(marks):
    """Return the function from a pixel to seconds that the drawn marks of a log axis define."""
    known = sorted((place, seconds(words)) for words, place in marks)
    (left, low), (right, high) = known[0], known[-1]
    decades = math.log10(high / low) / (right - left)

    def value_at(x):
        return low * 10 ** ((x - left) * decades)

    for place, value in known:
        assert value_at(place) == pytest.approx(value, rel=0.01), "no logarithmic axis"
    return value_at


def seconds(words):
    number, unit = words.split()
    return float(number.replace(",", "")) * SECONDS[unit]


def row_at(plot, y):
    """Return the target whose label stands at this height."""
    label, _ = min(plot["rows"], key=lambda row: abs(row[1] - y))
    names = ("vm-micro", "vm-full", "vm", "native", "container")
    return next(name for name in names if label.startswith(name))


def check_rows(plot, run):
    """Fail unless each VM's label has the accelerator that its samples carry, and no other label has one."""
    for label, y in plot["rows"]:
        target = row_at(plot, y)
        said = {s.accelerator for m in run.measurements if m.target == target for s in m.samples} - {None}
        assert {word for word in ACCELERATORS.values() if word in label} == {ACCELERATORS[a] for a in said}
        assert bool(said) == target.startswith("vm"), label


def check_ladder(plot, run):
    """Fail unless each row's bars are its phases to scale, and its whole is the median time to ready."""
    marks = {}
    for m in run.measurements:
        if m.scenario == "startup" and m.metric != "teardown" and counting(m):
            marks.setdefault(m.target, []).append(statistics.median(s.value for s in counting(m)))
    drawn = {}
    for bar in sorted(plot["segments"], key=lambda bar: bar["left"]):
        drawn.setdefault(row_at(plot, (bar["top"] + bar["bottom"]) / 2), []).append(bar)
    assert set(drawn) == set(marks)
    for target, ends in marks.items():
        whole = max(ends)
        expected = [(after - before) / whole for before, after in pairwise([0.0, *sorted(ends)])]
        width = drawn[target][-1]["right"] - drawn[target][0]["left"]
        shares = [(bar["right"] - bar["left"]) / width for bar in drawn[target]]
        assert visible(shares) == pytest.approx(visible(expected), abs=0.001), target
        assert units.quantity(whole, "s") in plot["words"]


def visible(shares):
    """Leave out what is less than a pixel wide: two marks may come in one read, at the same time."""
    return [share for share in shares if share > 0.001]


def check_plot(key, plot):
    assert plot["bars"] or any(trace["drawn"] for trace in plot["scatter"]), f"{key} is empty"
    for trace in plot["scatter"]:
        if trace["role"] in {"samples", "excluded", "medians", "series", "drift"} and trace["drawn"]:
            assert trace["drawn"] == trace["given"], (key, trace)
    for axis in plot["axes"]:
        low, high = axis["range"]
        assert isinstance(low, int | float), (key, axis)
        assert isinstance(high, int | float), (key, axis)
        assert low != high, (key, axis)
    assert any(axis["title"] and axis["title"] != "Click to enter X axis title" for axis in plot["axes"]), key


def check_numbers_are_clear(plot):
    """Fail when a number written beside a median lies on an interval's bar."""
    assert plot["numbers"]
    assert plot["intervals"]
    for number in plot["numbers"]:
        for bar in plot["intervals"]:
            apart = number["left"] >= bar["right"] or number["right"] <= bar["left"]
            assert apart or number["top"] >= bar["bottom"] or number["bottom"] <= bar["top"], (number, bar)
