"""The report's table of verdicts."""

import msgspec

from bench.claims.judge import verdicts
from bench.claims.load import select
from reports import html
from reports.claims import verdicts as tables
from reports.model import View
from tests.fakes.sample_run import sample_run


def view_of(run):
    return View(run, msgspec.json.encode(run))


def test_a_run_without_claims_has_no_such_section():
    assert tables(view_of(sample_run(1))) == []
    assert 'id="claims"' not in html.render([view_of(sample_run(1))])


def test_every_claim_of_a_run_has_a_row_with_its_evidence():
    run = sample_run(1)
    chosen = select(["startup-vm", "layers-memory", "cpu-hypervisor"])
    run = msgspec.structs.replace(run, verdicts=tuple(verdicts(chosen, run)))
    (table,) = tables(view_of(run))
    assert [row[0].text.split("\n")[0] for row in table.rows] == [one.id for one in chosen]
    for row, claim in zip(table.rows, chosen, strict=True):
        assert claim.says.en in row[0].text
        assert claim.flip.en == row[3].text
        assert row[2].text.count("\n") == len(claim.part)
    text = html.render([view_of(run)])
    assert 'id="claims"' in text
    assert "(tcg)" in text


def test_a_claim_that_this_version_does_not_know_is_shown_all_the_same():
    run = sample_run(1)
    (record,) = verdicts(select(["startup-vm"]), run)
    run = msgspec.structs.replace(run, verdicts=({**record, "claim": "older"},))
    (table,) = tables(view_of(run))
    assert table.rows[0][0].text == "older"
