import os
import socket
import threading
import time
from contextlib import contextmanager
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import channel as module
from bench.channel import Channel, ChannelFault
from bench.clock import now
from bench.target import Box
from tests.fakes.fake_target import BANNER, FakeTarget, Inside, obedient

WORDS = ("init", "listening", "pong", "done", "kernel")
STREAM = (
    b"[ 0.0] Linux version 6.1 #1\r\n\x1etare init\r\nnoise \x1e and \x1etar more\x1etare listening\n"
    b"half a line\x1etare pong 7\r\n\x1etare pong 8\x1etare done t1 0\ntail"
)
MARKERS = [("kernel", ""), ("init", ""), ("listening", ""), ("pong", "7"), ("done", "t1 0")]


def soon():
    return now() + 5


@contextmanager
def pair(*, console=False, kind=socket.SOCK_STREAM):
    ours, theirs = socket.socketpair(socket.AF_UNIX, kind)
    screen, screens = socket.socketpair()
    with ours, theirs, screen, screens:
        yield Channel(ours.fileno(), screen.fileno() if console else None), Inside(theirs, screens)


@contextmanager
def box(behaviour=None, **options):
    target = FakeTarget("native", behaviour=behaviour, **options)
    with target.launcher(Box("agent", 1)) as launcher:
        instance = launcher.start("one")
        try:
            yield Channel(instance.agent, instance.console), instance
        finally:
            instance.remove()


def read_in(chunks):
    """Return all markers of a stream that arrives in exactly these chunks, and what was between them."""
    # A packet socket keeps boundaries: each read of the channel gets one chunk.
    with pair(kind=socket.SOCK_SEQPACKET) as (channel, inside):
        inside.say(*chunks)
        inside.hang_up()
        markers = list(until_the_end(channel))
        return markers, channel.tail(10**6)


def until_the_end(channel):
    while True:
        try:
            marker = channel.wait(*WORDS, deadline=soon())
        except ChannelFault as fault:
            assert "hung up" in str(fault)  # noqa: PT017 - the end of the stream is how this loop ends
            return
        yield marker.word, marker.arguments


def cut(data, places):
    edges = [0, *sorted(places), len(data)]
    return [data[a:b] for a, b in pairwise(edges) if a != b]


def test_all_markers_of_a_noisy_stream_are_found():
    markers, rest = read_in([STREAM])
    assert markers == MARKERS
    assert rest == "[ 0.0] Linux version 6.1 #1\r\nnoise \x1e and \x1etar morehalf a line\x1etare pong 8tail"


@pytest.mark.parametrize("place", range(1, len(STREAM)))
def test_a_stream_cut_in_two_anywhere_reads_the_same(place):
    assert read_in(cut(STREAM, [place])) == read_in([STREAM])


def test_a_stream_that_comes_byte_by_byte_reads_the_same():
    assert read_in(cut(STREAM, range(1, len(STREAM)))) == read_in([STREAM])


PIECES = st.sampled_from(
    [
        b"\x1e",
        b"tare",
        b" ",
        b"init",
        b"pong",
        b"\n",
        b"\r",
        b"\r\n",
        b"\x1etare ",
        b"\x1etare init\n",
        b"x" * 300,
        b"7",
    ]
)


@settings(max_examples=150, deadline=None)
@given(st.lists(PIECES, min_size=1, max_size=20).map(b"".join), st.data())
def test_any_stream_in_any_pieces_reads_the_same(stream, data):
    places = data.draw(st.lists(st.integers(1, len(stream)), max_size=12, unique=True))
    assert read_in(cut(stream, places)) == read_in([stream])


def test_a_marker_bears_the_time_of_its_arrival():
    with pair() as (channel, inside):
        before = now()
        sender = threading.Timer(0.05, inside.say, [b"\x1etare init\n"])
        sender.start()
        marker = channel.wait("init", deadline=soon())
        assert 0.04 < marker.at - before < 2
        assert marker.at <= now()
        sender.join()


def test_markers_before_the_awaited_one_are_dropped_and_those_after_it_stay():
    with pair() as (channel, inside):
        inside.say(b"\x1etare init\n\x1etare listening\n\x1etare pong 3\n")
        assert channel.wait("listening", deadline=soon()).word == "listening"
        assert channel.wait("init", "pong", deadline=soon()).arguments == "3"


def test_a_timeout_names_the_awaited_markers_and_the_last_output():
    with pair() as (channel, inside):
        inside.say(b"\x1etare listening\npanic: no init")
        start = now()
        with pytest.raises(
            ChannelFault, match=r"no marker 'kernel or init' in time.*panic: no init"
        ) as caught:
            channel.wait("kernel", "init", deadline=start + 0.05)
        assert 0.05 <= now() - start < 1
    assert caught.value.kind == "failed"
    assert caught.value.hint


def test_endless_output_does_not_defer_the_deadline():
    def babble(inside):
        while True:
            inside.say(b"noise\n" * 1000)

    with box(babble) as (channel, _):
        start = now()
        with pytest.raises(ChannelFault, match="in time"):
            channel.wait("init", deadline=start + 0.1)
        assert now() - start < 2


@pytest.mark.parametrize("unread", [b"", b"ping 1\n"])
def test_a_hang_up_is_told_with_the_last_words(unread):
    with pair() as (channel, inside):
        inside.say(b"\x1etare init\nSegmentation fault\n")
        if unread:
            channel.request("ping 1")
        inside.hang_up()
        channel.wait("init", deadline=soon())
        with pytest.raises(ChannelFault, match=r"hung up before 'listening'.*Segmentation fault"):
            channel.wait("listening", deadline=soon())


def test_asking_a_dead_workload_is_a_fault_and_no_broken_pipe():
    with pair() as (channel, inside):
        inside.say(b"\x1etare listening\n")
        inside.hang_up()
        channel.wait("listening", deadline=soon())
        with pytest.raises(ChannelFault, match="hung up before it was asked 'ping 1'"):
            channel.ping(soon())


def test_the_console_may_close_while_the_agent_speaks_on():
    with pair(console=True) as (channel, inside):
        inside.console.close()
        inside.say(b"\x1etare init\n")
        assert channel.wait("init", deadline=soon()).word == "init"
        start = time.process_time()
        with pytest.raises(ChannelFault, match="'listening' in time"):
            channel.wait("listening", deadline=now() + 0.3)
        assert time.process_time() - start < 0.1  # it waited, and did not spin on the closed console


@pytest.mark.parametrize("shared", [True, False])
def test_a_kernel_speaks_before_its_user_space_even_if_both_wait_to_be_read(shared):
    with pair(console=not shared) as (channel, inside):
        if shared:
            inside.say(BANNER, b"\x1etare init\r\n")
        else:
            inside.say(b"\x1etare init\r\n")
            inside.print(BANNER)
        assert channel.wait("kernel", "init", deadline=soon()).word == "kernel"
        assert channel.wait("kernel", "init", deadline=soon()).word == "init"


def test_only_the_first_banner_counts():
    with pair(console=True) as (channel, inside):
        inside.print(BANNER)
        first = channel.wait("kernel", deadline=soon())
        inside.print(b"again " + BANNER)
        inside.say(BANNER + b"\x1etare init\n")
        assert channel.wait("kernel", "init", deadline=soon()).word == "init"
        assert first.at <= now()


def test_a_banner_in_two_reads_is_one():
    with pair(console=True) as (channel, inside):
        inside.print(b"x" * 500 + b"Linux ver")
        with pytest.raises(ChannelFault):
            channel.wait("kernel", deadline=now() + 0.02)
        inside.print(b"sion 6.1\n")
        assert channel.wait("kernel", deadline=soon()).word == "kernel"


def test_the_real_agent_starts_listens_and_answers():
    with box() as (channel, _):
        moments = [channel.wait(word, deadline=soon()).at for word in ("init", "listening")]
        moments += [channel.ping(soon()).at for _ in range(20)]
        assert moments == sorted(moments)


def test_the_real_agent_runs_commands():
    with box() as (channel, _):
        done = channel.execute("echo out; echo err >&2; printf 'no newline'; exit 7", soon())
        assert (done.status, done.output) == (7, "out\nerr\nno newline")
        assert channel.execute("printf '%s' \"a  b\" '\\1'", soon()).output == "a  b\\1"
        assert channel.execute("cat", soon()).output == ""  # its input is empty: the channel is not its own
        assert channel.execute("kill -9 $$", soon()).status == 137
        assert channel.ping(soon()).word == "pong"


def test_the_real_agent_quits_when_asked():
    with box() as (channel, instance):
        channel.request("quit")
        with pytest.raises(ChannelFault, match="hung up"):
            channel.wait("pong", deadline=soon())
        assert instance.body.wait(5) == 0


def test_of_huge_output_the_end_is_kept_and_the_marker_found():
    with box() as (channel, _):
        done = channel.execute("seq 1 400000; echo the end", now() + 20)
        assert done.status == 0
        assert len(done.output) == module.KEPT_OUTPUT
        assert done.output.endswith("399999\n400000\nthe end\n")


@pytest.mark.parametrize("stray", ["\\036", "\\036tare 7\\n"])
def test_huge_output_without_lines_after_a_stray_separator_takes_linear_time(stray):
    size = 16 * 2**20
    with box() as (channel, _):
        start = time.process_time()
        done = channel.execute(f"printf '{stray}'; head -c {size} /dev/zero", now() + 20)
        assert done.output == "\0" * module.KEPT_OUTPUT
        assert time.process_time() - start < 1.5  # with a line kept back whole it copies a gigabyte


def test_output_of_one_command_is_not_the_next_ones():
    with box() as (channel, _):
        assert channel.execute("echo one", soon()).output == "one\n"
        assert channel.execute("true", soon()).output == ""


def test_carriage_returns_of_a_serial_line_are_no_output():
    with box(obedient({"list": "a\r\nb\r\n"})) as (channel, _):
        assert channel.execute("list", soon()).output == "a\nb\n"


def test_what_the_kernel_prints_meanwhile_is_not_the_commands_output():
    def behave(inside):
        for words in inside.requests():
            inside.print(b"[ 9.1] clocksource: Switched to clocksource tsc\n")
            time.sleep(0.05)
            inside.say(b"4711\n", f"\x1etare done {words[1]} 0\n".encode())

    with box(behave, with_console=True) as (channel, _):
        assert channel.execute("wc", soon()).output == "4711\n"
        assert "clocksource" in channel.tail()


def test_a_wrong_pong_is_a_fault():
    with pair() as (channel, inside):
        inside.say(b"\x1etare pong 999\n")
        with pytest.raises(ChannelFault, match="answered 'pong 999' to 'ping 1'"):
            channel.ping(soon())


@pytest.mark.parametrize("reply", ["done t9 0", "done t1 zero", "done t1", "done t1 -1", "done"])
def test_a_wrong_or_garbled_end_of_a_command_is_a_fault(reply):
    with pair() as (channel, inside):
        inside.say(f"\x1etare {reply}\n".encode())
        with pytest.raises(ChannelFault, match="when 't1' was running"):
            channel.execute("true", soon())


def test_a_long_request_is_sent_whole():
    with box(obedient({"END": "got it"})) as (channel, instance):
        command = "x" * 300_000 + "END"
        assert channel.execute(command, soon()).output == "got it"
        assert instance.inside.asked == [f"exec t1 {command}"]


def test_bytes_that_are_no_text_do_no_harm():
    with box() as (channel, _):
        assert channel.execute("printf '\\377\\376ok'", soon()).output.endswith("ok")


def test_a_descriptor_of_a_pipe_serves_as_well():
    read, write = os.pipe()
    try:
        os.write(write, b"\x1etare init\n")
        assert Channel(read).wait("init", deadline=soon()).word == "init"
    finally:
        os.close(read)
        os.close(write)


def answering(*parts, status=0):
    """Return a box that answers each command with these writes."""

    def behave(inside):
        for words in inside.requests():
            inside.say(*parts, f"\x1etare done {words[1]} {status}\n".encode())

    return behave


@pytest.mark.parametrize(
    ("marks", "status", "seen"),
    [
        ((b"\x1etare begin\n", b"\x1etare end\n"), 0, 0),
        ((b"\x1etare begin\n", b"\x1etare end\n"), 3, 3),
        ((b"\x1etare begin\n",), 0, 1),
        ((b"\x1etare end\n",), 0, 1),
        ((), 0, 1),
        ((), 7, 7),
    ],
)
def test_the_time_between_two_markers_needs_both(marks, status, seen):
    with box(answering(*marks, b"words\n", status=status)) as (channel, _):
        done = channel.between("work", soon())
        assert done.status == seen
        assert "words" in done.output
        assert channel.execute("more", soon()).status == status  # the next command has its own answer
