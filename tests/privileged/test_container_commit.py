"""`tare container commit` and `export`: what a container changed is in the image, whether it runs or not."""

import subprocess

import pytest

from runtime.image import Store, bootstrap
from runtime.image.verify import verify
from tests.fakes.engine import engine

pytestmark = pytest.mark.privileged
SCRIPT = "echo new > /new; rm -r /home; mkdir /var/tmp/d; chown 7:8 /var/tmp/d; chmod 4711 /new"


@pytest.fixture
def tare(tmp_path):
    with engine(tmp_path / "t") as made:
        bootstrap(Store(made.home / "images"), "busybox")
        yield made


def committed(tare, *words):
    digest = tare("commit", *words).strip()
    store = Store(tare.home / "images")
    image = store.resolve(words[-1])
    assert image.digest == digest
    assert verify(store) == []
    return image, store.checkout(image)


def test_a_container_that_has_ended(tare):
    tare("run", "--no-rm", "--name", "box", "-e", "A=1", "-w", "/var", "busybox", "sh", "-c", SCRIPT)
    image, tree = committed(tare, "-a", "me", "-m", "why", "box", "made:2")
    assert (tree / "new").read_text() == "new\n"
    assert oct((tree / "new").stat().st_mode) == oct(0o104711)
    assert not (tree / "home").exists()
    assert (tree / "var/tmp/d").stat().st_uid == 7
    assert "A=1" in image.config.env
    assert (image.config.working_dir, image.config.cmd) == ("/var", ("sh", "-c", SCRIPT))
    step = image.document.history[-1]
    assert (step.author, step.comment, step.created_by) == ("me", "why", f"sh -c {SCRIPT}")
    assert image.document.author == "me"
    assert tare("run", "made:2", "cat", "/new") == "new\n"


def test_a_running_one_is_suspended_and_goes_on(tare):
    script = "n=0; while :; do n=$((n+1)); echo $n > /a; echo $n > /b; done"
    tare("run", "-d", "--name", "box", "busybox", "sh", "-c", script)
    _, tree = committed(tare, "box", "made")
    first, second = ((tree / name).read_text().strip() for name in "ab")
    assert int(first or 0) - int(second or 0) in {0, 1} or "" in {first, second}
    assert tare.inspect("box")["State"]["Status"] == "running"
    tare("pause", "box")
    committed(tare, "box", "again")
    assert tare.inspect("box")["State"]["Status"] == "paused"
    tare("unpause", "box")


def test_one_that_never_ran(tare):
    tare("create", "--name", "box", "busybox", "true")
    image, tree = committed(tare, "box", "made")
    assert (tree / "bin/sh").exists()
    assert image.config.cmd == ("true",)


CHANGES = {
    "CMD echo $HOME": ("cmd", ("/bin/sh", "-c", "echo $HOME")),
    'ENTRYPOINT ["/bin/echo", "a b"]': ("entrypoint", ("/bin/echo", "a b")),
    "EXPOSE 80 53/udp": ("exposed_ports", {"80/tcp": {}, "53/udp": {}}),
    "LABEL a=$A": ("labels", {"a": "1"}),
    "ONBUILD RUN true": ("on_build", ("RUN true",)),
    "STOPSIGNAL USR1": ("stop_signal", "USR1"),
    "USER 7:8": ("user", "7:8"),
    "VOLUME /data": ("volumes", {"/data": {}}),
    "WORKDIR sub": ("working_dir", "/var/sub"),
}


def test_changes_are_a_dockerfiles(tare):
    tare("create", "--name", "box", "-e", "A=1", "-w", "/var", "busybox", "true")
    words = [word for text in CHANGES for word in ("-c", text)]
    image, _ = committed(tare, *words, "--change", "ENV B=${A}2\nENV C=3", "box", "made")
    for name, value in CHANGES.values():
        # ENTRYPOINT leaves the CMD of this command line alone, as in one stage of a Dockerfile.
        assert getattr(image.config, name) == value
    assert {"A=1", "B=12", "C=3"} < set(image.config.env)
    health, _ = committed(tare, "-c", "HEALTHCHECK --retries=3 CMD true", "box", "health")
    assert (health.config.healthcheck.retries, health.config.cmd) == (3, ("true",))
    below, _ = committed(tare, "-c", "ENTRYPOINT /bin/sh", "box", "below")
    assert below.config.cmd == ()
    for text, said in (
        ("RUN true", "RUN is no change"),
        ("COPY a b", "COPY is no change"),
        ("NOSUCH x", "--change:1: NOSUCH x: unknown instruction"),
        ("EXPOSE x", "--change:1: EXPOSE x: not a port"),
    ):
        assert said in tare.fails("container", "commit", "-c", text, "box", "none")


def test_an_image_without_a_name(tare):
    tare("run", "--no-rm", "--name", "box", "busybox", "sh", "-c", SCRIPT)
    digest = tare("commit", "box").strip()
    assert tare("run", digest, "cat", "/new") == "new\n"
    store = Store(tare.home / "images")
    assert [name.familiar for name, _ in store.images()] == ["busybox"]


def test_export(tare, tmp_path):
    tare("run", "--no-rm", "--name", "box", "busybox", "sh", "-c", SCRIPT)
    tare("export", "-o", str(tmp_path / "tar"), "box")
    (tmp_path / "tree").mkdir()
    subprocess.run(["tar", "-C", tmp_path / "tree", "-xpf", tmp_path / "tar"], check=True)
    assert (tmp_path / "tree/new").read_text() == "new\n"
    assert not (tmp_path / "tree/home").exists()
    assert (tmp_path / "tree/var/tmp/d").stat().st_gid == 8
    assert (tmp_path / "tree/bin/sh").readlink().name == "busybox"


def test_what_is_not_there_is_said(tare):
    assert "there is no container nosuch" in tare.fails("container", "commit", "nosuch", "x")
    assert "there is no container nosuch" in tare.fails("container", "export", "nosuch")
    tare("create", "--name", "box", "busybox")
    assert "not an image name" in tare.fails("container", "commit", "box", "UPPER")
