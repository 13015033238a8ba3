"""The report in a real Chromium, from the file system, without a network: are the charts really drawn?"""

import json
import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from playwright.sync_api import sync_playwright

from reports import html
from reports.model import View
from tests.fakes.sample_run import sample_run, startup_run

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(180),
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no {CHROMIUM}; apt-get install chromium"),
]

# What was drawn, read back from the SVG, not from the data that plotly was given.
LOOK = """
() => Object.fromEntries([...document.querySelectorAll(".js-plotly-plot")].map((plot) => {
  const size = (node) => {
    const { width, height } = node.getBoundingClientRect();
    return width > 0 && height > 0;
  };
  const count = (root, selector) => [...root.querySelectorAll(selector)].filter(size).length;
  const scatter = plot.calcdata.map((calc) => calc[0].trace)
    .filter((trace) => trace.type === "scatter")
    .map((trace) => {
      const groups = plot.querySelectorAll(".scatterlayer .trace" + trace.uid);
      return { role: trace.meta && trace.meta.role, name: trace.name,
               given: (trace.x || []).length,
               drawn: [...groups].reduce((sum, group) => sum + count(group, ".points path"), 0) };
    });
  const axes = Object.entries(plot._fullLayout).filter(([key]) => /^[xy]axis\\d*$/.test(key))
    .map(([key, axis]) => ({ key, range: axis.range, title: axis.title.text, visible: axis.visible }));
  return [plot.id, {
    scatter, axes, bars: count(plot, ".barlayer .point path"),
    words: [...plot.querySelectorAll("text")].filter(size).map((node) => node.textContent),
  }];
}))
"""


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield found
        found.close()


@pytest.fixture
def open_page(browser, tmp_path):
    """Return a function that opens HTML text from a file: the page, its complaints, its requests."""
    contexts = []

    def open_text(text, *, width=1400):
        path = tmp_path / "report.html"
        path.write_text(text, encoding="utf-8")
        context = browser.new_context(
            offline=True, viewport={"width": width, "height": 900}, accept_downloads=True
        )
        contexts.append(context)
        page, complaints, requests = context.new_page(), [], []
        page.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(path.as_uri())
        page.wait_for_function("document.readyState === 'complete'")
        return page, complaints, requests

    yield open_text
    for context in contexts:
        context.close()


def view_of(run):
    return View(run, msgspec.json.encode(run))


def counted(run, scenario, metric):
    return {
        m.target: sum(not s.warmup and s.excluded is None for s in m.samples)
        for m in run.measurements
        if (m.scenario, m.metric) == (scenario, metric)
    }


def check_drawn(look, run):
    """Fail unless what is in the SVG is what the run's samples say."""
    assert set(look) >= {"chart-startup-ready", "chart-startup-ladder", "chart-startup-teardown"}
    for metric in ("ready", "teardown"):
        traces = look[f"chart-startup-{metric}"]["scatter"]
        assert {t["name"]: t["drawn"] for t in traces if t["role"] == "samples"} == counted(
            run, "startup", metric
        )
    phases = sum(
        1 for m in run.measurements if m.scenario == "startup" and m.metric != "teardown" and m.samples
    )
    assert look["chart-startup-ladder"]["bars"] == phases
    for key, plot in look.items():
        check_plot(key, plot)


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


def test_every_chart_of_a_whole_run_is_drawn_without_a_complaint(open_page):
    run = sample_run(5)
    page, complaints, requests = open_page(html.render([view_of(run)]))
    look = page.evaluate(LOOK)
    assert complaints == []
    assert [url for url in requests if not url.startswith(("file:", "data:"))] == []
    assert len(look) == 10
    check_drawn(look, run)
    assert sum(counted(run, "memory", "pss").values()) > 0
    layers = [t for t in look["chart-layers"]["scatter"] if t["role"] == "samples"]
    expected = sum(s.excluded is None for m in run.measurements if m.scenario == "layers" for s in m.samples)
    assert sum(t["drawn"] for t in layers) == expected
    works, boxes = 4, 4  # all but native, which is the 100 %
    assert look["chart-cpu"]["bars"] == works * boxes


def test_words_that_a_reader_needs_are_in_the_drawing(open_page):
    page, _, _ = open_page(html.render([view_of(sample_run(5))]))
    look = page.evaluate(LOOK)
    ready = " ".join(look["chart-startup-ready"]["words"])
    for word in ("native", "container", "vm-micro", "TCG", "1 ms", "10 s", "time, log scale"):
        assert word in ready
    assert re.search(r"\d(\.\d+)? ms", ready)
    assert "emulated: shown, not judged" in " ".join(look["chart-cpu"]["words"])


def test_a_run_of_startup_alone_is_drawn(open_page):
    run = startup_run(6)
    page, complaints, _ = open_page(html.render([view_of(run)]))
    look = page.evaluate(LOOK)
    check_drawn(look, run)
    assert complaints == []
    assert page.locator("section#memory").count() == 0


def test_a_phone_shows_the_page_without_scrolling_it_sideways(open_page):
    run = sample_run(5)
    page, complaints, _ = open_page(html.render([view_of(run)]), width=390)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    check_drawn(page.evaluate(LOOK), run)
    assert "TCG" in " ".join(page.evaluate(LOOK)["chart-startup-ready"]["words"])
    assert complaints == []


def test_the_data_can_be_downloaded_as_they_were(open_page, tmp_path):
    view = view_of(startup_run(6))
    page, _, _ = open_page(html.render([view]))
    with page.expect_download() as download:
        page.get_by_role("link", name=f"tare-{view.run.id}.json").click()
    download.value.save_as(tmp_path / "data.json")
    assert (tmp_path / "data.json").read_bytes() == view.raw


def test_hostile_words_do_not_run(open_page):
    run = sample_run(5)
    attack = "<script>window.stolen = 1</script><img src=x onerror='window.stolen = 1'>"
    targets = tuple(msgspec.structs.replace(t, title=attack) for t in run.targets)
    page, complaints, _ = open_page(html.render([view_of(msgspec.structs.replace(run, targets=targets))]))
    assert page.evaluate("window.stolen === undefined")
    assert page.locator("img[src=x]").count() == 0
    assert complaints == []


def figure_changed(text, key, change):
    """Return the page with one figure's JSON changed, as a defect in the drawing code would."""

    def edit(match):
        figure = json.loads(match.group(2))
        change(figure)
        return match.group(1) + json.dumps(figure).replace("<", "\\u003c") + match.group(3)

    pattern = rf'(<script type="application/json" data-figure="{key}">)(.*?)(</script>)'
    changed, times = re.subn(pattern, edit, text, flags=re.DOTALL)
    assert times == 1
    return changed


def lose_a_dot(figure):
    trace = next(t for t in figure["data"] if t["meta"]["role"] == "samples")
    trace["x"].pop()
    trace["y"].pop()


def hide_dots(figure):
    figure["data"][0]["visible"] = False


def zero_on_a_log_axis(figure):
    figure["data"][0]["x"][0] = 0


@pytest.mark.parametrize("damage", [lose_a_dot, hide_dots, zero_on_a_log_axis])
def test_the_check_finds_a_chart_that_does_not_show_the_data(open_page, damage):
    run = startup_run(6)
    page, _, _ = open_page(figure_changed(html.render([view_of(run)]), "chart-startup-ready", damage))
    with pytest.raises(AssertionError):
        check_drawn(page.evaluate(LOOK), run)


def test_the_check_finds_a_missing_chart_and_the_page_says_so(open_page):
    run = startup_run(6)
    text = html.render([view_of(run)]).replace(
        'data-figure="chart-startup-ladder">{', 'data-figure="chart-startup-ladder">'
    )
    page, complaints, _ = open_page(text)
    assert any("chart-startup-ladder" in complaint for complaint in complaints)
    assert "could not be drawn" in page.locator("#chart-startup-ladder").inner_text()
    with pytest.raises(AssertionError):
        check_drawn(page.evaluate(LOOK), run)


def test_the_policy_stops_a_script_that_is_not_ours(open_page):
    text = html.render([view_of(startup_run(6))]).replace(
        "</body>", "<script>window.foreign = 1</script></body>"
    )
    page, complaints, _ = open_page(text)
    assert page.evaluate("window.foreign === undefined")
    assert any("Content Security Policy" in complaint for complaint in complaints)


@pytest.mark.parametrize(("suffix", "magic"), [(".png", b"\x89PNG"), (".svg", b"<svg"), (".pdf", b"%PDF")])
def test_a_chart_becomes_a_picture(tmp_path, suffix, magic):
    pytest.importorskip("kaleido", reason="pictures need the extra [images]")
    path = tmp_path / f"chart{suffix}"
    command = [sys.executable, "-m", "reports", "chart", "startup-ready", _stored(tmp_path), "-o", path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert path.read_bytes().startswith(magic)
    assert path.stat().st_size > 5000


def _stored(tmp_path):
    path = tmp_path / "run.json"
    path.write_bytes(msgspec.json.encode(startup_run(6)))
    return path
