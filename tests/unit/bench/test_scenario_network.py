"""The network scenario on fake boxes, with what its clients print."""

import re

import pytest

from bench.scenarios.network import PATHS, WORKS, Network
from tests.fakes.fake_target import INIT, LISTENING, FakeTarget


def printed(seconds):
    """What the clients print: 900 round trips and 4096000 bytes in so many seconds."""
    return {
        "sockperf ping-pong": f"sockperf: [Total Run] RunTime={seconds} sec; Warm up time=400 msec; "
        "SentMessages=901; ReceivedMessages=900\nsockperf: [Valid Duration] RunTime=0.5 sec; "
        "SentMessages=30; ReceivedMessages=30\n",
        "iperf3 -c": '"sum_received":\t{\n\t"start":\t0,\n\t"end":\t9,\n'
        f'\t"seconds":\t{seconds},\n\t"bytes":\t4096000,\n}}\n',
    }


PRINTED = printed("0.000002")  # a fake answers at once, and no client asked for longer than the host saw


def box(*, address="10.9.0.2", listens=True, printed=None):
    def answer(command):
        if "until grep" in command:
            return ("77\n", 0) if listens else ("", 9)
        if command == "hostname -I":
            return f"{address}\n", 0
        found = [text for part, text in (printed or PRINTED).items() if part in command]
        return (found[0] if found else ""), 0

    def behave(inside):
        inside.say(INIT, LISTENING)
        for words in inside.requests():
            if words[0] == "ping":
                inside.pong(words)
                continue
            text, status = answer(words[2])
            inside.say(text.encode(), f"\x1etare done {words[1]} {status}\n".encode())

    return behave


def clients(target):
    words = [line for one in target.instances for line in one.inside.asked]
    return [line for line in words if "ping-pong" in line or "iperf3 -c" in line]


def test_a_container_is_asked_from_inside_and_from_a_bare_process_and_that_on_one_path(measure):
    native, container = FakeTarget("native", behaviour=box()), FakeTarget("container", behaviour=box())
    run = measure(Network(), native, container, runs=1)
    assert not run.failures
    assert {(m.target, m.params["work"], m.params["path"]) for m in run.measurements} == {
        (name, work.name, path) for name in ("native", "container") for work in WORKS for path in PATHS
    }
    assert len(clients(container)) == 2
    assert all("127.0.0.1" in line for line in clients(container))
    over = [line for line in clients(native) if "10.9.0.2" in line]
    assert len(over) == 2
    assert len(clients(native)) == 2 + 2
    assert {box.network for box in container.boxes} == {"bridge"}


def test_a_bare_process_is_measured_once_for_both_paths(measure):
    native = FakeTarget("native", behaviour=box())
    run = measure(Network(), native, runs=2)
    assert len(clients(native)) == 2 * len(WORKS)
    assert [len(m.samples) for m in run.measurements] == [2] * len(WORKS) * len(PATHS)


def test_a_rate_is_per_second_in_which_the_client_asked(measure):
    run = measure(Network(), FakeTarget("native", behaviour=box()), runs=1)
    found = {(m.params["work"], one.value) for m in run.measurements for one in m.samples}
    assert dict(found) == {"round trips": pytest.approx(4.5e8), "bytes": pytest.approx(2.048e12)}
    assert len(found) == 2


def test_no_port_is_used_twice_and_every_server_is_ended(measure):
    native = FakeTarget("native", behaviour=box())
    measure(Network(), native, runs=3)
    asked = [line for one in native.instances for line in one.inside.asked]
    ports = [re.search(r"-p (\d+)", line)[1] for line in asked if "until grep" in line]
    assert len(set(ports)) == len(ports) == 6
    assert sum("kill 77" in line for line in asked) == 6


@pytest.mark.parametrize(
    ("faults", "said"),
    [
        ({"listens": False}, "does not listen"),
        ({"printed": {"iperf3 -c": "error", "ping-pong": "error"}}, "gave no number"),
        (
            {"printed": {"iperf3 -c": '"sum_received":{"bytes":0}', "ping-pong": "ReceivedMessages=0"}},
            "gave no",
        ),
        ({"printed": printed("9.0")}, "gave no number"),
        ({"printed": printed("0.000")}, "gave no number"),
    ],
)
def test_what_gives_no_number_is_a_failure(measure, faults, said):
    run = measure(Network(), FakeTarget("native", behaviour=box(**faults)), runs=1)
    assert said in run.failures[0].text


def test_a_container_without_an_address_or_a_client_is_a_failure(measure):
    native, container = (
        FakeTarget("native", behaviour=box()),
        FakeTarget("container", behaviour=box(address="")),
    )
    run = measure(Network(), native, container, runs=1)
    assert any("no address on the bridge" in failure.text for failure in run.failures)
    run = measure(Network(), FakeTarget("container", behaviour=box()), runs=1)
    assert "measure native too" in run.failures[0].hint
