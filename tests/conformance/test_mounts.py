"""mounts: order, options, propagation (config.md, Mounts)."""

from pathlib import Path

import pytest

from tests.conformance.must import must
from tests.conformance.test_config import put


def mounted(*mounts):
    """A change of the configuration: these mounts after the usual ones."""
    return lambda config: config["mounts"].extend(mounts)


def tmpfs(destination, *options):
    return {"destination": destination, "type": "tmpfs", "source": "tmpfs", "options": list(options)}


def bind(source, destination, *options):
    return {"destination": destination, "type": "none", "source": str(source), "options": ["bind", *options]}


def table(text):
    """/proc/self/mountinfo: mount point to (options, optional fields, super options)."""
    found = {}
    for line in text.splitlines():
        left, _, right = line.partition(" - ")
        words = left.split()
        found[words[4]] = (set(words[5].split(",")), " ".join(words[6:]), set(right.split()[-1].split(",")))
    return found


def mounts(oci, *extra):
    return table(oci.output("cat /proc/self/mountinfo", mounted(*extra)))


@must("config.md#mounts", "the runtime MUST mount entries in the listed order")
def test_order(oci):
    script = "ls /m; test -e /m/upper/marker || echo hidden"
    first = [tmpfs("/m"), tmpfs("/m/upper", "mode=700")]
    assert oci.output(script, mounted(*first)) == "upper\nhidden\n"
    assert oci.output("ls /m; echo end", mounted(tmpfs("/m/upper"), tmpfs("/m"))) == "end\n"


@must("config.md#mounts", "destination: the path of the mount point inside the container, an absolute path")
def test_an_absolute_destination(oci):
    assert "/deep/er/place" in mounts(oci, tmpfs("/deep/er/place"))


@must("config.md#mounts", "a relative destination is interpreted as relative to / (1.2)")
def test_a_relative_destination(oci):
    assert "/relative" in mounts(oci, tmpfs("relative"))


@must("config.md#mounts", "path values for bind mounts are absolute or relative to the bundle")
@pytest.mark.parametrize("absolute", [False, True])
def test_a_bind_mount(oci, absolute):
    box = oci.box("cat /m/marker; echo back > /m/answer")
    source = box.bundle.path / "source"
    source.mkdir()
    (source / "marker").write_text("here\n")
    mounted(bind(source if absolute else "source", "/m"))(box.config)
    assert box.output() == "here\n"
    assert (source / "answer").read_text() == "back\n"


@must("config.md#mounts", "a mount is a bind mount if it has bind or rbind in the options, whatever its type")
@pytest.mark.parametrize("type_", ["bind", "none", "", None])
def test_a_bind_mount_by_its_options(oci, type_):
    box = oci.box("cat /m")
    (box.bundle.path / "file").write_text("text\n")
    entry = {"destination": "/m", "source": "file", "options": ["bind"], "type": type_}
    mounted({name: value for name, value in entry.items() if value is not None})(box.config)
    assert box.output() == "text\n"


@must("config.md#linux-mount-options", "rbind: a recursive bind mount, bind: not recursive")
@pytest.mark.parametrize(("option", "count"), [("bind", 1), ("rbind", 2)])
def test_recursion(oci, option, count):
    box = oci.box("grep -c ' /m' /proc/self/mountinfo")
    box.linux["namespaces"] = [{"type": name} for name in ("mount", "pid")]
    mounted({"destination": "/m", "type": "none", "source": "/dev", "options": [option]})(box.config)
    host = Path("/proc/self/mountinfo").read_text()
    assert " /dev/" in host, "the host has nothing below /dev"
    assert (int(box.output()) > 1) == (count > 1)


FLAGS = ["nosuid", "nodev", "noexec", "noatime", "nodiratime", "relatime", "ro"]


@must("config.md#linux-mount-options", "the options MUST be implemented: flags of a new mount")
def test_flags_of_a_new_mount(oci):
    found = mounts(oci, *(tmpfs(f"/m/{flag}", flag) for flag in FLAGS))
    assert [flag for flag in FLAGS if flag not in found[f"/m/{flag}"][0]] == []


@must(
    "config.md#linux-mount-options",
    "the options MUST be implemented: sync, dirsync, lazytime of the file system",
)
def test_flags_of_a_file_system(oci):
    flags = ("sync", "dirsync")
    found = mounts(oci, *(tmpfs(f"/m/{flag}", flag) for flag in flags))
    assert [flag for flag in flags if flag not in found[f"/m/{flag}"][2]] == []


@must("config.md#linux-mount-options", "strictatime MUST be implemented")
def test_strictatime(oci):
    options = mounts(oci, tmpfs("/m", "strictatime"))["/m"][0]
    assert not options & {"relatime", "noatime"}


@must("config.md#linux-mount-options", "the flags of a bind mount are applied to it, not to its source")
@pytest.mark.parametrize("flag", ["ro", "nosuid", "nodev", "noexec", "noatime"])
def test_flags_of_a_bind_mount(oci, flag):
    box = oci.box("cat /proc/self/mountinfo")
    (box.bundle.path / "source").mkdir()
    mounted(bind("source", "/plain"), bind("source", "/flagged", flag))(box.config)
    found = table(box.output())
    assert flag in found["/flagged"][0]
    assert flag not in found["/plain"][0]


@must("config.md#linux-mount-options", "a read-only bind mount can't be written to")
def test_a_readonly_bind_mount(oci):
    box = oci.box("touch /m/new 2>&1")
    (box.bundle.path / "source").mkdir()
    mounted(bind("source", "/m", "ro"))(box.config)
    result = box.run()
    assert "Read-only file system" in result.out
    assert not list((box.bundle.path / "source").iterdir())


PAIRS = [("ro", "rw"), ("nosuid", "suid"), ("nodev", "dev"), ("noexec", "exec"), ("noatime", "atime")]


@must(
    "config.md#linux-mount-options", "rw, suid, dev, exec, atime MUST be implemented: they take a flag back"
)
def test_flags_taken_back(oci):
    found = mounts(oci, *(tmpfs(f"/m/{yes}", no, yes) for no, yes in PAIRS))
    assert [no for no, yes in PAIRS if no in found[f"/m/{yes}"][0]] == []


INERT = ["async", "diratime", "norelatime", "nostrictatime", "noiversion", "nolazytime", "loud", "silent"]


@must(
    "config.md#linux-mount-options",
    "async, diratime, norelatime, loud … MUST be implemented: taken as options",
)
def test_options_without_trace(oci):
    found = mounts(oci, *(tmpfs(f"/m/{name}", name) for name in INERT))
    assert [name for name in INERT if f"/m/{name}" not in found] == []
    assert not any(name in found[f"/m/{name}"][2] for name in INERT)


@must("config.md#linux-mount-options", "defaults MUST be implemented: taken as an option")
def test_defaults(oci):
    assert not mounts(oci, tmpfs("/m", "defaults"))["/m"][0] & {"ro", "nosuid", "nodev", "noexec"}


@must("config.md#linux-mount-options", "nosymfollow SHOULD be implemented")
def test_nosymfollow(oci):
    assert "nosymfollow" in mounts(oci, tmpfs("/m", "nosymfollow"))["/m"][0]


@must(
    "config.md#linux-mount-options",
    "private, slave, shared, unbindable and their recursive forms MUST be implemented",
)
@pytest.mark.parametrize("recursive", ["", "r"])
def test_propagation(oci, recursive):
    kinds = ("private", "slave", "shared", "unbindable")
    found = mounts(oci, *(tmpfs(f"/m/{kind}", f"{recursive}{kind}") for kind in kinds))
    fields = {kind: found[f"/m/{kind}"][1] for kind in kinds}
    assert fields["private"] == ""
    assert "shared:" not in fields["slave"]
    assert fields["shared"].startswith("shared:")
    assert fields["unbindable"] == "unbindable"


@must("config.md#mounts", "options that are the file system's own are passed to it")
def test_options_of_the_file_system(oci):
    script = "stat -c %a /m; df -k /m | tail -1"
    lines = oci.output(script, mounted(tmpfs("/m", "size=640k", "mode=711"))).splitlines()
    assert lines[0] == "711"
    assert lines[1].split()[1] == "640"


@must(
    "config.md#linux-mount-options", "tmpcopyup MAY be implemented: the contents below come up into the tmpfs"
)
def test_tmpcopyup(oci):
    box = oci.box("cat /data/file; stat -c %a /data/file; ls -l /data/link; echo mine > /data/file")
    (box.bundle.root / "data").mkdir()
    (box.bundle.root / "data/file").write_text("below\n")
    (box.bundle.root / "data/file").chmod(0o640)
    (box.bundle.root / "data/link").symlink_to("file")
    mounted(tmpfs("/data", "tmpcopyup"))(box.config)
    lines = box.output().splitlines()
    assert lines[:2] == ["below", "640"]
    assert lines[2].endswith("/data/link -> file")
    assert (box.bundle.root / "data/file").read_text() == "below\n"


@must("config.md#valid-values", "a file system type or a bind source that is not there is an error")
@pytest.mark.parametrize(
    "entry", [{"destination": "/m", "type": "nosuchfs", "source": "x"}, bind("/no/such/source", "/m")]
)
def test_what_can_not_be_mounted(oci, entry):
    oci.refused(mounted(entry))


@must("config.md#mounts", "an option that the file system refuses is an error")
def test_an_option_that_nobody_knows(oci):
    oci.refused(mounted(tmpfs("/m", "nosuchoption")), base=mounted(tmpfs("/m")))


@must("config.md#mounts", "destination is REQUIRED")
def test_no_destination(oci):
    oci.refused(mounted({"type": "tmpfs", "source": "tmpfs"}))


@must(
    "config.md#mounts",
    "uidMappings, gidMappings: the runtime MUST use an ID-mapped mount, or generate an error",
)
def test_an_idmapped_mount(oci):
    mapping = [{"containerID": 0, "hostID": 5000, "size": 100}]
    plain, mapped = oci.box("stat -c '%u %g' /m/file"), oci.box("stat -c '%u %g' /m/file")
    for box, extra in ((plain, {}), (mapped, {"uidMappings": mapping, "gidMappings": mapping})):
        (box.bundle.path / "source").mkdir()
        (box.bundle.path / "source/file").write_text("")
        mounted({**bind("source", "/m"), **extra})(box.config)
    assert plain.output() == "0 0\n"
    result = mapped.run()
    assert result.code != 0 or result.out == "5000 5000\n"


@must("config-linux.md#default-filesystems", "/proc, /sys, /dev/pts, /dev/shm SHOULD be made available")
def test_default_file_systems(oci):
    found = oci.output("cat /proc/self/mountinfo").splitlines()
    kinds = {line.split()[4]: line.partition(" - ")[2].split()[0] for line in found}
    expected = {"/proc": "proc", "/sys": "sysfs", "/dev/pts": "devpts", "/dev/shm": "tmpfs"}
    assert {place: kinds[place] for place in expected} == expected


@must("config-linux.md#rootfs-mount-propagation", "rootfsPropagation is shared, slave, private or unbindable")
@pytest.mark.parametrize("kind", ["shared", "slave", "private", "unbindable"])
def test_rootfs_propagation(oci, kind):
    fields = table(oci.output("cat /proc/self/mountinfo", put("linux", "rootfsPropagation", value=kind)))[
        "/"
    ][1]
    expected = {"shared": "shared:", "slave": "", "private": "", "unbindable": "unbindable"}[kind]
    assert fields.startswith(expected)
    assert kind == "shared" or "shared:" not in fields


@must("config-linux.md#rootfs-mount-propagation", "another value is invalid: an error")
def test_an_unknown_rootfs_propagation(oci):
    oci.refused(put("linux", "rootfsPropagation", value="nosuch"))


@must("config-linux.md#masked-paths", "maskedPaths masks the paths so that they cannot be read")
def test_masked_paths(oci):
    box = oci.box("cat /secret; ls /hidden; cat /proc/version; echo end; echo x > /hidden/new")
    (box.bundle.root / "secret").write_text("secret")
    (box.bundle.root / "hidden").mkdir()
    (box.bundle.root / "hidden/file").write_text("secret")
    box.linux["maskedPaths"] = ["/secret", "/hidden", "/proc/version", "/no/such/path"]
    assert box.run().out == "end\n"
    assert not (box.bundle.root / "hidden/new").exists()


@must("config-linux.md#readonly-paths", "readonlyPaths sets the paths as readonly inside the container")
def test_readonly_paths(oci):
    box = oci.box(
        "touch /keep/new /file 2>&1; echo x > /proc/sys/kernel/domainname; touch /free && cat /keep/old"
    )
    (box.bundle.root / "keep").mkdir()
    (box.bundle.root / "keep/old").write_text("old\n")
    (box.bundle.root / "file").write_text("")
    box.linux["readonlyPaths"] = ["/keep", "/file", "/proc/sys", "/no/such/path"]
    result = box.run().must_work()
    assert (result.out + result.err).count("Read-only file system") == 3
    assert result.out.endswith("old\n")


@must("config-linux.md#masked-paths", "the values MUST be absolute paths")
@pytest.mark.parametrize("name", ["maskedPaths", "readonlyPaths"])
def test_relative_paths(oci, name):
    oci.refused(put("linux", name, value=["relative"]))
