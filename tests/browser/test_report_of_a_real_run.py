"""The report that `tare run` itself wrote, as the file it is: does it show what the result file says?"""

import shutil
from dataclasses import dataclass

import pytest

from bench.results import Run
from bench.stats.summary import counted as counting
from tests.browser.drawing import LOOK, check_drawn, check_plot, counted
from tests.browser.pages import CHROMIUM, chromium, foreign, opened

pytestmark = [
    pytest.mark.browser,
    pytest.mark.privileged,
    pytest.mark.vm,
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no {CHROMIUM}; apt-get install chromium"),
]
SECTIONS = {
    "startup": {"startup-ready", "startup-ladder", "startup-teardown"},
    "memory": {"memory-cost", "memory-ledger", "memory-series"},
    "layers": {"layers"},
    "cpu": {"cpu"},
}
CHARTS = """
() => Object.fromEntries([...document.querySelectorAll("section[id]")].map((section) =>
  [section.id, [...section.querySelectorAll(".js-plotly-plot")].map((plot) => plot.id)]))
"""


@dataclass(frozen=True)
class Shown:
    """What a page showed in a browser that has ended: its drawings, its words by section, its noise."""

    run: Run
    look: dict
    text: str
    sections: dict[str, list[str]]
    complaints: list[str]
    requests: list[str]


def show(outcome, folder):
    """Open a run's report where nothing else of the run is."""
    alone = shutil.copy(outcome.html, folder / "report.html")
    with chromium() as browser:
        context, page, complaints, requests = opened(browser, alone)
        words = page.locator("body").text_content()
        sections = page.evaluate(CHARTS)
        shown = Shown(outcome.run, page.evaluate(LOOK), words, sections, complaints, requests)
        context.close()
    return shown


# The browser has ended before a test begins, so that it is nothing that the test could leave behind.
@pytest.fixture(scope="module")
def startup_page(startup_run, tmp_path_factory):
    return show(startup_run, tmp_path_factory.mktemp("startup-page"))


@pytest.fixture(scope="module")
def fast_page(fast_run, tmp_path_factory):
    return show(fast_run, tmp_path_factory.mktemp("fast-page"))


def check_evidence(shown):
    """Fail unless the page says on what host it was measured and how each accelerator was proven."""
    env = shown.run.environment
    facts = [env.cpu.model, env.kernel.release, env.cgroup, env.distribution, shown.run.id]
    facts += [f"{name} {version}" for name, version in env.versions.items()]
    machines = {m.target for m in shown.run.measurements if m.target.startswith("vm") and m.samples}
    assert machines
    assert set(env.accelerators) >= machines
    facts += [env.accelerators[name].proof for name in machines]
    words = " ".join(shown.text.split())
    assert [fact for fact in facts if fact and " ".join(fact.split()) not in words] == []


def test_startup_is_drawn_as_it_was_measured(startup_page):
    assert set(counted(startup_page.run, "startup", "ready")) == {"native", "container", "vm", "vm-micro"}
    assert min(counted(startup_page.run, "startup", "ready").values()) > 0
    check_drawn(startup_page.look, startup_page.run)


def test_the_page_of_startup_is_quiet_and_asks_nobody(startup_page):
    assert startup_page.complaints == []
    assert foreign(startup_page.requests) == []


def test_the_page_of_startup_tells_the_host_and_the_proof(startup_page):
    check_evidence(startup_page)


def expected(run, section, charts):
    """Return the charts of a section: some need a sample that counts, which a busy host may not leave."""
    if section == "memory" and not any(counting(m) for m in run.measurements if m.metric == "cgroup_anon"):
        return {"memory-series"}
    return charts if section != "cpu" or comparable(run) else set()


def comparable(run):
    """Return how many rates of work can be compared with the bare process's."""
    rates = {(m.target, m.params["work"]) for m in run.measurements if m.metric == "rate" and counting(m)}
    natives = {work for target, work in rates if target == "native"}
    return sum(target != "native" and work in natives for target, work in rates)


def test_every_scenario_has_its_section_with_its_charts(fast_page):
    for section, charts in SECTIONS.items():
        drawn = {key.removeprefix("chart-") for key in fast_page.sections[section]}
        assert drawn >= expected(fast_page.run, section, charts), section
        assert drawn <= charts | {"cpu-close-up"}, section
    assert fast_page.complaints == []
    assert foreign(fast_page.requests) == []


def test_everything_is_drawn_as_it_was_measured(fast_page):
    look, run = fast_page.look, fast_page.run
    check_drawn(look, run)
    check_evidence(fast_page)
    series = {t["name"]: t["drawn"] for t in look["chart-memory-series"]["scatter"] if t["role"] == "series"}
    assert series == counted(run, "memory", "pss")
    layers = sum(t["drawn"] for t in look["chart-layers"]["scatter"] if t["role"] == "samples")
    assert layers == sum(
        sum(counted(run, "layers", metric).values()) for metric in ("disk", "page_cache", "guest_cache")
    )


def test_a_rate_of_work_has_its_bar_and_every_row_of_the_ledger_its_sum(fast_page):
    look, run = fast_page.look, fast_page.run
    assert look.get("chart-cpu", {"bars": 0})["bars"] == comparable(run)
    ledger = look.get("chart-memory-ledger", {"words": []})
    if ledger["words"]:
        check_plot("chart-memory-ledger", ledger)
    # On a busy host a target may have lost all its samples; then it has no row.
    rows = sum(count > 0 for count in counted(run, "memory", "pss").values())
    assert sum("charged" in words for words in ledger["words"]) == rows
