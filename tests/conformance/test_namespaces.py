"""linux.namespaces: new, joined, inherited, refused (config-linux.md, Namespaces)."""

from pathlib import Path

import pytest

from tests.conformance.must import must
from tests.conformance.oci import holder, stop
from tests.conformance.test_config import drop, put

FILES = {
    "pid": "pid",
    "network": "net",
    "ipc": "ipc",
    "uts": "uts",
    "mount": "mnt",
    "cgroup": "cgroup",
    "user": "user",
}
FLAGS = {"network": "-n", "ipc": "-i", "uts": "-u", "cgroup": "-C"}
HOST = {name: str(Path(f"/proc/self/ns/{file}").readlink()) for name, file in FILES.items()}
LIST = "cd /proc/self/ns; for n in *; do echo $n $(readlink $n); done"
MAPPINGS = [
    {"containerID": 0, "hostID": 100000, "size": 1000},
    {"containerID": 1000, "hostID": 200000, "size": 10},
]


def seen(oci, change=None):
    lines = (line.split() for line in oci.output(LIST, change).splitlines())
    found = dict(lines)
    return {name: found[file] for name, file in FILES.items()}


def namespaces(*entries):
    return put("linux", "namespaces", value=[e if isinstance(e, dict) else {"type": e} for e in entries])


def with_user(config):
    """A user namespace, and a /sys that its owner may mount."""
    config["linux"]["namespaces"].append({"type": "user"})
    config["linux"]["uidMappings"] = config["linux"]["gidMappings"] = MAPPINGS


@must("config-linux.md#namespaces", "without path the runtime MUST create a new namespace of the type")
def test_new_namespaces(oci):
    found = seen(oci, lambda config: config["linux"]["namespaces"].append({"type": "cgroup"}))
    assert {name for name in found if found[name] == HOST[name]} == {"user"}


@must("config-linux.md#namespaces", "a type that is not specified MUST be inherited from the runtime")
def test_inherited_namespaces(oci):
    def change(config):
        namespaces("mount", "pid")(config)
        config["mounts"] = [entry for entry in config["mounts"] if entry["type"] != "sysfs"]

    found = seen(oci, change)
    assert {name for name in found if found[name] == HOST[name]} == {
        "network",
        "ipc",
        "uts",
        "cgroup",
        "user",
    }


@must("config-linux.md#namespaces", "MUST place the process in the namespace associated with path")
@pytest.mark.parametrize("kind", ["network", "ipc", "uts", "cgroup"])
def test_joined_namespace(oci, kind):
    process = holder(FLAGS[kind])
    try:
        path = f"/proc/{process.pid}/ns/{FILES[kind]}"
        expected = str(Path(path).readlink())
        others = [name for name in ("pid", "network", "ipc", "uts", "mount") if name != kind]
        found = seen(oci, namespaces(*others, {"type": kind, "path": path}))
        assert found[kind] == expected
        assert Path(path).exists()
    finally:
        stop(process)


@must("config-linux.md#namespaces", "MUST place the process in the pid namespace associated with path")
def test_joined_pid_namespace(oci):
    other = oci.box("echo ready; exec sleep 60").launch()
    path = f"/proc/{other.state()['pid']}/ns/pid"
    script = "echo $$; readlink /proc/self/ns/pid; tr '\\0' ' ' < /proc/1/cmdline"
    change = namespaces("network", "ipc", "uts", "mount", {"type": "pid", "path": path})
    lines = oci.output(script, change).splitlines()
    assert int(lines[0]) > 1
    assert lines[1:] == [str(Path(path).readlink()), "sleep 60 "]
    assert other.status() == "running"


@must("config-linux.md#namespaces", "MUST generate an error if path is not of the given type")
def test_a_path_of_another_type(oci):
    process = holder("-i")
    try:
        path = f"/proc/{process.pid}/ns/ipc"
        others = ("pid", "ipc", "uts", "mount")
        oci.refused(namespaces(*others, {"type": "network", "path": path}))
    finally:
        stop(process)


@must("config-linux.md#namespaces", "MUST generate an error for a path that is no namespace, or is not there")
@pytest.mark.parametrize("path", ["/proc/self/status", "/no/such/file"])
def test_a_path_that_is_no_namespace(oci, path):
    oci.refused(namespaces("pid", "ipc", "uts", "mount", {"type": "network", "path": path}))


@must("config-linux.md#namespaces", "path MUST be an absolute path")
def test_a_relative_path(oci):
    base = namespaces("pid", "ipc", "uts", "mount", {"type": "network", "path": "/proc/self/ns/net"})
    change = namespaces("pid", "ipc", "uts", "mount", {"type": "network", "path": "ns/net"})
    oci.refused(change, base=lambda config: (base(config), config["mounts"].pop()))


@must("config-linux.md#namespaces", "duplicated namespaces with the same type MUST generate an error")
def test_duplicated_namespaces(oci):
    oci.refused(lambda config: config["linux"]["namespaces"].append({"type": "ipc"}))


@must("config-linux.md#namespaces", "type is REQUIRED; an unknown one is an error")
@pytest.mark.parametrize("entry", [{"type": "nosuch"}, {"type": ""}, {}])
def test_an_unknown_type(oci, entry):
    oci.refused(lambda config: config["linux"]["namespaces"].append(entry))


@must("config-linux.md#namespaces", "pid: processes only see others of the same namespace")
def test_the_program_is_alone(oci):
    assert oci.output("echo $$ /proc/[0-9]*") == "1 /proc/1\n"


@must(
    "config-linux.md#namespaces",
    "network: the container has its own network stack, with a loopback of its own",
)
def test_the_network_is_its_own(oci):
    assert [line.split(":")[0].strip() for line in oci.output("tail -n +3 /proc/net/dev").splitlines()] == [
        "lo"
    ]


@must("config-linux.md#user-namespace-mappings", "uidMappings, gidMappings: from the host to the container")
@pytest.mark.parametrize("name", ["uid", "gid"])
def test_mappings(oci, name):
    lines = oci.output(f"cat /proc/self/{name}_map", with_user).splitlines()
    assert [tuple(map(int, line.split())) for line in lines] == [(0, 100000, 1000), (1000, 200000, 10)]


@must("config-linux.md#user-namespace-mappings", "a mapped user is the mapped one as seen by the host")
def test_the_user_as_the_host_sees_it(oci):
    box = oci.box("echo ready; exec sleep 60")
    with_user(box.config)
    box.process["user"] = {"uid": 1000, "gid": 5}
    box.launch().wait_for("ready")
    process = Path(f"/proc/{box.state()['pid']}")
    lines = (process / "status").read_text().splitlines()
    found = {
        name: words.split()[0] for name, _, words in (line.partition(":") for line in lines) if words.split()
    }
    assert (found["Uid"], found["Gid"]) == ("200000", "100005")


@must("config-linux.md#user-namespace-mappings", "SHOULD NOT modify the ownership of referenced filesystems")
def test_the_root_keeps_its_owner(oci):
    box = oci.box("echo ready; stat -c %u /bin/busybox")
    with_user(box.config)
    assert box.output() == "ready\n65534\n"
    assert (box.bundle.root / "bin/busybox").stat().st_uid == 0


@must(
    "config-linux.md#user-namespace-mappings", "mappings without a user namespace can't be honoured: an error"
)
def test_mappings_without_namespace(oci):
    def without(config):
        config["linux"]["namespaces"] = [e for e in config["linux"]["namespaces"] if e["type"] != "user"]

    oci.refused(without, base=with_user)


@must(
    "config-linux.md#user-namespace-mappings",
    "a new user namespace without mappings can't run a program: an error",
)
def test_a_user_namespace_without_mappings(oci):
    oci.refused(drop("linux", "uidMappings"), base=with_user)


@must("config-linux.md#user-namespace-mappings", "containerID, hostID and size are REQUIRED: else an error")
@pytest.mark.parametrize("key", ["containerID", "hostID", "size"])
def test_a_mapping_that_lacks_a_number(oci, key):
    whole = {"containerID": 0, "hostID": 0, "size": 1000}
    lacking = [{name: number for name, number in whole.items() if name != key}]

    def with_root(config):
        with_user(config)
        config["linux"].update(uidMappings=[whole], gidMappings=[whole])

    oci.refused(put("linux", "uidMappings", value=lacking), base=with_root)


@must("config-linux.md#offset-for-time-namespace", "timeOffsets sets the offset of the clocks")
def test_time_offsets(oci):
    def change(config):
        config["linux"]["namespaces"].append({"type": "time"})
        config["linux"]["timeOffsets"] = {
            "boottime": {"secs": 100000000},
            "monotonic": {"secs": 5, "nanosecs": 7},
        }

    assert float(oci.output("cat /proc/uptime", change).split()[0]) > 100000000


@must("config-linux.md#sysctl", "sysctl allows kernel parameters to be modified for the container")
def test_sysctl(oci):
    values = {"net.ipv4.ip_forward": "1", "kernel.shm_rmid_forced": "1", "net.core.somaxconn": "256"}
    script = "cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shm_rmid_forced /proc/sys/net/core/somaxconn"
    before = Path("/proc/sys/kernel/shm_rmid_forced").read_text()
    assert oci.output(script, put("linux", "sysctl", value=values)) == "1\n1\n256\n"
    assert Path("/proc/sys/kernel/shm_rmid_forced").read_text() == before


@must(
    "config-linux.md#sysctl",
    "a parameter that is not there, or not of the container's namespaces, is an error",
)
@pytest.mark.parametrize("name", ["net.no.such", "vm.swappiness", "kernel.panic"])
def test_a_sysctl_that_is_the_hosts(oci, name):
    oci.refused(put("linux", "sysctl", value={name: "1"}))


@must(
    "config-linux.md#sysctl", "a network parameter without a network namespace would be the host's: an error"
)
def test_a_sysctl_without_namespace(oci):
    def base(config):
        namespaces("mount", "pid", "ipc", "uts")(config)
        config["mounts"] = [entry for entry in config["mounts"] if entry["type"] != "sysfs"]

    oci.refused(put("linux", "sysctl", value={"net.ipv4.ip_forward": "0"}), base=base)


@must("config-linux.md#personality", "domain LINUX32 will set uname to show a 32 bit CPU type")
@pytest.mark.parametrize(("domain", "machine"), [("LINUX32", "i686"), ("LINUX", "x86_64")])
def test_personality(oci, domain, machine):
    assert oci.output("uname -m", put("linux", "personality", value={"domain": domain})) == f"{machine}\n"


@must(
    "config-linux.md#personality", "another domain is invalid: an error; so is a flag, none being supported"
)
@pytest.mark.parametrize(
    "value", [{"domain": "NOSUCH"}, {"domain": "LINUX", "flags": ["ADDR_NO_RANDOMIZE"]}, {}]
)
def test_an_unknown_personality(oci, value):
    oci.refused(put("linux", "personality", value=value))
