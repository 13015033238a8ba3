"""Whose a copied file is: `--chown=USER[:GROUP]`, names looked up in the root that it is copied to."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.builder.tree import Tree

_LARGEST = (1 << 32) - 2  # chown(2): the one above means "don't change"
_PASSWD, _GROUP = "/etc/passwd", "/etc/group"
_UID, _GID = 2, 3  # passwd(5), and the first of them is group(5)'s too


def owner(tree: Tree, text: str) -> tuple[int, int]:
    """Return uid and gid; without a group it is the uid's number, as docker does. A value error names it."""
    user, colon, group = text.partition(":")
    uid = _number(tree, _PASSWD, user or "0")
    return uid, _number(tree, _GROUP, group or "0") if colon else _group_of(tree, user, uid)


def owner_if_known(tree: Tree, text: str) -> tuple[int, int]:
    """Return uid and gid as `owner` does; a name that the image doesn't know stands for root."""
    user, colon, group = text.partition(":")
    known = [name if _known(tree, file, name) else "0" for file, name in ((_PASSWD, user), (_GROUP, group))]
    return owner(tree, ":".join(known) if colon else known[0])


def _number(tree: Tree, file: str, name: str) -> int:
    if name.isascii() and name.isdigit():
        if int(name[:12]) > _LARGEST:
            raise ValueError(f"{name} is too large for an owner")
        return int(name)
    found = _fields(tree, file, name)
    if found is None:
        raise ValueError(f"{file} of the image has no {name!r}")
    return int(found[_UID])


def _known(tree: Tree, file: str, name: str) -> bool:
    return name.isdigit() or _fields(tree, file, name) is not None


def _group_of(tree: Tree, user: str, uid: int) -> int:
    """Return the group of a user's entry; a number stands for the group of the same number."""
    found = None if user.isdigit() else _fields(tree, _PASSWD, user)
    return int(found[_GID]) if found and len(found) > _GID else uid


def _fields(tree: Tree, file: str, name: str) -> list[str] | None:
    entries = (line.split(":") for line in tree.lines(file))
    return next(
        (each for each in entries if each[0] == name and len(each) > _UID and each[_UID].isdigit()), None
    )
