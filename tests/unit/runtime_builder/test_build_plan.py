"""The build graph: what is planned, from what, and when a key changes."""

import pytest

from runtime.builder import graph, stages
from runtime.builder.context import Context
from runtime.builder.dockerfile import DockerfileFault, parse
from runtime.builder.ignore import Ignore
from runtime.builder.image_config import ImageConfig, ports
from runtime.builder.plan import Base, Request, plan

DEBIAN = Base("sha256:" + "d" * 64, ImageConfig(env={"PATH": "/bin"}, cmd=("bash",)))


@pytest.fixture
def build(tmp_path):
    (tmp_path / "a").write_text("a")
    (tmp_path / "b").write_text("b")

    def run(text, *, target="", base=DEBIAN, asked=None, **args):
        recipe = stages.read(parse(text.encode(), "D"))
        context = Context.load(tmp_path, Ignore([]))

        def resolve(name, platform):
            if asked is not None:
                asked.append((name, platform))
            return base

        return plan(recipe, Request("linux/amd64", "linux/amd64", target, args), context, resolve)

    return run


def operations(planned, kind):
    return [node.operation for node in planned.graph.nodes if isinstance(node.operation, kind)]


def key(planned):
    return planned.graph.nodes[planned.result].key


TWO = """FROM debian AS one
RUN make one
FROM other AS unused
RUN make unused
FROM debian AS two
RUN make two
FROM scratch
COPY --from=one /x /
COPY --from=two /y /
"""


def test_only_what_the_target_needs_is_planned(build):
    asked = []
    planned = build(TWO, asked=asked)
    commands = [each.command[-1] for each in operations(planned, graph.Execute)]
    assert commands == ["make one", "make two"]
    assert asked == [("debian", "linux/amd64")]
    assert operations(build(TWO, target="unused"), graph.CopyRoot) == []


def test_independent_stages_are_in_one_batch(build):
    planned = build(TWO)
    kinds = [
        sorted(type(planned.graph.nodes[number].operation).__name__ for number in batch)
        for batch in planned.graph.batches(planned.result)
    ]
    assert kinds == [["Image", "Scratch"], ["Execute", "Execute"], ["CopyRoot"], ["CopyRoot"]]


def test_the_key_follows_the_context_and_nothing_else(build, tmp_path):
    text = "FROM debian\nCOPY a /\nRUN x\n"
    before = key(build(text))
    (tmp_path / "b").write_text("changed")
    assert key(build(text)) == before
    assert key(build("# comment\n" + text)) == before
    (tmp_path / "a").write_text("changed")
    assert key(build(text)) != before


def test_an_argument_counts_once_it_is_declared(build):
    declared, not_declared = "FROM debian\nARG V=1\nRUN x\n", "FROM debian\nRUN x\nARG V=1\n"
    assert key(build(declared, V="2")) != key(build(declared))
    assert key(build(not_declared, V="2")) == key(build(not_declared))


def test_proxies_reach_the_command_and_not_the_key(build):
    text = "FROM debian\nRUN x\n"
    planned = build(text, http_proxy="http://p")
    assert operations(planned, graph.Execute)[0].environment["http_proxy"] == "http://p"
    assert key(planned) == key(build(text))


def test_a_linked_copy_does_not_depend_on_its_base(build):
    def linked(text):
        return next(
            node.key for node in build(text).graph.nodes if isinstance(node.operation, graph.CopyContext)
        )

    assert linked("FROM debian\nCOPY --link a /\n") == linked("FROM debian\nRUN x\nCOPY --link a /\n")
    assert linked("FROM debian\nCOPY a /\n") != linked("FROM debian\nRUN x\nCOPY a /\n")


def test_the_configuration(build):
    text = """FROM debian
ENV A=1
ENV B=$A$PATH
WORKDIR /srv
WORKDIR app
EXPOSE 80 8000-8001/udp
LABEL x="y z"
VOLUME /data
USER nobody
STOPSIGNAL SIGINT
SHELL ["/bin/bash", "-c"]
ENTRYPOINT run it
"""
    config = build(text).config
    assert config.env == {"PATH": "/bin", "A": "1", "B": "1/bin"}
    assert (config.workdir, config.user, config.stop_signal) == ("/srv/app", "nobody", "SIGINT")
    assert config.ports == ("80/tcp", "8000/udp", "8001/udp")
    assert (config.labels, config.volumes) == ({"x": "y z"}, ("/data",))
    assert (config.entrypoint, config.cmd) == (("/bin/bash", "-c", "run it"), None)


def test_a_cmd_of_the_same_stage_outlives_its_entrypoint(build):
    assert build('FROM debian\nCMD ["x"]\nENTRYPOINT ["y"]\n').config.cmd == ("x",)


def test_triggers_of_the_base_run_first_and_once(build):
    base = Base("sha256:1", ImageConfig(onbuild=("RUN first", "COPY a /t/")))
    planned = build("FROM debian AS x\nRUN second\nFROM x\nRUN third\n", base=base)
    assert [each.command[-1] for each in operations(planned, graph.Execute)] == ["first", "second", "third"]
    assert planned.config.onbuild == ()


def test_here_documents(build):
    text = "FROM debian\nARG V=1\nCOPY <<f <<'g' /d/\n\"$V\" \\$V\nf\n$V\ng\n"
    text += "RUN <<E\nx\nE\nRUN cat <<E >y\nz\nE\nRUN <<E\n#!/usr/bin/perl\np\nE\n"
    planned = build(text)
    assert [(each.name, each.text) for each in operations(planned, graph.Write)] == [
        ("f", '"1" $V\n'),
        ("g", "$V\n"),
    ]
    shell = ("/bin/sh", "-c")
    commands = [(each.command, each.script) for each in operations(planned, graph.Execute)]
    assert commands == [
        ((*shell, "x\n"), ""),
        ((*shell, "cat <<E >y\nz\nE"), ""),
        ((), "#!/usr/bin/perl\np\n"),
    ]


def test_mounts_take_from_stages(build):
    planned = build("FROM debian AS b\nRUN x\nFROM debian\nRUN --mount=from=b,target=/b y\n")
    last = planned.graph.nodes[planned.result]
    assert planned.graph.nodes[last.inputs[1]].operation.command[-1] == "x"


def test_what_is_bound_from_the_context_is_in_the_key(build, tmp_path):
    text = "FROM debian\nRUN --mount=source=a,target=/a x\n"
    before = key(build(text))
    (tmp_path / "b").write_text("changed")
    assert key(build(text)) == before
    (tmp_path / "a").write_text("changed")
    assert key(build(text)) != before


def test_add_fetches_urls_and_unpacks_files(build):
    planned = build("FROM debian\nADD --checksum=sha256:00 https://h/x /x\nADD a /y/\n")
    (fetch,) = operations(planned, graph.Fetch)
    (copy,) = operations(planned, graph.CopyContext)
    assert (fetch.url, fetch.content, copy.unpack) == ("https://h/x", "sha256:00", True)


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("FROM debian\nCOPY gone /\n", 2, "gone is not in the build context"),
        ("FROM debian\nCOPY a b /x\n", 2, "end with /"),
        ("FROM debian\nCOPY --from=a a b /x\n", 2, "end with /"),
        ("FROM debian\nEXPOSE 99999\n", 2, "not a port"),
        ("FROM debian\nENV A=${B:?gone}\n", 2, "B: gone"),
        (
            "FROM debian AS a\nCOPY --from=b x y\nFROM a AS b\n",
            3,
            "circle: (a needs b needs a|b needs a needs b)",
        ),
        ("FROM debian\nARG x=y\nCOPY --from=$x a b\n", 3, "--from takes no variables"),
        ("FROM debian\nCOPY --from=7 x y\n", 2, "no stage 7"),
        ("ARG X\nFROM $X\n", 2, "no image to start from"),
        ("FROM debian\nRUN --mount=type=$X,target=/x y\n", 2, "unknown mount type"),
        ("FROM debian\nADD --checksum=sha256:00 a b\n", 2, "exactly one source"),
    ],
)
def test_errors_show_their_instruction(build, text, line, reason):
    with pytest.raises(DockerfileFault, match=reason) as caught:
        build(text)
    assert caught.value.at.first == line


def test_ports():
    assert ports("5-7/UDP") == ["5/udp", "6/udp", "7/udp"]
    with pytest.raises(ValueError, match="not a port"):
        ports("7-5")
