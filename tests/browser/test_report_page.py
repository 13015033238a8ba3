"""The report in a real Chromium, from the file system, without a network: are the charts really drawn?"""

import json
import re
import subprocess
import sys

import msgspec
import pytest

from reports import html
from reports.model import View
from tests.browser.drawing import LOOK, check_drawn, check_numbers_are_clear, counted
from tests.browser.pages import CHROMIUM, foreign
from tests.fakes.sample_run import sample_run, startup_run

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(180),
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no {CHROMIUM}; apt-get install chromium"),
]


def view_of(run):
    return View(run, msgspec.json.encode(run))


def test_every_chart_of_a_whole_run_is_drawn_without_a_complaint(open_page):
    run = sample_run(5)
    page, complaints, requests = open_page(html.render([view_of(run)]))
    look = page.evaluate(LOOK)
    assert complaints == []
    assert foreign(requests) == []
    assert len(look) == 12
    check_drawn(look, run)
    assert sum(counted(run, "memory", "pss").values()) > 0
    layers = [t for t in look["chart-layers"]["scatter"] if t["role"] == "samples"]
    expected = sum(s.excluded is None for m in run.measurements if m.scenario == "layers" for s in m.samples)
    assert sum(t["drawn"] for t in layers) == expected
    for scenario in ("copy-on-write", "overlay-lookup"):
        dots = [t for t in look[f"chart-{scenario}"]["scatter"] if t["role"] == "samples"]
        assert dots
        assert all(t["given"] == t["drawn"] > 0 for t in dots)
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


@pytest.mark.parametrize("width", [1400, 390])
def test_a_median_is_not_written_on_its_interval(open_page, width):
    run = startup_run(6)
    wide = tuple(
        msgspec.structs.replace(m, samples=tuple(widened(m.samples))) if m.target == "container" else m
        for m in run.measurements
    )
    page, _, _ = open_page(
        html.render([view_of(msgspec.structs.replace(run, measurements=wide))]), width=width
    )
    check_numbers_are_clear(page.evaluate(LOOK)["chart-startup-ready"])


def widened(samples):
    """Return the samples in two clusters, a factor of ten apart, so that the median's interval spans both."""
    return (msgspec.structs.replace(s, value=s.value * (10 if i % 2 else 1)) for i, s in enumerate(samples))


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


def move_a_dot(figure):
    trace = next(t for t in figure["data"] if t["meta"]["role"] == "samples")
    trace["x"][0] *= 1.03


def put_dots_into_another_row(figure):
    trace = next(t for t in figure["data"] if t["meta"]["role"] == "samples")
    trace["y"] = [y + 1 for y in trace["y"]]


def mislabel_the_axis(figure):
    figure["layout"]["xaxis"]["ticktext"].reverse()


def call_emulation_hardware(figure):
    axis = figure["layout"]["yaxis"]
    axis["ticktext"] = [words.replace("TCG", "KVM") for words in axis["ticktext"]]


DAMAGES = [lose_a_dot, hide_dots, zero_on_a_log_axis, move_a_dot, put_dots_into_another_row,
           mislabel_the_axis, call_emulation_hardware]  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
def test_the_check_finds_a_chart_that_does_not_show_the_data(open_page, damage):
    run = startup_run(6)
    page, _, _ = open_page(figure_changed(html.render([view_of(run)]), "chart-startup-ready", damage))
    with pytest.raises(AssertionError):
        check_drawn(page.evaluate(LOOK), run)


def test_the_check_finds_a_phase_that_is_not_to_scale(open_page):
    def stretch(figure):
        bars = next(t for t in figure["data"] if t["meta"]["role"] == "phase")
        bars["x"] = [0.98 * x for x in bars["x"]]

    run = startup_run(6)
    page, _, _ = open_page(figure_changed(html.render([view_of(run)]), "chart-startup-ladder", stretch))
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
