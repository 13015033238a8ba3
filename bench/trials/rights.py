"""Whether a build needs root: the same Dockerfile as root and as an ordinary user, by Tare and by docker."""

from pathlib import Path

from bench.errors import BenchFault
from bench.targets.docker import DOCKER
from bench.trials.builders import Recipe
from bench.trials.ordinary import ROOM, User, search
from bench.trials.tools import EPOCH, PROGRAM, Tare, last_digest
from bench.value import Value, fact
from runtime.image.bootstrap import bootstrap
from runtime.image.store import Store

RECIPE = Recipe(
    "FROM {base}\nRUN mkdir /d; echo one > /d/one; ln /d/one /d/two; chmod 1777 /mnt\n"
    "COPY --chown=33:44 data /d/\nUSER 33:44\nRUN id > /tmp/who\nCMD [\"cat\", \"/tmp/who\"]\n",
    files={"data": "data\n"},
)  # fmt: skip
REFUSED = "permission denied"


def tare(root: Tare, user: User) -> list[Value]:
    """Build as root and as the user; `needs_root` unless both images have one digest."""
    home = user.place / "home"
    context = RECIPE.write(home, "busybox")
    words = ("image", "build", "--no-cache", "-t", "made:2")
    ours = last_digest(root(*words, str(context), SOURCE_DATE_EPOCH=EPOCH))
    bootstrap(Store(home / "tare/images"), "busybox")
    user.own()
    said = user.run(
        "build", *user.python(), "-c", PROGRAM, "--root", f"{ROOM}/home/tare", *words,
        f"{ROOM}/home/context", PYTHONPATH=search(), PYTHONDONTWRITEBYTECODE="1", SOURCE_DATE_EPOCH=EPOCH,
    )  # fmt: skip
    return [fact("needs_root", holds=last_digest(said) != ours)]


def docker(host: str, base: str, user: User) -> list[Value]:
    """Ask root's daemon as the user, who can see the socket's name; `needs_root` if it lets nobody in."""
    context = RECIPE.write(user.place / "home", base)
    user.own()
    socket = Path(host.removeprefix("unix://"))
    asked = (DOCKER.path, "--host", f"unix://{ROOM}/docker.sock", "build", "--network", "none")
    try:
        user.run("build", *asked, f"{ROOM}/home/{context.name}", binds={"docker.sock": socket},
                 DOCKER_BUILDKIT="0", DOCKER_CONFIG=f"{ROOM}/home")  # fmt: skip
    except BenchFault as fault:
        if REFUSED not in str(fault).lower():
            raise
        return [fact("needs_root", holds=True)]
    return [fact("needs_root", holds=False)]
