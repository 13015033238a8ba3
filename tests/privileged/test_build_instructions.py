"""Instructions whose effect is in the configuration or needs a real build; compared with podman's."""

import json
import tempfile

import pytest

from tests.privileged.test_build_image import podman

pytestmark = pytest.mark.privileged


CONFIG = """ARG base=busybox
FROM --platform=linux/amd64 $base
MAINTAINER somebody
SHELL ["/bin/sh", "-ec"]
ENV one=1 two="a b" three=$one
LABEL com.example="x y" plain=$two
EXPOSE 8080/udp 90
VOLUME ["/v", "/w x"]
HEALTHCHECK --interval=5m --timeout=3s --start-period=1s --retries=2 CMD wget -q localhost || exit 1
ONBUILD COPY a /from-trigger
ONBUILD RUN echo $one > /tmp/ran-trigger
STOPSIGNAL 9
WORKDIR /w
WORKDIR x
USER daemon:33
ENTRYPOINT ["/bin/echo"]
CMD ["x"]
"""


def test_the_same_configuration_as_podman(lab):
    image = lab.built(CONFIG)
    ours = json.loads(lab.tare("image", "inspect", "made").stdout)["config"]
    with tempfile.TemporaryDirectory(prefix="pb-", dir="/tmp") as short:  # podman allows 50 characters
        _, theirs = podman(lab.home, short, lab.context)
    for name in ("Env", "Entrypoint", "Cmd", "WorkingDir", "User", "StopSignal"):
        assert ours["config"].get(name) == theirs.get(name), name
    assert set(ours["config"]["Volumes"]) == set(theirs["Volumes"])
    assert set(ours["config"]["ExposedPorts"]) == set(theirs["ExposedPorts"])
    # What podman's inspect leaves out, as docker's specification of images has it (times in nanoseconds).
    assert ours["config"]["OnBuild"] == ["COPY a /from-trigger", "RUN echo $one > /tmp/ran-trigger"]
    assert ours["config"]["Healthcheck"] == {
        "Test": ["CMD-SHELL", "wget -q localhost || exit 1"],
        "Interval": 300_000_000_000, "Timeout": 3_000_000_000, "StartPeriod": 1_000_000_000, "Retries": 2,
    }  # fmt: skip
    assert ours["config"]["Shell"] == ["/bin/sh", "-ec"]
    assert ours["author"] == "somebody"
    assert [step.created_by for step in image.document.history][-2:] == [
        'ENTRYPOINT ["/bin/echo"]',
        'CMD ["x"]',
    ]


def test_triggers_run_in_the_next_build_and_once(lab):
    lab.built(CONFIG, "-t", "trigger")
    image = lab.built("FROM trigger\nUSER root\n")
    root = lab.root(image)
    assert (root / "from-trigger").read_text() == "a"
    assert (root / "tmp/ran-trigger").read_text() == "1\n"
    assert image.config.on_build == ()
    assert image.config.healthcheck.retries == 2  # a base image's is kept
    own = lab.built("FROM trigger\nHEALTHCHECK --start-interval=2s CMD true\n").config.healthcheck
    assert (own.start_interval, own.test) == (2_000_000_000, ("CMD-SHELL", "true"))
    assert lab.built("FROM trigger\nHEALTHCHECK NONE\n").config.healthcheck.test == ("NONE",)


DOCUMENTS = """# syntax=docker/dockerfile:1
# escape=`
FROM busybox
ARG who=me
COPY --chmod=600 --chown=1:2 <<one <<"two" /docs/
for $who
one
for $who
two
RUN <<end sh -e
  echo sh > /sh
end
SHELL ["/bin/ash", "-c"]
RUN echo a `
    b > /joined; echo $0 > /shell
RUN ["/bin/touch", "/exec $who"]
ENTRYPOINT exec echo $who
"""


def test_here_documents_escapes_and_shells(lab):
    image = lab.built(DOCUMENTS, "--build-arg", "who=you")
    assert image.config.entrypoint == ("/bin/ash", "-c", "exec echo $who")  # podman forgets SHELL here
    root = lab.root(image)
    assert ((root / "docs/one").read_text(), (root / "docs/two").read_text()) == ("for you\n", "for $who\n")
    assert ((root / "docs/one").stat().st_mode & 0o777, (root / "docs/one").stat().st_gid) == (0o600, 2)
    assert (root / "sh").read_text() == "sh\n"
    assert ((root / "joined").read_text(), (root / "shell").read_text()) == ("a b\n", "/bin/ash\n")
    assert (root / "exec $who").exists()


def test_a_linked_layer_is_found_again_on_another_base(lab):
    text = (
        "FROM busybox\nRUN echo {} > /base\nCOPY --link --chown=7 a /linked/\nADD --link sub /linked/sub/\n"
    )
    first = lab.built(text.format("one"))
    done = lab.build(text.format("two"), "-t", "made")
    assert done.stderr.count(" cached") == 2
    second = lab.store.resolve("made")
    assert first.layers[-2:] == second.layers[-2:]
    assert (lab.root(second) / "linked/a").stat().st_uid == 7


def test_the_users_that_a_run_has(lab):
    text = (
        "FROM busybox\nRUN echo 'me:x:70:71::/h:/bin/sh' >> /etc/passwd; echo 'more:x:72:me' >> /etc/group\n"
        "RUN mkdir -m 777 /out\nUSER me\nRUN id -u > /out/a; id -G > /out/b; echo $HOME > /out/h\n"
        "USER 70:99\nRUN id -G > /out/c; grep ^Groups: /proc/self/status > /out/d\n"
    )
    root = lab.root(lab.built(text))
    assert [(root / "out" / name).read_text().split() for name in "abhcd"] == [
        ["70"],
        ["71", "72"],
        ["/h"],
        ["99"],
        ["Groups:", "99"],
    ]


MOUNTS = """FROM busybox AS seed
RUN mkdir /seed; echo seeded > /seed/s
FROM busybox
RUN --mount=type=bind,target=/b,rw echo x > /b/written; ls /b > /bound
RUN --mount=type=cache,id=c,target=/c,mode=0750,uid=5,gid=6 ls -ldn /c > /cache
RUN --mount=type=cache,id=c,target=/c,ro touch /c/x || echo refused > /readonly
RUN --mount=type=cache,id=f,target=/f,from=seed,source=/seed cat /f/s > /seeded
RUN --mount=type=cache,id=p,target=/p,sharing=private touch /p/x; ls /p > /private
RUN --mount=type=cache,id=l,target=/l,sharing=locked touch /l/x
RUN --mount=type=secret,id=s,env=S --mount=type=secret,id=s,target=/t/s,mode=0404,uid=5 \\
    echo $S > /s; ls -ln /t/s >> /s
RUN --mount=type=secret,id=gone [ ! -e /run/secrets/gone ]
RUN --network=none ls /sys/class/net > /net
"""


def test_the_options_of_mounts(lab):
    root = lab.root(lab.built(MOUNTS, "--secret", "id=s,env=SECRET", SECRET="visible"))
    assert "written" in (root / "bound").read_text()
    assert not (lab.context / "written").exists()
    fields = (root / "cache").read_text().split()
    assert (fields[0], *fields[2:4]) == ("drwxr-x---", "5", "6")
    assert (root / "readonly").read_text() == "refused\n"
    assert (root / "seeded").read_text() == "seeded\n"
    assert (root / "private").read_text() == "x\n"
    words = (root / "s").read_text().split()
    assert (words[0], words[1], words[3]) == ("visible", "-r-----r--", "5")
    assert (root / "net").read_text() == "lo\n"
    for name in ("b", "c", "f", "p", "l", "t", "run/secrets"):
        assert not (root / name).exists(), name


TMPFS = """FROM busybox
RUN --mount=type=tmpfs,target=/t,size=1m --mount=type=tmpfs,target=/u/v \\
    grep -E ' /(t|u/v) ' /proc/mounts > /seen; echo x > /t/x; echo y > /u/v/y; \\
    dd if=/dev/zero of=/t/big bs=64k count=32 2>/dev/null || echo full >> /seen
USER nobody
RUN --mount=type=tmpfs,target=/t touch /t/mine
"""


def test_a_tmpfs_has_the_size_that_it_is_given(lab):
    root = lab.root(lab.built(TMPFS))
    first, second, full = (root / "seen").read_text().splitlines()
    assert first.startswith("tmpfs /t tmpfs ")
    assert "size=1024k" in first
    assert second.startswith("tmpfs /u/v tmpfs ")
    assert "size=" not in second
    assert full == "full"
    assert not (root / "t").exists()
    assert not (root / "u").exists()


def test_private_mounts_are_apart(lab):
    """Two commands that have one at once would meet in a shared one."""
    wait = "for i in $(seq 40); do [ -e /m/{} ] && exit 1; sleep 0.05; done; rm /m/{}"
    stage = (
        "FROM busybox AS {0}\n"
        "RUN --mount=type=cache,id=apart,sharing=private,target=/m touch /m/{0} /{0}; {1}\n"
    )
    text = stage.format("one", wait.format("two", "one")) + stage.format("two", wait.format("one", "two"))
    done = lab.build(text + "FROM scratch\nCOPY --from=one /one /\nCOPY --from=two /two /\n")
    assert done.returncode == 0, done.stderr
