"""`RUN --mount=type=ssh`: a real ssh-agent's answers arrive inside, and nothing of it stays."""

import os
import subprocess

import pytest

from runtime.image.bootstrap import bootstrap
from runtime.image.store import Store
from tests.privileged.building import Lab

pytestmark = pytest.mark.privileged
# A request of the agent protocol (draft-miller-ssh-agent, 4.4): length 1, SSH_AGENTC_REQUEST_IDENTITIES.
ASK = r"printf '\000\000\000\001\013'"


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    root = tmp_path_factory.mktemp("tare")
    bootstrap(Store(root / "images"), "busybox")
    made = Lab.at(root, tmp_path_factory.mktemp("place"))
    # busybox has no client for Unix sockets; this is one, in the context.
    source = made.context / "client.c"
    source.write_text(CLIENT)
    subprocess.run(["gcc", "-static", "-o", made.context / "client", source], check=True)
    return made


CLIENT = r"""
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
int main(void) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char data[65536];
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    strncpy(address.sun_path, getenv("SSH_AUTH_SOCK"), sizeof address.sun_path - 1);
    if (connect(fd, (struct sockaddr *)&address, sizeof address)) return 9;
    ssize_t got = read(0, data, sizeof data);
    if (write(fd, data, got) != got) return 8;
    got = read(fd, data, sizeof data);  /* an agent that sees the end first does not answer */
    return write(1, data, got) != got;
}
"""


@pytest.fixture
def agent(tmp_path):
    """Yield the socket of an ssh-agent with one key, whose comment tells it."""
    path = tmp_path / "agent.sock"
    command = ["ssh-agent", "-D", "-a", path]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        key = tmp_path / "key"
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "the-comment", "-f", key], check=True
        )
        environment = {**os.environ, "SSH_AUTH_SOCK": str(path)}
        while subprocess.run(["ssh-add", "-q", key], env=environment, check=False).returncode:
            assert process.poll() is None
        yield path
        process.terminate()


TEXT = f"""FROM busybox
COPY client /bin/
RUN --mount=type=ssh,mode=0666 {ASK} | client > /answer; ls -ln $SSH_AUTH_SOCK > /seen
RUN --mount=type=ssh,id=other,target=/o/sock,uid=33,gid=44,mode=0600,required \\
    echo $SSH_AUTH_SOCK > /path; ls -ln /o/sock >> /seen
USER 33
RUN --mount=type=ssh,id=other,uid=33 {ASK} | client > /tmp/answer
RUN --mount=type=ssh,id=missing [ -z "$SSH_AUTH_SOCK" ]
"""


def test_an_agent_answers_inside(lab, agent):
    given = ["--ssh", "default", "--ssh", f"other={agent}"]
    root = lab.root(lab.built(TEXT, *given, SSH_AUTH_SOCK=str(agent)))
    for name in ("answer", "tmp/answer"):
        assert b"the-comment" in (root / name).read_bytes()
    seen = [line.split() for line in (root / "seen").read_text().splitlines()]
    assert [line[0] for line in seen] == ["srw-rw-rw-", "srw-------"]
    assert seen[1][2:4] == ["33", "44"]
    assert (root / "path").read_text() == "/o/sock\n"
    assert not (root / "o").exists()
    assert not (root / "run/buildkit").exists()
    assert not any((lab.home / "scratch").iterdir())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--ssh", "default"], "there is no SSH_AUTH_SOCK"),
        (["--ssh", "default=/etc/passwd"], "/etc/passwd is no agent's socket"),
    ],
)
def test_what_is_no_agent_is_refused(lab, words, message):
    done = lab.build("FROM busybox\n", *words, SSH_AUTH_SOCK="")
    assert done.returncode == 2
    assert message in done.stderr
