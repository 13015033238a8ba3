"""process.terminal: a pseudoterminal from the container's devpts (config.md, Process)."""

from tests.conformance.must import must
from tests.conformance.terminal import ConsoleSocket


def with_terminal(oci, script, console, **process):
    box = oci.box(script)
    box.process.update(terminal=True, **process)
    box.create("--console-socket", str(console.path)).must_work()
    return box


@must("config.md#process", "with terminal true a pseudoterminal is duplicated on the standard streams")
def test_the_streams_are_a_terminal(oci):
    with ConsoleSocket(oci.scratch / "console1") as console:
        box = with_terminal(oci, "for n in 0 1 2; do test -t $n && echo tty $n; done; tty; echo end", console)
        assert console.master > 0
        box.start().must_work()
        text = console.read_until("end\r\n")
    assert [f"tty {number}" in text for number in range(3)] == [True, True, True]
    assert "/dev/pts/" in text or "/dev/console" in text


@must("config.md#process", "what is written to the terminal arrives on the program's standard input")
def test_the_terminal_is_read(oci):
    with ConsoleSocket(oci.scratch / "console2") as console:
        box = with_terminal(oci, "read line; echo got $line.", console)
        assert console.master > 0
        box.start().must_work()
        console.write("words\n")
        console.read_until("got words.")


@must("config.md#process", "consoleSize specifies the size in characters of the terminal")
def test_console_size(oci):
    with ConsoleSocket(oci.scratch / "console3") as console:
        box = with_terminal(oci, "stty size; echo end", console, consoleSize={"height": 31, "width": 101})
        assert console.size() == (31, 101)
        box.start().must_work()
        assert "31 101" in console.read_until("end\r\n")


@must("config.md#process", "a resize of the terminal reaches the program")
def test_a_resize(oci):
    script = "trap 'stty size; echo end' WINCH; echo ready; while :; do sleep 0.02; done"
    with ConsoleSocket(oci.scratch / "console4") as console:
        box = with_terminal(oci, script, console)
        assert console.master > 0
        box.start().must_work()
        console.read_until("ready")
        console.resize(40, 120)
        assert "40 120" in console.read_until("end\r\n")


@must("config-linux.md#default-devices", "/dev/console is the pseudoterminal if terminal is enabled")
def test_dev_console(oci):
    with ConsoleSocket(oci.scratch / "console5") as console:
        box = with_terminal(oci, "test -c /dev/console && echo hello > /dev/console; echo end", console)
        assert console.master > 0
        box.start().must_work()
        assert "hello" in console.read_until("end\r\n")


@must("config.md#process", "the terminal is the program's controlling one")
def test_the_controlling_terminal(oci):
    with ConsoleSocket(oci.scratch / "console6") as console:
        box = with_terminal(oci, "echo from tty > /dev/tty; echo end", console)
        assert console.master > 0
        box.start().must_work()
        assert "from tty" in console.read_until("end\r\n")


@must("command line#create", "terminal without a console socket is an error for create, and for run --detach")
def test_a_terminal_without_socket(oci):
    def change(config):
        config["process"]["terminal"] = True

    oci.refused(change)
