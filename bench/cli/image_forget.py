"""Removing an image's name, with docker's rules about containers that were made from it.

A name that is not the image's last one may always go. The last one needs --force if any container was made
from the image: it can start again, since its layers stay, but nobody can make another like it. By digits of
the digest, all names go, and a running container can't be overruled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.cli.container_common import places
from runtime.engine.holders import Holder, holders
from runtime.errors import RuntimeFault
from runtime.image.reference import Reference

if TYPE_CHECKING:
    from bench.cli.context import Context
    from runtime.image import Store
    from runtime.image.manifest import Descriptor


def forget(context: Context, text: str, *, force: bool) -> list[Reference]:
    """Remove a name, or with digits all names, of an image; returns them. Usage faults are conflicts."""
    store = context.store()
    found = store.find(text)
    names = [name for name, other in store.tags.read().items() if other.digest == found.digest]
    given = [name for name in names if name == _parsed(text)]
    if not given and len({name.name for name in names}) > 1 and not force:
        hint = "remove the names one by one, or use --force"
        raise RuntimeFault(f"image {text} has names in several repositories", kind="usage", hint=hint)
    if not given or len(names) == 1:
        _check(context, _digest(store, found), text, force=force, named=bool(given))
    return [store.remove(name) for name in given or names]


def _parsed(text: str) -> Reference | None:
    try:
        return Reference.parse(text)
    except RuntimeFault:  # digits alone may be none
        return None


def _digest(store: Store, found: Descriptor) -> str:
    """Return the digest that containers have on record: of an index, that of this host's image."""
    try:
        return str(store.load(found).digest)
    except RuntimeFault:  # damaged: nothing was made from it but under this digest
        return str(found.digest)


def _check(context: Context, digest: str, text: str, *, force: bool, named: bool) -> None:
    using = sorted((one for one in holders(places(context)) if one.image == digest), key=_stopped)
    for one in using[:1]:
        if one.running and not named:
            hint = f"stop it first: tare container stop {one.name}"
            raise RuntimeFault(f"image {text} is being used by {_called(one)}", kind="usage", hint=hint)
        if not force:
            hint = f"remove the container (tare container rm {one.name}), or use --force: the container stays"
            raise RuntimeFault(f"image {text} is being used by {_called(one)}", kind="usage", hint=hint)


def _stopped(one: Holder) -> bool:
    return not one.running


def _called(one: Holder) -> str:
    return f"{'running' if one.running else 'stopped'} container {one.name}"
