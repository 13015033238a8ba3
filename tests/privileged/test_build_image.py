"""`tare image build`: real builds, compared with podman's of the same file, and failing ones."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from runtime.image.store import Store

pytestmark = pytest.mark.privileged
ROOT = Path(__file__).resolve().parents[2]
TARE = [sys.executable, "-c", "from bench.cli.main import main; main()"]

EVERYTHING = """ARG LEVEL=1
FROM busybox AS one
ARG LEVEL
RUN echo $LEVEL > /one
FROM busybox AS unused
RUN false
FROM busybox AS two
RUN echo two > /two; ln /two /three; rm -r /home; chmod 1777 /mnt
COPY --from=one /one /got/
FROM two
ENV A=b PATH=$PATH:/srv
WORKDIR /srv/app
COPY a ./
COPY a b
COPY --chown=33:44 --chmod=640 sub /srv/sub/
COPY --from=two /etc /copied
COPY s*b /wild/
USER 33:44
RUN pwd > /srv/sub/by-33 2>/dev/null || id -u > /tmp/who
USER root
LABEL l=1 m="x y"
EXPOSE 80 53/udp
VOLUME /data
STOPSIGNAL SIGINT
ENTRYPOINT ["/bin/echo"]
CMD ["hello", "$A"]
"""


@pytest.fixture
def context(tmp_path):
    """A directory with a file, and a directory with a program and a link."""
    place = tmp_path / "context"
    (place / "sub").mkdir(parents=True)
    (place / "a").write_text("a")
    (place / "sub/x").write_text("x")
    (place / "sub/x").chmod(0o750)
    (place / "sub/link").symlink_to("x")
    return place


@pytest.fixture
def build(home, context):
    def run(text, *options, name="made", **environment):
        (context / "Dockerfile").write_text(text)
        command = [*TARE, "--root", str(home), "image", "build", "-t", name, *options, str(context)]
        known = {key: value for key, value in os.environ.items() if key != "SOURCE_DATE_EPOCH"}
        return subprocess.run(
            command, cwd=ROOT, env={**known, **environment}, capture_output=True, text=True,
            check=False, timeout=60,
        )  # fmt: skip

    return run


@pytest.fixture
def short():
    """A directory with a short name, since podman allows its own only 50 characters."""
    with tempfile.TemporaryDirectory(prefix="pb-", dir="/tmp") as place:
        yield place


def built(home, build, text, *options, **environment):
    done = build(text, *options, **environment)
    assert done.returncode == 0, done.stderr
    return Store(home / "images").resolve(done.stdout.strip())


def tree(root):
    """What there is below a directory, but times and what a runtime mounts there, and podman leaves."""
    found, first = {}, {}
    for directory, names, files in os.walk(root):
        for name in [*names, *files]:
            path = Path(directory) / name
            status, text = path.lstat(), str(path.relative_to(root))
            if text.startswith(("dev", "proc", "sys", "run")) or name in {"hostname", "resolv.conf"}:
                continue
            what = str(path.readlink()) if path.is_symlink() else ""
            if stat.S_ISREG(status.st_mode):
                what = hashlib.sha256(path.read_bytes()).hexdigest()
                what += first.setdefault((status.st_dev, status.st_ino), text) if status.st_nlink > 1 else ""
            found[text] = (oct(status.st_mode), status.st_uid, status.st_gid, what)
    return found


def podman(home, short, context):
    """Build with podman in a mount namespace of its own; returns the root and the configuration."""
    call = f"podman --root {short}/p --runroot {short}/r --storage-driver vfs --cgroup-manager cgroupfs"
    script = f"""set -e
{call} pull -q oci:{home}/images:docker.io/library/busybox:latest >/dev/null
{call} tag $({call} images -q) busybox
{call} build -q --format docker --pull=never --isolation chroot --network host \
    --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 -t made {context} >/dev/null
{call} inspect made --format '{{{{json .Config}}}}'
{call} image mount made
"""
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", script], check=False, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
    config, place = done.stdout.splitlines()
    return Path(place), json.loads(config)


def test_the_same_files_and_configuration_as_podman(home, build, context, short):
    image = built(home, build, EVERYTHING)
    root, config = podman(home, short, context)
    ours, theirs = tree(Store(home / "images").checkout(image)), tree(root)
    assert {path: ours.get(path) for path in {*ours, *theirs} if ours.get(path) != theirs.get(path)} == {}
    assert set(image.config.env) == set(config["Env"])
    assert (list(image.config.entrypoint), list(image.config.cmd)) == (config["Entrypoint"], config["Cmd"])
    assert (image.config.user, image.config.working_dir) == (config["User"], config["WorkingDir"])
    assert set(image.config.exposed_ports) == set(config["ExposedPorts"])
    assert set(image.config.volumes) == set(config["Volumes"])
    assert image.config.stop_signal == config["StopSignal"]
    assert image.config.labels.items() <= config["Labels"].items()


def test_a_second_build_takes_all_from_the_cache(home, build, context):
    text = "FROM busybox\nCOPY a /\nRUN date +%N > /now\n"
    first = built(home, build, text)
    again = build(text)
    assert again.stdout.strip() == first.digest
    assert again.stderr.count("cached") == 2
    assert built(home, build, text, "--no-cache").digest != first.digest
    (context / "a").write_text("other")
    assert "cached" not in build(text).stderr


def test_an_entry_whose_layer_is_gone_is_no_hit(home, build):
    text = "FROM busybox\nRUN echo gone > /gone\n"
    image = built(home, build, text)
    store = Store(home / "images")
    store.remove("made")
    store.blobs.path(image.layers[-1].digest).unlink()
    assert "cached" not in build(text).stderr
    assert store.resolve("made").layers[-1].digest in store.blobs


def test_a_time_makes_equal_images_of_equal_input(home, build, context):
    text = "FROM busybox\nWORKDIR /w\nCOPY a sub /c/\nRUN echo x > /x\n"
    epoch = {"SOURCE_DATE_EPOCH": "1000000000"}
    first = built(home, build, text, **epoch)
    os.utime(context / "a")
    assert built(home, build, text, "--no-cache", **epoch).digest == first.digest
    given = ("--build-arg", "SOURCE_DATE_EPOCH=1000000000")
    assert built(home, build, text, "--no-cache", *given).digest == first.digest
    made = Store(home / "images").layer_paths(first)[-1] / "x"
    assert made.stat().st_mtime == 1000000000


def test_a_failing_command_names_its_place_and_leaves_nothing(home, build):
    done = build("FROM busybox\nRUN true\nRUN echo said; \\\n    exit 7\n", name="broken")
    assert done.returncode == 1
    assert "Dockerfile:3-4: RUN echo said;" in done.stderr
    assert "exit code 7" in done.stderr
    assert "said" in done.stderr
    assert "broken" not in [name.familiar for name, _ in Store(home / "images").images()]
    assert not any((home / "containers").iterdir())
    assert not any((home / "run/containers").iterdir())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "FROM busybox\nCOPY missing /\n",
            "Dockerfile:2: COPY missing /: missing is not in the build context",
        ),
        (
            "FROM busybox\nCOPY a /bin\nCOPY sub /bin/a\n",
            "Dockerfile:3: COPY sub /bin/a: /bin/a is not a directory",
        ),
        (
            "FROM busybox AS b\nFROM scratch\nCOPY --from=b gone /\n",
            "Dockerfile:3: COPY --from=b gone /: gone is not in the stage or image that --from names",
        ),
        ("FROM busybox\nCOPY --chown=nobody-there a /\n", "has no 'nobody-there'"),
        ("FROM busybox\nCOPY --chmod=u+y a /\n", "--chmod takes a mode such as"),
        ("FROM busybox\nRUN --mount=type=ssh,required true\n", "the agent default is required"),
        ("FROM busybox\nRUN --mount=type=secret,id=s,required true\n", "the secret s is required"),
        ("FROM nothing-such\n", "Dockerfile:1: FROM nothing-such: no image named nothing-such"),
        (
            "FROM busybox\nCOPY --from=gone:1 a /\n",
            "Dockerfile:2: COPY --from=gone:1 a /: no image named gone:1",
        ),
        (
            "FROM --platform=linux/s390x busybox\n",
            "Dockerfile:1: FROM --platform=linux/s390x busybox: busybox is",
        ),
        ("FROM busybox\nSTOPSIGNAL NO\n", "Dockerfile:2: STOPSIGNAL NO: "),
        ("FROM scratch\nRUN true\n", "nothing to run in an empty image"),
    ],
)
def test_what_cannot_be_built_is_refused_by_name(build, text, message):
    done = build(text, name="refused")
    assert done.returncode != 0
    assert message in done.stderr


def test_a_link_of_the_image_does_not_lead_out(home, build, context, tmp_path):
    (tmp_path / "outside").mkdir()
    links = f"ln -s {tmp_path}/outside /out; ln -s ../../../bin /up"
    text = f"FROM busybox\nRUN {links}\nCOPY a /out/\nCOPY a /up/\n"
    image = built(home, build, text)
    assert not any((tmp_path / "outside").iterdir())
    root = Store(home / "images").checkout(image)
    assert (root / "bin/a").read_text() == "a"
    assert (root / f".{tmp_path}/outside/a").read_text() == "a"


def test_a_linked_copy_and_an_image_from_nothing(home, build):
    image = built(
        home, build, "FROM busybox AS b\nFROM scratch\nCOPY --from=b /bin/busybox /\nCOPY --link a /\n"
    )
    assert sorted(tree(Store(home / "images").checkout(image))) == ["a", "busybox"]
    assert len(image.layers) == 2


MOUNTS = """FROM busybox AS other
RUN echo other > /other
FROM busybox
RUN --mount=type=bind,target=/ctx --mount=type=bind,from=other,source=/other,target=/from/other \\
    --mount=type=tmpfs,target=/scratch --mount=type=cache,target=/kept \\
    cat /ctx/a /ctx/sub/x /from/other > /seen; touch /scratch/x; \\
    echo x >> /kept/count; cat /kept/count >> /seen
RUN <<END
#!/bin/sh
echo "script $0" > /script
END
"""


def test_mounts_are_there_for_the_command_only(home, build):
    for count in (1, 2):
        image = built(home, build, MOUNTS, "--no-cache")
        root = Store(home / "images").checkout(image)
        assert (root / "seen").read_text() == "axother\n" + "x\n" * count
    assert (root / "script").read_text() == "script /dev/pipes/script\n"
    assert not [name for name in ("ctx", "from", "scratch", "kept") if (root / name).exists()]


def test_a_secret_is_read_and_not_kept(home, build, context):
    (context.parent / "s").write_text("hunter2-secret")
    text = "FROM busybox\nRUN --mount=type=secret,id=k wc -c < /run/secrets/k > /n\n"
    image = built(home, build, text, "--secret", f"id=k,src={context.parent}/s")
    assert (Store(home / "images").checkout(image) / "n").read_text() == "14\n"
    found = subprocess.run(
        ["grep", "-rl", "hunter2-secret", str(home)], check=False, capture_output=True, text=True
    )
    assert found.stdout == ""


def test_after_a_kill_prune_leaves_nothing(home, context):
    (context / "Dockerfile").write_text("FROM busybox\nRUN echo begun; sleep 60\n")
    secret = f"id=k,src={context}/a"
    call = [*TARE, "--root", str(home), "image", "build", "-t", "killed", "--secret", secret, str(context)]
    with subprocess.Popen(call, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        while not (process.stderr.readline() or b" begun\n").endswith(b" begun\n"):
            pass
        process.kill()
    done = subprocess.run(
        [*TARE, "--root", str(home), "system", "prune"],
        cwd=ROOT,
        check=False,
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    places = [home / "containers", home / "run/containers", home / "scratch", home / "run/scratch"]
    assert [path for place in places if place.exists() for path in place.iterdir()] == []


def test_independent_stages_run_at_once(home, build):
    """Each waits for a file of the other."""
    wait = "for i in $(seq 100); do [ -e /m/{} ] && exit 0; sleep 0.1; done; exit 1"
    stage = "FROM busybox AS {0}\nRUN --mount=type=cache,id=meet,target=/m touch /m/{0} /{0}; {1}\n"
    text = stage.format("one", wait.format("two")) + stage.format("two", wait.format("one"))
    image = built(home, build, text + "FROM scratch\nCOPY --from=one /one /\nCOPY --from=two /two /\n")
    assert sorted(tree(Store(home / "images").checkout(image))) == ["one", "two"]


def test_a_failure_ends_what_runs_beside_it(build):
    text = "FROM busybox AS one\nRUN sleep 50; touch /x\nFROM busybox\nRUN sleep 1; exit 9\n"
    text += "COPY --from=one /x /\n"
    start = time.monotonic()
    done = build(text)
    assert "exit code 9" in done.stderr
    assert time.monotonic() - start < 25


def test_an_interrupt_ends_the_build(home, context):
    (context / "Dockerfile").write_text("FROM busybox\nRUN echo begun; sleep 50\n")
    call = [*TARE, "--root", str(home), "image", "build", "-t", "interrupted", str(context)]
    with subprocess.Popen(call, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        while not (process.stderr.readline() or b" begun\n").endswith(b" begun\n"):
            pass
        process.send_signal(signal.SIGINT)
        _, rest = process.communicate(timeout=25)
    assert process.returncode == 130, rest
    assert not any((home / "containers").iterdir())
