"""linux.devices, the default ones, and who may use them (config-linux.md, Devices)."""

import pytest

from tests.conformance.must import must
from tests.conformance.test_config import put

DEFAULT = {"null": "1 3", "zero": "1 5", "full": "1 7", "random": "1 8", "urandom": "1 9", "tty": "5 0"}
ZERO = {"type": "c", "major": 1, "minor": 5}


def devices(*entries):
    return put("linux", "devices", value=list(entries))


def rules(*entries):
    """Nothing is allowed but `entries`, in this order."""
    return put("linux", "resources", value={"devices": [{"allow": False, "access": "rwm"}, *entries]})


@must(
    "config-linux.md#default-devices", "the runtime MUST also supply null, zero, full, random, urandom, tty"
)
@pytest.mark.parametrize("name", DEFAULT)
def test_default_devices(oci, name):
    kind, *numbers = oci.output(f"stat -c '%F %t %T' /dev/{name}").rsplit(maxsplit=2)
    assert kind == "character special file"
    assert " ".join(str(int(number, 16)) for number in numbers) == DEFAULT[name]


@must("config-linux.md#default-devices", "the default devices can be used, whatever the device rules")
def test_default_devices_work(oci):
    box = oci.box(
        "echo x > /dev/null && head -c 3 /dev/zero | xxd -p; head -c 9 /dev/urandom | wc -c; echo > /dev/full"
    )
    rules()(box.config)
    result = box.run()
    assert result.out == "000000\n9\n"
    assert "No space left" in result.err


@must(
    "config-linux.md#default-devices", "/dev/ptmx: a bind mount or symlink of the container's /dev/pts/ptmx"
)
def test_ptmx(oci):
    script = (
        "stat -L -c '%t %T %i %d' /dev/ptmx /dev/pts/ptmx | uniq | wc -l; test -c /dev/ptmx && echo there"
    )
    assert oci.output(script) == "1\nthere\n"


@must(
    "runtime-linux.md#dev-symbolic-links",
    "MUST create /dev/fd, stdin, stdout, stderr: links to /proc/self/fd",
)
def test_symbolic_links(oci):
    script = "cd /dev && for name in fd stdin stdout stderr; do readlink $name; done"
    fds = "/proc/self/fd"
    assert oci.output(script).split() == [fds, f"{fds}/0", f"{fds}/1", f"{fds}/2"]


@must("config-linux.md#default-devices", "/dev/console is set up only if terminal is enabled")
def test_no_console_without_terminal(oci):
    assert oci.output("test -c /dev/console || echo none; test -c /dev/null && echo null") == "none\nnull\n"


@must("config-linux.md#devices", "devices lists devices that MUST be available in the container")
@pytest.mark.parametrize(
    ("entry", "shown"),
    [
        ({**ZERO, "path": "/dev/mine"}, "character special file 1 5"),
        ({**ZERO, "type": "u", "path": "/dev/mine"}, "character special file 1 5"),
        ({**ZERO, "path": "/some/where/mine"}, "character special file 1 5"),
        ({"type": "b", "major": 7, "minor": 200, "path": "/dev/mine"}, "block special file 7 c8"),
        ({"type": "p", "path": "/dev/mine"}, "fifo 0 0"),
    ],
    ids=["c", "u", "elsewhere", "b", "p"],
)
def test_each_type_of_device(oci, entry, shown):
    assert oci.output(f"stat -c '%F %t %T' {entry['path']}", devices(entry)).strip() == shown


@must("config-linux.md#devices", "fileMode, uid, gid: mode and owner of the device")
def test_mode_and_owner(oci):
    entry = {**ZERO, "path": "/dev/mine", "fileMode": 0o640, "uid": 12, "gid": 34}
    assert oci.output("stat -c '%a %u %g' /dev/mine", devices(entry)) == "640 12 34\n"


@must("config-linux.md#devices", "a mode is not cut by the umask of the runtime")
def test_mode_and_umask(oci):
    box = oci.box("stat -c %a /dev/mine")
    devices({**ZERO, "path": "/dev/mine", "fileMode": 0o666})(box.config)
    box.bundle.write()
    assert oci("run", "--bundle", str(box.bundle.path), box.id, umask=0o077).must_work().out == "666\n"


@must(
    "config-linux.md#devices",
    "if a file exists at path that does not match, the runtime MUST generate an error",
)
def test_another_file_at_the_path(oci):
    base = devices({**ZERO, "path": "/etc/zero"})
    oci.refused(devices({**ZERO, "path": "/etc/passwd"}), base=base)


@must("config-linux.md#devices", "type and path are REQUIRED; an unknown type is an error")
@pytest.mark.parametrize(
    "entry",
    [{**ZERO, "type": "x", "path": "/dev/mine"}, ZERO, {"path": "/dev/mine"}],
    ids=["unknown type", "no path", "no type"],
)
def test_an_invalid_device(oci, entry):
    oci.refused(devices(entry))


@must("config-linux.md#devices", "major and minor are REQUIRED unless type is p")
def test_a_device_without_numbers(oci):
    oci.refused(devices({"type": "c", "path": "/dev/mine"}))


FUSE = {"type": "c", "major": 10, "minor": 229}
NODE = {**FUSE, "path": "/dev/mine"}


@must("config-linux.md#allowed-device-list", "the runtime MUST apply entries in the listed order")
@pytest.mark.parametrize("last", [False, True])
def test_rules_are_applied_in_order(oci, last):
    box = oci.box("exec 2>&1; (: < /dev/mine) && echo open")
    devices(NODE)(box.config)
    rules(*({**FUSE, "access": "rwm", "allow": allow} for allow in (not last, last)))(box.config)
    text = box.run().out
    assert text == "open\n" if last else "Operation not permitted" in text


@must("config-linux.md#allowed-device-list", "access is a composition of r (read) and w (write)")
def test_access(oci):
    box = oci.box("(: < /dev/mine) && echo read; (: > /dev/mine) 2>/dev/null || echo no write")
    devices(NODE)(box.config)
    rules({**FUSE, "access": "r", "allow": True})(box.config)
    assert box.output() == "read\nno write\n"


NOTHING = {"allow": False, "access": "rwm", "type": "c", "major": 10, "minor": 1}


@must("command line#create", "without a rule that allows more, only the default devices can be used")
@pytest.mark.parametrize(
    "resources",
    [None, {}, {"devices": []}, {"pids": {"limit": 50}}, {"devices": [NOTHING]}],
    ids=["none", "empty", "no rules", "another limit", "one denial"],
)
def test_what_no_rule_allows(oci, resources):
    box = oci.box("exec 2>&1; echo x > /dev/null && echo null; (: < /dev/mine) && echo open")
    devices(NODE)(box.config)
    if resources is not None:
        box.linux["resources"] = resources
    found = box.run().out.splitlines()
    assert found[0] == "null"
    assert "Operation not permitted" in found[1]


@must("command line#create", "a rule allows a device besides the default ones")
def test_one_rule_is_enough(oci):
    box = oci.box("echo x > /dev/null && (: < /dev/mine) && echo open")
    devices(NODE)(box.config)
    box.linux["resources"] = {"devices": [{**FUSE, "access": "rwm", "allow": True}]}
    assert box.output() == "open\n"
