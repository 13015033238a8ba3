"""What a container wrote is deleted, whatever it is."""

from __future__ import annotations

import os
import threading

from runtime.process.removal import remove_tree


def test_remove_tree_does_not_follow_links(tmp_path):
    outside, tree = tmp_path / "outside", tmp_path / "tree"
    outside.mkdir()
    (outside / "keep").touch()
    (tree / "deep/er").mkdir(parents=True)
    (tree / "deep/link").symlink_to(outside)
    (tree / "deep/dangling").symlink_to("nowhere")
    (tree / "file").touch()
    remove_tree(str(tree))
    remove_tree(str(tree))
    assert not tree.exists()
    assert (outside / "keep").exists()


def test_a_tree_deeper_than_the_stack_and_than_any_path(tmp_path):
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("directory", dir_fd=here)
        os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=here))
        below = os.open("directory", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    (tmp_path / ".deep-0").touch()
    remove_tree(str(tmp_path / "directory"))
    assert [path.name for path in tmp_path.iterdir()] in ([".deep-0", "file"], ["file", ".deep-0"])
    tree = tmp_path / "tree"
    tree.mkdir()
    (tmp_path / ".deep-0").rename(tree / ".deep-0")
    remove_tree(str(tree))
    assert not tree.exists()


def test_names_that_are_no_text(tmp_path):
    inside = tmp_path / "tree" / os.fsdecode(b"\xff\n")
    inside.mkdir(parents=True)
    (inside / os.fsdecode(b"\xfe")).touch()
    remove_tree(str(tmp_path / "tree"))
    assert list(tmp_path.iterdir()) == []


def test_two_may_remove_the_same(tmp_path):
    tree = tmp_path / "tree"
    for number in range(300):
        (tree / f"{number}/a/b").mkdir(parents=True)
        (tree / f"{number}/a/file").touch()
    failures = []

    def remove():
        try:
            remove_tree(str(tree))
        except OSError as err:
            failures.append(err)

    both = [threading.Thread(target=remove) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert failures == []
    assert not tree.exists()
