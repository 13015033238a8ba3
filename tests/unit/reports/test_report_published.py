"""Published startup times: data with sources, beside one's own figures and nowhere else."""

import msgspec
import pytest

from reports import html
from reports.model import View
from reports.published import beside, figures
from tests.fakes.sample_run import sample_run, startup_run
from tests.unit.reports import published_page


def view_of(run):
    return View(run, msgspec.json.encode(run))


@pytest.mark.parametrize("one", figures(), ids=lambda one: f"{one.what}, {one.source}")
def test_every_figure_has_a_source_that_was_read_or_says_that_it_was_not(one):
    assert 0 < one.seconds < 5
    assert bool(one.url) == bool(one.read or "second hand" in one.source)
    assert one.url.startswith("https://") or "no source" in one.source
    assert one.timed
    assert one.machine


def test_those_that_everybody_quotes_are_there():
    text = " ".join(one.what for one in figures())
    for name in ("Firecracker", "LightVM", "Docker", "runc", "crun", "youki", "QEMU", "Cloud Hypervisor"):
        assert name in text


def test_the_report_shows_them_as_other_peoples_machines():
    (table,) = beside(view_of(startup_run()))
    assert len(table.rows) == len(figures())
    text = html.render([view_of(startup_run())])
    assert "published startup times, of other people" in text
    assert "at most 125 ms" in text


def test_a_run_without_starts_has_no_such_table():
    run = msgspec.structs.replace(sample_run(1), measurements=())
    assert beside(view_of(run)) == []


def test_the_reference_page_has_the_figures():
    remedy = "run: python -m tests.unit.reports.published_page"
    assert published_page.written() == published_page.table(), remedy
