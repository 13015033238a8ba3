"""Those of the Dockerfiles that are refused, need something to be built, or come out differently."""

from __future__ import annotations

from tests.differential.cases import NETWORK, PROGRAMS, Case

_DATA, _PARSED = "dockerclient/testdata", "dockerfile/parser/testfiles"


def _commands(name: str, *, brief: bool = False) -> tuple[Case, Case]:
    """Return a file of CMDs alone: as it is, and with a base image."""
    file = f"{_PARSED}/{name}/Dockerfile"
    return Case(file, line=1, refused="CMD needs a stage"), Case(file, start="FROM busybox", brief=brief)


def _fetching(name: str, *without: tuple[int, int], files: tuple[str, ...] = ()) -> Case:
    """Return one without what asks a package manager or a server."""
    return Case(f"{_PARSED}/{name}/Dockerfile", without=without, reason=NETWORK, files=files)


SPECIAL = (
    Case(f"{_DATA}/Dockerfile.add", web="https://github.com/openshift", brief=True),
    Case(f"{_DATA}/Dockerfile.args", args=("BAR=first",)),
    Case(f"{_DATA}/Dockerfile.args", args=("BAZ=first",)),
    Case(f"{_DATA}/Dockerfile.badhealthcheck", line=2, refused="HEALTHCHECK: HEALTHCHECK takes NONE or CMD"),
    Case(f"{_DATA}/Dockerfile.copyfrom_12", brief=True),
    Case(f"{_DATA}/Dockerfile.edgecases", brief=True),
    Case(f"{_DATA}/Dockerfile.healthcheck", brief=True),
    Case(f"{_DATA}/Dockerfile.mount", without=((2, 2),), reason="needs a volume of the package's own test"),
    Case(f"{_DATA}/Dockerfile.multistage", brief=True),
    Case(f"{_DATA}/Dockerfile.novolume", differs=("volume made",)),
    Case(f"{_DATA}/Dockerfile.novolumenorun", differs=("volume made",)),
    Case(f"{_DATA}/Dockerfile.target", target="mytarget"),
    Case(f"{_DATA}/Dockerfile.unknown", line=2, refused="HEALTH NONE: unknown instruction: HEALTH"),
    Case(f"{_DATA}/Dockerfile.volumeexists", differs=("volume written",)),
    Case(f"{_DATA}/add/Dockerfile", brief=True),
    Case(f"{_DATA}/copychown/Dockerfile", brief=True),
    Case(f"{_DATA}/ignore/Dockerfile", brief=True),
    Case(f"{_DATA}/multistage/Dockerfile.heading-arg", brief=True),
    Case(
        f"{_DATA}/multistage/Dockerfile.relative-copy_1",
        line=6, refused="COPY --from=builder ./a.txt /other/: ./a.txt is not in the stage or image",
    ),
    Case(
        f"{_DATA}/multistage/Dockerfile.relative-copy_2", brief=True,
        line=6, refused="COPY --from=builder ./a.txt /b.txt: ./a.txt is not in the stage or image",
    ),
    Case(f"{_DATA}/volumerun/Dockerfile", differs=("volume written",), brief=True),
    Case("dockerfile/parser/testfile-line/Dockerfile", without=((17, 31),), reason=NETWORK),
    Case(
        "dockerfile/parser/testfiles-negative/env_no_value/Dockerfile",
        line=3, refused="ENV PATH: ENV must have two arguments",
    ),
    Case(
        "dockerfile/parser/testfiles-negative/shykes-nested-json/Dockerfile",
        line=1, refused='CMD [ "echo", [ "nested json" ] ]: when using JSON array syntax',
    ),
    Case("extra/Dockerfile.copies", brief=True),
    Case("extra/Dockerfile.files", differs=("hard link",), brief=True),
    Case(
        f"{_PARSED}/ADD-COPY-with-JSON/Dockerfile",
        files=("null", "nullfile", "vimrc", "bashrc", "test file"),
    ),
    _fetching("brimstone-consuldock", (14, 26)),
    _fetching("brimstone-docker-consul", (9, 36), (40, 52)),
    Case(f"{_PARSED}/continue-at-eof/Dockerfile", line=3, refused="RUN something: the command ended"),
    _fetching(
        "cpuguy83-nagios", (13, 37),
        files=("nagios.init", "apache.init", "postfix.init", "postfix.stop", "start.sh"),
    ),
    Case(
        f"{_PARSED}/docker/Dockerfile", without=((30, 61), (64, 64), (73, 82), (88, 92)), reason=PROGRAMS,
    ),
    Case(f"{_PARSED}/env/Dockerfile", line=12, refused=r"ENV name='a\'b': unexpected end of statement"),
    Case(f"{_PARSED}/env/Dockerfile", without=((12, 12),), reason="both refuse it"),
    Case(f"{_PARSED}/escape/Dockerfile", differs=("backslash",), brief=True),
    Case(f"{_PARSED}/escape-nonewline/Dockerfile", buildah_alone="escape token"),
    Case(f"{_PARSED}/escapes/Dockerfile", line=6, refused=r'ADD \conf\\" /.znc: unexpected end of statement'),
    Case(
        f"{_PARSED}/escapes/Dockerfile", without=((4, 12),),
        reason="both refuse line 6, the others are no real commands",
    ),
    Case(f"{_PARSED}/flags/Dockerfile", line=3, refused="COPY --user=me foo /tmp/: unknown flag --user"),
    Case(f"{_PARSED}/health/Dockerfile", line=4, refused="HEALTHCHECK: HEALTHCHECK takes NONE or CMD"),
    Case(
        f"{_PARSED}/health/Dockerfile", without=((4, 4), (7, 7), (10, 10)), reason="both refuse it",
        files=("check.sh", "main.sh"),
    ),
    _fetching("influxdb", (3, 6)),
    *_commands("jeztah-invalid-json-json-inside-string"),
    *_commands("jeztah-invalid-json-json-inside-string-double"),
    *_commands("jeztah-invalid-json-single-quotes"),
    *_commands("jeztah-invalid-json-unterminated-bracket"),
    *_commands("jeztah-invalid-json-unterminated-string"),
    *_commands("json", brief=True),
    _fetching("kartar-entrypoint-oddities", (4, 5)),
    _fetching(
        "mail", (3, 3),
        files=(".muttrc", ".offlineimaprc", ".tmux.conf", "mutt/x", "vim/y/z", "vimrc", "crontab"),
    ),
    Case(f"{_PARSED}/multiple-volumes/Dockerfile", differs=("volume made",), brief=True),
    _fetching("mumble", (3, 3), files=("mumble-server.ini",)),
    _fetching("nginx", (4, 4), (8, 8), files=("etc/nginx.conf", "etc/sites/default")),
    _fetching(
        "tf2", (8, 8), (10, 10), (12, 14), (18, 18), (21, 21),
        files=("script", "server.cfg", "ctf_2fort.cfg", "sourcemod.cfg", "configs/a.cfg"),
    ),
    _fetching("weechat", (3, 3), files=(".weechat/a", ".tmux.conf")),
    _fetching("znc", (4, 4), files=("conf/znc.conf",)),
)  # fmt: skip
