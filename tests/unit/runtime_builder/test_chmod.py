"""--chmod as chmod(1) does it."""

import subprocess

import pytest

from runtime.builder import modes

CHANGES = [
    "755",
    "0640",
    "u+x",
    "go-rwx",
    "a=r",
    "u=rwX,go=rX",
    "+X",
    "g=u",
    "o=g-w",
    "u+s,g+s",
    "a+t",
    "u=",
    "ug+rw-x",
]


@pytest.mark.parametrize("before", [0o644, 0o755, 0o4711, 0o070])
@pytest.mark.parametrize("text", CHANGES)
@pytest.mark.parametrize("directory", [False, True])
def test_the_same_as_chmod(tmp_path, text, before, directory):
    path = tmp_path / "it"
    path.mkdir() if directory else path.touch()
    before &= 0o777 if directory else 0o7777  # chmod(1) would keep a directory's set-id bits
    path.chmod(before)
    subprocess.run(["sh", "-c", 'umask 0; exec chmod -- "$0" "$1"', text, str(path)], check=True)
    expected = path.stat().st_mode & 0o7777
    assert oct(modes.changed(text, before, directory=directory)) == oct(expected)


@pytest.mark.parametrize("text", ["8", "77777", "u", "z+x", "u+x,", "u+q", "u+rg"])
def test_what_is_no_mode_is_refused(text):
    with pytest.raises(ValueError, match="--chmod takes a mode"):
        modes.changed(text, 0o644)
