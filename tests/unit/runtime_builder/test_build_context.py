"""The context: what is ignored, what a digest covers, what a COPY selects."""

import os
import posixpath
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.builder import ignore, wildcards
from runtime.builder.context import Context
from runtime.builder.ignore import Ignore
from runtime.builder.selection import select
from runtime.errors import RuntimeFault


@pytest.fixture
def tree(tmp_path):
    for name in ("a.txt", "b.txt", "src/main.c", "src/main.o", "src/lib/x.c", "docs/keep/me", "docs/no"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
        path.chmod(0o644)
    (tmp_path / "out").symlink_to("/etc")
    (tmp_path / "in").symlink_to("src")
    return tmp_path


def load(tree, *lines):
    return Context.load(tree, Ignore(list(lines)))


def names(selection):
    return [each.name for each in selection.taken]


@pytest.mark.parametrize(
    ("lines", "path", "ignored"),
    [
        (["*.o"], "src/main.o", False),
        (["**/*.o"], "src/main.o", True),
        (["src"], "src/lib/x.c", True),
        (["/src/"], "src/lib", True),
        (["src/**", "!src/lib"], "src/lib/x.c", False),
        (["*", "!a.txt"], "a.txt", False),
        (["!a.txt", "*"], "a.txt", True),
        (["# a.txt"], "# a.txt", False),
        ([" # a"], "# a", True),
        (["a.[^x]xt"], "a.txt", True),
        (["**.o"], "a/b.o", True),
        (["../a", "a/../b"], "b", True),
        (["**"], ".git", True),
        (["a?c"], "a/c", False),
        (["x/y", "!x"], "x/y", True),
    ],
)
def test_ignored(lines, path, ignored):
    assert Ignore(lines).ignores(path) is ignored


@pytest.mark.parametrize("line", ["[", "!", "a\\", "[b-a]", "[]a]"])
def test_patterns_that_are_not_valid(line):
    with pytest.raises(ValueError, match=r"pattern|take back"):
        Ignore([line])


def test_what_comes_back_has_its_directories(tree):
    assert list(load(tree, "*", "!docs/keep").entries) == ["", "docs", "docs/keep", "docs/keep/me"]


def test_the_dockerfiles_own_ignore_file_wins(tree):
    (tree / ".dockerignore").write_text("a.txt\n")
    (tree / "D.dockerignore").write_bytes(b"\xef\xbb\xbfb.txt\r\n")
    assert ignore.load(tree, tree / "D").ignores("b.txt")
    assert not ignore.load(tree, tree / "D").ignores("a.txt")
    assert ignore.load(tree, tree / "E").ignores("a.txt")


def test_a_bad_ignore_file_is_named(tree):
    (tree / ".dockerignore").write_text("[\n")
    with pytest.raises(RuntimeFault, match=r"\.dockerignore: syntax error"):
        ignore.load(tree)


def test_sources_and_their_names(tree):
    context = load(tree)
    assert names(select(context, ("a.txt",), "/x")) == ["a.txt"]
    assert names(select(context, ("src",), "/x")) == ["lib", "lib/x.c", "main.c", "main.o"]
    assert names(select(context, ("*.txt", "src/*.c"), "/x/")) == ["a.txt", "b.txt", "main.c"]
    assert names(select(context, ("in/lib/../main.c",), "x")) == ["main.c"]
    assert names(select(context, ("../../a.txt",), "x")) == ["a.txt"]
    assert names(select(context, (".",), "/x", excludes=("src", "docs", "*.txt"))) == ["in", "out"]
    assert names(select(context, ("nothing*",), "/x")) == []
    assert names(select(context, ("in",), "/x")) == ["lib", "lib/x.c", "main.c", "main.o"]


def test_parents_are_kept_from_the_pivot(tree):
    context = load(tree)
    assert names(select(context, ("src/lib/x.c",), "/x", parents=True)) == ["src", "src/lib", "src/lib/x.c"]
    assert names(select(context, ("src/./lib/x.c",), "/x", parents=True)) == ["lib", "lib/x.c"]
    assert names(select(context, ("src/lib",), "/x", parents=True)) == ["src", "src/lib", "src/lib/x.c"]


BELOW = ("a/b/c/d/foo", "a/b/c/d/e/bay", "a/b2/c/d/e/bar", "a/b/c2/d/e/baz", "a/b/c2/d/e2/baz")


# BuildKit's own cases (testCopyRelativeParents), as files.
@pytest.mark.parametrize(("sources", "kept"), [
    (["a/b/./c/d"], "c/d/e/bay c/d/foo"),
    (["a/b/c/d/."], "a/b/c/d/e/bay a/b/c/d/foo"),
    (["/a/./b/./c"], "b/c/d/e/bay b/c/d/foo"),
    (["/a/./*/c"], "b/c/d/e/bay b/c/d/foo b2/c/d/e/bar"),
    (["/a/b*/./c/**/e"], "c/d/e/bar c/d/e/bay"),
    (["/a/b/c*/./d/**/baz", "/a/b*/./c/**/bar"], "c/d/e/bar d/e/baz d/e2/baz"),
    (["**/ba?"], "a/b/c/d/e/bay a/b/c2/d/e/baz a/b/c2/d/e2/baz a/b2/c/d/e/bar"),
    (["./**/foo"], "a/b/c/d/foo"),
    (["a/**/./foo"], ""),  # before the pivot it is two stars, which cross no slash
])  # fmt: skip
def test_parents_know_two_stars(tmp_path, sources, kept):
    for name in BELOW:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    found = select(load(tmp_path), tuple(sources), "/out/", parents=True)
    assert " ".join(sorted(each.name for each in found.taken if each.entry.kind == "file")) == kept
    assert names(select(load(tmp_path), ("**/ba?",), "/out/")) == []


@pytest.mark.parametrize("source", ["gone", "out", "out/passwd", "a.txt/x", "docs/no"])
def test_what_is_not_in_the_context(tree, source):
    with pytest.raises(ValueError, match="is not in the build context"):
        select(load(tree, "docs/no"), (source,), "/x")


def test_several_sources_need_a_directory(tree):
    with pytest.raises(ValueError, match="end with /"):
        select(load(tree), ("*.txt",), "/x")
    with pytest.raises(ValueError, match="end with /"):
        select(load(tree), ("a.txt",), "/x", documents=1)


def test_a_digest_covers_content_names_and_modes_but_no_times(tree):
    def digest():
        context = load(tree)
        return select(context, ("src",), "/x").digest(context)

    before = digest()
    os.utime(tree / "src/main.c", (1, 1))
    assert digest() == before
    seen = {before}
    for change in (
        lambda: (tree / "src/main.c").write_text("other"),
        lambda: (tree / "src/main.c").chmod(0o755),
        lambda: (tree / "src/main.c").rename(tree / "src/n.c"),
        lambda: (tree / "src/link").symlink_to("n.c"),
    ):
        change()
        assert digest() not in seen
        seen.add(digest())


@pytest.mark.parametrize("target", ["/etc/passwd", "b.txt"])
def test_a_file_swapped_for_a_link_is_not_followed(tree, target):
    context = load(tree)
    (tree / "a.txt").unlink()
    (tree / "a.txt").symlink_to(target)
    with pytest.raises(RuntimeFault, match=r"a\.txt"):
        context.digest(context.entries["a.txt"])


def test_sockets_are_left_out_and_pipes_refused(tree):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tree / "s"))
    assert "s" not in load(tree).entries
    os.mkfifo(tree / "p")
    with pytest.raises(RuntimeFault, match="device or a pipe"):
        load(tree)


LINE = st.text("ab/*?!.", max_size=6)
PATH = st.lists(st.sampled_from(["a", "b", "ab", "a.b"]), min_size=1, max_size=4).map("/".join)


@given(st.lists(LINE, max_size=4), PATH)
def test_pruning_loses_nothing(lines, path):
    """A directory that is pruned holds no path that its patterns would let through."""
    try:
        patterns = Ignore(lines)
    except ValueError:
        return
    above = posixpath.dirname(path)
    if above and patterns.ignores(above) and patterns.prunes(above):
        assert patterns.ignores(path)


@given(PATH)
def test_a_pattern_of_plain_letters_is_itself(path):
    assert wildcards.path_pattern(path).fullmatch(path)
    assert Ignore([path]).ignores(path + "/below")
    assert not Ignore([path, "!" + path]).ignores(path)


@given(st.text("ab.[]-^\\*?", max_size=8), PATH)
def test_no_class_or_star_of_a_path_pattern_matches_a_slash(pattern, path):
    try:
        expression = wildcards.path_pattern(pattern)
    except ValueError:
        return
    assert "/" not in path or not expression.fullmatch(path)
