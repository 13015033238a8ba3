"""Instructions and their flags: what is read, and where an error points."""

import pytest

from runtime.builder.dockerfile import DockerfileFault, instructions, mounts, parse, units
from runtime.builder.dockerfile.typed import read


def last(text):
    return read(parse(text.encode(), "D").nodes[-1])


def test_an_instruction_over_several_lines_knows_them_all():
    node = parse(b"FROM a\n\nRUN x \\\n# comment\n\n  y\n").nodes[1]
    assert (str(node.at), node.values) == ("Dockerfile:3-6", ("x   y",))


def test_the_escape_directive_changes_continuation():
    assert parse(b"# escape=`\nFROM a\nRUN x `\ny \\\n").nodes[1].values == ("x y \\",)


def test_documents_of_one_copy():
    copy = last("COPY <<a <<-'b' /x/\n1 $v\na\n\t2\n\tb\n")
    first, second = copy.files.documents
    assert (first.text, first.expand) == ("1 $v\n", True)
    assert (second.text, second.expand) == ("2\n", False)
    assert (copy.files.sources, copy.files.destination) == ((), "/x/")


def test_copy_takes_its_flags():
    copy = last("COPY --from=b --chown=1:2 --chmod=u=rwX --link --parents --exclude=*.o --exclude=a x y z/")
    assert (copy.origin, copy.parents) == ("b", True)
    files = copy.files
    assert (files.chown, files.chmod, files.link, files.excludes) == ("1:2", "u=rwX", True, ("*.o", "a"))
    assert (files.sources, files.destination) == (("x", "y"), "z/")


def test_add_takes_its_flags():
    add = last("ADD --checksum=sha256:00 --keep-git-dir=true --unpack=false --link=false https://h/x /y")
    assert (add.checksum, add.keep_git_dir, add.unpack, add.files.link) == ("sha256:00", True, False, False)


def test_onbuild_keeps_flags_and_document_of_what_it_triggers():
    found = last("ONBUILD RUN --network=none <<E\nx\nE\n")
    assert isinstance(found.trigger, instructions.Run)
    assert (found.trigger.network, found.trigger.documents[0].content) == ("none", "x\n")
    assert found.text == "RUN --network=none <<E\nx\nE"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("FROM a b", "FROM takes an image"),
        ("FROM a AS 1b", "not a stage name: '1b'"),
        ("COPY a", "at least one source"),
        ("COPY --chwon=1 a b", "unknown flag --chwon"),
        ("COPY --chown=1 --chown=2 a b", "--chown is given twice"),
        ("COPY --chown a b", "--chown needs a value"),
        ("COPY --link=maybe a b", "--link takes true or false"),
        ("ADD --from=x a b", "unknown flag --from"),
        ("SHELL /bin/sh", "SHELL takes a JSON array"),
        ("ENV =x", "names must not be empty"),
        ("HEALTHCHECK --interval=1 CMD x", "not a duration: '1'"),
        ("HEALTHCHECK --interval=1us CMD x", "1ms or longer"),
        ("ONBUILD ONBUILD RUN x", "cannot trigger ONBUILD"),
        ("ONBUILD FROM x", "cannot trigger FROM"),
        ("RUN --network=bridge x", "--network is one of default, none, host"),
        ("RUN --mount=type=bnd,target=/x y", "unknown mount type bnd"),
        ("RUN --mount=type=tmpfs,target=/x,id=a y", "type tmpfs takes no id"),
        ("RUN --mount=type=cache,target x", "not of the form key=value"),
        ('CMD ["a", 1]', "strings only"),
        ("FOO x", "unknown instruction: FOO"),
        ("RUN", "RUN takes a command"),
    ],
)
def test_what_is_wrong_is_said_with_file_line_and_instruction(text, reason):
    with pytest.raises(DockerfileFault) as caught:
        last(f"FROM scratch\n{text}\n")
    assert str(caught.value).startswith(f"D:2: {text.split(maxsplit=1)[0]}")
    assert reason in str(caught.value)


def test_mount_defaults_depend_on_the_type():
    cache = mounts.parse("type=cache,dst=/c,mode=0700")
    assert (cache.id, cache.writable, cache.sharing, cache.mode) == ("/c", True, "shared", 0o700)
    assert not mounts.parse("target=/x,from=b,src=/y").writable
    secret = mounts.parse("type=secret,target=/run/tok,env=TOK,required")
    assert (secret.id, secret.mode, secret.env, secret.required) == ("tok", 0o400, "TOK", True)


def test_mount_values_are_expanded():
    assert mounts.parse("type=cache,target=$x", lambda text: text.replace("$x", "/v")).target == "/v"


def test_durations_and_sizes():
    assert units.seconds("1h1m1.5s") == 3661.5
    assert units.seconds("0") == 0
    assert units.size("1.5k") == 1536
    with pytest.raises(ValueError, match="not a duration"):
        units.seconds("-1s")
