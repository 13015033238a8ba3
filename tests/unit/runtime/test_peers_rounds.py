"""Blocks of peers: who runs when, and what is kept."""

from contextlib import contextmanager

import pytest

from tests.peers import starts, verdict
from tests.peers.peer import Peer
from tests.peers.rounds import Timed, interleaved


def noted(name, journal):
    @contextmanager
    def opened():
        yield lambda: journal.append(name)

    return Peer(name, "", opened)


def run(journal, **options):
    peers = [noted(name, journal) for name in "abc"]
    return interleaved(peers, rounds=5, warmup=1, seed=3, say=lambda _: None, **options)


def test_every_block_has_each_peer_once_in_an_order_of_its_own():
    journal = []
    found = run(journal)
    blocks = [journal[at : at + 3] for at in range(0, len(journal), 3)]
    assert [sorted(block) for block in blocks] == [["a", "b", "c"]] * 6
    assert len({tuple(block) for block in blocks}) > 1
    assert [(len(one.samples), one.again) for one in found] == [(5, [])] * 3


def test_a_peer_follows_itself_only_where_that_is_asked_for_and_both_are_kept_apart():
    journal = []
    found = run(journal, twice=True)
    assert journal[::2] == journal[1::2]
    assert len(journal) == 2 * 3 * 6
    assert [(len(one.samples), len(one.again)) for one in found] == [(5, 5)] * 3


def test_a_pause_comes_before_each_turn_and_in_no_sample(monkeypatch):
    journal = []
    monkeypatch.setattr("tests.peers.rounds.time.sleep", lambda seconds: journal.append(f"rest {seconds}"))
    run(journal, twice=True, pause=0.3)
    assert journal[::3] == ["rest 0.3"] * 3 * 6
    assert journal[1::3] == journal[2::3]


@pytest.mark.parametrize("text", ["-1", "61", "x", "nan"])
def test_a_pause_that_is_none_is_refused_before_anything_starts(text, capsys):
    with pytest.raises(SystemExit):
        starts.main(["--pause", text])
    assert "argument --pause: " in capsys.readouterr().err


def test_a_goal_is_judged_after_others_and_after_itself():
    above, below = Timed("tare-inprocess", ""), Timed("floor", "")
    above.samples, above.again = [2.0] * 8, [1.2] * 8
    below.samples, below.again = [1.0] * 8, [1.0] * 8
    found = verdict.report([above, below], [])
    line = next(
        one for one in verdict.table(found).splitlines() if one.startswith("goal: tare-inprocess / floor")
    )
    assert "<= 1.3: 2.00 (2.00-2.00) NOT MET; each after itself: 1.20 (1.20-1.20) met" in line
